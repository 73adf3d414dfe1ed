//! A table in memory: read in segments by hash of the key, written in batches.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::{BoxFuture, ready};

use crate::error::Result;
use crate::item::{Key, RawItem};
use crate::sink::{Outcome, Sink, SinkLimits, WriteReply};
use crate::source::{Cursor, Page, ScanSource};
use crate::units::write_units;

/// Items by key. A scan visits them in the order of their key's hash, as DynamoDB does.
#[derive(Debug)]
pub struct MemoryTable {
    items: Mutex<BTreeMap<(u64, Key), RawItem>>,
    page_items: usize,
}

impl MemoryTable {
    /// An empty table whose pages have at most `page_items` items.
    pub fn new(page_items: usize) -> Self {
        Self { items: Mutex::default(), page_items }
    }

    /// Puts an item in place of any with its key.
    pub fn put(&self, item: RawItem) {
        self.lock().insert((item.key_hash(), item.key()), item);
    }

    /// All items by key.
    pub fn items(&self) -> BTreeMap<Key, RawItem> {
        self.lock().iter().map(|((_, key), item)| (key.clone(), item.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(u64, Key), RawItem>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ScanSource for MemoryTable {
    fn read_page<'a>(&'a self, segment: u32, segments: u32, cursor: Option<&'a Cursor>) -> BoxFuture<'a, Result<Page>> {
        // The cursor is the position among the segment's items; fine for a table that does not change.
        let after = cursor.and_then(|Cursor(text)| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0usize);
        let items = self.lock();
        let of_segment = |hash: u64| ((u128::from(hash) * u128::from(segments)) >> 64) as u32 == segment;
        let mut rest =
            items.iter().filter(|((hash, _), _)| of_segment(*hash)).map(|(_, item)| item).skip(after).cloned();
        let page_items: Vec<RawItem> = rest.by_ref().take(self.page_items).collect();
        let next = rest.next().map(|_| Cursor(Bytes::from((after + page_items.len()).to_string())));
        let bytes = page_items.iter().map(|item| item.json().len()).sum();
        let units = (bytes as f64 / 4096.0).ceil().max(1.0);
        Box::pin(ready(Ok(Page { items: page_items, next, units, bytes })))
    }
}

impl Sink for MemoryTable {
    fn limits(&self) -> SinkLimits {
        SinkLimits { max_items: 25, max_batch_bytes: 16 * 1024 * 1024 }
    }

    fn write<'a>(&'a self, batch: &'a [RawItem]) -> BoxFuture<'a, Result<WriteReply>> {
        for item in batch {
            self.put(item.clone());
        }
        let units = batch.iter().map(|item| write_units(item.bytes())).sum();
        Box::pin(ready(Ok(WriteReply { outcomes: vec![Outcome::Written; batch.len()], units })))
    }
}
