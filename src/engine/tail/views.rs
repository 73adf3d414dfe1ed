//! What the readers of the shards last saw.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::checkpoint::{ShardView, TailView};
use crate::engine::watermark::Watermark;

/// After a shard has ended or come, for this long some of its kin may not be listed yet.
const SETTLING: Duration = Duration::from_secs(5);

/// An empty page alone does not say that a shard was read to its tip; so much silence does.
const TIP_QUIET: Duration = Duration::from_secs(10);
/// ... in so many reads.
const TIP_POLLS: u64 = 10;

/// One entry a shard that is being read.
#[derive(Debug, Default)]
pub struct Views {
    shards: Mutex<BTreeMap<Arc<str>, Seen>>,
    unsettled: Mutex<Option<Instant>>,
    /// When the youngest change of all was made.
    newest_ms: AtomicI64,
}

/// What has happened to a shard since some moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct SeenSince {
    /// It was read.
    pub read: bool,
    /// It was read to its tip, everything before being applied.
    pub tip: bool,
}

#[derive(Debug, Default)]
struct Seen {
    /// Since when every read found nothing, everything before being applied.
    quiet_since: Option<Instant>,
    quiet_polls: u64,
    /// When the last change was made that was read, while more may follow at once.
    last_ms: Option<i64>,
    marker: Option<String>,
    read_at: Option<Instant>,
    tip_at: Option<Instant>,
}

impl Seen {
    fn quiet_for(&self, since: Instant) -> Duration {
        self.tip_at.map_or(Duration::ZERO, |last| last.saturating_duration_since(since))
    }
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
            seen.read_at = Some(Instant::now());
            if is_applied {
                seen.tip_at = Some(Instant::now());
                seen.quiet_since.get_or_insert_with(Instant::now);
                seen.quiet_polls += 1;
            }
        }
    }

    /// A read found changes, the last one made at `last_ms`.
    pub fn changes(&self, shard: &str, last_ms: i64, marker: Option<String>) {
        if let Some(seen) = self.lock().get_mut(shard) {
            let marker = marker.or(seen.marker.take());
            let read_at = Some(Instant::now());
            *seen = Seen { last_ms: Some(last_ms), marker, read_at, tip_at: seen.tip_at, ..Seen::default() };
        }
    }

    /// Changes of the application were read, the youngest made at this time.
    pub fn newest(&self, ms: i64) {
        self.newest_ms.fetch_max(ms, Ordering::Relaxed);
    }

    /// A shard has ended, or a new one was found.
    pub fn unsettle(&self) {
        *self.unsettled.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether that was only just now, so that not every shard may be known.
    pub fn is_settling(&self) -> bool {
        let unsettled = *self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
        unsettled.is_some_and(|at| at.elapsed() < SETTLING)
    }

    /// What has happened to a shard since `from`.
    pub fn seen_since(&self, shard: &str, from: Instant) -> SeenSince {
        let shards = self.lock();
        let since = |at: Option<Instant>| at.is_some_and(|at| at >= from);
        shards
            .get(shard)
            .map_or(SeenSince::default(), |seen| SeenSince { read: since(seen.read_at), tip: since(seen.tip_at) })
    }

    /// Until when changes are known to be read, if the shard has been silent for long enough to say so; `asked_ms` is when
    /// it was last asked.
    pub fn tip_ms(&self, shard: &str, asked_ms: i64) -> Option<i64> {
        let shards = self.lock();
        let seen = shards.get(shard)?;
        let quiet = seen.quiet_since?.elapsed();
        (quiet >= TIP_QUIET && seen.quiet_polls >= TIP_POLLS).then(|| asked_ms - TIP_QUIET.as_millis() as i64)
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
                // Up to the last read: what was not asked has not been silent.
                quiet_ms: seen.quiet_since.map(|since| seen.quiet_for(since).as_millis() as u64),
                quiet_polls: seen.quiet_polls,
                marker: seen.marker.clone(),
            });
        }
        let newest_ms = Some(self.newest_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0);
        TailView { shards, changes_waiting: waiting, is_settling: self.is_settling(), now_ms, newest_ms }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Seen>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_read_to_read() {
        let (views, watermark, shard) = (Views::default(), Watermark::new(Default::default()), Arc::from("s"));
        let quiet_ms = || views.view(&watermark, 0).shards[0].quiet_ms;
        views.add(&shard);
        assert_eq!(quiet_ms(), None);
        views.nothing(&shard, true);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(quiet_ms(), Some(0), "nobody has asked since");
        views.nothing(&shard, true);
        assert_eq!(quiet_ms(), Some(30_000));
        views.changes(&shard, 0, None);
        assert_eq!(quiet_ms(), None);
    }
}
