//! Single items of a table, left as bytes.

use aws_sdk_dynamodb::Client;
use bytes::Bytes;

use crate::dynamodb::key::push_key;
use crate::dynamodb::scan::units;
use crate::dynamodb::wire;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{Fault, KeySchema, RawItem, Walker};
use crate::source::ItemRead;

/// Reads items of a table by their keys.
#[derive(Debug)]
pub struct TableReader {
    client: Client,
    table: String,
    schema: KeySchema,
}

impl TableReader {
    /// Reads `table`, whose items have keys of `schema`.
    pub fn new(client: Client, table: impl Into<String>, schema: KeySchema) -> Self {
        Self { client, table: table.into(), schema }
    }

    /// The item with the key of `key`, as every write completed before the call left it. One attempt.
    pub async fn get(&self, key: &RawItem) -> Result<ItemRead> {
        let answer = wire::get_item(&self.client, &self.table, self.request(key)).await?;
        parse_answer(&answer, &self.schema).map_err(|fault| {
            let message = format!("the answer to GetItem on table {} is damaged: {fault}", self.table);
            Error::new(ErrorKind::MalformedAnswer, message)
        })
    }

    fn request(&self, key: &RawItem) -> Vec<u8> {
        let table = serde_json::Value::from(self.table.as_str());
        let mut body =
            format!(r#"{{"TableName":{table},"ConsistentRead":true,"ReturnConsumedCapacity":"TOTAL","Key":"#)
                .into_bytes();
        push_key(&mut body, key, &self.schema);
        body.push(b'}');
        body
    }
}

fn parse_answer(answer: &Bytes, schema: &KeySchema) -> Result<ItemRead, Fault> {
    let mut walker = Walker::new(answer);
    let mut read = ItemRead::default();
    walker.object(|walker, name| {
        if name.is("Item") {
            read.item = Some(RawItem::walk(answer, walker, schema)?);
            return Ok(());
        }
        let start = walker.position();
        walker.skip()?;
        if name.is("ConsumedCapacity") {
            read.units = units(&answer[start..walker.position()]).map_err(|_| walker.fault("consumed capacity"))?;
        }
        Ok(())
    })?;
    walker.end()?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{KeyAttribute, KeyKind};

    #[test]
    fn an_answer_has_the_item_or_nothing() {
        let schema = KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None };
        let parse = |answer: &str| parse_answer(&Bytes::copy_from_slice(answer.as_bytes()), &schema);
        let capacity = r#"{"CapacityUnits":1.0,"TableName":"t"}"#;
        for (consumed, units) in [("null", 0.0), (capacity, 1.0)] {
            let answer = format!(r#"{{"ConsumedCapacity":{consumed},"Item":{{"n":{{"N":"1.50"}},"pk":{{"S":"a"}}}}}}"#);
            let read = parse(&answer).expect("valid");
            assert_eq!(read.item.expect("there").json(), br#"{"n":{"N":"1.50"},"pk":{"S":"a"}}"#);
            assert_eq!(read.units, units);
        }
        assert!(parse("{}").expect("valid").item.is_none());
        for damaged in [
            "",
            "{",
            r#"{"ConsumedCapacity":{"CapacityUnits":"x"}}"#,
            r#"{"Item":{"n":{"N":"1"}}}"#,
            r#"{"Item":{"pk":{"S":"a"}}"#,
            "<html>",
        ] {
            assert!(parse(damaged).is_err(), "{damaged}");
        }
    }
}
