//! Reads one shard from its position to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::{RETENTION, Tail, gap};
use crate::change::Change;
use crate::checkpoint::ShardState;
use crate::engine::apply::marker;
use crate::engine::gate::TakenIn;
use crate::engine::retry::{Peer, Retry};
use crate::engine::watermark::{Held, ShardPage};
use crate::error::{Error, ErrorKind, Result};
use crate::stream::{ChangePage, Position, ShardIterator};

/// What one page is assumed to hold until it is there: 1 MB of changes are about 2 MB of JSON.
const PAGE_KIB: u32 = 2048;
/// Pause after a page with changes: more of them are probably there.
const PAUSE_BEHIND: Duration = Duration::from_millis(10);
/// Pause after pages without: grows from read to read from the first of these to the last.
const PAUSE_IDLE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// Clocks differ, and forgetting has its own pace.
const RETENTION_MARGIN: Duration = Duration::from_secs(60);

/// How far a shard was read; the checkpoint follows as changes are applied.
struct Place {
    position: Position,
    read_until_ms: i64,
    /// When the last change was made that this process read.
    last_ms: Option<i64>,
    /// Whether nothing of the shard was ever applied, and changes older than the run are of no interest.
    is_from_start: bool,
}

/// How reading a shard goes on after a request.
enum Next<T> {
    Go(T),
    /// The iterator is no longer good: ask for another one.
    Reopen,
    /// Nothing is left to read, and nothing that was needed is lost.
    End,
}

impl Tail {
    /// Reads a shard to its end. Its changes may still be under way then.
    pub(super) async fn read_shard(self: Arc<Self>, state: ShardState) -> Result<()> {
        let shard = state.id.clone();
        let done = self.read_all(&state).await;
        done.map_err(|error| error.context(format!("shard {shard}")))
    }

    async fn read_all(&self, state: &ShardState) -> Result<()> {
        let is_from_start = matches!(state.position, Position::Since(_));
        let (position, read_until_ms) = (state.position.clone(), state.read_until_ms);
        let mut at = Place { position, read_until_ms, last_ms: None, is_from_start };
        // The same for every shard and after a resume: were an old change applied here and the next one of its key, in a
        // child, passed over, what the first one wrote would stay.
        let since_ms = self.lineage().since_ms();
        let mut idle = PAUSE_IDLE.0;
        'open: loop {
            let mut iterator = match self.open(&state.id, &mut at).await? {
                Next::Go(iterator) => iterator,
                Next::Reopen => continue,
                Next::End => return self.end(state),
            };
            loop {
                let memory = self.reserve().await?;
                let asked_ms = self.now_ms();
                let page = match self.read(&iterator, &mut at).await? {
                    Next::Go(page) => page,
                    Next::Reopen => continue 'open,
                    Next::End => return self.end(state),
                };
                let is_empty = page.changes.is_empty();
                if let Some(last) = page.changes.last() {
                    at.position = Position::After(last.sequence.clone());
                    at.read_until_ms = at.read_until_ms.max(last.created_ms);
                    at.last_ms = Some(last.created_ms);
                }
                let next = page.next.clone();
                let is_taken_in = self.take_in(&state.id, page, since_ms, memory);
                let Some(next) = next.filter(|_| is_taken_in) else { return Ok(()) };
                if let Some(until_ms) = self.state.views.tip_ms(&state.id, asked_ms) {
                    at.read_until_ms = at.read_until_ms.max(until_ms);
                    self.watermark.read_until(&state.id, until_ms);
                }
                iterator = next;
                idle = if is_empty { (idle * 2).min(PAUSE_IDLE.1) } else { PAUSE_IDLE.0 };
                tokio::time::sleep(if is_empty { idle } else { PAUSE_BEHIND }).await;
            }
        }
    }

    async fn open(&self, shard: &str, at: &mut Place) -> Result<Next<ShardIterator>> {
        let mut retry = Retry::new(&self.stats, Peer::Stream, self.give_up_after);
        loop {
            // The oldest change that is there is the first one that was not read only while none can have been forgotten.
            if !matches!(at.position, Position::After(_)) && self.may_have_forgotten(at) {
                return Err(gap("changes that were not read are older than the 24 hours that the stream keeps them"));
            }
            match self.source.open(shard, &at.position).await {
                Ok(iterator) => return Ok(Next::Go(iterator)),
                Err(error) if error.kind() == ErrorKind::PositionLost => return self.lost(at, &error),
                Err(error) => self.again(&mut retry, error, "asking for a place to read from").await?,
            }
        }
    }

    async fn read(&self, iterator: &ShardIterator, at: &mut Place) -> Result<Next<ChangePage>> {
        let mut retry = Retry::new(&self.stats, Peer::Stream, self.give_up_after);
        loop {
            match self.source.read(iterator).await {
                Ok(page) => {
                    self.stats.add_changes();
                    return Ok(Next::Go(page));
                }
                Err(error) if error.kind() == ErrorKind::IteratorExpired => return Ok(Next::Reopen),
                Err(error) if error.kind() == ErrorKind::PositionLost => return self.lost(at, &error),
                Err(error) => self.again(&mut retry, error, "reading changes").await?,
            }
        }
    }

    /// The stream no longer has what follows the position. Harmless only while all that it forgets was read, or is older
    /// than the run; and while it forgets by age, as it should.
    fn lost<T>(&self, at: &mut Place, error: &Error) -> Result<Next<T>> {
        let is_natural = match at.position {
            Position::Since(_) => true,
            Position::Horizon => at.is_from_start,
            Position::After(_) => at.last_ms.is_some_and(|ms| self.is_old(ms)),
        };
        if !is_natural || self.may_have_forgotten(at) {
            return Err(gap(error.message()));
        }
        if at.position == Position::Horizon {
            // Not even its oldest change is there: the shard is gone, with nothing in it that was not read.
            return Ok(Next::End);
        }
        at.position = Position::Horizon;
        Ok(Next::Reopen)
    }

    fn may_have_forgotten(&self, at: &Place) -> bool {
        self.is_old(at.read_until_ms)
    }

    /// Whether changes made at this time may be forgotten by now.
    fn is_old(&self, ms: i64) -> bool {
        self.now_ms() - ms >= (RETENTION - RETENTION_MARGIN).as_millis() as i64
    }

    fn end(&self, state: &ShardState) -> Result<()> {
        let page = ShardPage { last: None, oldest_ms: self.now_ms(), newest_ms: i64::MIN, is_end: true };
        self.watermark.open_changes(&state.id, page, 0, 0, Held::default());
        Ok(())
    }

    async fn reserve(&self) -> Result<OwnedSemaphorePermit> {
        let reserved = self.state.memory.clone().acquire_many_owned(PAGE_KIB).await;
        reserved.map_err(|_| Error::new(ErrorKind::Internal, "the memory budget is closed"))
    }

    /// Hands the changes of a page to the gate; false when the run ends before it is known what they write.
    fn take_in(&self, shard: &Arc<str>, page: ChangePage, since_ms: i64, mut memory: OwnedSemaphorePermit) -> bool {
        let ChangePage { changes, next, bytes } = page;
        if changes.is_empty() && next.is_some() {
            self.state.views.nothing(shard, self.watermark.waiting(shard).0.is_none());
            return true;
        }
        drop(memory.split((PAGE_KIB as usize).saturating_sub(bytes / 1024 + 1)));
        let ends = ShardPage {
            last: changes.last().map(|change| change.sequence.clone()),
            oldest_ms: changes.first().map_or_else(|| self.now_ms(), |change| change.created_ms),
            newest_ms: changes.last().map_or(i64::MIN, |change| change.created_ms),
            is_end: next.is_none(),
        };
        let last_ms = changes.last().map(|change| change.created_ms);
        let mut marked = None;
        let mut is_wanted = |change: &Change| match marker(change.item()) {
            Some(text) => {
                if change.new.is_some() {
                    marked = Some(text.to_owned());
                }
                false
            }
            None => change.created_ms >= since_ms,
        };
        let count = changes.len();
        let wanted: Vec<Change> = changes.into_iter().filter(|change| is_wanted(change)).collect();
        if let Some(newest_ms) = wanted.iter().map(|change| change.created_ms).max() {
            self.state.views.newest(newest_ms);
        }
        if let Some(last_ms) = last_ms {
            self.state.views.changes(shard, last_ms, marked);
        }
        let held = Held { memory: Some(memory), page: None };
        let ticket = self.watermark.open_changes(shard, ends, count, wanted.len(), held);
        let occasion = self.applier.occasion();
        let taken_in = wanted.into_iter().map(|change| {
            let sequence = change.sequence.clone();
            TakenIn { operation: self.applier.change(change, &occasion), sequence, ticket: ticket.clone() }
        });
        // The transform runs before the gate is closed to others.
        let taken_in: Vec<TakenIn> = taken_in.collect();
        if self.applier.has_given_up() {
            // The ticket is never answered, so the shard's position stays before these changes.
            return false;
        }
        self.gate.take_in(taken_in.into_iter());
        true
    }
}
