//! A checkpoint that survives as long as its object.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::{BoxFuture, ready};

use std::sync::Arc;

use crate::checkpoint::{
    Checkpoint, Claim, Commit, DeadLetter, LetterChange, Place, RunState, SegmentState, ShardState, TailView, Totals,
    handout_order,
};
use crate::error::Result;
use crate::event::DeadLetterGroup;

/// Keeps what was committed. A new "process" is begun by calling [`Checkpoint::load`] again.
#[derive(Debug)]
pub struct MemoryCheckpoint {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    segments: BTreeMap<u32, SegmentState>,
    queue: VecDeque<SegmentState>,
    shards: BTreeMap<Arc<str>, ShardState>,
    dead_letters: BTreeMap<String, DeadLetter>,
    tail: Option<TailView>,
    totals: Totals,
    claims: BTreeSet<Claim>,
}

impl MemoryCheckpoint {
    /// A run of that many segments of which nothing was read.
    pub fn new(segments: u32) -> Self {
        let inner = Inner {
            segments: (0..segments).map(|segment| (segment, SegmentState::fresh(segment))).collect(),
            queue: VecDeque::new(),
            shards: BTreeMap::new(),
            dead_letters: BTreeMap::new(),
            tail: None,
            totals: Totals::default(),
            claims: BTreeSet::new(),
        };
        Self { inner: Mutex::new(inner) }
    }

    /// The dead letters on record, by key.
    pub fn letters(&self) -> Vec<DeadLetter> {
        self.lock().dead_letters.values().cloned().collect()
    }

    /// The shards on record.
    pub fn shards(&self) -> Vec<ShardState> {
        self.lock().shards.values().cloned().collect()
    }

    /// The tail at the last commit.
    pub fn tail(&self) -> Option<TailView> {
        self.lock().tail.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checkpoint for MemoryCheckpoint {
    fn load(&self) -> BoxFuture<'_, Result<RunState>> {
        let mut inner = self.lock();
        let Inner { segments, queue, shards, dead_letters, totals, claims, .. } = &mut *inner;
        dead_letters.retain(|_, letter| match &letter.place {
            Place::Page { segment, page } => segments.get(segment).is_some_and(|state| *page < state.pages),
            Place::Change { .. } => true,
        });
        let order = handout_order(segments.len() as u32);
        *queue = order.iter().filter_map(|at| segments.get(at)).filter(|state| !state.done).cloned().collect();
        let state = RunState {
            segments: segments.len() as u32,
            segments_done: (segments.len() - queue.len()) as u32,
            dead_letters: dead_letters.iter().map(|(key, letter)| (key.clone(), letter.reason.clone())).collect(),
            totals: *totals,
            shards: shards.values().cloned().collect(),
            claims: claims.iter().cloned().collect(),
        };
        Box::pin(ready(Ok(state)))
    }

    fn lease(&self) -> BoxFuture<'_, Result<Option<SegmentState>>> {
        Box::pin(ready(Ok(self.lock().queue.pop_front())))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<()>> {
        let mut inner = self.lock();
        inner.segments.extend(commit.segments.into_iter().map(|state| (state.segment, state)));
        inner.shards.extend(commit.shards.into_iter().map(|state| (state.id.clone(), state)));
        for change in commit.letters {
            match change {
                LetterChange::Add(letter) => drop(inner.dead_letters.insert(letter.key.clone(), letter)),
                LetterChange::Clear(key) => drop(inner.dead_letters.remove(&key)),
            }
        }
        inner.tail = commit.tail;
        inner.totals = commit.totals;
        Box::pin(ready(Ok(())))
    }

    fn commit_claims(&self, added: Vec<Claim>, removed: Vec<Claim>) -> BoxFuture<'_, Result<()>> {
        let mut inner = self.lock();
        inner.claims.retain(|claim| !removed.contains(claim));
        inner.claims.extend(added);
        Box::pin(ready(Ok(())))
    }

    fn dead_letters(&self) -> BoxFuture<'_, Result<Vec<DeadLetterGroup>>> {
        let mut groups: BTreeMap<String, DeadLetterGroup> = BTreeMap::new();
        for letter in self.lock().dead_letters.values() {
            let group = groups.entry(letter.reason.clone()).or_insert_with(|| DeadLetterGroup {
                reason: letter.reason.clone(),
                count: 0,
                example_key: letter.key.clone(),
            });
            group.count += 1;
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Box::pin(ready(Ok(groups)))
    }
}
