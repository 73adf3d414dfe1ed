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

/// An item on its way, with the page that waits for its answer.
#[derive(Debug, Clone)]
pub struct Pending {
    /// What is to be written.
    pub item: RawItem,
    /// Whom to tell.
    pub ticket: Arc<Ticket>,
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
    items: VecDeque<Pending>,
    is_closed: bool,
}

impl Batcher {
    /// An empty queue for a sink with these limits.
    pub fn new(limits: SinkLimits) -> Self {
        Self { limits, queue: Mutex::default(), changed: Notify::new() }
    }

    /// Appends a page's items.
    pub fn push(&self, items: impl Iterator<Item = Pending>) {
        self.lock().items.extend(items);
        self.changed.notify_one();
    }

    /// No more items will come.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// The next batch: a full one as soon as there is one, else what is there after a short wait. `None` when the queue
    /// is closed and empty. For one caller.
    pub async fn next(&self) -> Option<Vec<Pending>> {
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

    fn cut(&self, items: &mut VecDeque<Pending>) -> Option<Vec<Pending>> {
        let mut batch: Vec<Pending> = Vec::with_capacity(self.limits.max_items.min(items.len()));
        let mut put_aside = Vec::new();
        let mut bytes = 0;
        while batch.len() < self.limits.max_items {
            let Some(next) = items.pop_front() else { break };
            let length = next.item.json().len();
            if !batch.is_empty() && bytes + length > self.limits.max_batch_bytes {
                items.push_front(next);
                break;
            }
            let hash = next.item.key_hash();
            if batch.iter().chain(&put_aside).any(|other| other.item.key_hash() == hash) {
                put_aside.push(next);
                continue;
            }
            bytes += length;
            batch.push(next);
        }
        for item in put_aside.into_iter().rev() {
            items.push_front(item);
        }
        (!batch.is_empty()).then_some(batch)
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

    fn pending(ticket: &Arc<Ticket>, key: u32, version: usize, size: usize) -> Pending {
        let schema = KeySchema { partition: KeyAttribute::new("pk", KeyKind::Number), sort: None };
        let json = format!(r#"{{"pk":{{"N":"{key}"}},"v":{{"N":"{version}"}},"x":{{"S":"{}"}}}}"#, "x".repeat(size));
        Pending { item: RawItem::parse(Bytes::from(json), &schema).expect("valid"), ticket: ticket.clone() }
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
            let all: Vec<Pending> =
                items.iter().enumerate().map(|(at, (key, size))| pending(&ticket, *key, at, *size)).collect();
            batcher.push(all.clone().into_iter());
            batcher.close();
            let mut order: Vec<RawItem> = Vec::new();
            while let Some(batch) = futures::executor::block_on(batcher.next()) {
                let bytes: usize = batch.iter().map(|pending| pending.item.json().len()).sum();
                prop_assert!(batch.len() <= limits.max_items && (bytes <= limits.max_batch_bytes || batch.len() == 1));
                let mut keys: Vec<_> = batch.iter().map(|pending| pending.item.key()).collect();
                keys.sort();
                keys.dedup();
                prop_assert_eq!(keys.len(), batch.len());
                order.extend(batch.into_iter().map(|pending| pending.item));
            }
            prop_assert_eq!(order.len(), all.len());
            for key in all.iter().map(|pending| pending.item.key()) {
                let before = all.iter().map(|pending| &pending.item).filter(|item| item.key() == key);
                let after = order.iter().filter(|item| item.key() == key);
                prop_assert!(before.map(RawItem::json).eq(after.map(RawItem::json)));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_not_full_leaves_after_a_short_wait() {
        let batcher = Batcher::new(SinkLimits { max_items: 25, max_batch_bytes: 1000 });
        let ticket = ticket();
        batcher.push(std::iter::once(pending(&ticket, 1, 1, 1)));
        let batch = tokio::time::timeout(LINGER * 2, batcher.next()).await.expect("no hang");
        assert_eq!(batch.map(|batch| batch.len()), Some(1));
    }
}
