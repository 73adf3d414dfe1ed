//! A table in memory that transforms may look items up in.

use crate::error::Result;
use crate::item::{KeySchema, RawItem, Value};
use crate::lookup::{Lookup, LookupPage, LookupQuery, sort_order};

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
        let mut collection: Vec<RawItem> = self.items.iter().filter(is_asked).cloned().collect();
        collection.sort_by(sort_order);
        Ok(query.answer(&collection, &self.schema, self.page_items))
    }
}
