//! Items that cannot be written: only they stay behind, and they are counted and explained.

use serde_json::{Value, json};

use crate::support::contents::{assert_equal, compare};
use crate::support::dynoxide::Dynoxide;
use crate::support::fault::Fault;
use crate::support::ferry::Ferry;
use crate::support::proxy::Proxy;
use crate::support::table::Table;
use crate::support::{local, plan};

/// Items that [`picky`] refuses, among the first of which and the others lie many good ones.
const REFUSED: usize = 7;

/// A table with an index whose key is a number.
fn picky(endpoint: &str) -> Table {
    let index = json!({ "IndexName": "by-rank", "KeySchema": [{ "AttributeName": "rank", "KeyType": "HASH" }],
                        "Projection": { "ProjectionType": "ALL" } });
    let more = json!({ "AttributeDefinitions": [{ "AttributeName": "rank", "AttributeType": "N" }],
                       "GlobalSecondaryIndexes": [index] });
    Table::create_with(endpoint, "picky", &[("pk", "S"), ("sk", "S")], more)
}

/// A table of 400 items, of which [`REFUSED`] have a `rank` that is no number.
fn mixed(endpoint: &str) -> Table {
    let table = Table::create(endpoint, "mixed");
    table.seed(400, 21);
    let item = |number: usize, rank: Value| json!({ "pk": { "S": format!("ranked|{number}") }, "sk": { "S": "poisoned" }, "rank": rank });
    table.put_all(&(0..REFUSED).map(|number| item(number, json!({ "S": "first" }))).collect::<Vec<_>>());
    table.put_all(&(50..80).map(|number| item(number, json!({ "N": "1" }))).collect::<Vec<_>>());
    table
}

/// Asserts that exactly the refused items are missing.
#[track_caller]
fn assert_others_arrived(source: &Table, destination: &Table) {
    let difference = compare(&source.contents(), &destination.contents());
    assert_eq!(
        (difference.lost.len(), difference.extra.len(), difference.stale.len()),
        (REFUSED, 0, 0),
        "{difference}"
    );
}

#[test]
fn items_that_an_index_refuses_are_dead_letters_and_the_others_arrive() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = (mixed(endpoint), picky(endpoint));
        let ferry = Ferry::new();
        let ended = ferry.copy(&source, &destination, &["--json"]);
        ended.assert_code(5);
        assert_others_arrived(&source, &destination);
        let finished = ended.event("finished");
        assert_eq!(finished["end"], "done", "{finished}");
        let counts = finished["dead_letters"].as_array().expect("groups").iter().map(|group| group["count"].as_u64());
        assert_eq!(counts.map(Option::unwrap_or_default).sum::<u64>(), REFUSED as u64, "{finished}");
    }
}

#[test]
fn the_summary_groups_dead_letters_by_reason() {
    let emulator = Dynoxide::start();
    let (source, destination) = (mixed(&emulator.endpoint()), picky(&emulator.endpoint()));
    let ended = Ferry::new().copy(&source, &destination, &[]);
    ended.assert_code(5);
    assert!(ended.stdout.contains("rank") && ended.stdout.contains(&REFUSED.to_string()), "{}", ended.stdout);
}

#[test]
fn a_batch_refused_for_one_item_is_searched_for_it() {
    let emulator = Dynoxide::start();
    let (source, destination) = (mixed(&emulator.endpoint()), Table::create(&emulator.endpoint(), "plain"));
    let proxy = Proxy::start(&emulator.endpoint(), plan::containing(r#""S":"first""#, Fault::Rejected));
    let ferry = Ferry::new();
    ferry.copy(&source, &destination.at(&proxy.endpoint()), &[]).assert_code(5);
    assert_others_arrived(&source, &destination);
    assert!(proxy.injected()[Fault::Rejected.name()] >= REFUSED as u64);
}

#[test]
fn more_dead_letters_than_allowed_stop_the_run_and_more_patience_ends_it() {
    let emulator = Dynoxide::start();
    let (source, destination) = (mixed(&emulator.endpoint()), picky(&emulator.endpoint()));
    let ferry = Ferry::new();
    let stopped = ferry.copy(&source, &destination, &["--max-dead-letters", "3"]);
    stopped.assert_refused(15, &["could not be written", "--max-dead-letters"]);
    ferry.copy(&source, &destination, &["--max-dead-letters", "7"]).assert_code(5);
    assert_others_arrived(&source, &destination);
}

#[test]
fn a_destination_that_refuses_everything_stops_the_run_early() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    source.seed(3_000, 22);
    let destination = Table::create(&emulator.endpoint(), "plain");
    let proxy = Proxy::start(&emulator.endpoint(), plan::first("BatchWriteItem", u64::MAX, Fault::Rejected));
    let ferry = Ferry::new();
    ferry.copy(&source, &destination.at(&proxy.endpoint()), &[]).assert_refused(15, &["100", "could not be written"]);
    assert_eq!(destination.count(), 0);
    // Bisecting a batch of 25 takes at most 49 requests, and the default allows 100 dead letters.
    assert!(proxy.requests("BatchWriteItem") < 2_000, "{}", proxy.requests("BatchWriteItem"));
}

#[test]
fn dead_letters_survive_an_interruption() {
    let emulator = Dynoxide::start();
    let (source, destination) = (mixed(&emulator.endpoint()), picky(&emulator.endpoint()));
    let ferry = Ferry::new();
    ferry.interrupt_copy(&source, &destination, &[]).assert_code(4);
    ferry.copy(&source, &destination, &[]).assert_code(5);
    assert_others_arrived(&source, &destination);
}

#[test]
fn an_item_at_the_limit_is_no_dead_letter() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let text = "x".repeat(400 * 1024 - "pkasktext0".len());
    source.put(&json!({ "pk": { "S": "a" }, "sk": { "S": "0" }, "text": { "S": text } }));
    let destination = Table::create(&emulator.endpoint(), "destination");
    Ferry::new().copy(&source, &destination, &[]).assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
}
