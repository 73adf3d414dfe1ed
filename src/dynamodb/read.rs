//! Single items of a table, left as bytes.

use aws_sdk_dynamodb::Client;
use bytes::Bytes;

use crate::dynamodb::key::push_key;
use crate::dynamodb::wire;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{Fault, KeySchema, RawItem, Walker};

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
    pub async fn get(&self, key: &RawItem) -> Result<Option<RawItem>> {
        let answer = wire::get_item(&self.client, &self.table, self.request(key)).await?;
        parse_answer(&answer, &self.schema).map_err(|fault| {
            let message = format!("the answer to GetItem on table {} is damaged: {fault}", self.table);
            Error::new(ErrorKind::MalformedAnswer, message)
        })
    }

    fn request(&self, key: &RawItem) -> Vec<u8> {
        let table = serde_json::Value::from(self.table.as_str());
        let mut body = format!(r#"{{"TableName":{table},"ConsistentRead":true,"Key":"#).into_bytes();
        push_key(&mut body, key, &self.schema);
        body.push(b'}');
        body
    }
}

fn parse_answer(answer: &Bytes, schema: &KeySchema) -> Result<Option<RawItem>, Fault> {
    let mut walker = Walker::new(answer);
    let mut item = None;
    walker.object(|walker, name| {
        if !name.is("Item") {
            return walker.skip();
        }
        item = Some(RawItem::walk(answer, walker, schema)?);
        Ok(())
    })?;
    walker.end()?;
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{KeyAttribute, KeyKind};

    #[test]
    fn an_answer_has_the_item_or_nothing() {
        let schema = KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None };
        let parse = |answer: &'static str| parse_answer(&Bytes::from_static(answer.as_bytes()), &schema);
        let item = parse(r#"{"ConsumedCapacity":null,"Item":{"n":{"N":"1.50"},"pk":{"S":"a"}}}"#).expect("valid");
        assert_eq!(item.expect("there").json(), br#"{"n":{"N":"1.50"},"pk":{"S":"a"}}"#);
        assert!(parse("{}").expect("valid").is_none());
        for damaged in ["", "{", r#"{"Item":{"n":{"N":"1"}}}"#, r#"{"Item":{"pk":{"S":"a"}}"#, "<html>"] {
            assert!(parse(damaged).is_err(), "{damaged}");
        }
    }
}
