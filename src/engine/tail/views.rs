//! What the readers of the shards last saw.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::checkpoint::{ShardView, TailView};
use crate::engine::watermark::Watermark;

/// One entry a shard that is being read.
#[derive(Debug, Default)]
pub struct Views {
    shards: Mutex<BTreeMap<Arc<str>, Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Since when every read found nothing, everything before being applied.
    quiet_since: Option<Instant>,
    quiet_polls: u64,
    /// When the last change was made that was read, while more may follow at once.
    last_ms: Option<i64>,
    marker: Option<String>,
}

impl Views {
    /// A shard is taken up.
    pub fn add(&self, shard: &Arc<str>) {
        self.lock().insert(shard.clone(), Seen::default());
    }

    /// A shard has ended.
    pub fn remove(&self, shard: &str) {
        self.lock().remove(shard);
    }

    /// The shards that are being read.
    pub fn shards(&self) -> Vec<Arc<str>> {
        self.lock().keys().cloned().collect()
    }

    /// A read found nothing; `is_applied` says whether everything before it is applied.
    pub fn nothing(&self, shard: &str, is_applied: bool) {
        if let Some(seen) = self.lock().get_mut(shard) {
            seen.last_ms = None;
            if is_applied {
                seen.quiet_since.get_or_insert_with(Instant::now);
                seen.quiet_polls += 1;
            }
        }
    }

    /// A read found changes, the last one made at `last_ms`.
    pub fn changes(&self, shard: &str, last_ms: i64, marker: Option<String>) {
        if let Some(seen) = self.lock().get_mut(shard) {
            let marker = marker.or(seen.marker.take());
            *seen = Seen { last_ms: Some(last_ms), marker, ..Seen::default() };
        }
    }

    /// All of it, at the time `now_ms`.
    pub fn view(&self, watermark: &Watermark, now_ms: i64) -> TailView {
        let mut waiting = 0;
        let mut shards = Vec::new();
        for (id, seen) in self.lock().iter() {
            let (oldest_ms, changes) = watermark.waiting(id);
            waiting += changes;
            let behind = oldest_ms.or(seen.last_ms).map_or(0, |made| u64::try_from(now_ms - made).unwrap_or(0));
            shards.push(ShardView {
                id: id.clone(),
                lag_ms: behind,
                quiet_ms: seen.quiet_since.map(|since| since.elapsed().as_millis() as u64),
                quiet_polls: seen.quiet_polls,
                marker: seen.marker.clone(),
            });
        }
        TailView { shards, changes_waiting: waiting }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Seen>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
