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
    use crate::checkpoint::ShardState;
    use crate::engine::watermark::{Held, ShardPage};
    use crate::stream::Position;

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
        views.nothing(&shard, false);
        tokio::time::advance(Duration::from_secs(30)).await;
        views.nothing(&shard, false);
        assert_eq!(quiet_ms(), None, "what was read before is not applied yet");
    }

    #[tokio::test(start_paused = true)]
    async fn a_shard_is_at_its_tip_after_long_silence_in_many_reads() {
        let (views, shard) = (Views::default(), Arc::from("s"));
        views.add(&shard);
        for read in 0..TIP_POLLS {
            assert_eq!(views.tip_ms(&shard, 100_000), None, "{read} reads");
            views.nothing(&shard, true);
        }
        assert_eq!(views.tip_ms(&shard, 100_000), None, "in no time");
        tokio::time::advance(TIP_QUIET).await;
        assert_eq!(views.tip_ms(&shard, 100_000), Some(90_000));
        views.changes(&shard, 0, None);
        views.nothing(&shard, true);
        tokio::time::advance(TIP_QUIET).await;
        assert_eq!(views.tip_ms(&shard, 200_000), None, "after one read");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_and_not_applied_counts_and_so_does_its_age() {
        let (views, watermark, id) = (Views::default(), Watermark::new(Default::default()), Arc::<str>::from("s"));
        let state =
            ShardState { id: id.clone(), parent: None, position: Position::Horizon, read_until_ms: 0, ended: false };
        watermark.open_shard(state, true);
        views.add(&id);
        let view = |now_ms| {
            let view = views.view(&watermark, now_ms);
            (view.changes_waiting, view.shards[0].lag_ms, view.newest_ms)
        };
        assert_eq!(view(1_000), (0, 0, None));
        let page = ShardPage { last: Some("1".into()), oldest_ms: 7_000, newest_ms: 8_000, is_end: false };
        let ticket = watermark.open_changes(&id, page, 3, 3, Held::default());
        views.changes(&id, 8_000, None);
        [8_000, 7_500].into_iter().for_each(|ms| views.newest(ms));
        assert_eq!(view(10_000), (3, 3_000, Some(8_000)), "as old as the oldest, as young as the youngest");
        ticket.answer(3, 3);
        assert_eq!(view(10_000), (0, 2_000, Some(8_000)), "more may follow at once");
        views.nothing(&id, true);
        assert_eq!(view(10_000), (0, 0, Some(8_000)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_marker_stays_and_news_of_shards_take_a_while() {
        let (views, watermark, shard) = (Views::default(), Watermark::new(Default::default()), Arc::from("s"));
        let view = || views.view(&watermark, 0);
        views.add(&shard);
        views.changes(&shard, 1, Some("one".to_owned()));
        views.changes(&shard, 2, None);
        assert_eq!(view().shards[0].marker.as_deref(), Some("one"));
        views.changes(&shard, 3, Some("two".to_owned()));
        assert_eq!(view().shards[0].marker.as_deref(), Some("two"));
        assert!(!view().is_settling);
        views.unsettle();
        tokio::time::advance(SETTLING - Duration::from_millis(1)).await;
        assert!(view().is_settling);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!view().is_settling);
    }
}
