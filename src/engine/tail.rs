//! The tail: follows the source's stream from before the first page of the scan until the run ends.
//!
//! A task a shard reads, in the shard's order; the [`gate`](crate::engine::gate) applies. A child is taken up when all of
//! its parent is applied. Where the stream has forgotten changes that were not read, the run ends with
//! [`ErrorKind::StreamGap`]: what was deleted meanwhile cannot be known, so going on would leave items behind.

mod lineage;
mod reader;
mod views;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::checkpoint::{Checkpoint, Commit, RunState, ShardState, ShardView, TailView};
use crate::engine::apply::Applier;
use crate::engine::gate::Gate;
use crate::engine::mutant::{self, Mutant};
use crate::engine::retry::{Peer, Retry};
use crate::engine::shutdown::Shutdown;
use crate::engine::stats::{Stats, TailFigures};
use crate::engine::watermark::Watermark;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Observer};
use crate::policy::{Action, action};
use crate::stream::{ChangeSource, Position, ShardList};
use lineage::{Lineage, UnknownParent};
use views::Views;

/// The tail begins with changes made this long before the run: clocks and rounded times differ by less.
const OVERLAP: Duration = Duration::from_secs(600);
/// A stream keeps its changes for this long (DynamoDB Streams).
const RETENTION: Duration = Duration::from_secs(24 * 3600);
/// Time between listings while nothing asks for one.
const LIST_INTERVAL: Duration = Duration::from_secs(10);
/// Time between listings while a child is awaited.
const CHILD_INTERVAL: Duration = Duration::from_secs(1);
/// Listings in which a shard's parent must be missing before it counts as forgotten.
const PARENT_LISTINGS: u32 = 4;
/// Listings that must agree, one after another, before the run begins.
const FIRST_LISTINGS: usize = 2;
/// ... and after this many that do not, all that were seen are taken together.
const MOST_LISTINGS: usize = 10;
/// Memory for changes that are read and not applied, in KiB.
const MEMORY_KIB: u32 = 64 * 1024;

/// When the tail is this far behind, say so, ...
const WARN_AT: Duration = Duration::from_secs(4 * 3600);
/// ... let the copy wait, ...
const YIELD_AT: Duration = Duration::from_secs(8 * 3600);
/// ... and end the run while there is still time to do something about it.
const STOP_AT: Duration = Duration::from_secs(16 * 3600);

/// Everything that the readers of the shards share.
pub struct Tail {
    /// The stream.
    pub source: Arc<dyn ChangeSource>,
    /// The transform.
    pub applier: Arc<Applier>,
    /// Where changes go.
    pub gate: Arc<Gate>,
    /// Where shards stand.
    pub watermark: Arc<Watermark>,
    /// Counters.
    pub stats: Arc<Stats>,
    /// The end.
    pub shutdown: Arc<Shutdown>,
    /// Who listens.
    pub observer: Arc<dyn Observer>,
    /// Nothing heard of the stream for this long ends the run.
    pub give_up_after: Duration,
    /// What follows is the tail's own.
    pub state: TailState,
}

/// What changes while the tail runs.
pub struct TailState {
    lineage: Mutex<Lineage>,
    views: Views,
    memory: Arc<Semaphore>,
    clock: Mutex<Option<(Instant, i64)>>,
}

impl TailState {
    /// What an earlier process left.
    pub fn new(state: &RunState) -> Self {
        Self {
            lineage: Mutex::new(Lineage::new(state.shards.iter().cloned())),
            views: Views::default(),
            memory: Arc::new(Semaphore::new(MEMORY_KIB as usize)),
            clock: Mutex::default(),
        }
    }
}

impl Tail {
    /// Fixes where every shard begins and makes that durable. Only after it may the first page be requested: from here on
    /// every change is either in a later page or in the stream behind these positions.
    pub async fn fix_start(&self, checkpoint: &dyn Checkpoint) -> Result<()> {
        let mut seen = self.list().await?;
        let mut agreed = 1;
        for _ in 1..MOST_LISTINGS {
            if agreed == FIRST_LISTINGS {
                break;
            }
            let again = self.list().await?;
            let ids =
                |list: &ShardList| -> BTreeSet<Arc<str>> { list.shards.iter().map(|shard| shard.id.clone()).collect() };
            let (before, now) = (ids(&seen), ids(&again));
            agreed = if before == now { agreed + 1 } else { 1 };
            let lost = seen.shards.into_iter().filter(|shard| !now.contains(&shard.id)).collect::<Vec<_>>();
            seen = again;
            seen.shards.extend(lost);
        }
        if seen.shards.is_empty() {
            return Err(Error::new(ErrorKind::StreamUnfit, "the source's stream has no shards")
                .hint("it may just have been switched on: try again in a minute"));
        }
        let overlap = if mutant::is(Mutant::LateStart)
            || mutant::is(Mutant::TailAfterCopy)
            || mutant::is(Mutant::StartNotDurable)
        {
            Duration::ZERO
        } else {
            OVERLAP
        };
        let since = self.now_ms() - overlap.as_millis() as i64;
        let start = |shard: &crate::stream::Shard| ShardState {
            id: shard.id.clone(),
            parent: shard.parent.clone(),
            position: Position::Since(since),
            read_until_ms: since,
            ended: false,
        };
        let shards: Vec<ShardState> = seen.shards.iter().map(start).collect();
        *self.lineage() = Lineage::new(shards.clone());
        if mutant::is(Mutant::StartNotDurable) {
            return Ok(());
        }
        let totals = self.watermark.totals();
        checkpoint.commit(Commit { shards, totals, ..Commit::default() }).await
    }

    /// Follows the stream until it is aborted.
    pub async fn run(self: Arc<Self>) {
        if let Err(error) = self.follow().await {
            self.shutdown.fail(error);
        }
    }

    async fn follow(self: &Arc<Self>) -> Result<()> {
        let mut readers: JoinSet<Result<()>> = JoinSet::new();
        let mut listed_at = Instant::now() - LIST_INTERVAL;
        loop {
            let shard_ended = self.watermark.shard_ended();
            tokio::pin!(shard_ended);
            shard_ended.as_mut().enable();
            for shard in self.state.views.shards() {
                if let Some(read_until_ms) = self.watermark.ended(&shard) {
                    self.state.views.remove(&shard);
                    self.lineage().end(&shard, read_until_ms);
                    self.state.views.unsettle();
                    listed_at = Instant::now() - LIST_INTERVAL;
                }
            }
            if listed_at.elapsed() >= LIST_INTERVAL {
                self.discover().await?;
                listed_at = Instant::now();
            }
            for state in self.lineage().take_ready() {
                self.watermark.open_shard(state.clone(), false);
                self.state.views.add(&state.id);
                readers.spawn(self.clone().read_shard(state));
            }
            let is_awaiting = self.lineage().lacks_children() || self.state.views.is_settling();
            let interval = if is_awaiting { CHILD_INTERVAL } else { LIST_INTERVAL };
            let list_at = listed_at + interval;
            tokio::select! {
                biased;
                Some(ended) = readers.join_next() => match ended {
                    Ok(read) => read?,
                    Err(error) => return Err(Error::new(ErrorKind::Internal, format!("a shard's reader broke off: {error}"))),
                },
                () = shard_ended => {}
                () = tokio::time::sleep_until(list_at) => listed_at = Instant::now() - LIST_INTERVAL,
                () = tokio::time::sleep(Duration::from_secs(1)) => self.guard_retention()?,
            }
        }
    }

    /// Takes up shards that are new.
    async fn discover(&self) -> Result<()> {
        let mut unknown = None;
        for attempt in 0..PARENT_LISTINGS {
            // Shards come and go while the pages of a listing are fetched: one listing may lack a parent that is there.
            if attempt > 0 {
                tokio::time::sleep(CHILD_INTERVAL).await;
            }
            let listing = self.list().await?;
            if !listing.is_enabled {
                return Err(gap("the source's stream was switched off; changes made since then are in no stream"));
            }
            let (added, orphan) = self.lineage().add(&listing.shards, listing.now_ms);
            if !added.is_empty() {
                self.state.views.unsettle();
            }
            added.into_iter().for_each(|state| self.watermark.open_shard(state, true));
            unknown = orphan;
            if unknown.is_none() {
                return Ok(());
            }
        }
        match unknown {
            None => Ok(()),
            Some(UnknownParent { shard, parent }) => Err(gap(&format!(
                "shard {shard} goes on after shard {parent}, which the stream has forgotten and this run has not read"
            ))),
        }
    }

    async fn list(&self) -> Result<ShardList> {
        let mut retry = Retry::new(&self.stats, Peer::Stream, self.give_up_after);
        loop {
            match self.source.list_shards().await {
                Ok(list) => {
                    self.stats.add_changes();
                    *lock(&self.state.clock) = Some((Instant::now(), list.now_ms));
                    return Ok(list);
                }
                Err(error) if error.kind() == ErrorKind::PositionLost => return Err(gap(error.message())),
                Err(error) => self.again(&mut retry, error, "listing the stream's shards").await?,
            }
        }
    }

    /// Waits before the next attempt, or returns the error when there is to be none.
    async fn again(&self, retry: &mut Retry<'_>, error: Error, doing: &str) -> Result<()> {
        match action(error.kind()) {
            Action::BackOff => retry.back_off().await,
            Action::Retry => retry.after(error).await.map_err(|error| error.context(doing))?,
            Action::Bisect | Action::Stop => return Err(error.context(doing)),
        }
        Ok(())
    }

    /// Where the tail stands.
    pub fn view(&self) -> TailView {
        let view = self.state.views.view(&self.watermark, self.now_ms());
        let lag = Duration::from_millis(view.shards.iter().map(|shard| shard.lag_ms).max().unwrap_or(0));
        let changes_applied = self.watermark.totals().changes_applied;
        self.stats.set_tail(TailFigures { lag, changes_applied, changes_waiting: view.changes_waiting });
        view
    }

    /// Whether every shard was read to its tip since `from`, with everything before applied, and for `quiet` has delivered
    /// nothing more. A shard that is `near` the present counts too, if that is given.
    pub fn is_caught_up(&self, from: Instant, quiet: Duration, near: Option<Duration>) -> bool {
        let lineage = self.lineage();
        if lineage.lacks_children() || !lineage.is_all_taken() {
            return false;
        }
        drop(lineage);
        let view = self.view();
        let quiet = quiet.as_millis() as u64;
        let is_done = |shard: &ShardView| {
            let is_quiet = shard.quiet_ms.is_some_and(|ms| ms >= quiet) && shard.quiet_polls > 0;
            let is_near = near.is_some_and(|near| shard.lag_ms < near.as_millis() as u64);
            let seen = self.state.views.seen_since(&shard.id, from);
            is_quiet || (quiet == 0 && seen.tip) || (is_near && seen.read)
        };
        !view.is_settling && !view.shards.is_empty() && view.shards.iter().all(is_done)
    }

    fn guard_retention(&self) -> Result<()> {
        let lag = Duration::from_millis(self.view().shards.iter().map(|shard| shard.lag_ms).max().unwrap_or(0));
        let copy_waits = lag >= YIELD_AT;
        self.gate.hold_rows(copy_waits);
        if lag >= WARN_AT {
            self.observer.observe(Event::Behind { lag, copy_waits });
        }
        if lag >= STOP_AT {
            let hours = lag.as_secs() / 3600;
            let message = format!("the tail is {hours} hours behind; the stream forgets changes after 24");
            return Err(Error::new(ErrorKind::TailBehind, message)
                .hint("give the destination more write capacity or raise --write-rate, then run the same command again at once"));
        }
        Ok(())
    }

    fn now_ms(&self) -> i64 {
        let clock = *lock(&self.state.clock);
        clock.map_or(0, |(at, ms)| ms + at.elapsed().as_millis() as i64)
    }

    fn lineage(&self) -> MutexGuard<'_, Lineage> {
        lock(&self.state.lineage)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The stream has passed the run by.
fn gap(message: &str) -> Error {
    Error::new(ErrorKind::StreamGap, message).hint(
        "deletes in the gap are unknown, so this run cannot go on: begin again with --restart into an empty destination",
    )
}
