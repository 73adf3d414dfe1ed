//! A table in memory that transforms may look items up in.

use std::collections::HashMap;

use crate::error::Result;
use crate::item::{Key, KeySchema, RawItem};
use crate::lookup::{Lookup, LookupPage, LookupQuery, sort_order};

/// Items that can be looked up.
#[derive(Debug, Clone)]
pub struct LookupTable {
    name: String,
    schema: KeySchema,
    items: HashMap<Key, RawItem>,
    /// Items with the same partition key, in the order of their sort keys.
    collections: HashMap<Key, Vec<RawItem>>,
    page_items: usize,
}

impl LookupTable {
    /// A table of these items.
    pub fn new(name: impl Into<String>, schema: KeySchema, items: Vec<RawItem>) -> Self {
        let mut collections: HashMap<Key, Vec<RawItem>> = HashMap::new();
        for item in &items {
            collections.entry(Key::new(item.partition_value(), None)).or_default().push(item.clone());
        }
        collections.values_mut().for_each(|collection| collection.sort_by(sort_order));
        let items = items.into_iter().map(|item| (item.key(), item)).collect();
        Self { name: name.into(), schema, items, collections, page_items: usize::MAX }
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
        Ok(self.items.get(&key.key()).cloned())
    }

    fn query(&self, query: &LookupQuery) -> Result<LookupPage> {
        let collection = self.collections.get(&query.collection()).map_or(&[][..], Vec::as_slice);
        Ok(query.answer(collection, &self.schema, self.page_items))
    }
}
