//! The imagined court's items as DynamoDB would send them.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::seed;
use crate::item::{KeyAttribute, KeyKind, KeySchema, RawItem};

/// Primary key of the seeded table.
pub fn schema() -> KeySchema {
    KeySchema {
        partition: KeyAttribute::new("pk", KeyKind::String),
        sort: Some(KeyAttribute::new("sk", KeyKind::String)),
    }
}

/// [`seed::items`] as raw items.
pub fn raw_items(count: usize, seed: u64) -> impl Iterator<Item = RawItem> {
    let schema = schema();
    seed::items(count, seed).map(move |item| {
        let item: Map<String, Value> = item.iter().map(|(name, value)| (name.clone(), written(value))).collect();
        RawItem::parse(Bytes::from(Value::Object(item).to_string()), &schema).expect("a seeded item is an item")
    })
}

fn written(value: &AttributeValue) -> Value {
    let text = |bytes: &[u8]| STANDARD.encode(bytes);
    match value {
        AttributeValue::S(value) => json!({ "S": value }),
        AttributeValue::N(value) => json!({ "N": value }),
        AttributeValue::Bool(value) => json!({ "BOOL": value }),
        AttributeValue::Null(value) => json!({ "NULL": value }),
        AttributeValue::B(value) => json!({ "B": text(value.as_ref()) }),
        AttributeValue::Ss(values) => json!({ "SS": values }),
        AttributeValue::Ns(values) => json!({ "NS": values }),
        AttributeValue::Bs(values) => {
            json!({ "BS": values.iter().map(|value| text(value.as_ref())).collect::<Vec<_>>() })
        }
        AttributeValue::L(values) => json!({ "L": values.iter().map(written).collect::<Vec<_>>() }),
        AttributeValue::M(values) => {
            let members: Map<String, Value> =
                values.iter().map(|(name, value)| (name.clone(), written(value))).collect();
            json!({ "M": members })
        }
        _ => unreachable!("the court has no items of other types"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seeded_item_is_a_valid_one() {
        let items: Vec<RawItem> = raw_items(300, 7).collect();
        assert_eq!(items.len(), 300);
        for item in items {
            item.check_limits(&schema()).expect("within DynamoDB's limits");
        }
    }
}
