//! Tables that cannot take part: refused by name, before anything is written.

use serde_json::json;

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::ferry::Ferry;
use crate::support::local;
use crate::support::table::Table;

fn source(endpoint: &str) -> Table {
    let table = Table::create(endpoint, "source");
    table.seed(30, 81);
    table
}

#[test]
fn a_missing_source_is_named_and_no_destination_is_created() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let missing = Table::named(endpoint, "no-such-source", &[("pk", "S")]);
        let destination = Table::named(endpoint, "never-created", &[("pk", "S")]);
        let ended = Ferry::new().copy(&missing, &destination, &["--create-destination"]);
        ended.assert_refused(11, &["no-such-source"]);
        assert!(!destination.exists());
    }
}

#[test]
fn a_missing_destination_is_named_and_only_created_when_asked_for() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let destination = Table::named(endpoint, "no-such-destination", &[("pk", "S")]);
        let ended = Ferry::new().copy(&source(endpoint), &destination, &[]);
        ended.assert_refused(11, &["no-such-destination", "--create-destination"]);
        assert!(!destination.exists());
    }
}

#[test]
fn a_table_is_not_copied_onto_itself() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let table = source(endpoint);
        let before = table.contents();
        for more in [&["--into-nonempty"][..], &["--create-destination", "--into-nonempty"], &[]] {
            Ferry::new().copy(&table, &table, more).assert_refused(11, &[&table.name]);
        }
        assert_equal(&before, &table.contents());
    }
}

#[test]
fn a_table_is_not_copied_onto_itself_under_its_arn() {
    // Dynoxide takes no ARN for a name.
    let table = source(local::endpoint());
    let arn = table.describe()["TableArn"].as_str().expect("a table has an ARN").to_owned();
    let by_arn = table.known_as(&arn);
    for (from, to) in [(&by_arn, &table), (&table, &by_arn)] {
        let ended = Ferry::new().copy(from, to, &["--into-nonempty"]);
        ended.assert_refused(11, &[&table.name]);
    }
}

#[test]
fn a_table_is_copied_by_its_arn() {
    let (source, destination) = (source(local::endpoint()), Table::create(local::endpoint(), "destination"));
    let arn = source.describe()["TableArn"].as_str().expect("a table has an ARN").to_owned();
    Ferry::new().copy(&source.known_as(&arn), &destination, &[]).assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
}

#[test]
fn a_destination_that_is_not_empty_is_left_alone_unless_asked_for() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = (source(endpoint), Table::create(endpoint, "destination"));
        let own = json!({ "pk": { "S": "own" }, "sk": { "S": "own" } });
        destination.put(&own);
        let ended = Ferry::new().copy(&source, &destination, &[]);
        ended.assert_refused(11, &[&destination.name, "--into-nonempty"]);
        assert_eq!(destination.count(), 1);

        Ferry::new().copy(&source, &destination, &["--into-nonempty"]).assert_code(0);
        assert_eq!(destination.count(), 31);
        destination.delete(&own);
        assert_equal(&source.contents(), &destination.contents());
    }
}

#[test]
fn other_keys_are_refused_by_name() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let source = source(endpoint);
        for keys in [&[("pk", "S")][..], &[("pk", "S"), ("range", "S")], &[("sk", "S"), ("pk", "S")]] {
            let destination = Table::create_keyed(endpoint, "destination", keys);
            let ended = Ferry::new().copy(&source, &destination, &[]);
            ended.assert_refused(11, &[&source.name, &destination.name, "sk"]);
            assert_eq!(destination.count(), 0);
        }
    }
}

#[test]
fn a_key_attribute_of_another_type_is_refused_by_name() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let source = source(endpoint);
        let destination = Table::create_keyed(endpoint, "destination", &[("pk", "S"), ("sk", "N")]);
        let ended = Ferry::new().copy(&source, &destination, &[]);
        ended.assert_refused(11, &[&destination.name, "sk"]);
        assert_eq!(destination.count(), 0);
    }
}
