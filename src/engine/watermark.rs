//! Which pages are answered for, and so how far each segment's cursor may move.
//!
//! Invariant: a cursor passes a page only when that page and all before it in its segment have an answer for every item.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use crate::checkpoint::{Commit, DeadLetter, SegmentState, Totals};
use crate::source::Cursor;

/// Tracks the pages under way of all segments.
#[derive(Debug)]
pub struct Watermark {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    segments: HashMap<u32, Track>,
    moved: HashMap<u32, SegmentState>,
    dead_letters: Vec<DeadLetter>,
    totals: Totals,
}

#[derive(Debug)]
struct Track {
    state: SegmentState,
    pages: VecDeque<OpenPage>,
}

#[derive(Debug)]
struct OpenPage {
    next: Option<Cursor>,
    items_read: u64,
    items_written: Option<u64>,
}

/// A page under way. Whoever answers for one of its items says so here.
#[derive(Debug)]
pub struct Ticket {
    watermark: Arc<Watermark>,
    /// Segment of the page.
    pub segment: u32,
    /// Number of the page in its segment, over the whole run.
    pub page: u64,
    left: AtomicU32,
    written: AtomicU64,
    /// The page's share of the memory budget, given back when the page is done.
    _memory: Option<OwnedSemaphorePermit>,
}

impl Watermark {
    /// Continues with the totals of earlier processes.
    pub fn new(totals: Totals) -> Arc<Self> {
        let inner = Inner { segments: HashMap::new(), moved: HashMap::new(), dead_letters: Vec::new(), totals };
        Arc::new(Self { inner: Mutex::new(inner) })
    }

    /// Begins a segment where an earlier process left it.
    pub fn open_segment(&self, state: SegmentState) {
        self.lock().segments.insert(state.segment, Track { state, pages: VecDeque::new() });
    }

    /// Registers the next page of a segment, in reading order. `outputs` is how many answers it waits for; with none it
    /// is done at once.
    ///
    /// # Panics
    /// If the segment was not opened.
    pub fn open_page(
        self: &Arc<Self>,
        segment: u32,
        next: Option<Cursor>,
        items_read: usize,
        outputs: usize,
        memory: Option<OwnedSemaphorePermit>,
    ) -> Arc<Ticket> {
        let mut inner = self.lock();
        let track = inner.segments.get_mut(&segment).expect("a page belongs to an open segment");
        let page = track.state.pages + track.pages.len() as u64;
        track.pages.push_back(OpenPage { next, items_read: items_read as u64, items_written: None });
        let ticket = Arc::new(Ticket {
            watermark: self.clone(),
            segment,
            page,
            left: AtomicU32::new(outputs as u32),
            written: AtomicU64::new(0),
            _memory: memory,
        });
        if outputs == 0 {
            inner.page_done(segment, page, 0);
        }
        ticket
    }

    /// Notes a dead letter; it becomes durable with the next commit, not after the commit that passes its page.
    pub fn add_dead_letter(&self, letter: DeadLetter) {
        self.lock().dead_letters.push(letter);
    }

    /// All that changed since the last call, to be committed.
    pub fn take(&self, read_units: f64, write_units: f64) -> Commit {
        let mut inner = self.lock();
        inner.totals.read_units = read_units;
        inner.totals.write_units = write_units;
        Commit {
            segments: inner.moved.drain().map(|(_, state)| state).collect(),
            dead_letters: std::mem::take(&mut inner.dead_letters),
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
        let at = (page - track.state.pages) as usize;
        track.pages[at].items_written = Some(written);
        while let Some(OpenPage { items_written: Some(written), .. }) = track.pages.front() {
            self.totals.items_written += written;
            let Some(passed) = track.pages.pop_front() else { break };
            self.totals.items_read += passed.items_read;
            track.state.pages += 1;
            track.state.done = passed.next.is_none();
            track.state.cursor = passed.next;
            self.moved.insert(segment, track.state.clone());
        }
        if track.state.done {
            self.segments.remove(&segment);
        }
    }
}

impl Ticket {
    /// `answered` more items of the page have their answer, `written` of them at the destination.
    pub fn answer(&self, answered: usize, written: usize) {
        self.written.fetch_add(written as u64, Ordering::AcqRel);
        let before = self.left.fetch_sub(answered as u32, Ordering::AcqRel);
        assert!(before >= answered as u32, "an item of segment {} page {} was answered twice", self.segment, self.page);
        if before == answered as u32 && answered > 0 {
            let written = self.written.load(Ordering::Acquire);
            self.watermark.lock().page_done(self.segment, self.page, written);
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
        let first = watermark.open_page(3, cursor("a"), 2, 2, None);
        let second = watermark.open_page(3, cursor("b"), 1, 1, None);
        let last = watermark.open_page(3, None, 0, 0, None);
        assert_eq!((first.page, second.page, last.page), (0, 1, 2));
        second.answer(1, 1);
        first.answer(1, 1);
        assert!(watermark.take(0.0, 0.0).segments.is_empty());
        first.answer(1, 0);
        let commit = watermark.take(1.0, 2.0);
        assert_eq!(commit.segments, [SegmentState { segment: 3, cursor: None, pages: 3, done: true }]);
        assert_eq!(commit.totals, Totals { items_read: 3, items_written: 2, read_units: 1.0, write_units: 2.0 });
    }

    #[test]
    fn page_numbers_go_on_where_an_earlier_process_stopped() {
        let watermark = Watermark::new(Totals::default());
        watermark.open_segment(SegmentState { segment: 0, cursor: cursor("x"), pages: 7, done: false });
        let page = watermark.open_page(0, cursor("y"), 1, 1, None);
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
                watermark.open_page(0, cursor("c"), *size, *size, None)
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
