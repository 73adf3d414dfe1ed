//! Markers: items that a reader of the stream looks out for, to know that it has read up to them.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::dynamodb::error::from_sdk;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{KeyKind, KeySchema};

/// The attribute with the marker's content.
const CONTENT: &str = "tableferry_marker";

/// Puts the marker whose partition key is `partition`.
///
/// `content` must be new each time: DynamoDB writes no stream record for a put that changes nothing.
///
/// # Errors
///
/// [`ErrorKind::TableUnfit`] when the partition key is not text.
pub async fn put_marker(
    client: &Client,
    table: &str,
    schema: &KeySchema,
    partition: &str,
    content: &str,
) -> Result<()> {
    let mut item = key(table, schema, partition)?;
    item.insert(content_name(schema), AttributeValue::S(content.to_owned()));
    let sent = client.put_item().table_name(table).set_item(Some(item)).send().await;
    sent.map(drop).map_err(|error| from_sdk(error).context(format!("writing a marker to table {table}")))
}

/// Deletes the marker whose partition key is `partition`; it need not be there.
///
/// # Errors
///
/// [`ErrorKind::TableUnfit`] when the partition key is not text.
pub async fn delete_marker(client: &Client, table: &str, schema: &KeySchema, partition: &str) -> Result<()> {
    let key = key(table, schema, partition)?;
    let sent = client.delete_item().table_name(table).set_key(Some(key)).send().await;
    sent.map(drop).map_err(|error| from_sdk(error).context(format!("deleting a marker from table {table}")))
}

fn key(table: &str, schema: &KeySchema, partition: &str) -> Result<HashMap<String, AttributeValue>> {
    if schema.partition.kind() != KeyKind::String {
        let message = format!("table {table} takes no markers: its partition key is {}, not text", schema.partition);
        return Err(Error::new(ErrorKind::TableUnfit, message)
            .hint("stop the application's writes and wait for the quiet period instead of markers"));
    }
    let mut key = HashMap::from([(schema.partition.name().to_owned(), AttributeValue::S(partition.to_owned()))]);
    if let Some(sort) = &schema.sort {
        let value = match sort.kind() {
            KeyKind::String => AttributeValue::S("marker".into()),
            KeyKind::Number => AttributeValue::N("0".into()),
            KeyKind::Binary => AttributeValue::B(Blob::new([0])),
        };
        key.insert(sort.name().to_owned(), value);
    }
    Ok(key)
}

/// The content's attribute, which must be none of the key's.
fn content_name(schema: &KeySchema) -> String {
    let is_taken =
        |name: &str| name == schema.partition.name() || schema.sort.as_ref().is_some_and(|sort| sort.name() == name);
    let mut name = CONTENT.to_owned();
    while is_taken(&name) {
        name.push('_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::KeyAttribute;

    fn schema(partition: KeyKind, sort: Option<KeyKind>) -> KeySchema {
        let sort = sort.map(|kind| KeyAttribute::new("tableferry_marker_", kind));
        KeySchema { partition: KeyAttribute::new("tableferry_marker", partition), sort }
    }

    #[test]
    fn a_marker_fills_any_sort_key_and_leaves_the_key_alone() {
        for (kind, value) in [
            (KeyKind::String, AttributeValue::S("marker".into())),
            (KeyKind::Number, AttributeValue::N("0".into())),
            (KeyKind::Binary, AttributeValue::B(Blob::new([0]))),
        ] {
            let schema = schema(KeyKind::String, Some(kind));
            let key = key("orders", &schema, "m-1").expect("text");
            assert_eq!(key["tableferry_marker"], AttributeValue::S("m-1".into()));
            assert_eq!(key["tableferry_marker_"], value);
            assert_eq!(content_name(&schema), "tableferry_marker__");
        }
    }

    #[test]
    fn a_table_whose_partition_key_is_no_text_takes_no_markers() {
        let error = key("orders", &schema(KeyKind::Number, None), "m-1").expect_err("no text");
        assert_eq!(error.kind(), ErrorKind::TableUnfit);
        assert!(error.message().contains("orders") && error.remedy().is_some_and(|text| text.contains("quiet period")));
    }
}
