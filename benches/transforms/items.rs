//! Items of 940 bytes with 25 attributes, as a court has them: many short texts, some numbers, a list and a map.

use std::fmt::Write as _;

use bytes::Bytes;
use tableferry::item::{Attributes, KeyAttribute, KeyKind, KeySchema, RawItem};

const ITEM_BYTES: usize = 940;

/// `pk` and `sk`, both text.
pub fn schema() -> KeySchema {
    KeySchema {
        partition: KeyAttribute::new("pk", KeyKind::String),
        sort: Some(KeyAttribute::new("sk", KeyKind::String)),
    }
}

/// So many items, no two alike.
pub fn items(count: usize) -> Vec<RawItem> {
    (0..count).map(item).collect()
}

fn item(number: usize) -> RawItem {
    let mut json = String::from(r#"{"status":{"S":"General Docket - Not at Issue"},"orderForOds":{"BOOL":true}"#);
    for attribute in 0..17 {
        let _ = write!(json, r#","attribute{attribute:02}":{{"S":"value {}"}}"#, (attribute * 7 + number) % 100);
    }
    let docket = format!("{}-20", 10_000 + number);
    let _ = write!(json, r#","pk":{{"S":"case|{docket}"}},"sk":{{"S":"case|{docket}"}},"total":{{"N":"{number}.75"}}"#);
    json += r#","orders":{"L":[{"M":{"id":{"N":"17"},"open":{"BOOL":true}}}]},"judge":{"M":{"name":{"S":"Buch"}}}"#;
    let rest = ITEM_BYTES - json.len() - r#","remarks":{"S":""}}"#.len();
    let _ = write!(json, r#","remarks":{{"S":"{}"}}}}"#, "x".repeat(rest));
    let item = RawItem::parse(Bytes::from(json), &schema()).expect("an item");
    assert_eq!((item.json().len(), Attributes::from(&item).len()), (ITEM_BYTES, 25));
    item
}
