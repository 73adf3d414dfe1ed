//! What the source said of item collections, for as long as somebody may still be served by it.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::item::{Key, KeySchema, RawItem};
use crate::lookup::{LookupPage, LookupQuery, SortRange};

/// Bytes of items that are kept, at the most twice.
const MAX_BYTES: usize = 16 << 20;
/// What an entry costs besides its items.
const ENTRY_BYTES: usize = 200;

/// Answers by partition key: the younger half, and the older one, which goes when the younger is full.
pub struct Cache {
    schema: KeySchema,
    young: HashMap<Key, Collection>,
    old: HashMap<Key, Collection>,
    young_bytes: usize,
}

/// What is known of the items with one partition key.
#[derive(Debug, Default)]
struct Collection {
    /// All of them, in the order of their sort keys.
    all: Option<(Instant, Vec<RawItem>)>,
    /// Answers to questions for a part, complete.
    parts: Vec<(Instant, LookupQuery, LookupPage)>,
    /// Answers to questions for one item.
    items: HashMap<Key, (Instant, Option<RawItem>)>,
}

impl Cache {
    pub fn new(schema: KeySchema) -> Self {
        Self { schema, young: HashMap::new(), old: HashMap::new(), young_bytes: 0 }
    }

    /// What the source said at `since` or later about the item with that key.
    pub fn get(&self, key: &RawItem, since: Instant) -> Option<Option<RawItem>> {
        let collection = self.collection(&Key::new(key.partition_value(), None))?;
        let wanted = key.key();
        if let Some((asked_at, all)) = &collection.all
            && *asked_at >= since
        {
            let is_wanted = |item: &&RawItem| item.key_hash() == key.key_hash() && item.key() == wanted;
            return Some(all.iter().find(is_wanted).cloned());
        }
        let known = collection.items.get(&wanted).filter(|(asked_at, _)| *asked_at >= since);
        known.map(|(_, item)| item.clone())
    }

    /// The answer to that question as the source would have given it at `since` or later.
    pub fn query(&self, query: &LookupQuery, since: Instant) -> Option<LookupPage> {
        let collection = self.collection(&query.collection())?;
        if let Some((asked_at, all)) = &collection.all
            && *asked_at >= since
        {
            return Some(query.answer(all, &self.schema, usize::MAX));
        }
        let known = collection.parts.iter().find(|(asked_at, other, _)| *asked_at >= since && is_same(other, query));
        known.map(|(_, _, page)| page.clone())
    }

    /// Remembers what was answered to a question that was asked then.
    pub fn keep_item(&mut self, key: &RawItem, found: Option<&RawItem>, asked_at: Instant) {
        let bytes = ENTRY_BYTES + key.json().len() + found.map_or(0, |item| item.json().len());
        let Some(collection) = self.room(Key::new(key.partition_value(), None), bytes) else { return };
        collection.items.insert(key.key(), (asked_at, found.cloned()));
    }

    /// Remembers an answer, unless it is one of several pages.
    pub fn keep_page(&mut self, query: &LookupQuery, page: &LookupPage, asked_at: Instant) {
        if page.last.is_some() || query.after.is_some() {
            return;
        }
        let bytes = ENTRY_BYTES + page.items.iter().map(|item| item.json().len()).sum::<usize>();
        let Some(collection) = self.room(query.collection(), bytes) else { return };
        // An answer without an end has no more than the limit allows, so it is complete all the same.
        if query.sort == SortRange::All {
            let mut items = page.items.clone();
            if query.descending {
                items.reverse();
            }
            *collection = Collection { all: Some((asked_at, items)), ..Collection::default() };
            return;
        }
        collection.parts.retain(|(_, other, _)| !is_same(other, query));
        collection.parts.push((asked_at, query.clone(), page.clone()));
    }

    fn collection(&self, partition: &Key) -> Option<&Collection> {
        self.young.get(partition).or_else(|| self.old.get(partition))
    }

    /// The collection, moved to the younger half; `None` where so much is not kept.
    fn room(&mut self, partition: Key, bytes: usize) -> Option<&mut Collection> {
        if bytes > MAX_BYTES / 4 {
            return None;
        }
        if self.young_bytes + bytes > MAX_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        let known = self.old.remove(&partition);
        Some(self.young.entry(partition).or_insert_with(|| known.unwrap_or_default()))
    }
}

fn is_same(one: &LookupQuery, other: &LookupQuery) -> bool {
    one.sort == other.sort && one.descending == other.descending && one.limit == other.limit && other.after.is_none()
}
