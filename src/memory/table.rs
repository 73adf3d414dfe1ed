//! A table in memory: read in segments by hash of the key, written in batches, also while it is read.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::{BoxFuture, ready};

use crate::error::{Error, ErrorKind, Result};
use crate::item::{Key, RawItem};
use crate::lookup::LookupQuery;
use crate::sink::{Outcome, Sink, SinkLimits, Write, WriteReply};
use crate::source::{Cursor, ItemRead, Page, ScanSource};
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

    /// Puts an item in place of any with its key; returns that.
    pub fn put(&self, item: RawItem) -> Option<RawItem> {
        self.lock().insert((item.key_hash(), item.key()), item)
    }

    /// Takes out the item with this one's key.
    pub fn delete(&self, item: &RawItem) -> Option<RawItem> {
        self.lock().remove(&(item.key_hash(), item.key()))
    }

    /// Does what a write says.
    pub fn apply(&self, write: &Write) {
        match write {
            Write::Put(item) => self.put(item.clone()),
            Write::Delete(item) => self.delete(item),
        };
    }

    /// All items by key.
    pub fn items(&self) -> BTreeMap<Key, RawItem> {
        self.lock().iter().map(|((_, key), item)| (key.clone(), item.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(u64, Key), RawItem>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn page(&self, segment: u32, segments: u32, after: Option<u64>) -> Page {
        let items = self.lock();
        let of_segment = |hash: u64| ((u128::from(hash) * u128::from(segments)) >> 64) as u32 == segment;
        // Every item of a hash is on one page, so that a hash is enough of a cursor.
        let from = after.map_or(0, |hash| hash.saturating_add(1));
        let mut page = Page { units: 1.0, ..Page::default() };
        let mut last = None;
        for ((hash, _), item) in items.range((Bound::Included((from, Key::least())), Bound::Unbounded)) {
            if !of_segment(*hash) || after.is_some_and(|after| *hash <= after) {
                continue;
            }
            if page.items.len() >= self.page_items && last != Some(*hash) {
                page.next = last.map(|hash| Cursor(Bytes::from(hash.to_string())));
                break;
            }
            last = Some(*hash);
            page.bytes += item.json().len();
            page.items.push(item.clone());
        }
        page.units = read_units(page.bytes);
        page
    }
}

fn read_units(bytes: usize) -> f64 {
    (bytes as f64 / 4096.0).ceil().max(1.0)
}

impl ScanSource for MemoryTable {
    fn read_item<'a>(&'a self, key: &'a RawItem) -> BoxFuture<'a, Result<ItemRead>> {
        let item = self.lock().get(&(key.key_hash(), key.key())).cloned();
        let units = read_units(item.as_ref().map_or(0, |item| item.json().len()));
        Box::pin(ready(Ok(ItemRead { item, units })))
    }

    fn query<'a>(&'a self, _: &'a LookupQuery) -> BoxFuture<'a, Result<Page>> {
        Box::pin(ready(Err(Error::new(ErrorKind::Internal, "a table in memory is only scanned"))))
    }

    fn read_page<'a>(&'a self, segment: u32, segments: u32, cursor: Option<&'a Cursor>) -> BoxFuture<'a, Result<Page>> {
        let after = match cursor {
            None => Ok(None),
            Some(Cursor(text)) => match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
                Some(hash) => Ok(Some(hash)),
                None => Err(Error::new(ErrorKind::Internal, "a cursor that is not this table's")),
            },
        };
        Box::pin(ready(after.map(|after| self.page(segment, segments, after))))
    }
}

impl Sink for MemoryTable {
    fn limits(&self) -> SinkLimits {
        SinkLimits { max_items: 25, max_batch_bytes: 16 * 1024 * 1024 }
    }

    fn write<'a>(&'a self, batch: &'a [Write]) -> BoxFuture<'a, Result<WriteReply>> {
        batch.iter().for_each(|write| self.apply(write));
        let units = batch.iter().map(|write| write_units(write.item().bytes())).sum();
        Box::pin(ready(Ok(WriteReply { outcomes: vec![Outcome::Written; batch.len()], units })))
    }
}
