//! The seam to what survives a kill.

use futures::future::BoxFuture;

use crate::error::Result;
use crate::event::DeadLetterGroup;
use crate::source::Cursor;

/// How far a segment has come. Everything before `cursor` is at the destination or a durable dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentState {
    /// Counted from 0.
    pub segment: u32,
    /// Where the next page begins; `None` is the segment's start.
    pub cursor: Option<Cursor>,
    /// Pages before `cursor`.
    pub pages: u64,
    /// Whether the segment has no next page.
    pub done: bool,
}

impl SegmentState {
    /// The state of a segment of which nothing was read.
    pub fn fresh(segment: u32) -> Self {
        Self { segment, cursor: None, pages: 0, done: false }
    }
}

/// An item that cannot be written: what an operator needs to find and mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The item's key as DynamoDB JSON.
    pub key: String,
    /// Why, in the destination's words.
    pub reason: String,
    /// Segment it was read from.
    pub segment: u32,
    /// Page of the segment, counted from 0 over the whole run.
    pub page: u64,
}

/// Counters of a run, summed over all its processes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Items in pages before the cursors.
    pub items_read: u64,
    /// Items acknowledged by the destination in pages before the cursors.
    pub items_written: u64,
    /// Read capacity units consumed, whether or not the page was passed.
    pub read_units: f64,
    /// Write capacity units consumed.
    pub write_units: f64,
}

/// What becomes durable together.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Segments that moved.
    pub segments: Vec<SegmentState>,
    /// Dead letters found since the last commit.
    pub dead_letters: Vec<DeadLetter>,
    /// Totals after this commit.
    pub totals: Totals,
}

/// What a resumed run begins with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunState {
    /// Segments of the run, fixed for its life.
    pub segments: u32,
    /// Segments that are done.
    pub segments_done: u32,
    /// Dead letters on record.
    pub dead_letters: u64,
    /// Counters so far.
    pub totals: Totals,
}

/// The memory of a run.
pub trait Checkpoint: Send + Sync {
    /// The state that the last commit left.
    ///
    /// Forgets dead letters of pages that no cursor has passed: those pages are read again.
    fn load(&self) -> BoxFuture<'_, Result<RunState>>;

    /// Hands out the next unfinished segment, each once in the life of this object, or `None` when all are handed out.
    fn lease(&self) -> BoxFuture<'_, Result<Option<SegmentState>>>;

    /// Stores a commit, all of it or nothing; durable on return. Called by one task at a time.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<()>>;

    /// The dead letters on record by reason, most frequent first.
    fn dead_letters(&self) -> BoxFuture<'_, Result<Vec<DeadLetterGroup>>>;
}

/// The order in which segments are handed out: neighbours in time are far apart in the table's hash space.
///
/// Segments are contiguous ranges of hashes, so workers that took 0, 1, 2, ... would all read, and write, the same
/// few partitions. Counting with the bits reversed visits the whole range at every scale.
pub fn handout_order(segments: u32) -> Vec<u32> {
    let bits = segments.next_power_of_two().trailing_zeros();
    let reversed = |number: u32| if bits == 0 { 0 } else { number.reverse_bits() >> (u32::BITS - bits) };
    (0..segments.next_power_of_two()).map(reversed).filter(|segment| *segment < segments).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_is_handed_out_once_and_neighbours_are_far_apart() {
        for segments in [1, 2, 3, 7, 8, 100, 1000] {
            let mut order = handout_order(segments);
            assert_eq!(order.len(), segments as usize);
            order.sort_unstable();
            order.dedup();
            assert_eq!(order.len(), segments as usize, "{segments}");
        }
        assert_eq!(handout_order(8), [0, 4, 2, 6, 1, 5, 3, 7]);
    }
}
