//! Which pages are answered for, and so how far each segment's cursor and each shard's position may move.
//!
//! Invariant: a cursor passes a page only when that page and all before it in its segment have an answer for every item;
//! likewise a position and the pages of its shard.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::checkpoint::{Commit, LetterChange, Place, SegmentState, ShardState, Totals};
use crate::engine::gate::PageGuard;
use crate::engine::mutant::{self, Mutant};
use crate::source::Cursor;
use crate::stream::Position;

/// How much later the tip of a silent shard must be to be stored again.
const READ_UNTIL_STEP_MS: i64 = 30_000;

/// Tracks the pages under way of all segments and shards.
#[derive(Debug)]
pub struct Watermark {
    inner: Mutex<Inner>,
    shard_ended: Notify,
}

#[derive(Debug)]
struct Inner {
    segments: BTreeMap<u32, Track<SegmentState, Option<Cursor>>>,
    shards: BTreeMap<Arc<str>, Track<ShardState, ShardPage>>,
    moved_segments: BTreeMap<u32, SegmentState>,
    moved_shards: BTreeMap<Arc<str>, ShardState>,
    letters: Vec<LetterChange>,
    totals: Totals,
}

/// What the end of a page of changes means for its shard.
#[derive(Debug, Clone)]
pub struct ShardPage {
    /// The last change of the page, if it has any.
    pub last: Option<Arc<str>>,
    /// When its first change was made, in milliseconds since 1970.
    pub oldest_ms: i64,
    /// When its last change was made.
    pub newest_ms: i64,
    /// Whether the shard has nothing after it.
    pub is_end: bool,
}

/// The pages of one segment or shard that are under way.
#[derive(Debug)]
struct Track<S, N> {
    state: S,
    passed: u64,
    pages: VecDeque<OpenPage<N>>,
}

#[derive(Debug)]
struct OpenPage<N> {
    next: N,
    items: u64,
    written: Option<u64>,
}

impl<S, N> Track<S, N> {
    fn new(state: S, passed: u64) -> Self {
        Self { state, passed, pages: VecDeque::new() }
    }

    fn open(&mut self, next: N, items: usize) -> u64 {
        self.pages.push_back(OpenPage { next, items: items as u64, written: None });
        self.passed + self.pages.len() as u64 - 1
    }

    /// Notes that a page is done and takes out what can be passed: the longest prefix of pages that are done.
    fn done(&mut self, page: u64, written: u64) -> Vec<OpenPage<N>> {
        // Under a mutant a page may have been passed before it was done.
        let Some(at) = page.checked_sub(self.passed) else { return Vec::new() };
        self.pages[at as usize].written = Some(written);
        let mut prefix = self.pages.iter().take_while(|page| page.written.is_some()).count();
        if mutant::is(Mutant::CheckpointHighest) {
            prefix = at as usize + 1;
        }
        self.passed += prefix as u64;
        self.pages.drain(..prefix).collect()
    }
}

/// What a page holds until it is answered for.
#[derive(Debug, Default)]
pub struct Held {
    /// Its share of the memory budget.
    pub memory: Option<OwnedSemaphorePermit>,
    /// Keeps the touches that its rows are to be compared with.
    pub page: Option<PageGuard>,
}

/// A page under way. Whoever answers for one of its items says so here.
#[derive(Debug)]
pub struct Ticket {
    watermark: Arc<Watermark>,
    origin: Origin,
    page: u64,
    left: AtomicU32,
    written: AtomicU64,
    _held: Held,
}

#[derive(Debug, Clone)]
enum Origin {
    Segment(u32),
    Shard(Arc<str>),
}

impl Watermark {
    /// Continues with the totals of earlier processes.
    pub fn new(totals: Totals) -> Arc<Self> {
        let inner = Inner {
            segments: BTreeMap::new(),
            shards: BTreeMap::new(),
            moved_segments: BTreeMap::new(),
            moved_shards: BTreeMap::new(),
            letters: Vec::new(),
            totals,
        };
        Arc::new(Self { inner: Mutex::new(inner), shard_ended: Notify::new() })
    }

    /// Begins a segment where an earlier process left it.
    pub fn open_segment(&self, state: SegmentState) {
        let passed = state.pages;
        self.lock().segments.insert(state.segment, Track::new(state, passed));
    }

    /// Takes up a shard; a new one is stored with the next commit.
    pub fn open_shard(&self, state: ShardState, is_new: bool) {
        let mut inner = self.lock();
        if is_new {
            inner.moved_shards.insert(state.id.clone(), state.clone());
        }
        inner.shards.insert(state.id.clone(), Track::new(state, 0));
    }

    /// Registers the next page of a segment, in reading order. `answers` is how many items it waits for; with none it
    /// is done at once.
    ///
    /// # Panics
    /// If the segment was not opened.
    pub fn open_page(
        self: &Arc<Self>,
        segment: u32,
        next: Option<Cursor>,
        items_read: usize,
        answers: usize,
        held: Held,
    ) -> Arc<Ticket> {
        let mut inner = self.lock();
        let track = inner.segments.get_mut(&segment).expect("a page belongs to an open segment");
        let page = track.open(next, items_read);
        let ticket = self.ticket(Origin::Segment(segment), page, answers, held);
        if answers == 0 || mutant::is(Mutant::CheckpointEarly) {
            inner.page_done(segment, page, 0);
        }
        ticket
    }

    /// Registers the next page of a shard, in reading order. `answers` is how many changes it waits for.
    ///
    /// # Panics
    /// If the shard was not opened.
    pub fn open_changes(
        self: &Arc<Self>,
        shard: &Arc<str>,
        page: ShardPage,
        changes: usize,
        answers: usize,
        held: Held,
    ) -> Arc<Ticket> {
        let mut inner = self.lock();
        let track = inner.shards.get_mut(shard).expect("changes belong to an open shard");
        let page = track.open(page, changes);
        let ticket = self.ticket(Origin::Shard(shard.clone()), page, answers, held);
        if answers == 0 || mutant::is(Mutant::CheckpointEarly) {
            inner.changes_done(shard, page);
            self.shard_ended.notify_waiters();
        }
        ticket
    }

    fn ticket(self: &Arc<Self>, origin: Origin, page: u64, answers: usize, held: Held) -> Arc<Ticket> {
        let (left, written) = (AtomicU32::new(answers as u32), AtomicU64::new(0));
        Arc::new(Ticket { watermark: self.clone(), origin, page, left, written, _held: held })
    }

    /// Notes what happened to the dead letters; durable with the next commit, not after the one that passes the page.
    pub fn add_letter(&self, change: LetterChange) {
        self.lock().letters.push(change);
    }

    /// When the oldest change of a shard was made that is read and not applied, if there is one; and about how many
    /// there are.
    pub fn waiting(&self, shard: &str) -> (Option<i64>, u64) {
        let inner = self.lock();
        let Some(track) = inner.shards.get(shard) else { return (None, 0) };
        let changes = track.pages.iter().map(|page| page.items).sum();
        (track.pages.front().map(|page| page.next.oldest_ms), changes)
    }

    /// A shard was read to its tip: no change made before `until_ms` is left in it. Stored now and then.
    pub fn read_until(&self, shard: &str, until_ms: i64) {
        let mut inner = self.lock();
        let Some(track) = inner.shards.get_mut(shard) else { return };
        if track.pages.is_empty() && until_ms >= track.state.read_until_ms + READ_UNTIL_STEP_MS {
            track.state.read_until_ms = until_ms;
            let state = track.state.clone();
            inner.moved_shards.insert(state.id.clone(), state);
        }
    }

    /// Whether everything that a shard will ever deliver is applied.
    pub fn has_ended(&self, shard: &str) -> bool {
        self.ended(shard).is_some()
    }

    /// Until when changes were read from a shard that has ended.
    pub fn ended(&self, shard: &str) -> Option<i64> {
        let inner = self.lock();
        let state = &inner.shards.get(shard)?.state;
        state.ended.then_some(state.read_until_ms)
    }

    /// Returns when a shard may have ended since the call.
    pub fn shard_ended(&self) -> tokio::sync::futures::Notified<'_> {
        self.shard_ended.notified()
    }

    /// Counters of the whole run, as far as cursors and positions have come.
    pub fn totals(&self) -> Totals {
        self.lock().totals
    }

    /// All that changed since the last call, to be committed.
    pub fn take(&self, read_units: f64, write_units: f64) -> Commit {
        let mut inner = self.lock();
        inner.totals.read_units = read_units;
        inner.totals.write_units = write_units;
        Commit {
            segments: std::mem::take(&mut inner.moved_segments).into_values().collect(),
            shards: std::mem::take(&mut inner.moved_shards).into_values().collect(),
            letters: std::mem::take(&mut inner.letters),
            tail: None,
            totals: inner.totals,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn page_done(&mut self, segment: u32, page: u64, written: u64) {
        let Some(track) = self.segments.get_mut(&segment) else { return };
        for passed in track.done(page, written) {
            self.totals.items_written += passed.written.unwrap_or(0);
            self.totals.items_read += passed.items;
            track.state.pages += 1;
            track.state.done = passed.next.is_none();
            track.state.cursor = passed.next;
            self.moved_segments.insert(segment, track.state.clone());
        }
        if track.state.done {
            self.segments.remove(&segment);
        }
    }

    fn changes_done(&mut self, shard: &Arc<str>, page: u64) {
        let Some(track) = self.shards.get_mut(shard) else { return };
        for passed in track.done(page, 0) {
            self.totals.changes_applied += passed.items;
            if let Some(last) = passed.next.last {
                track.state.position = Position::After(last);
            }
            track.state.read_until_ms = track.state.read_until_ms.max(passed.next.newest_ms);
            track.state.ended |= passed.next.is_end;
            self.moved_shards.insert(shard.clone(), track.state.clone());
        }
    }
}

impl Ticket {
    /// `answered` more items of the page have their answer, `written` writes reached the destination.
    pub fn answer(&self, answered: usize, written: usize) {
        self.written.fetch_add(written as u64, Ordering::AcqRel);
        let before = self.left.fetch_sub(answered as u32, Ordering::AcqRel);
        assert!(before >= answered as u32, "an item of {:?} page {} was answered twice", self.origin, self.page);
        if before == answered as u32 && answered > 0 {
            let written = self.written.load(Ordering::Acquire);
            match &self.origin {
                Origin::Segment(segment) => self.watermark.lock().page_done(*segment, self.page, written),
                Origin::Shard(shard) => {
                    self.watermark.lock().changes_done(shard, self.page);
                    self.watermark.shard_ended.notify_waiters();
                }
            }
        }
    }

    /// Where the page's items were met; `sequence` says which change of a shard.
    pub fn place(&self, sequence: Option<&Arc<str>>) -> Place {
        match &self.origin {
            Origin::Segment(segment) => Place::Page { segment: *segment, page: self.page },
            Origin::Shard(shard) => {
                Place::Change { shard: shard.clone(), sequence: sequence.cloned().unwrap_or_else(|| "".into()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn cursor(name: &'static str) -> Option<Cursor> {
        Some(Cursor(Bytes::from_static(name.as_bytes())))
    }

    #[test]
    fn a_cursor_waits_for_the_pages_before_it() {
        let watermark = Watermark::new(Totals::default());
        watermark.open_segment(SegmentState::fresh(3));
        let first = watermark.open_page(3, cursor("a"), 2, 2, Held::default());
        let second = watermark.open_page(3, cursor("b"), 1, 1, Held::default());
        let last = watermark.open_page(3, None, 0, 0, Held::default());
        assert_eq!((first.page, second.page, last.page), (0, 1, 2));
        second.answer(1, 1);
        first.answer(1, 1);
        assert!(watermark.take(0.0, 0.0).segments.is_empty());
        first.answer(1, 0);
        let commit = watermark.take(1.0, 2.0);
        assert_eq!(commit.segments, [SegmentState { segment: 3, cursor: None, pages: 3, done: true }]);
        assert_eq!(
            commit.totals,
            Totals { items_read: 3, items_written: 2, read_units: 1.0, write_units: 2.0, ..Totals::default() }
        );
    }

    #[test]
    fn a_shard_ends_when_all_before_its_end_is_applied() {
        let watermark = Watermark::new(Totals::default());
        let id: Arc<str> = "s".into();
        let state =
            ShardState { id: id.clone(), parent: None, position: Position::Horizon, read_until_ms: 5, ended: false };
        watermark.open_shard(state, true);
        assert_eq!(watermark.take(0.0, 0.0).shards.len(), 1, "a new shard is stored");
        let page = |last: &str, is_end| ShardPage { last: Some(last.into()), oldest_ms: 7, newest_ms: 8, is_end };
        let first = watermark.open_changes(&id, page("1", false), 2, 2, Held::default());
        watermark.open_changes(
            &id,
            ShardPage { last: None, oldest_ms: 9, newest_ms: 0, is_end: true },
            0,
            0,
            Held::default(),
        );
        assert_eq!(watermark.waiting("s"), (Some(7), 2));
        first.answer(1, 1);
        assert!(watermark.take(0.0, 0.0).shards.is_empty() && !watermark.has_ended("s"));
        first.answer(1, 1);
        let commit = watermark.take(0.0, 0.0);
        let position = Position::After("1".into());
        assert_eq!(commit.shards, [ShardState { id, parent: None, position, read_until_ms: 8, ended: true }]);
        assert_eq!((commit.totals.changes_applied, watermark.has_ended("s")), (2, true));
    }

    #[test]
    fn page_numbers_go_on_where_an_earlier_process_stopped() {
        let watermark = Watermark::new(Totals::default());
        watermark.open_segment(SegmentState { segment: 0, cursor: cursor("x"), pages: 7, done: false });
        let page = watermark.open_page(0, cursor("y"), 1, 1, Held::default());
        assert_eq!(page.page, 7);
        page.answer(1, 1);
        let expected = SegmentState { segment: 0, cursor: cursor("y"), pages: 8, done: false };
        assert_eq!(watermark.take(0.0, 0.0).segments, [expected]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_order_of_answers_the_cursor_is_the_longest_answered_prefix(
            sizes in proptest::collection::vec(0usize..4, 1..12),
            seed in 0u64..1000,
        ) {
            use rand::{SeedableRng, seq::SliceRandom};
            let watermark = Watermark::new(Totals::default());
            watermark.open_segment(SegmentState::fresh(0));
            let tickets: Vec<_> = sizes.iter().map(|size| {
                watermark.open_page(0, cursor("c"), *size, *size, Held::default())
            }).collect();
            let mut left = sizes.clone();
            let mut answers: Vec<usize> =
                sizes.iter().enumerate().flat_map(|(page, size)| std::iter::repeat_n(page, *size)).collect();
            answers.shuffle(&mut rand::rngs::StdRng::seed_from_u64(seed));
            let mut passed = watermark.take(0.0, 0.0).segments.first().map_or(0, |state| state.pages);
            for page in answers {
                tickets[page].answer(1, 1);
                left[page] -= 1;
                if let Some(state) = watermark.take(0.0, 0.0).segments.first() {
                    passed = state.pages;
                }
                let prefix = left.iter().take_while(|left| **left == 0).count();
                proptest::prop_assert_eq!(passed, prefix as u64);
            }
        }
    }
}
