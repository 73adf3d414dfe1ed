//! The source's stream: late, paged, rolled, now and then inconsistent, and forgetful after a day.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::items::name;
use super::shards::{CHILD_UNSEEN_MS, Record};
use super::source::failure;
use super::world::{EPOCH_MS, State, World, tell};
use crate::change::Change;
use crate::error::{ErrorKind, Result};
use crate::stream::{ChangePage, ChangeSource, Position, Shard, ShardIterator, ShardList};

/// How long an iterator is good for.
const ITERATOR_MS: i64 = 15 * 60 * 1000;

/// The most reads in a row that find nothing although more follows.
const MOST_EMPTY_READS: u32 = 3;

pub struct Stream(pub Arc<World>);

impl ChangeSource for Stream {
    fn list_shards(&self) -> BoxFuture<'_, Result<ShardList>> {
        Box::pin(async move {
            let after = self.arrive().await?;
            let now_ms = self.0.now_ms();
            let shards = self.0.with(|state| state.listing(now_ms));
            tokio::time::sleep(after).await;
            self.0.call().await;
            // The time of an answer is told in whole seconds.
            Ok(ShardList { shards, is_enabled: true, now_ms: (EPOCH_MS + now_ms) / 1000 * 1000 })
        })
    }

    fn open<'a>(&'a self, shard: &'a str, position: &'a Position) -> BoxFuture<'a, Result<ShardIterator>> {
        Box::pin(async move {
            let after = self.arrive().await?;
            let now_ms = self.0.now_ms();
            let unit_ms = self.unit_ms();
            let found = self.0.with(|state| state.place(shard, position, now_ms, unit_ms));
            tokio::time::sleep(after).await;
            self.0.call().await;
            let (at, next) = found.ok_or_else(|| failure(ErrorKind::PositionLost))?;
            Ok(iterator(at, next, now_ms))
        })
    }

    fn read<'a>(&'a self, iterator: &'a ShardIterator) -> BoxFuture<'a, Result<ChangePage>> {
        Box::pin(async move {
            let after = self.arrive().await?;
            let now_ms = self.0.now_ms();
            let faults = self.0.profile.stream.faults;
            let page_changes = self.0.profile.page_changes;
            let unit_ms = self.unit_ms();
            let page = self.0.with(|state| state.read(iterator, now_ms, faults, page_changes, unit_ms));
            tokio::time::sleep(after).await;
            self.0.call().await;
            page
        })
    }
}

impl Stream {
    /// A request on its way to the moment of its effect; what remains of its time.
    async fn arrive(&self) -> Result<Duration> {
        let world = &self.0;
        world.call().await;
        let (before, after) = world.latency(world.profile.stream.latency_ms);
        tokio::time::sleep(before).await;
        let faults = world.profile.stream.faults;
        let fault = world.with(|state| {
            if !state.random.chance(faults) {
                return None;
            }
            let fault = state.random.pick(&[
                ("stream: throttled", ErrorKind::Throttled),
                ("stream: throttled", ErrorKind::Throttled),
                ("stream: timed out", ErrorKind::TimedOut),
                ("stream: unreachable", ErrorKind::Unreachable),
                ("stream: server fault", ErrorKind::ServerFault),
                ("stream: malformed answer", ErrorKind::MalformedAnswer),
                ("stream: credentials expired", ErrorKind::CredentialsExpired),
            ]);
            state.count(fault.0);
            Some(fault.1)
        });
        let Some(kind) = fault else { return Ok(after) };
        if kind == ErrorKind::TimedOut {
            tokio::time::sleep(world.request_timeout()).await;
        }
        Err(failure(kind))
    }

    fn unit_ms(&self) -> i64 {
        if self.0.profile.tells_minutes { 60_000 } else { 1000 }
    }
}

/// When a change was made, as it tells it.
fn told_ms(record: &Record, unit_ms: i64) -> i64 {
    (EPOCH_MS + record.created_ms).div_euclid(unit_ms) * unit_ms
}

fn iterator(shard: usize, next: usize, now_ms: i64) -> ShardIterator {
    ShardIterator(format!("{shard} {next} {now_ms}").into())
}

impl State {
    fn listing(&mut self, now_ms: i64) -> Vec<Shard> {
        self.shards.settle(now_ms);
        let shards = &self.shards.all;
        let mut is_listed: Vec<bool> = Vec::new();
        let mut is_unknown: Vec<bool> = Vec::new();
        let mut missing = 0;
        for shard in shards {
            // What is finished may be forgotten before its day is over.
            let is_forgotten = shard.is_finished && self.random.chance(0.3);
            // A child may not be known yet where its parent is.
            let is_parent_listed = shard.parent.is_some_and(|parent| is_listed[parent]);
            let is_new = is_parent_listed && now_ms - shard.born_ms < CHILD_UNSEEN_MS && self.random.chance(0.3);
            is_unknown.push(is_new || shard.parent.is_some_and(|parent| is_unknown[parent]));
            is_listed.push(!shard.is_expired(now_ms) && !is_forgotten && !is_unknown[is_listed.len()]);
            missing += usize::from(is_forgotten || is_new);
        }
        let name = |at: usize| shards[at].id.clone();
        let listed = (0..shards.len()).filter(|at| is_listed[*at]);
        let mut list: Vec<Shard> =
            listed.map(|at| Shard { id: name(at), parent: shards[at].parent.map(name) }).collect();
        if missing > 0 {
            self.count("stream: listing with shards missing");
        }
        let turn = self.random.below(list.len());
        list.rotate_left(turn);
        list
    }

    /// The shard, and the record that an iterator begins with; `None` if what follows the position is gone.
    fn place(&mut self, id: &str, position: &Position, now_ms: i64, unit_ms: i64) -> Option<(usize, usize)> {
        let at = self.shards.find(id)?;
        let shard = &self.shards.all[at];
        if shard.is_expired(now_ms) {
            self.count("stream: shard gone");
            return None;
        }
        let trimmed = shard.trimmed(now_ms);
        let next = match position {
            Position::Horizon => trimmed,
            Position::Since(since_ms) => {
                let first = shard.records.partition_point(|record| told_ms(record, unit_ms) < *since_ms);
                // Some older ones may come along, or all that there are.
                let earlier = if self.random.chance(0.1) { first } else { self.random.below(4).min(first) };
                (first - earlier).max(trimmed)
            }
            Position::After(sequence) => {
                let next = shard.after(sequence)?;
                if next <= trimmed && trimmed > 0 {
                    self.count("stream: position trimmed");
                    return None;
                }
                next
            }
        };
        Some((at, next))
    }

    fn read(
        &mut self,
        iterator_read: &ShardIterator,
        now_ms: i64,
        faults: f64,
        page_changes: usize,
        unit_ms: i64,
    ) -> Result<ChangePage> {
        let mut parts = iterator_read.0.split(' ').map(|part| part.parse::<i64>().expect("an iterator of ours"));
        let mut part = || parts.next().expect("an iterator of ours");
        let (at, next, born_ms) = (part() as usize, part() as usize, part());
        if now_ms - born_ms > ITERATOR_MS || self.random.chance(faults * 0.2) {
            self.count("stream: iterator expired");
            return Err(failure(ErrorKind::IteratorExpired));
        }
        let shard = &self.shards.all[at];
        if shard.is_expired(now_ms) || next < shard.trimmed(now_ms) {
            self.count("stream: position trimmed");
            return Err(failure(ErrorKind::PositionLost));
        }
        if shard.empty_reads < MOST_EMPTY_READS && self.random.chance(faults * 0.5) {
            self.shards.all[at].empty_reads += 1;
            self.count("stream: empty page although more follows");
            return Ok(ChangePage { next: Some(iterator(at, next, now_ms)), ..ChangePage::default() });
        }
        let most = 1 + self.random.below(page_changes);
        let rest = &shard.records[next..];
        let readable = rest.iter().take(most).take_while(|record| record.visible_ms <= now_ms).count();
        let changes: Vec<Change> = rest[..readable]
            .iter()
            .map(|record| Change {
                sequence: record.sequence.clone(),
                created_ms: told_ms(record, unit_ms),
                old: record.old.clone(),
                new: record.new.clone(),
            })
            .collect();
        for record in &rest[..readable] {
            let item = record.new.as_ref().or(record.old.as_ref()).expect("a change has an image");
            tell(now_ms, name(item), || format!("shard-{at} delivers {}, now {:?}", record.sequence, record.new));
        }
        let is_end = readable == rest.len() && shard.end_visible_ms <= now_ms;
        if is_end {
            tell(now_ms, "", || format!("shard-{at} has ended"));
        }
        let next = (!is_end).then(|| iterator(at, next + readable, now_ms));
        self.shards.all[at].empty_reads = 0;
        *self.tally.entry("changes delivered").or_default() += readable as u64;
        Ok(ChangePage { bytes: readable * 100, changes, next })
    }
}
