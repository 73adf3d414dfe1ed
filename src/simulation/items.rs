//! The source's items: every version is unlike all others, and a small number in it drives the transforms.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::item::{KeyAttribute, KeyKind, KeySchema, RawItem};

/// Primary key of both tables.
pub fn schema() -> KeySchema {
    KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None }
}

/// An item from its JSON.
pub fn parse(json: String) -> RawItem {
    RawItem::parse(Bytes::from(json), &schema()).expect("an item of the simulation is valid")
}

/// The key's text: `k7` of the source, `k7#2` of an output.
pub fn name(item: &RawItem) -> &str {
    let value = item.partition_value();
    std::str::from_utf8(&value[6..value.len() - 2]).expect("a key of the simulation is text")
}

/// Whether the destination refuses the item.
pub fn is_poison(item: &RawItem) -> bool {
    memchr::memmem::find(item.json(), b"poison").is_some()
}

/// One version of an item.
#[derive(Debug, Clone)]
pub struct Version {
    pub raw: RawItem,
    /// 0 to 5: what the transforms look at.
    pub shape: u8,
}

impl Version {
    pub fn new(key: usize, number: u64, shape: u8, is_poison: bool) -> Self {
        let mark = if is_poison { r#","poison":{"BOOL":true}"# } else { "" };
        let json = format!(r#"{{"pk":{{"S":"k{key}"}},"v":{{"N":"{number}"}},"a":{{"N":"{shape}"}}{mark}}}"#);
        Self { raw: parse(json), shape }
    }
}

/// The source table: all keys that there may be, each with what it holds and what it held.
#[derive(Debug)]
pub struct Table {
    keys: Vec<Lifeline>,
    /// Hash and key, in the order of a scan.
    order: Vec<(u64, usize)>,
    last_number: u64,
}

#[derive(Debug, Clone, Default)]
struct Lifeline {
    now: Option<Version>,
    /// Since when it has held what, oldest first.
    past: Vec<(i64, Option<RawItem>)>,
}

impl Table {
    pub fn new(keys: usize) -> Self {
        let hash = |key| Version::new(key, 0, 0, false).raw.key_hash();
        let mut order: Vec<_> = (0..keys).map(|key| (hash(key), key)).collect();
        order.sort_unstable();
        Self { keys: vec![Lifeline::default(); keys], order, last_number: 0 }
    }

    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    pub fn now(&self, key: usize) -> Option<&Version> {
        self.keys[key].now.as_ref()
    }

    /// A version that was never there before.
    pub fn next_version(&mut self, key: usize, shape: u8, is_poison: bool) -> Version {
        self.last_number += 1;
        Version::new(key, self.last_number, shape, is_poison)
    }

    /// Puts, or deletes; returns the item before.
    pub fn set(&mut self, key: usize, version: Option<Version>, now_ms: i64) -> Option<RawItem> {
        let line = &mut self.keys[key];
        line.past.push((now_ms, version.as_ref().map(|version| version.raw.clone())));
        std::mem::replace(&mut line.now, version).map(|version| version.raw)
    }

    /// Keys of a segment after a place, in the order of a scan.
    pub fn segment(&self, segment: u32, segments: u32, after: Option<(u64, usize)>) -> &[(u64, usize)] {
        let of = |hash: u64| ((u128::from(hash) * u128::from(segments)) >> 64) as u32;
        let first = self.order.partition_point(|(hash, _)| of(*hash) < segment);
        let end = self.order.partition_point(|(hash, _)| of(*hash) <= segment);
        let rest = &self.order[first..end];
        &rest[rest.partition_point(|place| after.is_some_and(|after| *place <= after))..]
    }

    /// What the key held at a time.
    pub fn at(&self, key: usize, time_ms: i64) -> Option<RawItem> {
        let past = &self.keys[key].past;
        past[..past.partition_point(|(since_ms, _)| *since_ms <= time_ms)].last().and_then(|(_, item)| item.clone())
    }

    /// The items that exist, by name.
    pub fn items(&self) -> BTreeMap<String, RawItem> {
        let items = self.keys.iter().filter_map(|line| Some(line.now.as_ref()?.raw.clone()));
        items.map(|item| (name(&item).to_owned(), item)).collect()
    }
}
