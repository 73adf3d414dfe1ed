//! A table as a source: one Scan request a page, items left as bytes.

use aws_sdk_dynamodb::Client;
use bytes::Bytes;
use futures::future::BoxFuture;
use serde::Deserialize;

use crate::dynamodb::read::TableReader;
use crate::dynamodb::{query, wire};
use crate::error::{Error, ErrorKind, Result};
use crate::item::{Fault, KeySchema, RawItem, Walker};
use crate::lookup::LookupQuery;
use crate::source::{Cursor, ItemRead, Page, ScanSource};

/// What a page reflects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Every write completed before the request; twice the price.
    Strong,
    /// Possibly without the writes of the last seconds.
    Eventual,
}

/// Reads a table with segmented Scans.
#[derive(Debug)]
pub struct TableSource {
    client: Client,
    table: String,
    schema: KeySchema,
    consistency: Consistency,
    reader: TableReader,
}

impl TableSource {
    /// Reads `table`, whose items have keys of `schema`.
    pub fn new(client: Client, table: impl Into<String>, schema: KeySchema, consistency: Consistency) -> Self {
        let table = table.into();
        let reader = TableReader::new(client.clone(), table.clone(), schema.clone());
        Self { client, table, schema, consistency, reader }
    }

    fn request(&self, segment: u32, segments: u32, cursor: Option<&Cursor>) -> Vec<u8> {
        let table = serde_json::Value::from(self.table.as_str());
        let consistent = self.consistency == Consistency::Strong;
        let mut body = format!(
            r#"{{"TableName":{table},"Segment":{segment},"TotalSegments":{segments},"ConsistentRead":{consistent},"ReturnConsumedCapacity":"TOTAL""#
        )
        .into_bytes();
        if let Some(Cursor(key)) = cursor {
            body.extend_from_slice(b",\"ExclusiveStartKey\":");
            body.extend_from_slice(key);
        }
        body.push(b'}');
        body
    }

    fn damaged(&self, operation: &str, fault: &Fault) -> Error {
        let message = format!("the answer to {operation} on table {} is damaged: {fault}", self.table);
        Error::new(ErrorKind::MalformedAnswer, message)
    }
}

impl ScanSource for TableSource {
    fn read_item<'a>(&'a self, key: &'a RawItem) -> BoxFuture<'a, Result<ItemRead>> {
        Box::pin(self.reader.get(key))
    }

    fn query<'a>(&'a self, query: &'a LookupQuery) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move {
            let request = query::request(&self.table, &self.schema, query);
            let answer = wire::query(&self.client, &self.table, request).await?;
            parse_page(answer, &self.schema).map_err(|fault| self.damaged("Query", &fault))
        })
    }

    fn read_page<'a>(&'a self, segment: u32, segments: u32, cursor: Option<&'a Cursor>) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move {
            let request = self.request(segment, segments, cursor);
            let answer = wire::scan(&self.client, &self.table, request).await?;
            parse_page(answer, &self.schema).map_err(|fault| self.damaged("Scan", &fault))
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConsumedCapacity {
    capacity_units: Option<f64>,
}

/// The units in a `ConsumedCapacity`; 0 when the answer does not tell.
pub fn units(json: &[u8]) -> serde_json::Result<f64> {
    let consumed = serde_json::from_slice::<Option<ConsumedCapacity>>(json)?;
    Ok(consumed.and_then(|consumed| consumed.capacity_units).unwrap_or(0.0))
}

/// Splits the answer to a Scan or Query. Everything is checked: an answer that was cut or altered is a fault, not a short page.
pub fn parse_page(answer: Bytes, schema: &KeySchema) -> Result<Page, Fault> {
    let buffer = answer.clone();
    let mut walker = Walker::new(&buffer);
    let mut page = Page { bytes: answer.len(), ..Page::default() };
    let mut seen_items = false;
    let mut count = None;
    walker.object(|walker, name| {
        if name.is("Items") {
            seen_items = true;
            // An item of ef-cms is about this long; a guess that is only a reservation.
            page.items.reserve(answer.len() / 800);
            return walker.array(|walker| {
                page.items.push(RawItem::walk(&answer, walker, schema)?);
                Ok(())
            });
        }
        let start = walker.position();
        walker.skip()?;
        let value = &answer[start..walker.position()];
        if name.is("LastEvaluatedKey") && value.starts_with(b"{") && value.len() > 2 {
            // Copied, because a cursor outlives its page.
            page.next = Some(Cursor(Bytes::copy_from_slice(value)));
        } else if name.is("ConsumedCapacity") {
            page.units = units(value).map_err(|_| walker.fault("consumed capacity"))?;
        } else if name.is("Count") {
            count = serde_json::from_slice::<usize>(value).ok();
        }
        Ok(())
    })?;
    walker.end()?;
    if !seen_items {
        return Err(walker.fault("a member called Items"));
    }
    if count.is_some_and(|count| count != page.items.len()) {
        return Err(walker.fault("as many items as Count says"));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{KeyAttribute, KeyKind};

    fn schema() -> KeySchema {
        KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None }
    }

    const PAGE: &str = r#"{"ConsumedCapacity":{"CapacityUnits":1.5,"TableName":"t"},"Count":2,"Items":[{"pk":{"S":"a"}},{"pk":{"S":"b"},"n":{"N":"1"}}],"LastEvaluatedKey":{"pk":{"S":"b"}},"ScannedCount":2}"#;

    #[test]
    fn a_page_is_split_into_its_items() {
        let page = parse_page(Bytes::from_static(PAGE.as_bytes()), &schema()).expect("valid");
        assert_eq!(page.items.len(), 2);
        assert_eq!(page.items[1].json(), br#"{"pk":{"S":"b"},"n":{"N":"1"}}"#);
        assert_eq!(page.next, Some(Cursor(Bytes::from_static(br#"{"pk":{"S":"b"}}"#))));
        assert_eq!(page.units, 1.5);
    }

    #[test]
    fn every_cut_of_a_page_is_found() {
        for length in 0..PAGE.len() {
            let cut = Bytes::copy_from_slice(&PAGE.as_bytes()[..length]);
            assert!(parse_page(cut, &schema()).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_page_that_lost_an_item_is_found_by_its_count() {
        let short = PAGE.replace(r#"{"pk":{"S":"a"}},"#, "");
        assert!(parse_page(Bytes::from(short), &schema()).is_err());
    }

    #[test]
    fn an_empty_page_may_have_a_cursor() {
        let answer = r#"{"Count":0,"Items":[],"LastEvaluatedKey":{"pk":{"S":"b"}}}"#;
        let page = parse_page(Bytes::from_static(answer.as_bytes()), &schema()).expect("valid");
        assert!(page.items.is_empty() && page.next.is_some());
    }
}
