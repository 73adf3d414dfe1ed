//! What an expression costs for one item of 940 bytes with 25 attributes.
//!
//! `cargo bench --bench expressions`; figures are per item, on one thread.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tableferry::expression::{Condition, Template, Update};
use tableferry::item::{Attributes, KeyAttribute, KeyKind, KeySchema, RawItem};

const ITEM_BYTES: usize = 940;

fn schema() -> KeySchema {
    KeySchema {
        partition: KeyAttribute::new("pk", KeyKind::String),
        sort: Some(KeyAttribute::new("sk", KeyKind::String)),
    }
}

/// Like a case of the old application: many short texts, some numbers, a list and a map.
fn item() -> RawItem {
    let mut json = String::from(r#"{"status":{"S":"General Docket - Not at Issue"},"orderForOds":{"BOOL":true}"#);
    for number in 0..17 {
        json += &format!(r#","attribute{number:02}":{{"S":"value {number}"}}"#);
    }
    json += r#","pk":{"S":"case|105-20"},"sk":{"S":"case|105-20"},"total":{"N":"1250.75"}"#;
    json += r#","orders":{"L":[{"M":{"id":{"N":"17"},"open":{"BOOL":true}}}]},"judge":{"M":{"name":{"S":"Buch"}}}"#;
    let rest = ITEM_BYTES - json.len() - r#","remarks":{"S":""}}"#.len();
    json += &format!(r#","remarks":{{"S":"{}"}}}}"#, "x".repeat(rest));
    let item = RawItem::parse(Bytes::from(json), &schema()).expect("an item");
    assert_eq!((item.json().len(), Attributes::from(&item).len()), (ITEM_BYTES, 25));
    item
}

fn conditions(criterion: &mut Criterion) {
    let item = item();
    for (name, text, holds) in [
        ("the key differs", r#"begins_with(pk, "user|") AND attribute_exists(orderForOds)"#, false),
        ("no such attribute", "attribute_exists(orderForCds)", false),
        ("an attribute at the front differs", r#"status = "Closed""#, false),
        ("an attribute at the end differs", r#"remarks = "none""#, false),
        ("key and attribute hold", r#"begins_with(pk, "case|") AND attribute_exists(orderForOds)"#, true),
        (
            "four attributes hold",
            r#"total > 1000 AND orders[0].open = true AND attribute16 <> "x" AND size(remarks) > 1"#,
            true,
        ),
    ] {
        let condition = Condition::parse(text).expect("a condition");
        assert_eq!(condition.matches(&item), Ok(holds), "{text}");
        criterion.bench_function(&format!("condition: {name}"), |bench| {
            bench.iter(|| condition.matches(black_box(&item)));
        });
    }
}

fn updates(criterion: &mut Criterion) {
    let (item, schema) = (item(), schema());
    for (name, text) in [
        ("set one from another, remove it", "SET orderForCds = orderForOds REMOVE orderForOds"),
        ("set one, remove one", r#"SET kind = "case" REMOVE orderForOds"#),
        ("sum, list and map", "SET total = total + 1, orders[9] = 5, judge.title = 'Judge'"),
    ] {
        let update = Update::parse(text).expect("an update");
        criterion.bench_function(&format!("update: {name}"), |bench| {
            bench.iter(|| {
                let mut attributes = Attributes::from(black_box(&item));
                update.apply(&mut attributes, &schema).expect("it applies");
                attributes.to_item(&schema).expect("an item")
            });
        });
        criterion.bench_function(&format!("update with limits checked: {name}"), |bench| {
            bench.iter(|| update.apply_to(black_box(&item), &schema).expect("it applies"));
        });
    }
    let template = Template::parse("{pk}_{sk}").expect("a template");
    criterion.bench_function("template: {pk}_{sk}", |bench| bench.iter(|| template.render(black_box(&item))));
    criterion.bench_function("for comparison: reading the item", |bench| {
        bench.iter(|| RawItem::parse(Bytes::copy_from_slice(black_box(item.json())), &schema).expect("an item"));
    });
}

criterion_group!(benches, conditions, updates);
criterion_main!(benches);
