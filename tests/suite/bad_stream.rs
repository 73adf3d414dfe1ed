//! Sources whose stream cannot be followed: refused before anything is written, or told as soon as it shows.

use serde_json::json;

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::fault::Fault;
use crate::support::ferry::{Ended, Ferry};
use crate::support::proxy::Proxy;
use crate::support::table::Table;
use crate::support::{local, plan};

/// A table of some items without a stream, and an empty one.
fn pair(endpoint: &str) -> (Table, Table) {
    let source = Table::create(endpoint, "source");
    source.seed(100, 91);
    (source, Table::create(endpoint, "destination"))
}

/// Must be refused like this, with nothing written.
#[track_caller]
fn refuse(source: &Table, destination: &Table, more: &[&str], names: &[&str]) {
    let before = destination.contents();
    Ferry::new().migrate(source, destination, more).assert_refused(11, names);
    assert_equal(&before, &destination.contents());
}

#[test]
fn a_source_without_a_stream_is_refused_with_the_way_out() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = pair(endpoint);
        let names = [&source.name, "stream", "aws dynamodb update-table", "NEW_AND_OLD_IMAGES", "--no-tail"];
        refuse(&source, &destination, &[], &names);
        source.enable_stream();
        source.disable_stream();
        refuse(&source, &destination, &[], &names);
        Ferry::new().copy(&source, &destination, &[]).assert_code(0);
        assert_equal(&source.contents(), &destination.contents());
    }
}

#[test]
fn a_stream_without_both_images_is_refused() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        for view in ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE"] {
            let (source, destination) = pair(endpoint);
            source.enable_stream_of(view);
            refuse(&source, &destination, &[], &[view, "NEW_AND_OLD_IMAGES"]);
        }
    }
}

#[test]
fn the_stream_of_another_table_is_refused() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = pair(endpoint);
        let own = source.enable_stream();
        let (other, _) = pair(endpoint);
        let foreign = other.enable_stream();
        refuse(&source, &destination, &["--stream-arn", &foreign], &[&source.name, &other.name]);
        let ferry = Ferry::new();
        let more = ["--until", "copied", "--stream-arn", &own];
        ferry.migrate(&source, &destination, &more).assert_code(0);
        assert_equal(&source.contents(), &destination.contents());
    }
}

#[test]
fn a_stream_that_does_not_exist_is_refused() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = pair(endpoint);
        let own = source.enable_stream();
        for wrong in [own.replace(&source.name, "nobody"), "not-an-arn".to_owned(), String::new()] {
            let ended = Ferry::new().migrate(&source, &destination, &["--stream-arn", &wrong]);
            ended.assert_code_among(&[2, 11]);
            ended.assert_says(&["stream", "hint: "]);
            assert_eq!(destination.count(), 0);
        }
    }
}

#[test]
fn a_stream_that_was_switched_off_meanwhile_is_told_and_never_passed_over() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        for is_on_again in [false, true] {
            let (source, destination) = pair(endpoint);
            source.enable_stream();
            let ferry = Ferry::new();
            ferry.migrate(&source, &destination, &["--until", "copied"]).assert_code(0);
            source.disable_stream();
            // This change is in no stream.
            source.delete(&source.items()[0]);
            if is_on_again {
                source.enable_stream();
            }
            let resumed = ferry.migrate(&source, &destination, &["--until", "caught-up"]);
            let code = resumed.assert_code_among(&[11, 14, 18]);
            println!("stream switched off, on again: {is_on_again}: exit code {code}");
            resumed.assert_says(&["stream", "hint: "]);
            let drained = ferry.drain(&["--quiet-period", "1", "--timeout", "5"]);
            drained.assert_code_among(&[3, 11, 14, 18]);
        }
    }
}

#[test]
fn a_stream_that_is_switched_off_while_the_run_goes_on_ends_it() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = pair(endpoint);
        source.enable_stream();
        let ferry = Ferry::new();
        let mut running = ferry.start_migration(&source, &destination, &[]);
        running.wait_until_copied();
        source.disable_stream();
        let ended = running.end();
        ended.assert_code_among(&[11, 18]);
        ended.assert_says(&["stream", "hint: "]);
    }
}

#[test]
fn changes_that_the_stream_has_forgotten_end_the_run_for_good() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator.endpoint());
    source.enable_stream();
    let proxy = Proxy::start(&emulator.endpoint(), plan::pass());
    let far = source.at(&proxy.endpoint());
    let ferry = Ferry::new();
    let mut running = ferry.start_migration(&far, &destination, &[]);
    running.wait_until_copied();
    for number in 0..20 {
        source.put(&json!({ "pk": { "S": "change" }, "sk": { "S": number.to_string() } }));
    }
    running.wait_for_progress("applied changes", |event| event["changes_applied"].as_u64() >= Some(20));
    let refused = |ended: Ended| {
        ended.assert_refused(18, &["stream", "--restart"]);
        let drained = ferry.drain(&["--quiet-period", "1", "--timeout", "5"]);
        drained.assert_code_among(&[3, 18]);
    };
    proxy.follow(plan::first("GetRecords", u64::MAX, Fault::TrimmedData));
    refused(running.end());
    proxy.follow(plan::first("GetShardIterator", u64::MAX, Fault::TrimmedData));
    refused(ferry.migrate(&far, &destination, &["--until", "caught-up"]));
    assert!(proxy.injected()[Fault::TrimmedData.name()] >= 1, "{:?}", proxy.injected());
}
