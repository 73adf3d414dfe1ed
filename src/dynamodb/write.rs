//! A table as a sink: one BatchWriteItem request a batch, built from the items' own bytes.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use bytes::Bytes;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dynamodb::wire::{self, Operation};
use crate::error::{Error, ErrorKind, Result};
use crate::item::{Key, KeySchema, RawItem};
use crate::sink::{Outcome, Sink, SinkLimits, WriteReply};

/// BatchWriteItem takes at most 25 operations (DynamoDB API reference).
const MAX_ITEMS: usize = 25;
/// BatchWriteItem takes at most 16 MB; counted on the JSON, which is longer than what DynamoDB counts.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Writes a table with batches of puts.
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

    fn request(&self, batch: &[RawItem]) -> Vec<u8> {
        const PUT: &[u8] = b"{\"PutRequest\":{\"Item\":";
        const END: &[u8] = b"}},";
        let table = serde_json::Value::from(self.table.as_str()).to_string();
        let items: usize = batch.iter().map(|item| item.json().len() + PUT.len() + END.len()).sum();
        let mut body = Vec::with_capacity(items + table.len() + 80);
        body.extend_from_slice(b"{\"RequestItems\":{");
        body.extend_from_slice(table.as_bytes());
        body.extend_from_slice(b":[");
        for item in batch {
            body.extend_from_slice(PUT);
            body.extend_from_slice(item.json());
            body.extend_from_slice(END);
        }
        body.pop();
        body.extend_from_slice(b"]},\"ReturnConsumedCapacity\":\"TOTAL\"}");
        body
    }

    fn reply(&self, batch: &[RawItem], answer: &[u8]) -> Result<WriteReply> {
        let damaged = |what: &str| {
            let message = format!("the answer to BatchWriteItem on table {} is damaged: {what}", self.table);
            Error::new(ErrorKind::MalformedAnswer, message)
        };
        let answer: Answer<'_> = serde_json::from_slice(answer).map_err(|error| damaged(&error.to_string()))?;
        let mut outcomes = vec![Outcome::Written; batch.len()];
        if !answer.unprocessed_items.is_empty() {
            let places: HashMap<Key, usize> = batch.iter().enumerate().map(|(at, item)| (item.key(), at)).collect();
            for request in answer.unprocessed_items.values().flatten() {
                let put = request.put_request.as_ref().ok_or_else(|| damaged("an unprocessed operation is no put"))?;
                let json = Bytes::copy_from_slice(put.item.get().as_bytes());
                let item = RawItem::parse(json, &self.schema).map_err(|fault| damaged(&fault.to_string()))?;
                let place = places.get(&item.key());
                let place = place.ok_or_else(|| damaged("an unprocessed item was not in the batch"))?;
                outcomes[*place] = Outcome::Retry;
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

    fn write<'a>(&'a self, batch: &'a [RawItem]) -> BoxFuture<'a, Result<WriteReply>> {
        Box::pin(async move {
            let request = self.request(batch);
            let answer = wire::call(&self.client, Operation::BatchWriteItem, &self.table, request).await?;
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
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRequest<'a> {
    #[serde(borrow)]
    item: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConsumedCapacity {
    capacity_units: Option<f64>,
}
