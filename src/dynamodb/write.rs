//! A table as a sink: one BatchWriteItem request a batch, built from the items' own bytes.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dynamodb::key::{parse_key, push_key};
use crate::dynamodb::wire;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{Key, KeySchema};
use crate::sink::{Outcome, Sink, SinkLimits, Write, WriteReply};

/// BatchWriteItem takes at most 25 operations (DynamoDB API reference).
const MAX_ITEMS: usize = 25;
/// BatchWriteItem takes at most 16 MB; counted on the JSON, which is longer than what DynamoDB counts.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Writes a table with batches of puts and deletes.
#[derive(Debug)]
pub struct TableSink {
    client: Client,
    table: String,
    schema: KeySchema,
}

impl TableSink {
    /// Writes to `table`, whose items have keys of `schema`.
    pub fn new(client: Client, table: impl Into<String>, schema: KeySchema) -> Self {
        Self { client, table: table.into(), schema }
    }

    fn request(&self, batch: &[Write]) -> Vec<u8> {
        const PUT: &[u8] = b"{\"PutRequest\":{\"Item\":";
        const DELETE: &[u8] = b"{\"DeleteRequest\":{\"Key\":";
        const END: &[u8] = b"}},";
        let table = serde_json::Value::from(self.table.as_str()).to_string();
        let writes: usize = batch.iter().map(|write| write.json_bytes() + DELETE.len() + END.len()).sum();
        let mut body = Vec::with_capacity(writes + table.len() + 80);
        body.extend_from_slice(b"{\"RequestItems\":{");
        body.extend_from_slice(table.as_bytes());
        body.extend_from_slice(b":[");
        for write in batch {
            match write {
                Write::Put(item) => {
                    body.extend_from_slice(PUT);
                    body.extend_from_slice(item.json());
                }
                Write::Delete(item) => {
                    body.extend_from_slice(DELETE);
                    push_key(&mut body, item, &self.schema);
                }
            }
            body.extend_from_slice(END);
        }
        body.pop();
        body.extend_from_slice(b"]},\"ReturnConsumedCapacity\":\"TOTAL\"}");
        body
    }

    fn reply(&self, batch: &[Write], answer: &[u8]) -> Result<WriteReply> {
        let damaged = |what: &str| {
            let message = format!("the answer to BatchWriteItem on table {} is damaged: {what}", self.table);
            Error::new(ErrorKind::MalformedAnswer, message)
        };
        let answer: Answer<'_> = serde_json::from_slice(answer).map_err(|error| damaged(&error.to_string()))?;
        let mut outcomes = vec![Outcome::Written; batch.len()];
        if !answer.unprocessed_items.is_empty() {
            // A key stands in a batch once, so it tells which write is meant.
            let place = |(at, write): (usize, &Write)| (write.item().key(), (at, matches!(write, Write::Put(_))));
            let places: HashMap<Key, (usize, bool)> = batch.iter().enumerate().map(place).collect();
            for request in answer.unprocessed_items.values().flatten() {
                let (json, is_put) = match (&request.put_request, &request.delete_request) {
                    (Some(put), None) => (put.item, true),
                    (None, Some(delete)) => (delete.key, false),
                    _ => return Err(damaged("an unprocessed operation is neither a put nor a delete")),
                };
                let key = parse_key(json.get().as_bytes(), &self.schema);
                let key = key.map_err(|fault| damaged(&fault.to_string()))?;
                match places.get(&key) {
                    Some((at, put)) if *put == is_put => outcomes[*at] = Outcome::Retry,
                    _ => return Err(damaged("an unprocessed operation was not in the batch")),
                }
            }
        }
        let consumed = answer.consumed_capacity.unwrap_or_default();
        let units = consumed.iter().filter_map(|consumed| consumed.capacity_units).sum();
        Ok(WriteReply { outcomes, units })
    }
}

impl Sink for TableSink {
    fn limits(&self) -> SinkLimits {
        SinkLimits { max_items: MAX_ITEMS, max_batch_bytes: MAX_BATCH_BYTES }
    }

    fn write<'a>(&'a self, batch: &'a [Write]) -> BoxFuture<'a, Result<WriteReply>> {
        Box::pin(async move {
            let request = self.request(batch);
            let answer = wire::batch_write_item(&self.client, &self.table, request).await?;
            self.reply(batch, &answer)
        })
    }
}

/// `UnprocessedItems` has no default: an answer without it is not DynamoDB's, and must not count as success.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(borrow)]
    unprocessed_items: HashMap<String, Vec<WriteRequest<'a>>>,
    consumed_capacity: Option<Vec<ConsumedCapacity>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WriteRequest<'a> {
    #[serde(borrow)]
    put_request: Option<PutRequest<'a>>,
    #[serde(borrow)]
    delete_request: Option<DeleteRequest<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRequest<'a> {
    #[serde(borrow)]
    item: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteRequest<'a> {
    #[serde(borrow)]
    key: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConsumedCapacity {
    capacity_units: Option<f64>,
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::BehaviorVersion;
    use bytes::Bytes;

    use super::*;
    use crate::item::{KeyAttribute, KeyKind, RawItem};

    fn sink() -> TableSink {
        let config = aws_sdk_dynamodb::Config::builder().behavior_version(BehaviorVersion::latest()).build();
        let schema = KeySchema {
            partition: KeyAttribute::new("p\"k", KeyKind::String),
            sort: Some(KeyAttribute::new("sk", KeyKind::Number)),
        };
        TableSink::new(Client::from_conf(config), "orders", schema)
    }

    fn batch(sink: &TableSink) -> Vec<Write> {
        let item =
            |json: &'static str| RawItem::parse(Bytes::from_static(json.as_bytes()), &sink.schema).expect("an item");
        let other = item(r#"{"v":{"BOOL":true},"sk":{"N":"1.0"},"p\"k":{"S":"a\u00e9"}}"#);
        vec![Write::Put(item(r#"{"p\"k":{"S":"a"},"sk":{"N":"1"}}"#)), Write::Delete(other)]
    }

    #[test]
    fn a_request_has_whole_items_to_put_and_keys_to_delete() {
        let sink = sink();
        let request = String::from_utf8(sink.request(&batch(&sink))).expect("JSON");
        let puts = r#"{"PutRequest":{"Item":{"p\"k":{"S":"a"},"sk":{"N":"1"}}}}"#;
        let deletes = r#"{"DeleteRequest":{"Key":{"p\"k":{"S":"a\u00e9"},"sk":{"N":"1.0"}}}}"#;
        let expected =
            format!(r#"{{"RequestItems":{{"orders":[{puts},{deletes}]}},"ReturnConsumedCapacity":"TOTAL"}}"#);
        assert_eq!(request, expected);
    }

    #[test]
    fn what_was_not_processed_is_found_by_its_key_however_it_is_spelled() {
        let sink = sink();
        let batch = batch(&sink);
        let answer = |left: &str| format!(r#"{{"UnprocessedItems":{{"orders":[{left}]}}}}"#);
        let outcomes = |left: &str| sink.reply(&batch, answer(left).as_bytes()).map(|reply| reply.outcomes);
        let put = r#"{"PutRequest":{"Item":{"sk":{"N":"1"},"p\"k":{"S":"a"}}}}"#;
        let delete = r#"{"DeleteRequest":{"Key":{"sk":{"N":"1"},"p\"k":{"S":"aé"}}}}"#;
        assert_eq!(outcomes(put).expect("valid"), [Outcome::Retry, Outcome::Written]);
        assert_eq!(outcomes(delete).expect("valid"), [Outcome::Written, Outcome::Retry]);
        assert_eq!(outcomes(&format!("{put},{delete}")).expect("valid"), [Outcome::Retry, Outcome::Retry]);
        for wrong in [
            "{}",
            r#"{"DeleteRequest":{"Key":{"sk":{"N":"1"},"p\"k":{"S":"a"}}}}"#,
            r#"{"DeleteRequest":{"Key":{"sk":{"N":"2"},"p\"k":{"S":"aé"}}}}"#,
            r#"{"DeleteRequest":{"Key":{"sk":{"N":"1"}}}}"#,
        ] {
            assert_eq!(outcomes(wrong).expect_err(wrong).kind(), ErrorKind::MalformedAnswer, "{wrong}");
        }
    }
}
