//! A table in memory that transforms may look items up in.

use std::cmp::Ordering;

use crate::error::Result;
use crate::item::{KeySchema, RawItem, Value};
use crate::lookup::{Lookup, LookupPage, LookupQuery, SortRange};

/// Items that can be looked up.
#[derive(Debug, Clone)]
pub struct LookupTable {
    name: String,
    schema: KeySchema,
    items: Vec<RawItem>,
    page_items: usize,
}

impl LookupTable {
    /// A table of these items.
    pub fn new(name: impl Into<String>, schema: KeySchema, items: Vec<RawItem>) -> Self {
        Self { name: name.into(), schema, items, page_items: usize::MAX }
    }

    /// Answers queries with at most that many items at a time.
    #[must_use]
    pub fn with_pages_of(mut self, items: usize) -> Self {
        self.page_items = items;
        self
    }

    fn sort_key(item: &RawItem) -> Option<Value> {
        Value::parse(item.sort_value()?).ok()
    }
}

impl Lookup for LookupTable {
    fn table(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> &KeySchema {
        &self.schema
    }

    fn get(&self, key: &RawItem) -> Result<Option<RawItem>> {
        let key = key.key();
        Ok(self.items.iter().find(|item| item.key() == key).cloned())
    }

    fn query(&self, query: &LookupQuery) -> Result<LookupPage> {
        let is_asked = |item: &&RawItem| Value::parse(item.partition_value()).as_ref() == Ok(&query.partition);
        let mut found: Vec<(Option<Value>, &RawItem)> =
            self.items.iter().filter(is_asked).map(|item| (Self::sort_key(item), item)).collect();
        found.retain(|(sort, _)| is_within(sort.as_ref(), &query.sort));
        found.sort_by(|(one, _), (other, _)| order(one.as_ref(), other.as_ref()));
        if query.descending {
            found.reverse();
        }
        let behind = query.after.as_ref().and_then(|after| {
            let after = after.key();
            found.iter().position(|(_, item)| item.key() == after).map(|at| at + 1)
        });
        let rest = &found[behind.unwrap_or(0)..];
        let count = rest.len().min(query.limit.unwrap_or(usize::MAX)).min(self.page_items);
        let items: Vec<RawItem> = rest[..count].iter().map(|(_, item)| (*item).clone()).collect();
        let last = if count < rest.len() { items.last().and_then(|item| key_of(item, &self.schema)) } else { None };
        Ok(LookupPage { items, last })
    }
}

/// An item of key attributes.
fn key_of(item: &RawItem, schema: &KeySchema) -> Option<RawItem> {
    RawItem::parse(item.key_json(schema).into(), schema).ok()
}

fn is_within(sort: Option<&Value>, range: &SortRange) -> bool {
    let compared = |value: &Value| order(sort, Some(value));
    match range {
        SortRange::All => true,
        SortRange::Equal(value) => compared(value).is_eq(),
        SortRange::Less(value) => compared(value).is_lt(),
        SortRange::AtMost(value) => compared(value).is_le(),
        SortRange::Greater(value) => compared(value).is_gt(),
        SortRange::AtLeast(value) => compared(value).is_ge(),
        SortRange::Between(low, high) => compared(low).is_ge() && compared(high).is_le(),
        SortRange::BeginsWith(Value::S(start)) => matches!(sort, Some(Value::S(text)) if text.starts_with(start)),
        SortRange::BeginsWith(Value::B(start)) => matches!(sort, Some(Value::B(bytes)) if bytes.starts_with(start)),
        SortRange::BeginsWith(_) => false,
    }
}

/// The order of sort keys, which are texts, numbers or binary.
fn order(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    match (one, other) {
        (Some(Value::S(one)), Some(Value::S(other))) => one.as_bytes().cmp(other.as_bytes()),
        (Some(Value::B(one)), Some(Value::B(other))) => one.cmp(other),
        (Some(Value::N(one)), Some(Value::N(other))) => one.value().cmp(&other.value()),
        _ => Ordering::Equal,
    }
}
