//! Migrations of tables that go on being written to: what arrives, and how they end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::ferry::{Ended, Ferry};
use crate::support::table::Table;
use crate::support::writers::{Load, Writers};
use crate::support::{local, seed, wait_for};

/// So long that everything written before is in the stream's past, also by a clock of whole seconds.
const LATER: Duration = Duration::from_millis(3_200);
const LIMIT: Duration = Duration::from_secs(60);

/// A table of `items` items with a stream, and an empty one like it.
fn pair_keyed(endpoint: &str, items: usize, keys: &[(&str, &str)]) -> (Table, Table) {
    let source = Table::create_keyed(endpoint, "source", keys);
    source.seed(items, 71);
    source.enable_stream();
    (source, Table::create_keyed(endpoint, "destination", keys))
}

fn pair(endpoint: &str, items: usize) -> (Table, Table) {
    pair_keyed(endpoint, items, &[("pk", "S"), ("sk", "S")])
}

fn load(total: Option<u64>, keys: usize) -> Load {
    Load { seed: 72, threads: 2, rate: 120.0, total, keys }
}

#[track_caller]
fn drain(ferry: &Ferry, source: &Table, destination: &Table) -> Ended {
    let ended = ferry.drain(&["--quiet-period", "1", "--timeout", "60"]);
    ended.assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
    ended
}

#[test]
fn what_is_written_during_the_copy_and_after_it_arrives() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = pair(endpoint, 800);
        let writers = Writers::start(&source, load(None, 1_000));
        let ferry = Ferry::new();
        let mut running = ferry.start_migration(&source, &destination, &["--write-rate", "600wcu"]);
        running.wait_until_copied();
        let written = writers.written();
        writers.wait_for(written + 100);
        println!("written: {:?}", writers.stop());
        drain(&ferry, &source, &destination);
        running.interrupt();
        running.end().assert_code(4);
    }
}

#[test]
fn changes_of_items_of_every_shape_arrive_as_they_were() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        for keys in [&[("pk", "S"), ("sk", "S")][..], &[("id", "N")], &[("id", "B"), ("at", "N")]] {
            let (source, destination) = pair_keyed(endpoint, 0, keys);
            let ferry = Ferry::new();
            ferry.migrate(&source, &destination, &["--until", "copied"]).assert_code(0);
            // All of this is in the stream only: puts, puts over other items, and deletes.
            let items = seed::items(&source.keys, 0, 200, 73);
            source.put_all(&items);
            source.put_all(&seed::items(&source.keys, 50, 60, 74));
            items.iter().step_by(7).for_each(|item| source.delete(item));
            drain(&ferry, &source, &destination);
            assert!(destination.count() > 150);
        }
    }
}

#[test]
fn a_large_item_that_is_changed_again_and_again_arrives() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = pair(endpoint, 20);
        let ferry = Ferry::new();
        ferry.migrate(&source, &destination, &["--until", "copied"]).assert_code(0);
        for number in 0..8 {
            // Both images of it make almost a megabyte of JSON and escapes.
            let text = "\"".repeat(390_000 + number);
            source.put(&json!({ "pk": { "S": "large" }, "sk": { "S": "0" }, "text": { "S": text } }));
        }
        drain(&ferry, &source, &destination);
    }
}

#[test]
fn a_run_until_copied_ends_and_the_next_one_goes_on_from_there() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator.endpoint(), 600);
    let writers = Writers::start(&source, load(None, 700));
    let ferry = Ferry::new();
    let copied = ferry.migrate(&source, &destination, &["--until", "copied"]);
    let finished = copied.assert_code(0).event("finished");
    assert_eq!(finished["end"], "done", "{finished}");
    assert!(destination.count() > 400);
    let written = writers.written();
    writers.wait_for(written + 100);
    writers.stop();
    std::thread::sleep(LATER);
    let caught_up = ferry.migrate(&source, &destination, &["--until", "caught-up"]);
    assert_eq!(caught_up.assert_code(0).event("started")["resumed"], true);
    assert_equal(&source.contents(), &destination.contents());
    assert!(caught_up.event("finished")["progress"]["changes_applied"].as_u64() >= Some(100));
}

#[test]
fn a_run_until_caught_up_ends_while_the_source_is_written_to() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator.endpoint(), 600);
    let writers = Writers::start(&source, load(None, 700));
    let ferry = Ferry::new();
    let ended = ferry.migrate(&source, &destination, &["--until", "caught-up"]);
    ended.assert_code(0);
    writers.stop();
    drain(&ferry, &source, &destination);
}

#[test]
fn ctrl_c_after_the_copy_interrupts_and_the_same_command_goes_on() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = pair(endpoint, 300);
        let writers = Writers::start(&source, load(None, 400));
        let ferry = Ferry::new();
        for _ in 0..3 {
            let mut running = ferry.start_migration(&source, &destination, &[]);
            running.wait_until_copied();
            running.interrupt();
            let ended = running.end();
            assert_eq!(ended.assert_code(4).event("finished")["end"], "interrupted");
            assert_eq!(ferry.status().expect("there is a run")["state"], "interrupted");
        }
        writers.stop();
        drain(&ferry, &source, &destination);
    }
}

#[test]
fn ctrl_c_during_the_copy_interrupts_and_the_same_command_goes_on() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator.endpoint(), 1_000);
    let writers = Writers::start(&source, load(None, 1_200));
    let ferry = Ferry::new();
    for _ in 0..3 {
        let running = ferry.start_migration(&source, &destination, &["--write-rate", "200wcu"]);
        let before = destination.count();
        wait_for(LIMIT, || (destination.count() > before).then_some(())).expect("items arrive");
        running.interrupt();
        running.end().assert_code(4);
    }
    writers.stop();
    ferry.migrate(&source, &destination, &["--until", "copied"]).assert_code(0);
    drain(&ferry, &source, &destination);
}

#[test]
fn events_and_status_tell_how_far_behind_the_tail_is() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator.endpoint(), 200);
    let ferry = Ferry::new();
    let writers = Writers::start(&source, load(None, 300));
    let mut running = ferry.start_migration(&source, &destination, &[]);
    running.wait_for_progress("applied changes", |event| event["changes_applied"].as_u64() >= Some(50));
    let event = running.last_event("progress").expect("there was one");
    assert!(event["lag_seconds"].as_f64().is_some_and(|lag| (0.0..30.0).contains(&lag)), "{event}");

    let status = ferry.status().expect("there is a run");
    assert_eq!(status["state"], "running", "{status}");
    let tail = &status["tail"];
    assert!(tail["lag_seconds"].as_f64().is_some_and(|lag| (0.0..30.0).contains(&lag)), "{status}");
    assert!(tail["changes_applied"].as_u64() > Some(0), "{status}");
    assert!(tail["changes_waiting"].as_u64().is_some(), "{status}");
    let shards = tail["shards"].as_array().expect("shards are a list");
    assert!(!shards.is_empty() && shards.iter().all(|shard| shard["id"].is_string()), "{status}");
    assert!(shards.iter().all(|shard| shard["lag_seconds"].is_number()), "{status}");

    writers.stop();
    let is_quiet = || {
        let status = ferry.status().expect("there is a run");
        let shards = status["tail"]["shards"].as_array().expect("shards are a list").clone();
        let quiet = |shard: &Value| shard["quiet_seconds"].as_f64().is_some_and(|quiet| quiet >= 1.0);
        (status["tail"]["changes_waiting"] == 0 && shards.iter().all(quiet)).then_some(())
    };
    wait_for(LIMIT, is_quiet).expect("the shards are quiet in the end");
    assert!(ferry.run(&["status"]).assert_code(0).stdout.contains("behind"));
    drop(running);
}

#[test]
fn without_a_tail_a_stream_does_not_matter_and_the_run_ends_with_the_copy() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = pair(endpoint, 300);
        let before = source.contents();
        let ended = Ferry::new().copy(&source, &destination, &["--json"]);
        assert_eq!(ended.assert_code(0).event("finished")["end"], "done");
        assert_equal(&before, &destination.contents());
    }
}

#[test]
fn items_that_expire_are_deleted_at_the_destination_too() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator.endpoint(), 100);
    let ttl = json!({ "TableName": source.name,
                      "TimeToLiveSpecification": { "Enabled": true, "AttributeName": "expires" } });
    source.call("UpdateTimeToLive", &ttl);
    let expiring = |number: usize, at: &str| json!({ "pk": { "S": "expiring" }, "sk": { "S": number.to_string() }, "expires": { "N": at } });
    // One expired item is there before the run, the others come while it goes on.
    source.put(&expiring(0, "1000"));
    let ferry = Ferry::new();
    let mut running = ferry.start_migration(&source, &destination, &[]);
    running.wait_until_copied();
    (1..30).for_each(|number| source.put(&expiring(number, if number < 20 { "1000" } else { "4000000000" })));
    assert!(emulator.delete_expired() >= 20);
    drain(&ferry, &source, &destination);
    assert_eq!(destination.count(), 110);
}

/// A table with an index whose key is a number: it refuses items with a `rank` that is none.
fn picky(endpoint: &str) -> Table {
    let index = json!({ "IndexName": "by-rank", "KeySchema": [{ "AttributeName": "rank", "KeyType": "HASH" }],
                        "Projection": { "ProjectionType": "ALL" } });
    let more = json!({ "AttributeDefinitions": [{ "AttributeName": "rank", "AttributeType": "N" }],
                       "GlobalSecondaryIndexes": [index] });
    Table::create_with(endpoint, "picky", &[("pk", "S"), ("sk", "S")], more)
}

#[test]
fn a_refused_change_is_a_dead_letter_until_a_later_one_mends_it() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, _) = pair(endpoint, 100);
        let destination = picky(endpoint);
        let ferry = Ferry::new();
        let mut running = ferry.start_migration(&source, &destination, &[]);
        running.wait_until_copied();
        let item = |key: &str, rank: Value| json!({ "pk": { "S": key }, "sk": { "S": "0" }, "rank": rank });
        let (bad, good) = (json!({ "S": "first" }), json!({ "N": "1" }));
        let dead_letters = |count: u64| move |event: &Value| event["dead_letters"].as_u64() == Some(count);

        source.put(&item("mended", good.clone()));
        source.put(&item("mended", bad.clone()));
        source.put(&item("deleted", bad));
        running.wait_for_progress("two dead letters", dead_letters(2));
        let not_ready = ferry.drain(&["--quiet-period", "1", "--timeout", "5"]);
        not_ready.assert_told(3, &["dead letter"]);
        assert_eq!(destination.count(), 100, "what was there before the refused change is gone too");

        source.put(&item("mended", good));
        source.delete(&item("deleted", json!({ "NULL": true })));
        running.wait_for_progress("no dead letters", dead_letters(0));
        drain(&ferry, &source, &destination);
        running.interrupt();
        running.end().assert_code(4);
    }
}
