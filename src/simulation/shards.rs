//! The stream's shards and what is in them.

use std::sync::Arc;

use super::random::Random;
use crate::item::RawItem;

/// How long a change is kept.
pub const RETENTION_MS: i64 = 24 * 3600 * 1000;
/// A child may be missing from listings until it is this old.
pub const CHILD_UNSEEN_MS: i64 = 2000;
/// A reader may be told of a shard's end this much later.
const END_UNSEEN_MS: u64 = 1000;
/// A closed shard may stay without a child this long.
const HEIRLESS_MS: u64 = 3000;

#[derive(Debug, Clone)]
pub struct Record {
    pub sequence: Arc<str>,
    pub created_ms: i64,
    /// When a reader can see it.
    pub visible_ms: i64,
    pub old: Option<RawItem>,
    pub new: Option<RawItem>,
}

#[derive(Debug)]
pub struct ShardData {
    pub id: Arc<str>,
    pub parent: Option<usize>,
    /// One bit a key.
    keys: u64,
    pub records: Vec<Record>,
    pub born_ms: i64,
    closed_ms: Option<i64>,
    /// When a reader at its tip is told that it has ended.
    pub end_visible_ms: i64,
    /// Reads in a row that found nothing although more follows.
    pub empty_reads: u32,
    /// Keys that no child has taken over yet, and when one will.
    owed: Option<u64>,
    owed_until_ms: i64,
    /// Whether the checkpoint says that it has ended, so that nobody needs it any more.
    pub is_finished: bool,
}

impl ShardData {
    pub fn is_open(&self) -> bool {
        self.closed_ms.is_none()
    }

    /// Whether everything in it is older than what is kept.
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.closed_ms.is_some_and(|closed_ms| closed_ms < now_ms - RETENTION_MS)
    }

    /// Records that are no longer there.
    pub fn trimmed(&self, now_ms: i64) -> usize {
        self.records.partition_point(|record| record.created_ms < now_ms - RETENTION_MS)
    }

    /// The record after this sequence number.
    pub fn after(&self, sequence: &str) -> Option<usize> {
        Some(self.records.iter().position(|record| &*record.sequence == sequence)? + 1)
    }
}

/// All shards that ever were.
#[derive(Debug, Default)]
pub struct Shards {
    pub all: Vec<ShardData>,
    last_sequence: u64,
}

impl Shards {
    /// A shard for these keys.
    pub fn add(&mut self, parent: Option<usize>, keys: u64, now_ms: i64) -> usize {
        let at = self.all.len();
        self.all.push(ShardData {
            id: format!("shard-{at}").into(),
            parent,
            keys,
            records: Vec::new(),
            born_ms: now_ms,
            closed_ms: None,
            end_visible_ms: i64::MAX,
            empty_reads: 0,
            owed: None,
            owed_until_ms: i64::MAX,
            is_finished: false,
        });
        at
    }

    pub fn find(&self, id: &str) -> Option<usize> {
        let at: usize = id.strip_prefix("shard-")?.parse().ok()?;
        (at < self.all.len()).then_some(at)
    }

    pub fn open(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|at| self.all[*at].is_open()).collect()
    }

    /// Appends a change to its key's shard; a closed one gets its child now.
    pub fn append(&mut self, key: usize, now_ms: i64, delay_ms: u64, old: Option<RawItem>, new: Option<RawItem>) {
        let bit = 1 << key;
        let open = self.all.iter().position(|shard| shard.is_open() && shard.keys & bit != 0);
        let at = open.unwrap_or_else(|| {
            let parent = self
                .all
                .iter()
                .position(|shard| shard.owed.is_some_and(|keys| keys & bit != 0))
                .expect("a key has a shard");
            self.bequeath(parent, now_ms)
        });
        self.last_sequence += 1;
        let sequence = format!("{:012}", self.last_sequence).into();
        let records = &mut self.all[at].records;
        let earlier_ms = records.last().map_or(i64::MIN, |record| record.visible_ms);
        let visible_ms = earlier_ms.max(now_ms + delay_ms as i64);
        records.push(Record { sequence, created_ms: now_ms, visible_ms, old, new });
    }

    /// Closes a shard; it is followed by one child, by two, or for a while by none.
    pub fn roll(&mut self, at: usize, now_ms: i64, random: &mut Random) {
        let shard = &mut self.all[at];
        shard.closed_ms = Some(now_ms);
        shard.end_visible_ms = now_ms + random.between(0, END_UNSEEN_MS) as i64;
        let keys = shard.keys;
        match random.below(4) {
            0 => {
                shard.owed = Some(keys);
                shard.owed_until_ms = now_ms + random.between(1, HEIRLESS_MS) as i64;
            }
            1 => drop(self.add(Some(at), keys, now_ms)),
            _ => {
                let first = (0..64).filter(|_| random.chance(0.5)).fold(0, |mask, bit| mask | 1 << bit);
                for part in [keys & first, keys & !first] {
                    self.add(Some(at), part, now_ms);
                }
            }
        }
    }

    /// Gives closed shards the children that are due.
    pub fn settle(&mut self, now_ms: i64) {
        for at in 0..self.all.len() {
            if self.all[at].owed.is_some() && self.all[at].owed_until_ms <= now_ms {
                self.bequeath(at, now_ms);
            }
        }
    }

    fn bequeath(&mut self, parent: usize, now_ms: i64) -> usize {
        let keys = self.all[parent].owed.take().expect("a shard with keys to hand over");
        self.add(Some(parent), keys, now_ms)
    }
}
