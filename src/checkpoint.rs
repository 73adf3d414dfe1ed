//! The seam to what survives a kill.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::error::Result;
use crate::event::DeadLetterGroup;
use crate::source::Cursor;
use crate::stream::Position;

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

/// How far a shard has been applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardState {
    /// The shard.
    pub id: Arc<str>,
    /// The shard that it continues.
    pub parent: Option<Arc<str>>,
    /// Every change before it is applied or a durable dead letter.
    pub position: Position,
    /// No change made before this is left to be read, in milliseconds since 1970. While it is younger than the stream's
    /// memory, nothing that was not read can have been forgotten.
    pub read_until_ms: i64,
    /// Whether the shard has delivered its last change and all are applied.
    pub ended: bool,
}

/// What a reader of the journal may want to know of a shard while it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShardView {
    /// The shard.
    pub id: Arc<str>,
    /// Age of its oldest change that is read and not applied, or of the last one read while more may follow.
    pub lag_ms: u64,
    /// For how long it has delivered nothing, from read to read, everything before being applied; `None` while that is not so.
    pub quiet_ms: Option<u64>,
    /// Reads that found nothing since it is quiet.
    pub quiet_polls: u64,
    /// The last marker that it delivered.
    pub marker: Option<String>,
}

/// Where the tail of the stream stands, as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TailView {
    /// The shards that are being read.
    pub shards: Vec<ShardView>,
    /// Changes read and not yet applied.
    pub changes_waiting: u64,
    /// A shard has only just ended or come: others may not be listed yet.
    pub is_settling: bool,
    /// This moment by the stream's clock, in milliseconds since 1970.
    pub now_ms: i64,
    /// When the youngest change that was read was made, by the same clock; markers do not count.
    pub newest_ms: Option<i64>,
}

/// Where an item was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a page of the scan, counted from 0 over the whole run.
    Page {
        /// Segment.
        segment: u32,
        /// Page of the segment.
        page: u64,
    },
    /// In the stream.
    Change {
        /// Shard.
        shard: Arc<str>,
        /// The change's place in it.
        sequence: Arc<str>,
    },
}

/// An item that cannot be written: what an operator needs to find and mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The source item's key as DynamoDB JSON.
    pub key: String,
    /// Why, in the destination's or the transform's words.
    pub reason: String,
    /// Where it was met.
    pub place: Place,
}

/// An entry in or out of the dead letters; in the order in which they happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LetterChange {
    /// The item cannot be written.
    Add(DeadLetter),
    /// The item of this key has since been written, dropped or deleted.
    Clear(String),
}

/// An item of the source has, or is about to have, an output of this key. Only where keys are free.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The source item's key as DynamoDB JSON.
    pub source: String,
    /// The output's.
    pub destination: String,
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
    /// Items read and not written, because a change of theirs is newer.
    pub items_superseded: u64,
    /// Changes before the shards' positions.
    pub changes_applied: u64,
}

/// What becomes durable together.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Segments that moved.
    pub segments: Vec<SegmentState>,
    /// Shards that moved, ended or are new.
    pub shards: Vec<ShardState>,
    /// Dead letters found and cleared since the last commit.
    pub letters: Vec<LetterChange>,
    /// The tail at this moment; `None` without one.
    pub tail: Option<TailView>,
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
    /// Reasons of the dead letters on record, by the items' keys.
    pub dead_letters: BTreeMap<String, String>,
    /// Counters so far.
    pub totals: Totals,
    /// Every shard that was ever taken up; none until the start positions are committed.
    pub shards: Vec<ShardState>,
    /// Every claim on record.
    pub claims: Vec<Claim>,
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

    /// Adds claims and removes others, all or nothing; durable on return.
    fn commit_claims(&self, added: Vec<Claim>, removed: Vec<Claim>) -> BoxFuture<'_, Result<()>>;

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
