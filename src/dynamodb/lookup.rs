//! A table in which transforms look items up. They are not asynchronous: the calling thread waits.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use serde_json::{Map, Value as Json};
use tokio::runtime::Handle;

use crate::dynamodb::key::push_key;
use crate::dynamodb::read::TableReader;
use crate::dynamodb::scan::parse_page;
use crate::dynamodb::wire;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{KeySchema, RawItem, Value};
use crate::lookup::{Lookup, LookupPage, LookupQuery, SortRange};
use crate::policy::{Action, action};

/// A request that fails so often is given up, and with it the item that is transformed.
const ATTEMPTS: u32 = 6;
/// Pause after the first failure; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Looks items up with consistent reads.
#[derive(Debug)]
pub struct TableLookup {
    client: Client,
    table: String,
    schema: KeySchema,
    reader: TableReader,
    runtime: Handle,
}

impl TableLookup {
    /// Reads `table`, whose items have keys of `schema`. To be called, and used, within a runtime of several threads.
    pub fn new(client: Client, table: impl Into<String>, schema: KeySchema) -> Self {
        let table = table.into();
        let reader = TableReader::new(client.clone(), table.clone(), schema.clone());
        Self { client, table, schema, reader, runtime: Handle::current() }
    }

    /// Waits for the request, which is sent again while it fails in a way that may pass.
    fn wait<T, F: Future<Output = Result<T>>>(&self, request: impl Fn() -> F) -> Result<T> {
        let attempts = async {
            let mut pause = FIRST_PAUSE;
            for _ in 1..ATTEMPTS {
                match request().await {
                    Err(error) if matches!(action(error.kind()), Action::BackOff | Action::Retry) => {}
                    result => return result,
                }
                tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                pause *= 2;
            }
            request().await
        };
        tokio::task::block_in_place(|| self.runtime.block_on(attempts))
    }

    fn request(&self, query: &LookupQuery) -> Vec<u8> {
        let mut values = Map::new();
        let mut name = |name: &str, value: &Value| {
            let mut json = Vec::new();
            value.write(&mut json);
            values.insert(format!(":{name}"), serde_json::from_slice(&json).unwrap_or(Json::Null));
        };
        name("p", &query.partition);
        let mut condition = "#p = :p".to_owned();
        let mut sort = |comparison: &str, one: &Value, other: Option<&Value>| {
            name("a", one);
            if let Some(other) = other {
                name("b", other);
            }
            condition.push_str(" AND ");
            condition.push_str(comparison);
        };
        match &query.sort {
            SortRange::All => {}
            SortRange::Equal(value) => sort("#s = :a", value, None),
            SortRange::Less(value) => sort("#s < :a", value, None),
            SortRange::AtMost(value) => sort("#s <= :a", value, None),
            SortRange::Greater(value) => sort("#s > :a", value, None),
            SortRange::AtLeast(value) => sort("#s >= :a", value, None),
            SortRange::Between(from, to) => sort("#s BETWEEN :a AND :b", from, Some(to)),
            SortRange::BeginsWith(value) => sort("begins_with(#s, :a)", value, None),
        }
        let mut names = Map::from_iter([("#p".to_owned(), Json::from(self.schema.partition.name()))]);
        if let Some(sort) = self.schema.sort.as_ref().filter(|_| query.sort != SortRange::All) {
            names.insert("#s".to_owned(), sort.name().into());
        }
        let mut request = serde_json::json!({
            "TableName": self.table,
            "ConsistentRead": true,
            "ScanIndexForward": !query.descending,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        });
        if let Some(limit) = query.limit {
            request["Limit"] = limit.into();
        }
        let mut body = request.to_string().into_bytes();
        if let Some(after) = &query.after {
            body.pop();
            body.extend_from_slice(b",\"ExclusiveStartKey\":");
            push_key(&mut body, after, &self.schema);
            body.push(b'}');
        }
        body
    }
}

impl Lookup for TableLookup {
    fn table(&self) -> &str {
        &self.table
    }

    fn schema(&self) -> &KeySchema {
        &self.schema
    }

    fn get(&self, key: &RawItem) -> Result<Option<RawItem>> {
        self.wait(|| self.reader.get(key))
    }

    fn query(&self, query: &LookupQuery) -> Result<LookupPage> {
        let answer = self.wait(|| wire::query(&self.client, &self.table, self.request(query)))?;
        let damaged = |fault| {
            let message = format!("the answer to Query on table {} is damaged: {fault}", self.table);
            Error::new(ErrorKind::MalformedAnswer, message)
        };
        let page = parse_page(answer, &self.schema).map_err(damaged)?;
        let last = page.next.map(|cursor| RawItem::parse(cursor.0, &self.schema).map_err(damaged)).transpose()?;
        Ok(LookupPage { items: page.items, last })
    }
}
