//! Copies that go well: everything arrives as it was, whatever its shape or size.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::ferry::Ferry;
use crate::support::proxy::Proxy;
use crate::support::table::Table;
use crate::support::{local, unique};

/// Copies `source` into a new table of the same keys and compares.
fn copy_and_compare(source: &Table, more: &[&str]) {
    let keys: Vec<_> = source.keys.iter().map(|key| (key.name.as_str(), key.kind.as_str())).collect();
    let destination = Table::create_keyed(&source.endpoint(), "destination", &keys);
    let before = source.contents();
    Ferry::new().copy(source, &destination, more).assert_code(0);
    assert_equal(&before, &destination.contents());
    assert_equal(&before, &source.contents());
}

#[test]
fn items_of_every_shape_arrive_as_they_were() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        copy_and_compare(Table::create(endpoint, "source").seed(1_000, 11), &[]);
    }
}

#[test]
fn items_with_number_and_binary_keys_arrive_as_they_were() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        for keys in [&[("id", "N")][..], &[("id", "B"), ("at", "N")], &[("odd \"name\\", "S"), ("b", "B")]] {
            copy_and_compare(Table::create_keyed(endpoint, "source", keys).seed(200, 12), &[]);
        }
    }
}

#[test]
fn a_table_goes_from_one_endpoint_to_a_namesake_at_another() {
    let (one, other) = (Dynoxide::start(), Dynoxide::start());
    let source = Table::create(&one.endpoint(), "namesake");
    source.seed(200, 13);
    let destination = source.at(&other.endpoint());
    Ferry::new().copy(&source, &destination, &["--create-destination"]).assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
}

#[test]
fn an_empty_table_is_a_finished_copy() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        copy_and_compare(&Table::create(endpoint, "source"), &[]);
    }
}

#[test]
fn more_segments_than_items_give_pages_without_items() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        copy_and_compare(Table::create(endpoint, "source").seed(5, 14), &["--segments", "40"]);
    }
}

#[test]
fn one_segment_holds_a_whole_table() {
    let emulator = Dynoxide::start();
    copy_and_compare(Table::create(&emulator.endpoint(), "source").seed(1_500, 15), &["--segments", "1"]);
}

#[test]
fn items_of_nearly_400_kilobytes_arrive_in_requests_of_at_most_16_megabytes() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let source = Table::create(endpoint, "source");
        // A quotation mark is one byte of an item and two of JSON: 25 such items are more than a request holds.
        let item = |number: usize| {
            let text = "\"".repeat(409_000 - number);
            json!({ "pk": { "S": format!("large|{number}") }, "sk": { "S": "0" }, "text": { "S": text } })
        };
        source.put_all(&(0..30).map(item).collect::<Vec<_>>());
        copy_and_compare(&source, &[]);
    }
}

#[test]
fn a_created_destination_has_the_sources_keys_indexes_stream_ttl_and_tags() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let source = furnished(endpoint, json!({}));
        source.seed(50, 16);
        let destination = Table::named(endpoint, &unique("created"), &[("pk", "S"), ("sk", "S")]);
        Ferry::new().copy(&source, &destination, &["--create-destination"]).assert_code(0);
        assert_equal(&source.contents(), &destination.contents());
        assert_same_furniture(&source, &destination);
    }
}

#[test]
fn a_created_destination_has_the_sources_provisioned_capacity() {
    let emulator = Dynoxide::start();
    let units = |read, write| json!({ "ReadCapacityUnits": read, "WriteCapacityUnits": write });
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let mut index = index("by-owner", "owner");
        index["ProvisionedThroughput"] = units(11, 13);
        let source = furnished(
            endpoint,
            json!({ "BillingMode": "PROVISIONED", "ProvisionedThroughput": units(900, 800),
                    "GlobalSecondaryIndexes": [index] }),
        );
        source.seed(50, 17);
        let destination = Table::named(endpoint, &unique("created"), &[("pk", "S"), ("sk", "S")]);
        Ferry::new().copy(&source, &destination, &["--create-destination"]).assert_code(0);
        assert_equal(&source.contents(), &destination.contents());
        assert_same_furniture(&source, &destination);
        let created = destination.describe();
        assert_eq!(created["ProvisionedThroughput"]["WriteCapacityUnits"], 800);
        let of_index = &created["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"];
        assert_eq!((&of_index["ReadCapacityUnits"], &of_index["WriteCapacityUnits"]), (&json!(11), &json!(13)));
    }
}

#[test]
fn pages_are_read_with_strong_consistency_unless_eventual_is_asked_for() {
    let emulator = Dynoxide::start();
    for (more, strong) in [(&[][..], true), (&["--eventual"], false)] {
        let source = Table::create(&emulator.endpoint(), "source");
        let destination = Table::create(&emulator.endpoint(), "destination");
        source.seed(100, 18);
        let pages: Arc<Mutex<Vec<Value>>> = Arc::default();
        let seen = Arc::clone(&pages);
        let proxy = Proxy::start(
            &emulator.endpoint(),
            Box::new(move |call| {
                if call.operation == "Scan" {
                    seen.lock().expect("no panic holds it").push(call.request.json());
                }
                None
            }),
        );
        Ferry::new().copy(&source.at(&proxy.endpoint()), &destination, more).assert_code(0);
        assert_equal(&source.contents(), &destination.contents());
        let pages = pages.lock().expect("no panic holds it");
        assert!(!pages.is_empty());
        assert!(pages.iter().all(|page| page["ConsistentRead"].as_bool().unwrap_or(false) == strong), "{pages:?}");
        drop(proxy);
    }
}

fn index(name: &str, attribute: &str) -> Value {
    json!({ "IndexName": name, "KeySchema": [{ "AttributeName": attribute, "KeyType": "HASH" },
            { "AttributeName": "pk", "KeyType": "RANGE" }],
            "Projection": { "ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"] } })
}

/// A table with everything that a created destination takes over; `more` goes into the CreateTable request.
fn furnished(endpoint: &str, more: Value) -> Table {
    let string = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    let mut request = json!({
        "AttributeDefinitions": [string("owner"), { "AttributeName": "filedAt", "AttributeType": "N" }],
        "GlobalSecondaryIndexes": [index("by-owner", "owner")],
        "LocalSecondaryIndexes": [{ "IndexName": "by-date", "KeySchema": [
            { "AttributeName": "pk", "KeyType": "HASH" }, { "AttributeName": "filedAt", "KeyType": "RANGE" }],
            "Projection": { "ProjectionType": "KEYS_ONLY" } }],
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
    });
    for (member, value) in more.as_object().expect("members of a request") {
        request[member] = value.clone();
    }
    let table = Table::create_with(endpoint, "furnished", &[("pk", "S"), ("sk", "S")], request);
    let ttl = json!({ "Enabled": true, "AttributeName": "expiresAt" });
    table.call("UpdateTimeToLive", &json!({ "TableName": table.name, "TimeToLiveSpecification": ttl }));
    let tags = json!([{ "Key": "team", "Value": "courts" }, { "Key": "cost centre", "Value": "12/ü" }]);
    if can_tag(&table) {
        table.call("TagResource", &json!({ "ResourceArn": table.describe()["TableArn"], "Tags": tags }));
    }
    table
}

/// DynamoDB Local has no tags.
fn can_tag(table: &Table) -> bool {
    table.endpoint() != local::endpoint()
}

fn assert_same_furniture(source: &Table, destination: &Table) {
    let (one, other) = (source.describe(), destination.describe());
    for member in ["KeySchema", "StreamSpecification"] {
        assert_eq!(one[member], other[member], "{member}");
    }
    assert_eq!(one["BillingModeSummary"]["BillingMode"], other["BillingModeSummary"]["BillingMode"]);
    let attributes = |table: &Value| {
        let mut names: Vec<_> = table["AttributeDefinitions"].as_array().cloned().unwrap_or_default();
        names.sort_by_key(Value::to_string);
        names
    };
    assert_eq!(attributes(&one), attributes(&other));
    for kind in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        let indexes = |table: &Value| {
            let part = |index: &Value| ["IndexName", "KeySchema", "Projection"].map(|member| index[member].clone());
            table[kind].as_array().into_iter().flatten().map(part).collect::<Vec<_>>()
        };
        assert!(!indexes(&one).is_empty(), "{kind} of the source");
        assert_eq!(indexes(&one), indexes(&other), "{kind}");
    }
    let ttl = |table: &Table| {
        let answer = table.call("DescribeTimeToLive", &json!({ "TableName": table.name }));
        answer["TimeToLiveDescription"]["AttributeName"].clone()
    };
    assert_eq!(ttl(destination), "expiresAt");
    assert_eq!(ttl(source), ttl(destination));
    if !can_tag(source) {
        return;
    }
    let tags = |table: &Table| {
        let answer = table.call("ListTagsOfResource", &json!({ "ResourceArn": table.describe()["TableArn"] }));
        let mut tags = answer["Tags"].as_array().cloned().unwrap_or_default();
        tags.sort_by_key(Value::to_string);
        tags
    };
    assert_eq!(tags(source).len(), 2);
    assert_eq!(tags(source), tags(destination));
}
