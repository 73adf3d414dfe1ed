//! Records of transforms that have been applied to a table's items, as ef-cms keeps them: an item `migration|<file>`.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};

use crate::dynamodb::error::from_sdk;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{KeyKind, KeySchema};

/// The partition key of all records in a main table, and what every record's own key begins with.
const MIGRATION: &str = "migration";
/// Keys that one BatchGetItem may ask for.
const MOST_KEYS: usize = 100;
/// Requests for keys that come back unprocessed.
const ATTEMPTS: usize = 20;

/// A record that a transform was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The transform's file name.
    pub file: String,
    /// When, in the words of whoever wrote it.
    pub created_at: Option<String>,
}

/// The records in a deploy table, where partition and sort key of each are `migration|<file>`, of these files.
pub async fn in_deploy_table(
    client: &Client,
    table: &str,
    schema: &KeySchema,
    files: &[String],
) -> Result<Vec<Record>> {
    let Some(sort) = schema.sort.as_ref().filter(|_| is_text(schema)) else {
        let message = format!("table {table} cannot be a deploy table: its keys are {schema}");
        return Err(Error::new(ErrorKind::TableUnfit, message)
            .hint("name a table with two keys of type S under [deploy] in the configuration file, or none"));
    };
    let key = |file: &String| {
        let value = AttributeValue::S(format!("{MIGRATION}|{file}"));
        HashMap::from([(schema.partition.name().to_owned(), value.clone()), (sort.name().to_owned(), value)])
    };
    let mut records = Vec::new();
    for files in files.chunks(MOST_KEYS) {
        let mut keys: Vec<_> = files.iter().map(key).collect();
        let mut attempts = 0;
        while !keys.is_empty() {
            attempts += 1;
            if attempts > ATTEMPTS {
                let message = format!("table {table} leaves records of transforms unprocessed, again and again");
                return Err(Error::new(ErrorKind::Throttled, message).hint("give it more read capacity"));
            }
            let wanted = KeysAndAttributes::builder().set_keys(Some(std::mem::take(&mut keys))).consistent_read(true);
            let wanted = wanted.build().map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
            let answer = client.batch_get_item().request_items(table, wanted).send().await;
            let answer = answer.map_err(|error| reading(table, from_sdk(error)))?;
            let found = answer.responses.into_iter().flat_map(HashMap::into_values).flatten();
            records.extend(found.filter_map(|item| record(&item, sort.name())));
            keys =
                answer.unprocessed_keys.into_iter().flat_map(HashMap::into_values).flat_map(|rest| rest.keys).collect();
        }
    }
    Ok(records)
}

/// All records among the items of a main table, where the partition key of each is `migration`. A table whose keys are not
/// text has none.
pub async fn in_main_table(client: &Client, table: &str, schema: &KeySchema) -> Result<Vec<Record>> {
    let Some(sort) = schema.sort.as_ref().filter(|_| is_text(schema)) else { return Ok(Vec::new()) };
    let query = client
        .query()
        .table_name(table)
        .consistent_read(true)
        .key_condition_expression("#p = :p AND begins_with(#s, :s)")
        .expression_attribute_names("#p", schema.partition.name())
        .expression_attribute_names("#s", sort.name())
        .expression_attribute_values(":p", AttributeValue::S(MIGRATION.to_owned()))
        .expression_attribute_values(":s", AttributeValue::S(format!("{MIGRATION}|")));
    let items = query.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let items = items.map_err(|error| reading(table, from_sdk(error)))?;
    Ok(items.iter().filter_map(|item| record(item, sort.name())).collect())
}

fn is_text(schema: &KeySchema) -> bool {
    let mut kinds = std::iter::once(&schema.partition).chain(&schema.sort).map(|key| key.kind());
    kinds.all(|kind| kind == KeyKind::String)
}

fn record(item: &HashMap<String, AttributeValue>, sort: &str) -> Option<Record> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    let key = text(sort)?;
    let file = key.strip_prefix(MIGRATION)?.strip_prefix('|')?.to_owned();
    Some(Record { file, created_at: text("createdAt") })
}

fn reading(table: &str, error: Error) -> Error {
    error.context(format!("reading which transforms were applied from table {table}"))
}
