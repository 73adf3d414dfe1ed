//! Recipes on the way: what arrives is what an oracle makes of the source, through kills and live writes.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::ferry::{Ferry, STARTED};
use crate::support::local;
use crate::support::moves::{DROP, KEYS, RENAME, expected, write_transforms};
use crate::support::table::Table;
use crate::support::writers::{Load, Writers};

#[test]
fn every_item_and_every_change_passes_the_transforms_through_kills() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = (Table::create(endpoint, "source"), Table::create(endpoint, "destination"));
        source.seed(600, 301);
        source.enable_stream();
        let load = Load { seed: 302, threads: 2, rate: 80.0, total: None, keys: 700 };
        let writers = Writers::start(&source, load);
        let ferry = Ferry::new();
        let files = [("0001-rename.toml", RENAME), ("0002-drop.toml", DROP), ("0010-keys.toml", KEYS)];
        write_transforms(&ferry, &files);
        let more = ["--transforms", "moves", "--request-timeout", "1", "--write-rate", "400wcu"];
        for _ in 0..3 {
            let mut running = ferry.start_migration(&source, &destination, &more);
            assert!(running.wait_for_output(STARTED), "{}", running.stderr());
            thread::sleep(Duration::from_millis(2_600));
            assert!(running.kill(), "it was still running");
        }
        let running = ferry.start_migration(&source, &destination, &more);
        thread::sleep(Duration::from_secs(1));
        writers.stop();
        ferry.drain(&["--quiet-period", "2", "--timeout", "100"]).assert_code(0);
        let expected = expected(&source);
        assert!(expected.keys().any(|key| key.contains("copy|")), "items were copied");
        assert!(expected.len() < source.count() * 2 && !expected.is_empty(), "some were dropped");
        assert_equal(&expected, &destination.contents());
        drop(running);
    }
}

#[test]
fn free_keys_move_between_items_and_a_conflict_is_a_dead_letter() {
    let emulator = Dynoxide::start();
    let source = Table::create_keyed(&emulator.endpoint(), "source", &[("pk", "S")]);
    let destination = Table::create_keyed(&emulator.endpoint(), "destination", &[("pk", "S")]);
    let item = |pk: &str, slot: &str| json!({ "pk": { "S": pk }, "slot": { "S": slot }, "who": { "S": pk } });
    source.put_all(&[item("a", "one"), item("b", "two"), item("c", "three")]);
    source.enable_stream();
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-slots.toml", "keys = 'free'\nstep = [{ update = 'SET pk = slot' }]")]);
    let more = ["--transforms", "moves", "--request-timeout", "1"];
    let mut running = ferry.start_migration(&source, &destination, &more);
    running.wait_until_copied();
    let quickly = ["--quiet-period", "1", "--timeout", "30"];
    ferry.drain(&quickly).assert_code(0);
    let owners = || {
        let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
        let mut owners: Vec<_> =
            destination.items().iter().map(|item| (text(&item["pk"]), text(&item["who"]))).collect();
        owners.sort();
        owners
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(slot, who)| (slot.to_string(), who.to_string())).collect()
    };
    assert_eq!(owners(), pairs(&[("one", "a"), ("three", "c"), ("two", "b")]));

    // The slots go round.
    source.put_all(&[item("a", "two"), item("b", "three"), item("c", "one")]);
    ferry.drain(&quickly).assert_code(0);
    assert_eq!(owners(), pairs(&[("one", "c"), ("three", "b"), ("two", "a")]));

    // Two want one: the smaller key has it, the other is a dead letter.
    source.put(&item("c", "two"));
    ferry.drain(&quickly).assert_told(3, &["1 items are dead letters"]);
    assert_eq!(owners(), pairs(&[("three", "b"), ("two", "a")]));
    assert!(running.kill(), "it was still running");

    // Resumed: who waited for the slot gets it.
    source.delete(&item("a", ""));
    ferry.drain(&quickly).assert_code(0);
    assert_eq!(owners(), pairs(&[("three", "b"), ("two", "c")]));
}

#[test]
fn a_run_is_bound_to_its_transforms() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    source.seed(50, 303);
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-rename.toml", RENAME), ("0002-drop.toml", DROP)]);
    let more = ["--transforms", "moves", "--no-tail"];
    ferry.migrate(&source, &destination, &more).assert_code(0);

    write_transforms(&ferry, &[("0002-drop.toml", &format!("{DROP}# changed"))]);
    ferry.migrate(&source, &destination, &more).assert_refused(14, &["transform 0002-drop.toml"]);
    write_transforms(&ferry, &[("0002-drop.toml", DROP), ("0003-more.toml", DROP)]);
    ferry.migrate(&source, &destination, &more).assert_refused(14, &["0003-more.toml"]);
    fs::remove_file(ferry.path().join("moves/0003-more.toml")).expect("is there");
    fs::remove_file(ferry.path().join("moves/0001-rename.toml")).expect("is there");
    ferry.migrate(&source, &destination, &more).assert_refused(14, &["0001-rename.toml"]);
    ferry.migrate(&source, &destination, &["--no-tail"]).assert_refused(14, &["no transforms"]);
}

#[test]
fn wrong_transforms_are_refused_before_anything_is_written() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    source.seed(5, 304);
    for (name, text, words) in [
        (
            "0001-a.toml",
            "[[step]]\nwhen = 'begin_with(pk, \"case|\")'\ndrop = true",
            &["0001-a.toml", "line 2", "^"][..],
        ),
        ("0001-a.toml", "[[step]]\nwen = 'a = 1'\ndrop = true", &["0001-a.toml", "wen", "did you mean `when`?"]),
        ("0001-a.toml", "[[step]]\nupdate = 'SET sk = \"x\"'", &["sk is part of the key", "derived"]),
        ("drop.toml", "[[step]]\ndrop = true", &["drop.toml has no number"]),
    ] {
        let ferry = Ferry::new();
        write_transforms(&ferry, &[(name, text)]);
        let more = ["--transforms", "moves", "--no-tail"];
        ferry.migrate(&source, &destination, &more).assert_refused(2, words);
        assert_eq!(destination.count(), 0);
    }
    let ferry = Ferry::new();
    ferry.migrate(&source, &destination, &["--transforms", "nowhere", "--no-tail"]).assert_refused(16, &["nowhere"]);
}

#[test]
fn what_a_transform_refuses_is_a_dead_letter_until_a_change_mends_it() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    let item = |count: Value| json!({ "pk": { "S": "a" }, "sk": { "S": "b" }, "count": count });
    source.put(&item(json!({ "S": "many" })));
    source.enable_stream();
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-count.toml", "step = [{ update = 'SET count = count + 1' }]")]);
    let mut running = ferry.start_migration(&source, &destination, &["--transforms", "moves"]);
    running.wait_until_copied();
    let quickly = ["--quiet-period", "1", "--timeout", "30"];
    ferry.drain(&quickly).assert_told(3, &["1 items are dead letters"]);
    let status = ferry.status().expect("a run").to_string();
    assert!(status.contains("transform 0001-count.toml: step 1: "), "{status}");
    source.put(&item(json!({ "N": "7" })));
    ferry.drain(&quickly).assert_code(0);
    assert_eq!(destination.items(), [item(json!({ "N": "8" }))]);
}
