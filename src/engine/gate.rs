//! The gate: the order in which scanned rows and changes reach the destination, and how batches are cut.
//!
//! Every source key has a *lane* while something of it is under way. Invariants:
//!
//! - A lane has one operation under way. Changes of its key that come meanwhile wait, joined into one.
//! - A row is dropped if a change of its key was taken in since its page was requested: the change, or a later one, brings
//!   what the row would, and nothing older can overwrite it.
//! - A lane whose attempt was given up is kept until that attempt can no longer land.
//! - So no destination key is written twice at once, and no batch holds a key twice.

mod claiming;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::{SmallVec, smallvec};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::engine::apply::{Operation, Writes, merge};
use crate::engine::batch::Batch;
use crate::engine::letters::Letters;
use crate::engine::mutant::{self, Mutant};
use crate::engine::stats::Stats;
pub use crate::engine::touch::PageGuard;
use crate::engine::touch::{Pages, Touches};
use crate::engine::watermark::Ticket;
use crate::item::RawItem;
use crate::sink::{SinkLimits, Write};
use claiming::Claiming;
pub use claiming::{Answered, Begun};

/// How long a batch that is not full waits for more: short against a request's time, long against a page's.
const LINGER: Duration = Duration::from_millis(10);

/// A change on its way, with the page that waits for its answer.
#[derive(Debug)]
pub struct TakenIn {
    /// What it writes.
    pub operation: Operation,
    /// Its place in its shard.
    pub sequence: Arc<str>,
    /// The page.
    pub ticket: Arc<Ticket>,
}

/// What the writer tells of one write.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It is at the destination, or something newer is.
    Written,
    /// It will never be, and why.
    Rejected(String, Write),
}

/// See the module.
pub struct Gate {
    limits: SinkLimits,
    pages: Arc<Pages>,
    stats: Arc<Stats>,
    inner: Mutex<Inner>,
    changed: Notify,
    claims_changed: Notify,
}

struct Inner {
    touches: Touches,
    letters: Letters,
    lanes: Lanes,
    /// Writes of changes whose lane is theirs.
    changes: VecDeque<(u64, Write)>,
    rows: VecDeque<Row>,
    settling: BinaryHeap<Reverse<(Instant, u64)>>,
    /// When keys are free.
    claiming: Option<Claiming>,
    rows_are_held: bool,
    is_closed: bool,
}

/// By the hash of the source key. Two keys with one hash share a lane, which costs them time and nothing else.
type Lanes = HashMap<u64, Lane, BuildHasherDefault<AlreadyHashed>>;

struct Row {
    lane: u64,
    operation: Operation,
    ticket: Arc<Ticket>,
}

/// One key's operation under way, and what waits for it.
struct Lane {
    /// `None` for a row.
    change: Option<Arc<str>>,
    origin: Option<RawItem>,
    /// Writes that have no answer yet.
    left: usize,
    written: usize,
    rejected: Option<String>,
    tickets: SmallVec<[Arc<Ticket>; 1]>,
    /// Until when an attempt that was given up may still land.
    settles: Option<Instant>,
    /// Changes of the key, joined; more than one only where keys share a hash.
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    operation: Operation,
    sequence: Arc<str>,
    tickets: SmallVec<[Arc<Ticket>; 1]>,
}

impl Gate {
    /// For a sink with these limits; pages may show the table as it was `visibility` ago. When keys are free, somebody
    /// has to look after the claims.
    pub fn new(
        limits: SinkLimits,
        visibility: Duration,
        keys_are_free: bool,
        stats: Arc<Stats>,
        letters: Letters,
    ) -> Self {
        let pages = Arc::new(Pages::default());
        let visibility = if mutant::is(Mutant::NoHold) { Duration::ZERO } else { visibility };
        let inner = Inner {
            touches: Touches::new(pages.clone(), visibility),
            letters,
            lanes: Lanes::default(),
            changes: VecDeque::new(),
            rows: VecDeque::new(),
            settling: BinaryHeap::new(),
            claiming: keys_are_free.then(Claiming::default),
            rows_are_held: false,
            is_closed: false,
        };
        Self { limits, pages, stats, inner: Mutex::new(inner), changed: Notify::new(), claims_changed: Notify::new() }
    }

    /// To be called before a page of the scan is requested; the guard goes into the page's ticket.
    pub fn request_page(&self) -> PageGuard {
        self.pages.request()
    }

    /// Queues the rows of a page. What has nothing to write is answered for at once.
    pub fn push_rows(&self, rows: impl Iterator<Item = Operation>, ticket: &Arc<Ticket>) {
        let mut inner = self.lock();
        let mut answered = 0;
        for operation in rows {
            if operation.writes.is_empty() {
                answered += 1;
                if let Some(reason) = &operation.rejected
                    && !inner.is_superseded(&operation)
                {
                    inner.letters.add(operation.origin(), reason.clone(), ticket.place(None));
                }
            } else {
                let lane = operation.origin().key_hash();
                inner.rows.push_back(Row { lane, operation, ticket: ticket.clone() });
            }
        }
        drop(inner);
        if answered > 0 {
            ticket.answer(answered, 0);
        }
        self.changed.notify_one();
    }

    /// Takes in changes of one shard, in its order. From here on no older row of their keys is written.
    pub fn take_in(&self, changes: impl Iterator<Item = TakenIn>) {
        let mut inner = self.lock();
        for TakenIn { operation, sequence, ticket } in changes {
            let is_tombstone = matches!(operation.writes.as_slice(), [Write::Delete(_)]);
            if !(mutant::is(Mutant::NoTombstones) && is_tombstone) {
                inner.touches.touch(operation.origin());
            }
            let waiting = Waiting { operation, sequence, tickets: smallvec![ticket] };
            let hash = waiting.operation.origin().key_hash();
            let is_claiming = inner.claiming.is_some();
            match inner.lanes.get_mut(&hash) {
                Some(lane) => lane.wait(waiting, is_claiming),
                None => inner.begin(hash, waiting, VecDeque::new()),
            }
        }
        inner.touches.forget();
        drop(inner);
        self.changed.notify_one();
        self.claims_changed.notify_one();
    }

    /// Answers for the writes of a batch, each with its lane and the hash of its key. Their keys are free then, or from
    /// `settles` on.
    pub fn answer(&self, answers: impl Iterator<Item = (u64, u64, Answer)>, settles: Option<Instant>) {
        let mut inner = self.lock();
        for (hash, destination, answer) in answers {
            let is_claiming = inner.claiming.is_some();
            let lane = inner.lanes.get_mut(&hash).expect("a write has a lane until it is answered for");
            lane.settles = lane.settles.max(settles);
            match answer {
                Answer::Written => lane.written += 1,
                Answer::Rejected(reason, write) => {
                    lane.rejected = Some(reason);
                    lane.origin.get_or_insert_with(|| write.item().clone());
                    // What a refused change should have replaced is out of date: better none than a stale one.
                    if (lane.change.is_some() || is_claiming)
                        && let Write::Put(item) = write
                    {
                        inner.changes.push_back((hash, Write::Delete(item)));
                        continue;
                    }
                }
            }
            lane.left -= 1;
            if lane.left == 0 {
                inner.finish(hash);
            }
            if let Some(claiming) = &mut inner.claiming {
                claiming.answer(Answered { lane: hash, destination, settles });
            }
        }
        drop(inner);
        self.changed.notify_one();
        self.claims_changed.notify_one();
    }

    /// No more rows or changes will come.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Lets rows wait, or go on, so that changes have all of the write capacity.
    pub fn hold_rows(&self, are_held: bool) {
        self.lock().rows_are_held = are_held;
        self.changed.notify_one();
    }

    /// Whether nothing is queued, under way or settling.
    pub fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.lanes.is_empty() && inner.rows.is_empty()
    }

    /// The next batch: a full one as soon as there is one, else what is there after a short wait; changes before rows.
    /// `None` when the gate is closed and everything is answered for. For one caller.
    pub async fn next(&self) -> Option<Batch> {
        let mut linger: Option<Instant> = None;
        loop {
            let wake_at = {
                let mut inner = self.lock();
                if inner.release_settled() {
                    self.claims_changed.notify_one();
                }
                let is_full = inner.changes.len() + inner.rows.len() >= self.limits.max_items;
                let is_time = linger.is_some_and(|until| until <= Instant::now());
                if (is_full || is_time || inner.is_closed)
                    && let Some(batch) = self.cut(&mut inner)
                {
                    return Some(batch);
                }
                if inner.is_closed && inner.lanes.is_empty() && inner.rows.is_empty() {
                    return None;
                }
                if is_time || (inner.changes.is_empty() && (inner.rows.is_empty() || inner.rows_are_held)) {
                    linger = None;
                } else {
                    linger.get_or_insert_with(|| Instant::now() + LINGER);
                }
                let settles = inner.settling.peek().map(|entry| entry.0.0);
                linger.into_iter().chain(settles).min()
            };
            match wake_at {
                None => self.changed.notified().await,
                // Whichever it was, the next round sees.
                Some(at) => drop(tokio::time::timeout_at(at, self.changed.notified()).await),
            }
        }
    }

    fn cut(&self, inner: &mut Inner) -> Option<Batch> {
        let mut batch = Batch::with_capacity(self.limits.max_items);
        let mut bytes = 0;
        let mut fits = |batch: &Batch, writes: &[Write]| {
            let more: usize = writes.iter().map(Write::json_bytes).sum();
            let is_room = batch.writes.len() + writes.len() <= self.limits.max_items;
            let does = batch.writes.is_empty() || (is_room && bytes + more <= self.limits.max_batch_bytes);
            bytes += if does { more } else { 0 };
            does
        };
        while let Some((_, write)) = inner.changes.front()
            && batch.writes.len() < self.limits.max_items
            && fits(&batch, std::slice::from_ref(write))
            && let Some((lane, write)) = inner.changes.pop_front()
        {
            batch.push(write, lane);
        }
        let mut superseded = 0;
        let mut put_aside = Vec::new();
        while !inner.rows_are_held
            && !inner.claiming.as_ref().is_some_and(Claiming::is_full)
            && batch.writes.len() < self.limits.max_items
            && let Some(row) = inner.rows.front()
        {
            if inner.is_superseded(&row.operation) {
                if let Some(row) = inner.rows.pop_front() {
                    row.ticket.answer(1, 0);
                    superseded += 1;
                }
                continue;
            }
            // An operation with many outputs is begun as a whole; what does not fit goes ahead of the next batch.
            let first = &row.operation.writes[..1];
            if !fits(&batch, first) {
                break;
            }
            let Some(row) = inner.rows.pop_front() else { break };
            if inner.lanes.contains_key(&row.lane) {
                // Another row of this key, or of one with the same hash: after it.
                put_aside.push(row);
                continue;
            }
            inner.begin_row(row, &mut batch);
        }
        for row in put_aside.into_iter().rev() {
            inner.rows.push_front(row);
        }
        if inner.claiming.is_some() {
            self.claims_changed.notify_one();
        }
        if superseded > 0 {
            self.stats.add_superseded(superseded);
        }
        (!batch.writes.is_empty()).then_some(batch)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether a change of the row's key brings what the row would.
    fn is_superseded(&self, row: &Operation) -> bool {
        if mutant::is(Mutant::RowsNotGated) {
            return false;
        }
        self.touches.contains(row.origin())
    }

    fn begin_row(&mut self, row: Row, batch: &mut Batch) {
        let Row { lane: hash, operation, ticket } = row;
        if let Some(claiming) = &mut self.claiming {
            let origin = claiming.begin(hash, operation);
            self.lanes.insert(hash, Lane::new(None, Some(origin), 1, smallvec![ticket]));
            return;
        }
        let Operation { origin, writes, .. } = operation;
        let lane = Lane::new(None, origin, writes.len(), smallvec![ticket]);
        let mut writes = writes.into_iter();
        if let Some(write) = writes.next() {
            self.lanes.insert(hash, lane);
            batch.push(write, hash);
        }
        for write in writes {
            self.changes.push_back((hash, write));
        }
    }

    /// Begins a change on a lane that is free.
    fn begin(&mut self, hash: u64, next: Waiting, waiting: VecDeque<Waiting>) {
        let Waiting { mut operation, sequence, tickets } = next;
        if let Some(claiming) = &mut self.claiming {
            let rejected = operation.rejected.take();
            let origin = claiming.begin(hash, operation);
            let mut lane = Lane::new(Some(sequence), Some(origin), 1, tickets);
            lane.rejected = rejected;
            lane.waiting = waiting;
            self.lanes.insert(hash, lane);
            return;
        }
        let Operation { origin, writes, rejected } = operation;
        let mut lane = Lane::new(Some(sequence), origin, writes.len(), tickets);
        lane.rejected = rejected;
        lane.waiting = waiting;
        self.lanes.insert(hash, lane);
        if writes.is_empty() {
            return self.finish(hash);
        }
        self.queue(hash, writes);
    }

    fn queue(&mut self, hash: u64, writes: Writes) {
        self.changes.extend(writes.into_iter().map(|write| (hash, write)));
    }

    /// Every write of the lane's operation is answered for.
    fn finish(&mut self, hash: u64) {
        let Some(lane) = self.lanes.get_mut(&hash) else { return };
        let origin = lane.origin.take();
        let rejected = lane.rejected.take();
        if let Some(origin) = &origin {
            match (rejected, &lane.change) {
                (Some(reason), change) => {
                    if let Some(ticket) = lane.tickets.last() {
                        self.letters.add(origin, reason, ticket.place(change.as_ref()));
                    }
                }
                (None, Some(_)) => self.letters.clear(origin),
                (None, None) => {}
            }
            if mutant::is(Mutant::TouchForgotten) && lane.change.is_some() {
                self.touches.forget_key(origin);
            }
        }
        for (at, ticket) in std::mem::take(&mut lane.tickets).into_iter().enumerate() {
            // Of operations that were joined, the last one's writes are what was written.
            ticket.answer(1, if at == 0 { lane.written } else { 0 });
        }
        match lane.settles {
            Some(at) if at > Instant::now() => self.settling.push(Reverse((at, hash))),
            _ => self.release(hash),
        }
    }

    /// The lane's key is free: for what waits, or for anybody.
    fn release(&mut self, hash: u64) {
        let Some(mut lane) = self.lanes.remove(&hash) else { return };
        let Some(next) = lane.waiting.pop_front() else { return };
        self.begin(hash, next, lane.waiting);
    }

    /// Whether there were any.
    fn release_settled(&mut self) -> bool {
        let now = Instant::now();
        let before = self.settling.len();
        while let Some(Reverse((at, hash))) = self.settling.peek().copied()
            && at <= now
        {
            self.settling.pop();
            self.release(hash);
        }
        self.settling.len() < before
    }
}

impl Lane {
    fn new(
        change: Option<Arc<str>>,
        origin: Option<RawItem>,
        left: usize,
        tickets: SmallVec<[Arc<Ticket>; 1]>,
    ) -> Self {
        Self { change, origin, left, written: 0, rejected: None, tickets, settles: None, waiting: VecDeque::new() }
    }

    /// Joins a change with those that wait. What an earlier one would write is known to the claims, if there are any.
    fn wait(&mut self, later: Waiting, is_claiming: bool) {
        match self.waiting.pop_back() {
            Some(earlier) if earlier.operation.origin().key() == later.operation.origin().key() => {
                let mut tickets = earlier.tickets;
                tickets.extend(later.tickets);
                let operation = match is_claiming {
                    true => later.operation,
                    false => merge(earlier.operation, later.operation),
                };
                self.waiting.push_back(Waiting { operation, sequence: later.sequence, tickets });
            }
            earlier => self.waiting.extend(earlier.into_iter().chain([later])),
        }
    }
}

/// The hash of a key is its own hash.
#[derive(Debug, Default)]
pub struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("lanes are found by a hash");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
