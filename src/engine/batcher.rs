//! The queue between readers and the writer, and how batches are cut from it.
//!
//! Invariant: a batch respects the sink's limits, and no key stands in it twice; of two items with one key the earlier
//! read goes first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::engine::watermark::Ticket;
use crate::item::RawItem;
use crate::sink::SinkLimits;

/// How long a batch that is not full waits for more: short against a request's time, long against a page's.
const LINGER: Duration = Duration::from_millis(10);

/// Items on their way, and for each the page that waits for its answer.
#[derive(Debug, Default)]
pub struct Batch {
    /// What is to be written.
    pub items: Vec<RawItem>,
    /// Whom to tell, item by item.
    pub tickets: Vec<Arc<Ticket>>,
}

impl Batch {
    fn with_capacity(items: usize) -> Self {
        Self { items: Vec::with_capacity(items), tickets: Vec::with_capacity(items) }
    }

    /// Appends an item.
    pub fn push(&mut self, item: RawItem, ticket: Arc<Ticket>) {
        self.items.push(item);
        self.tickets.push(ticket);
    }

    /// Cuts off the second half.
    pub fn split_off_half(&mut self) -> Self {
        let middle = self.items.len() / 2;
        Self { items: self.items.split_off(middle), tickets: self.tickets.split_off(middle) }
    }
}

/// An unbounded queue; its bound is the memory budget that readers acquire before a page.
#[derive(Debug)]
pub struct Batcher {
    limits: SinkLimits,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<(RawItem, Arc<Ticket>)>,
    is_closed: bool,
}

impl Batcher {
    /// An empty queue for a sink with these limits.
    pub fn new(limits: SinkLimits) -> Self {
        Self { limits, queue: Mutex::default(), changed: Notify::new() }
    }

    /// Appends a page's items.
    pub fn push(&self, items: Vec<RawItem>, ticket: &Arc<Ticket>) {
        self.lock().items.extend(items.into_iter().map(|item| (item, ticket.clone())));
        self.changed.notify_one();
    }

    /// No more items will come.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// The next batch: a full one as soon as there is one, else what is there after a short wait. `None` when the queue
    /// is closed and empty. For one caller.
    pub async fn next(&self) -> Option<Batch> {
        loop {
            let ready = {
                let mut queue = self.lock();
                if queue.items.len() >= self.limits.max_items || queue.is_closed {
                    return self.cut(&mut queue.items);
                }
                !queue.items.is_empty()
            };
            if !ready {
                self.changed.notified().await;
            } else if tokio::time::timeout(LINGER, self.changed.notified()).await.is_err() {
                return self.cut(&mut self.lock().items);
            }
        }
    }

    fn cut(&self, items: &mut VecDeque<(RawItem, Arc<Ticket>)>) -> Option<Batch> {
        let mut batch = Batch::with_capacity(self.limits.max_items.min(items.len()));
        let mut put_aside = Vec::new();
        let mut bytes = 0;
        while batch.items.len() < self.limits.max_items {
            let Some((item, ticket)) = items.pop_front() else { break };
            let length = item.json().len();
            if !batch.items.is_empty() && bytes + length > self.limits.max_batch_bytes {
                items.push_front((item, ticket));
                break;
            }
            let hash = item.key_hash();
            let is_taken = batch.items.iter().any(|other| other.key_hash() == hash);
            if is_taken || put_aside.iter().any(|(other, _): &(RawItem, _)| other.key_hash() == hash) {
                put_aside.push((item, ticket));
                continue;
            }
            bytes += length;
            batch.push(item, ticket);
        }
        for item in put_aside.into_iter().rev() {
            items.push_front(item);
        }
        (!batch.items.is_empty()).then_some(batch)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::{SegmentState, Totals};
    use crate::engine::watermark::Watermark;
    use crate::item::{KeyAttribute, KeyKind, KeySchema};

    fn item(key: u32, version: usize, size: usize) -> RawItem {
        let schema = KeySchema { partition: KeyAttribute::new("pk", KeyKind::Number), sort: None };
        let json = format!(r#"{{"pk":{{"N":"{key}"}},"v":{{"N":"{version}"}},"x":{{"S":"{}"}}}}"#, "x".repeat(size));
        RawItem::parse(Bytes::from(json), &schema).expect("valid")
    }

    fn ticket() -> Arc<Ticket> {
        let watermark = Watermark::new(Totals::default());
        watermark.open_segment(SegmentState::fresh(0));
        watermark.open_page(0, None, 1, 1, None)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn batches_keep_the_limits_and_the_order_of_a_key(
            items in proptest::collection::vec((0u32..12, 0usize..400), 0..60),
        ) {
            let limits = SinkLimits { max_items: 7, max_batch_bytes: 1000 };
            let batcher = Batcher::new(limits);
            let ticket = ticket();
            let all: Vec<RawItem> =
                items.iter().enumerate().map(|(at, (key, size))| item(*key, at, *size)).collect();
            batcher.push(all.clone(), &ticket);
            batcher.close();
            let mut order: Vec<RawItem> = Vec::new();
            while let Some(batch) = futures::executor::block_on(batcher.next()) {
                let bytes: usize = batch.items.iter().map(|item| item.json().len()).sum();
                prop_assert_eq!(batch.items.len(), batch.tickets.len());
                let is_alone = batch.items.len() == 1;
                prop_assert!(batch.items.len() <= limits.max_items && (bytes <= limits.max_batch_bytes || is_alone));
                let mut keys: Vec<_> = batch.items.iter().map(RawItem::key).collect();
                keys.sort();
                keys.dedup();
                prop_assert_eq!(keys.len(), batch.items.len());
                order.extend(batch.items);
            }
            prop_assert_eq!(order.len(), all.len());
            for key in all.iter().map(RawItem::key) {
                let before = all.iter().filter(|item| item.key() == key);
                let after = order.iter().filter(|item| item.key() == key);
                prop_assert!(before.map(RawItem::json).eq(after.map(RawItem::json)));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_not_full_leaves_after_a_short_wait() {
        let batcher = Batcher::new(SinkLimits { max_items: 25, max_batch_bytes: 1000 });
        let ticket = ticket();
        batcher.push(vec![item(1, 1, 1)], &ticket);
        let batch = tokio::time::timeout(LINGER * 2, batcher.next()).await.expect("no hang");
        assert_eq!(batch.map(|batch| batch.items.len()), Some(1));
    }
}
