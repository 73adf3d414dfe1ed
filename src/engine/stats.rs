//! Counters that everyone adds to and the status line reads.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::checkpoint::RunState;
use crate::engine::retry::Peer;
use crate::event::{Progress, WaitReason};

/// Rates shown are means over this time.
const WINDOW: Duration = Duration::from_secs(5);
/// No ETA before this share of the work is done: it would be a guess.
const ETA_FROM: f64 = 0.01;
/// Estimates of the item count are hours old, so progress by them stops short of the end until the end is known.
const ALMOST: f64 = 0.99;
/// Units are added up in thousandths, so that an integer atomic can hold them.
const MILLI: f64 = 1000.0;

/// Most urgent first: the one shown when several apply.
const REASONS: [WaitReason; 7] = [
    WaitReason::Credentials,
    WaitReason::DestinationFails,
    WaitReason::SourceFails,
    WaitReason::StreamFails,
    WaitReason::DestinationThrottles,
    WaitReason::SourceThrottles,
    WaitReason::StreamThrottles,
];

/// Counters of a run, totals of earlier processes included.
#[derive(Debug)]
pub struct Stats {
    begun: Instant,
    segments: u32,
    items_estimated: u64,
    fraction_before: f64,
    written_before: u64,
    items_read: AtomicU64,
    items_written: AtomicU64,
    dead_letters: AtomicU64,
    segments_done: AtomicU32,
    read_milliunits: AtomicU64,
    write_milliunits: AtomicU64,
    lookups: AtomicU64,
    lookup_requests: AtomicU64,
    throttles: AtomicU64,
    retries: AtomicU64,
    waiting: [AtomicU32; REASONS.len()],
    items_superseded: AtomicU64,
    tail: Mutex<Option<TailFigures>>,
    last_read_ms: AtomicU64,
    last_change_ms: AtomicU64,
    last_write_ms: AtomicU64,
}

/// The tail, for people.
#[derive(Debug, Clone, Copy, Default)]
pub struct TailFigures {
    /// Age of the oldest change that is not applied.
    pub lag: Duration,
    /// Over the whole run.
    pub changes_applied: u64,
    /// Read and not yet applied.
    pub changes_waiting: u64,
}

impl Stats {
    /// Continues the counters of `state`.
    pub fn new(state: &RunState, items_estimated: u64) -> Self {
        let mut stats = Self {
            begun: Instant::now(),
            segments: state.segments,
            items_estimated,
            fraction_before: 0.0,
            written_before: state.totals.items_written,
            items_read: state.totals.items_read.into(),
            items_written: state.totals.items_written.into(),
            dead_letters: (state.dead_letters.len() as u64).into(),
            segments_done: state.segments_done.into(),
            read_milliunits: ((state.totals.read_units * MILLI) as u64).into(),
            write_milliunits: ((state.totals.write_units * MILLI) as u64).into(),
            lookups: 0.into(),
            lookup_requests: 0.into(),
            throttles: 0.into(),
            retries: 0.into(),
            waiting: Default::default(),
            items_superseded: state.totals.items_superseded.into(),
            tail: Mutex::default(),
            last_read_ms: 0.into(),
            last_change_ms: 0.into(),
            last_write_ms: 0.into(),
        };
        stats.fraction_before = stats.fraction();
        stats
    }

    /// Items of a page were read.
    pub fn add_items_read(&self, items: usize) {
        self.items_read.fetch_add(items as u64, Relaxed);
    }

    /// A transform asked for other items.
    pub fn add_lookup(&self) {
        self.lookups.fetch_add(1, Relaxed);
    }

    /// What a transform asked for was not known already.
    pub fn add_lookup_request(&self) {
        self.lookup_requests.fetch_add(1, Relaxed);
    }

    /// Questions that transforms asked, and requests that were sent for them.
    pub fn lookups(&self) -> (u64, u64) {
        (self.lookups.load(Relaxed), self.lookup_requests.load(Relaxed))
    }

    /// The source answered a request.
    pub fn add_read(&self, units: f64) {
        self.read_milliunits.fetch_add((units * MILLI) as u64, Relaxed);
        self.last_read_ms.store(self.now_ms(), Relaxed);
    }

    /// A batch was answered.
    pub fn add_batch(&self, written: usize, units: f64) {
        self.items_written.fetch_add(written as u64, Relaxed);
        self.write_milliunits.fetch_add((units * MILLI) as u64, Relaxed);
        self.last_write_ms.store(self.now_ms(), Relaxed);
    }

    /// Pages of the stream were answered.
    pub fn add_changes(&self) {
        self.last_change_ms.store(self.now_ms(), Relaxed);
    }

    /// Items were not written, because a change of theirs is newer.
    pub fn add_superseded(&self, items: u64) {
        self.items_superseded.fetch_add(items, Relaxed);
    }

    /// Items that were not written, because a change of theirs is newer.
    pub fn items_superseded(&self) -> u64 {
        self.items_superseded.load(Relaxed)
    }

    /// Where the tail stands now.
    pub fn set_tail(&self, figures: TailFigures) {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = Some(figures);
    }

    /// An item became a dead letter.
    pub fn add_dead_letter(&self) {
        self.dead_letters.fetch_add(1, Relaxed);
    }

    /// A dead letter is void.
    pub fn clear_dead_letter(&self) {
        self.dead_letters.fetch_sub(1, Relaxed);
    }

    /// A request was throttled, in whole or in part.
    pub fn add_throttle(&self) {
        self.throttles.fetch_add(1, Relaxed);
    }

    /// A request is sent again for another reason.
    pub fn add_retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// A commit said that this many more segments are done.
    pub fn add_segments_done(&self, segments: u32) {
        self.segments_done.fetch_add(segments, Relaxed);
    }

    /// Time since a request to that peer succeeded, or since the beginning.
    pub fn since_success(&self, peer: Peer) -> Duration {
        let last = match peer {
            Peer::Source => &self.last_read_ms,
            Peer::Stream => &self.last_change_ms,
            Peer::Destination => &self.last_write_ms,
        };
        Duration::from_millis(self.now_ms().saturating_sub(last.load(Relaxed)))
    }

    /// Read and write units consumed by the whole run.
    pub fn units(&self) -> (f64, f64) {
        let units = |counter: &AtomicU64| counter.load(Relaxed) as f64 / MILLI;
        (units(&self.read_milliunits), units(&self.write_milliunits))
    }

    /// Whether every segment is done, on record.
    pub fn is_complete(&self) -> bool {
        self.segments_done.load(Relaxed) == self.segments
    }

    /// Items written a second since this process began.
    pub fn mean_items_per_second(&self) -> f64 {
        let written = self.items_written.load(Relaxed).saturating_sub(self.written_before);
        let seconds = self.begun.elapsed().as_secs_f64();
        if seconds > 0.0 { written as f64 / seconds } else { 0.0 }
    }

    fn now_ms(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }

    fn fraction(&self) -> f64 {
        let segments_done = self.segments_done.load(Relaxed);
        if segments_done == self.segments {
            return 1.0;
        }
        let by_segments = f64::from(segments_done) / f64::from(self.segments.max(1));
        let by_items = match self.items_estimated {
            0 => 0.0,
            estimated => self.items_written.load(Relaxed) as f64 / estimated as f64,
        };
        by_items.max(by_segments).min(ALMOST)
    }

    fn wait(&self) -> Option<WaitReason> {
        REASONS.into_iter().zip(&self.waiting).find(|(_, count)| count.load(Relaxed) > 0).map(|(reason, _)| reason)
    }
}

/// Marks a wait for as long as it lives.
#[derive(Debug)]
pub struct WaitGuard<'a> {
    count: Option<&'a AtomicU32>,
}

impl<'a> WaitGuard<'a> {
    /// Begins to wait for `reason`.
    pub fn new(stats: &'a Stats, reason: WaitReason) -> Self {
        let place = REASONS.iter().position(|other| *other == reason);
        let count = place.map(|place| &stats.waiting[place]);
        if let Some(count) = count {
            count.fetch_add(1, Relaxed);
        }
        Self { count }
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.count {
            count.fetch_sub(1, Relaxed);
        }
    }
}

/// What the limiters say of one side at this moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct LimiterView {
    /// Units per second allowed; `None` is no limit.
    pub allowed: Option<f64>,
    /// Whether somebody waits for units.
    pub is_waiting: bool,
}

/// Turns counters into [`Progress`], with rates over the last seconds.
#[derive(Debug, Default)]
pub struct Meter {
    samples: VecDeque<Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    items: u64,
    read_units: f64,
    write_units: f64,
}

impl Meter {
    /// The state of the run now.
    pub fn read(&mut self, stats: &Stats, reads: LimiterView, writes: LimiterView) -> Progress {
        let (read_units, write_units) = stats.units();
        let items = stats.items_written.load(Relaxed);
        let now = Sample { at: Instant::now(), items, read_units, write_units };
        self.samples.push_back(now);
        while self.samples.len() > 2 && now.at - self.samples[1].at >= WINDOW {
            self.samples.pop_front();
        }
        let first = self.samples[0];
        let seconds = (now.at - first.at).as_secs_f64();
        let rate = |before: f64, after: f64| if seconds > 0.0 { (after - before) / seconds } else { 0.0 };
        let tail = *stats.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let fraction = stats.fraction();
        let elapsed = stats.begun.elapsed();
        let gained = fraction - stats.fraction_before;
        let eta = (fraction >= ETA_FROM && gained > 0.0).then(|| elapsed.mul_f64((1.0 - fraction) / gained));
        let limited = || match (writes.is_waiting, reads.is_waiting) {
            (true, _) => Some(WaitReason::WriteRate),
            (false, true) => Some(WaitReason::ReadRate),
            (false, false) => None,
        };
        Progress {
            elapsed,
            items_read: stats.items_read.load(Relaxed),
            items_written: items,
            dead_letters: stats.dead_letters.load(Relaxed),
            items_estimated: stats.items_estimated,
            items_superseded: stats.items_superseded(),
            changes_applied: tail.unwrap_or_default().changes_applied,
            changes_waiting: tail.unwrap_or_default().changes_waiting,
            lag: tail.map(|tail| tail.lag),
            segments_done: stats.segments_done.load(Relaxed),
            segments: stats.segments,
            items_per_second: rate(first.items as f64, now.items as f64),
            read_units_per_second: rate(first.read_units, now.read_units),
            read_units_allowed: reads.allowed,
            write_units_per_second: rate(first.write_units, now.write_units),
            write_units_allowed: writes.allowed,
            lookups: stats.lookups.load(Relaxed),
            lookup_requests: stats.lookup_requests.load(Relaxed),
            throttles: stats.throttles.load(Relaxed),
            retries: stats.retries.load(Relaxed),
            wait: stats.wait().or_else(limited),
            fraction,
            eta,
        }
    }
}
