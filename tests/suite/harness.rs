//! The harness itself: an oracle that sees nothing or a proxy that spoils nothing would make every other test worthless.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::contents::{assert_equal, compare};
use crate::support::dynoxide::Dynoxide;
use crate::support::fault::Fault;
use crate::support::http::{self, Message};
use crate::support::proxy::Proxy;
use crate::support::seed;
use crate::support::table::Table;
use crate::support::{local, plan, wait_for};

/// An emulator with a table behind a proxy that follows `plan`.
struct Stand {
    _emulator: Dynoxide,
    proxy: Proxy,
    table: Table,
}

impl Stand {
    fn new(plan: plan::Plan) -> Self {
        let emulator = Dynoxide::start();
        let table = Table::create(&emulator.endpoint(), "stand");
        let proxy = Proxy::start(&emulator.endpoint(), plan);
        Self { _emulator: emulator, proxy, table }
    }

    fn with(fault: Fault) -> Self {
        Self::new(plan::always(fault))
    }

    fn send(&self, operation: &str, body: &Value) -> std::io::Result<Message> {
        http::send(http::address_of(&self.proxy.endpoint()), &http::dynamodb_request(operation, body))
    }

    /// Sends a batch of this many items.
    fn write(&self, count: usize) -> std::io::Result<Message> {
        let items = seed::items(&self.table.keys, 0, count, 1);
        let puts: Vec<_> = items.iter().map(|item| json!({ "PutRequest": { "Item": item } })).collect();
        self.send("BatchWriteItem", &json!({ "RequestItems": { &self.table.name: puts } }))
    }

    fn scan(&self) -> std::io::Result<Message> {
        self.send("Scan", &json!({ "TableName": self.table.name }))
    }
}

fn vouched(answer: &Message) -> bool {
    answer.header("x-amz-crc32") == Some(&crc32fast::hash(&answer.body).to_string())
}

#[test]
fn seeding_reading_and_comparing_agree_on_both_emulators() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        for keys in [&[("pk", "S"), ("sk", "S")][..], &[("id", "N")], &[("id", "B"), ("at", "N")]] {
            let (one, other) =
                (Table::create_keyed(endpoint, "one", keys), Table::create_keyed(endpoint, "other", keys));
            one.seed(300, 7);
            other.seed(300, 7);
            assert_eq!(one.count(), 300);
            assert_equal(&one.contents(), &other.contents());
        }
    }
}

#[test]
fn what_was_put_is_what_a_scan_shows() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let table = Table::create(endpoint, "exact");
        let items = seed::items(&table.keys, 0, 80, 3);
        table.put_all(&items);
        let shown = table.contents();
        for item in items {
            let text = crate::support::contents::canonical(&item);
            // Numbers come back in a form of the server's own.
            if !text.contains("N \"9.9") && !text.contains("1234567.10") {
                assert!(shown.values().any(|other| *other == text), "{text}");
            }
        }
    }
}

#[test]
fn a_planted_lost_extra_or_stale_item_is_found() {
    let emulator = Dynoxide::start();
    let (one, other) = (Table::create(&emulator.endpoint(), "one"), Table::create(&emulator.endpoint(), "other"));
    one.seed(200, 5);
    other.seed(200, 5);
    let items = one.items();
    other.delete(&items[17]);
    other.put(&json!({ "pk": { "S": "not in" }, "sk": { "S": "the source" } }));
    let mut changed = items[42].clone();
    changed["salt"] = json!({ "N": "1" });
    other.put(&changed);
    let found = compare(&one.contents(), &other.contents());
    assert_eq!((found.lost.len(), found.extra.len(), found.stale.len()), (1, 1, 1), "{found}");
    assert!(found.extra[0].contains("not in"), "{found}");
}

#[test]
fn the_order_of_a_set_does_not_count_but_everything_else_does() {
    let canonical = |value: Value| crate::support::contents::canonical(&json!({ "a": value }));
    assert_eq!(canonical(json!({ "SS": ["a", "b"] })), canonical(json!({ "SS": ["b", "a"] })));
    assert_ne!(
        canonical(json!({ "L": [{ "S": "a" }, { "S": "b" }] })),
        canonical(json!({ "L": [{ "S": "b" }, { "S": "a" }] }))
    );
    assert_ne!(canonical(json!({ "N": "1" })), canonical(json!({ "S": "1" })));
    assert_ne!(canonical(json!({ "N": "1" })), canonical(json!({ "N": "1.0" })));
    assert_ne!(canonical(json!({ "NULL": true })), canonical(json!({ "BOOL": true })));
}

#[test]
fn a_proxy_without_faults_changes_nothing_and_keeps_connections() {
    let stand = Stand::new(plan::pass());
    let direct = stand.table.clone();
    let through = direct.at(&stand.proxy.endpoint());
    through.seed(500, 3);
    assert_equal(&direct.contents(), &through.contents());

    let before = stand.proxy.connections();
    let mut stream = TcpStream::connect(http::address_of(&stand.proxy.endpoint())).expect("connects");
    let mut buffer = Vec::new();
    for _ in 0..3 {
        stream.write_all(&http::dynamodb_request("ListTables", &json!({})).bytes()).expect("is sent");
        let answer = http::read_message(&mut stream, &mut buffer).expect("is read").expect("is answered");
        assert!(answer.status() == 200 && vouched(&answer));
    }
    assert_eq!(stand.proxy.connections() - before, 1);
    assert_eq!(stand.proxy.requests("ListTables"), 3);
    assert!(stand.proxy.injected().is_empty());
}

#[test]
fn connection_faults_end_the_request_and_only_a_lost_acknowledgement_acts() {
    for (fault, written) in [(Fault::Refused, 0), (Fault::ResetBefore, 0), (Fault::LostAck, 5)] {
        let stand = Stand::with(fault);
        assert!(stand.write(5).is_err(), "{fault:?}");
        assert_eq!(stand.table.count(), written, "{fault:?}");
        assert_eq!(stand.proxy.injected()[fault.name()], 1);
    }
    let stand = Stand::new(plan::first("BatchWriteItem", 1, Fault::Refused));
    assert!(stand.write(1).is_err());
    assert!(stand.write(1).is_err(), "new connections are refused for a moment");
    let recovered = wait_for(Duration::from_secs(10), || stand.write(1).ok());
    assert!(recovered.is_some(), "and only for a moment");
}

#[test]
fn a_slow_answer_comes_late_and_a_late_landing_after_the_client_has_left() {
    let delay = Duration::from_millis(300);
    let stand = Stand::with(Fault::Slow(delay));
    let begun = Instant::now();
    assert_eq!(stand.write(5).expect("is answered").status(), 200);
    assert!(begun.elapsed() >= delay);

    let stand = Stand::with(Fault::LateLanding(delay));
    let mut stream = TcpStream::connect(http::address_of(&stand.proxy.endpoint())).expect("connects");
    let put = json!({ "TableName": stand.table.name, "Item": { "pk": { "S": "a" }, "sk": { "S": "b" } } });
    stream.write_all(&http::dynamodb_request("PutItem", &put).bytes()).expect("is sent");
    stream.set_read_timeout(Some(delay / 3)).expect("takes a limit");
    assert!(http::read_message(&mut stream, &mut Vec::new()).is_err(), "there is no answer");
    drop(stream);
    assert_eq!(stand.table.count(), 0);
    let landed = wait_for(Duration::from_secs(10), || (stand.table.count() == 1).then_some(()));
    assert!(landed.is_some());
}

#[test]
fn a_duplicate_reaches_the_server_twice() {
    let stand = Stand::with(Fault::Duplicate);
    let update = json!({ "TableName": stand.table.name, "Key": { "pk": { "S": "a" }, "sk": { "S": "b" } },
        "UpdateExpression": "ADD times :one", "ExpressionAttributeValues": { ":one": { "N": "1" } } });
    assert_eq!(stand.send("UpdateItem", &update).expect("is answered").status(), 200);
    assert_eq!(stand.table.items()[0]["times"]["N"], "2");
}

#[test]
fn spoiled_bodies_are_spoiled_in_their_own_way_and_the_server_has_acted() {
    for fault in [Fault::TruncatedBody, Fault::ShortJson, Fault::Garbage, Fault::BadChecksum, Fault::ServerError] {
        let stand = Stand::with(fault);
        let answer = stand.write(5);
        assert_eq!(stand.table.count(), 5, "{fault:?}");
        if fault == Fault::TruncatedBody {
            assert_eq!(answer.expect_err("breaks off").kind(), std::io::ErrorKind::UnexpectedEof);
            continue;
        }
        let answer = answer.expect("is complete as HTTP");
        let is_json = serde_json::from_slice::<Value>(&answer.body).is_ok();
        let expected = match fault {
            Fault::BadChecksum => (200, true, true, false),
            Fault::ServerError => (500, true, true, true),
            _ => (200, false, false, false),
        };
        let has_checksum = answer.header("x-amz-crc32").is_some();
        assert_eq!((answer.status(), is_json, has_checksum, vouched(&answer)), expected, "{fault:?}");
    }
}

#[test]
fn planted_answers_leave_the_server_out() {
    for (fault, status, kind) in [
        (Fault::Html, 200, None),
        (Fault::BadGateway, 502, None),
        (Fault::Unavailable, 503, Some("ServiceUnavailable")),
        (Fault::ThroughputExceeded, 400, Some("ProvisionedThroughputExceededException")),
        (Fault::Throttled, 400, Some("ThrottlingException")),
        (Fault::ExpiredToken, 400, Some("ExpiredTokenException")),
        (Fault::Rejected, 400, Some("ValidationException")),
    ] {
        let stand = Stand::with(fault);
        let answer = stand.write(5).expect("is answered");
        assert_eq!((answer.status(), stand.table.count()), (status, 0), "{fault:?}");
        match kind {
            None => assert!(answer.body.starts_with(b"<!doctype html>")),
            Some(kind) => assert!(answer.json()["__type"].as_str().is_some_and(|text| text.ends_with(kind))),
        }
    }
}

#[test]
fn unprocessed_operations_come_back_and_the_others_are_done() {
    let stand = Stand::with(Fault::AllUnprocessed);
    let answer = stand.write(7).expect("is answered");
    assert!(vouched(&answer));
    assert_eq!(answer.json()["UnprocessedItems"][&stand.table.name].as_array().map(Vec::len), Some(7));
    assert_eq!(stand.table.count(), 0);

    let stand = Stand::with(Fault::PartialUnprocessed);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..6 {
        let answer = stand.write(7).expect("is answered");
        assert!(vouched(&answer));
        let unprocessed = answer.json()["UnprocessedItems"][&stand.table.name].as_array().map_or(0, Vec::len);
        assert!((1..7).contains(&unprocessed), "{unprocessed}");
        seen.insert(unprocessed);
        let held: Vec<_> = stand.table.items();
        assert!(held.len() >= 7 - unprocessed);
    }
    assert!(seen.len() > 2, "different parts are held back: {seen:?}");
    assert_eq!(stand.table.count(), 7, "every position was done at some time");
}

#[test]
fn an_empty_page_leads_on_and_hides_nothing() {
    let stand = Stand::new(plan::every("Scan", 2, Fault::EmptyPage));
    stand.table.seed(400, 9);
    let through = stand.table.at(&stand.proxy.endpoint());
    assert_equal(&stand.table.contents(), &through.contents());
    let first = stand.scan().expect("is answered");
    let injected = stand.proxy.injected()[Fault::EmptyPage.name()];
    assert!(injected >= 1, "{first:?}");
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let decide = |seed| {
        let mut plan = plan::random(seed, 0.5, vec![Fault::LostAck, Fault::EmptyPage, Fault::AllUnprocessed]);
        let request = http::dynamodb_request("Scan", &json!({}));
        let call = |ordinal| plan::Call { operation: "Scan", ordinal, request: &request };
        (0..200).map(|ordinal| plan(&call(ordinal))).collect::<Vec<_>>()
    };
    assert_eq!(decide(1), decide(1));
    assert_ne!(decide(1), decide(2));
    assert!(!decide(1).contains(&Some(Fault::AllUnprocessed)), "a Scan has nothing to leave unprocessed");
}
