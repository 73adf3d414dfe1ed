//! Whether two tables hold the same items, read by the typed client: a judge that shares no code with the copy.
//!
//! Of every item of one table a digest is kept, under its key; the other table is then held against them. Two values are
//! the same when DynamoDB means the same by them: sets without order, numbers by value.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeyType};
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::request_failure;
use super::seed::TypedItem;
use crate::error::{Error, ErrorKind, Result};

/// Segments that a table is read in, all at once.
const SEGMENTS: i32 = 8;
/// Keys named in [`Comparison::examples`].
const MAX_EXAMPLES: usize = 5;

/// How two tables differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Keys that stand in either table.
    pub compared: u64,
    /// Items of the source that the destination lacks.
    pub missing: u64,
    /// Items of the destination that the source lacks.
    pub extra: u64,
    /// Keys whose items are not the same.
    pub different: u64,
    /// A few of the keys concerned, each with what is wrong.
    pub examples: Vec<String>,
}

impl Comparison {
    /// Whether both tables hold the same.
    pub fn is_equal(&self) -> bool {
        self.missing == 0 && self.extra == 0 && self.different == 0
    }

    fn note(&mut self, what: &str, key: &str) {
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(format!("{what}: {key}"));
        }
    }
}

/// Compares two tables of one endpoint item by item, with consistent reads. Neither may change meanwhile.
///
/// Holds a key and 32 bytes for every item of the source in memory.
///
/// # Errors
///
/// The failure of the first request that fails, after the SDK's own attempts.
pub async fn compare(client: &Client, source: &str, destination: &str) -> Result<Comparison> {
    let key_names = key_names(client, source).await?;
    let mut expected = HashMap::new();
    scan(client, source, |item| {
        expected.insert(key(&item, &key_names), digest(&item));
    })
    .await?;

    let mut comparison = Comparison::default();
    scan(client, destination, |item| {
        comparison.compared += 1;
        let key = key(&item, &key_names);
        match expected.remove(&key) {
            Some(digest_before) if digest_before == digest(&item) => {}
            Some(_) => {
                comparison.different += 1;
                comparison.note("different", &key);
            }
            None => {
                comparison.extra += 1;
                comparison.note("extra", &key);
            }
        }
    })
    .await?;
    for key in expected.keys() {
        comparison.compared += 1;
        comparison.missing += 1;
        comparison.note("missing", key);
    }
    Ok(comparison)
}

/// Names of the table's key attributes, the partition key's first.
async fn key_names(client: &Client, table: &str) -> Result<Vec<String>> {
    let described = client
        .describe_table()
        .table_name(table)
        .send()
        .await
        .map_err(|error| request_failure("describing", table, error))?;
    let mut schema = described.table.and_then(|table| table.key_schema).unwrap_or_default();
    if schema.is_empty() {
        return Err(Error::new(ErrorKind::MalformedAnswer, format!("table `{table}` is described without a key")));
    }
    schema.sort_by_key(|element| element.key_type != KeyType::Hash);
    Ok(schema.into_iter().map(|element| element.attribute_name).collect())
}

/// Reads every item of a table, in no particular order.
async fn scan(client: &Client, table: &str, mut visit: impl FnMut(TypedItem)) -> Result<()> {
    let pages = stream::iter(0..SEGMENTS).map(|segment| {
        client
            .scan()
            .table_name(table)
            .consistent_read(true)
            .segment(segment)
            .total_segments(SEGMENTS)
            .into_paginator()
            .send()
    });
    // A paginator is not a stream; unfolding makes it one.
    let pages = pages.map(|pages| {
        stream::unfold(pages, |mut pages| async move { pages.next().await.map(|page| (page, pages)) }).boxed()
    });
    let mut pages = pages.flatten_unordered(None);
    while let Some(page) = pages.try_next().await.map_err(|error| request_failure("scanning", table, error))? {
        page.items.unwrap_or_default().into_iter().for_each(&mut visit);
    }
    Ok(())
}

/// The item's key, unambiguous and readable.
fn key(item: &TypedItem, names: &[String]) -> String {
    let values = names.iter().map(|name| match item.get(name) {
        Some(AttributeValue::S(text)) => format!("{name} {text:?}"),
        Some(AttributeValue::N(number)) => format!("{name} {}", canonical_number(number)),
        Some(AttributeValue::B(blob)) => format!("{name} {:?}", blob.as_ref()),
        _ => format!("{name} absent"),
    });
    values.collect::<Vec<_>>().join(", ")
}

/// Whether DynamoDB means the same by two items.
#[cfg(test)]
pub(super) fn same(one: &TypedItem, other: &TypedItem) -> bool {
    digest(one) == digest(other)
}

fn digest(item: &TypedItem) -> [u8; 32] {
    let mut canonical = Vec::new();
    put_map(item, &mut canonical);
    Sha256::digest(&canonical).into()
}

/// Appends `bytes` with their count in front, so that no two sequences of parts have the same form.
fn put(bytes: &[u8], canonical: &mut Vec<u8>) {
    canonical.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    canonical.extend_from_slice(bytes);
}

fn put_set(tag: u8, mut members: Vec<Vec<u8>>, canonical: &mut Vec<u8>) {
    members.sort_unstable();
    canonical.push(tag);
    canonical.extend_from_slice(&(members.len() as u64).to_le_bytes());
    members.iter().for_each(|member| put(member, canonical));
}

fn put_map(map: &TypedItem, canonical: &mut Vec<u8>) {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(name, _)| *name);
    canonical.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    for (name, value) in entries {
        put(name.as_bytes(), canonical);
        put_value(value, canonical);
    }
}

fn put_value(value: &AttributeValue, canonical: &mut Vec<u8>) {
    let mut scalar = |tag: u8, bytes: &[u8]| {
        canonical.push(tag);
        put(bytes, canonical);
    };
    match value {
        AttributeValue::S(text) => scalar(b's', text.as_bytes()),
        AttributeValue::N(number) => scalar(b'n', canonical_number(number).as_bytes()),
        AttributeValue::B(blob) => scalar(b'b', blob.as_ref()),
        AttributeValue::Bool(flag) => scalar(b't', &[u8::from(*flag)]),
        AttributeValue::Null(_) => scalar(b'0', &[]),
        AttributeValue::Ss(set) => put_set(b'S', set.iter().map(|text| text.clone().into_bytes()).collect(), canonical),
        AttributeValue::Ns(set) => {
            let members = set.iter().map(|number| canonical_number(number).into_bytes());
            put_set(b'N', members.collect(), canonical);
        }
        AttributeValue::Bs(set) => put_set(b'B', set.iter().map(|blob| blob.as_ref().to_vec()).collect(), canonical),
        AttributeValue::L(list) => {
            canonical.push(b'l');
            canonical.extend_from_slice(&(list.len() as u64).to_le_bytes());
            list.iter().for_each(|value| put_value(value, canonical));
        }
        AttributeValue::M(map) => {
            canonical.push(b'm');
            put_map(map, canonical);
        }
        // A type that DynamoDB may get later: its debug form at least never makes different values equal.
        other => scalar(b'?', format!("{other:?}").as_bytes()),
    }
}

/// One spelling for all spellings of a number: `-0.050E3` is `-5e1`. What is no number stays as it is.
fn canonical_number(text: &str) -> String {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse()),
        None => (unsigned, Ok(0)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let Ok(exponent) = exponent else { return text.to_owned() };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return text.to_owned();
    }
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let trailing_zeros = digits.len() - digits.trim_end_matches('0').len();
    let exponent: i64 = exponent;
    format!("{sign}{significant}e{}", exponent - fraction.len() as i64 + trailing_zeros as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::{EmbeddedDynamoDb, seed};

    #[test]
    fn a_number_is_the_same_however_it_is_spelled() {
        for (one, other) in [("1", "1.0"), ("-0.050E3", "-50"), ("100", "1e2"), ("0", "-0.00"), ("+7", "007")] {
            assert_eq!(canonical_number(one), canonical_number(other), "{one} {other}");
        }
        let digits = "12345678901234567890123456789012345678";
        for (one, other) in [("1", "10"), ("1", "-1"), ("0.1", "0.01"), (digits, &digits.replace("78", "79"))] {
            assert_ne!(canonical_number(one), canonical_number(other), "{one} {other}");
        }
    }

    #[test]
    fn the_order_of_a_set_does_not_count_but_that_of_a_list_does() {
        let item = |value: AttributeValue| TypedItem::from([("a".to_string(), value)]);
        let text = |text: &str| text.to_string();
        let set = |members: &[&str]| item(AttributeValue::Ss(members.iter().map(|member| text(member)).collect()));
        let list = |members: &[&str]| {
            item(AttributeValue::L(members.iter().map(|member| AttributeValue::S(text(member))).collect()))
        };
        assert!(same(&set(&["a", "b"]), &set(&["b", "a"])));
        assert!(!same(&set(&["ab"]), &set(&["a", "b"])));
        assert!(!same(&set(&["a", "b"]), &list(&["a", "b"])));
        assert!(!same(&list(&["a", "b"]), &list(&["b", "a"])));
        assert!(!same(&item(AttributeValue::S(text("1"))), &item(AttributeValue::N(text("1")))));
    }

    #[tokio::test]
    async fn every_planted_difference_is_found_and_named() {
        let server = EmbeddedDynamoDb::start().await.expect("starts");
        let client = server.client();
        for table in ["source", "destination"] {
            seed::seed_table(&client, table, 400, 9).await.expect("is seeded");
        }
        let equal = compare(&client, "source", "destination").await.expect("compares");
        assert_eq!((equal.compared, equal.is_equal()), (400, true), "{equal:?}");

        let items: Vec<_> = seed::items(400, 9).collect();
        let put = |table: &str, item: TypedItem| client.put_item().table_name(table).set_item(Some(item)).send();
        let mut changed = items[0].clone();
        changed.insert("isPaper".into(), AttributeValue::S("true".into()));
        put("destination", changed).await.expect("is put");
        let mut extra = items[1].clone();
        extra.insert("sk".into(), AttributeValue::S("not in the source".into()));
        put("destination", extra).await.expect("is put");
        for missing in [&items[12], &items[399]] {
            let request = client.delete_item().table_name("destination").key("pk", missing["pk"].clone());
            request.key("sk", missing["sk"].clone()).send().await.expect("is deleted");
        }
        let found = compare(&client, "source", "destination").await.expect("compares");
        assert_eq!((found.compared, found.missing, found.extra, found.different), (401, 2, 1, 1));
        assert!(!found.is_equal());
        assert_eq!(found.examples.len(), 4);
        assert!(found.examples.iter().any(|example| example.contains("not in the source")), "{found:?}");
    }

    #[tokio::test]
    async fn a_table_that_is_missing_is_an_error() {
        let server = EmbeddedDynamoDb::start().await.expect("starts");
        let error = compare(&server.client(), "source", "destination").await.expect_err("is missing");
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert!(error.message().contains("`source`"), "{error}");
    }
}
