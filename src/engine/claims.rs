//! Free keys: which items of the source have an output of a destination key.
//!
//! Where an output's key does not tell whose it is, an old image is no reason to delete: somebody else may have the key by
//! now. So every output key is *claimed* by its items. Of several claimants the one with the smallest key has it, and the
//! others are dead letters until the conflict is gone. Invariants:
//!
//! - A claim is durable before anything of it is written, and given up durably after what follows from that is
//!   acknowledged, and before the operation counts as done.
//! - A destination key has one write under way, whoever asks for it; until an attempt that was given up can no longer land.
//! - What stands at a key that one item gives up is worked out anew from its next claimant, as that is at this moment.
//!
//! In memory and on disk a claim takes about 200 bytes and the two keys.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::checkpoint::{Checkpoint, Claim};
use crate::engine::apply::Applier;
use crate::engine::gate::{Answered, Begun, Gate};
use crate::engine::mutant::{self, Mutant};
use crate::engine::reads::Reads;
use crate::engine::shutdown::Shutdown;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{Key, KeySchema, RawItem};
use crate::sink::Write;

/// Why an item is a dead letter although nothing is wrong with it.
const CONFLICT: &str = "another item, with a smaller key, has an output of the same key";

/// What the claims work with.
#[derive(Clone)]
pub struct Tools {
    /// Hands operations over and takes writes.
    pub gate: Arc<Gate>,
    /// Transforms what is read anew.
    pub applier: Arc<Applier>,
    /// Where it is read.
    pub reads: Reads,
    /// Where claims are durable.
    pub checkpoint: Arc<dyn Checkpoint>,
    /// Primary key of both tables.
    pub schema: KeySchema,
    /// The end.
    pub shutdown: Arc<Shutdown>,
}

/// See the module.
pub struct Claims {
    tools: Tools,
    index: Index,
    /// Operations under way, by their lane.
    operations: HashMap<u64, Operation>,
    /// Who waits for a destination key, by its hash; the first has it.
    queues: HashMap<u64, VecDeque<Step>>,
    settling: BinaryHeap<Reverse<(Instant, u64)>>,
    reads: JoinSet<Result<Reread>>,
}

/// Everybody's claims. Items are no more than a key.
#[derive(Default)]
struct Index {
    by_destination: HashMap<Key, BTreeMap<Key, RawItem>>,
    by_source: HashMap<Key, BTreeMap<Key, RawItem>>,
    /// Sources that are dead letters because of a conflict.
    conflicted: BTreeSet<Key>,
}

/// What is done about one source item.
struct Operation {
    source: Key,
    origin: RawItem,
    /// Destination keys that are not seen to yet.
    left: usize,
    given_up: Vec<Claim>,
}

/// What is done about one destination key for an operation.
struct Step {
    lane: u64,
    key: Key,
    /// An item with the destination key.
    item: RawItem,
    /// The operation's output, if it still has one.
    put: Option<RawItem>,
}

/// What stands at a key that was given up.
struct Reread {
    lane: u64,
    write: Write,
}

impl Claims {
    /// With the claims, and the reasons of dead letters by key, that are on record.
    pub fn new(tools: Tools, claims: &[Claim], letters: &BTreeMap<String, String>) -> Result<Self> {
        let mut index = Index::default();
        let item = |json: &str| {
            RawItem::parse(Bytes::copy_from_slice(json.as_bytes()), &tools.schema)
                .map_err(|fault| Error::new(ErrorKind::Journal, format!("a claim on record is damaged: {fault}")))
        };
        for claim in claims {
            let (source, destination) = (item(&claim.source)?, item(&claim.destination)?);
            index.add(&source, &destination);
        }
        // A conflict whose letter is not on record is met again; one that ended just before the end of an earlier process
        // is not.
        let mut void = Vec::new();
        for (key, _) in letters.iter().filter(|(_, reason)| *reason == CONFLICT) {
            let source = item(key)?;
            match index.is_conflicted(&source.key()) {
                true => drop(index.conflicted.insert(source.key())),
                false => void.push(source),
            }
        }
        tools.gate.clear_letters(&void);
        let (operations, queues) = (HashMap::new(), HashMap::new());
        Ok(Self { tools, index, operations, queues, settling: BinaryHeap::new(), reads: JoinSet::new() })
    }

    /// Looks after the claims for as long as it is polled.
    pub async fn run(mut self) {
        loop {
            if let Err(error) = self.catch_up().await {
                return self.tools.shutdown.fail(error);
            }
            let settled = self.settling.peek().map(|next| next.0.0);
            let gate = self.tools.gate.clone();
            tokio::select! {
                biased;
                () = gate.claims_changed() => {}
                Some(read) = self.reads.join_next() => {
                    let read = read.map_err(|error| Error::new(ErrorKind::Internal, format!("a look-up broke off: {error}")));
                    match read.and_then(|read| read) {
                        Ok(Reread { lane, write }) => self.tools.gate.write_claimed(lane, write),
                        Err(error) => return self.tools.shutdown.fail(error),
                    }
                }
                () = sleep_until(settled) => {}
            }
        }
    }

    /// Sees to all that has happened.
    async fn catch_up(&mut self) -> Result<()> {
        loop {
            let (begun, answered) = self.tools.gate.claim_events();
            let is_idle = begun.is_empty() && answered.is_empty();
            let mut done: Vec<u64> = Vec::new();
            for Answered { lane, destination, settles } in answered {
                done.extend(self.answered(lane, destination));
                match settles {
                    Some(at) if at > Instant::now() => self.settling.push(Reverse((at, destination))),
                    _ => done.extend(self.release(destination)),
                }
            }
            while let Some(Reverse((at, destination))) = self.settling.peek().copied()
                && at <= Instant::now()
            {
                self.settling.pop();
                done.extend(self.release(destination));
            }
            done.extend(self.begin(begun).await?);
            self.finish(done).await?;
            if is_idle {
                return Ok(());
            }
        }
    }

    /// Makes the claims of new operations durable, then takes their steps; returns lanes that are done already.
    async fn begin(&mut self, begun: Vec<Begun>) -> Result<Vec<u64>> {
        let mut done = Vec::new();
        let mut added = Vec::new();
        let mut dropped_early = Vec::new();
        for Begun { origin, puts, .. } in &begun {
            let claimed = self.index.by_source.get(&origin.key());
            let is_new = |put: &&RawItem| claimed.is_none_or(|claimed| !claimed.contains_key(&put.key()));
            added.extend(puts.iter().filter(is_new).map(|put| self.claim(origin, put)));
            if mutant::is(Mutant::ClaimDroppedEarly) {
                let is_gone = |key: &Key| !puts.iter().any(|put| put.key() == *key);
                let gone = claimed.into_iter().flatten().filter(|(key, _)| is_gone(key));
                dropped_early.extend(gone.map(|(_, item)| self.claim(origin, item)));
            }
        }
        if !added.is_empty() || !dropped_early.is_empty() {
            self.tools.checkpoint.commit_claims(added, dropped_early).await?;
        }
        for Begun { lane, origin, puts } in begun {
            let source = origin.key();
            for put in &puts {
                self.index.add(&only_key(&origin, &self.tools.schema), &only_key(put, &self.tools.schema));
            }
            let claimed = self.index.by_source.get(&source).cloned().unwrap_or_default();
            let operation = Operation { source, origin, left: claimed.len(), given_up: Vec::new() };
            self.operations.insert(lane, operation);
            if claimed.is_empty() {
                done.push(lane);
            }
            for (key, item) in claimed {
                let put = puts.iter().find(|put| put.key() == key).cloned();
                let destination = item.key_hash();
                let queue = self.queues.entry(destination).or_default();
                queue.push_back(Step { lane, key, item, put });
                if queue.len() == 1 {
                    done.extend(self.take_step(destination));
                }
            }
        }
        Ok(done)
    }

    /// Begins with the first of those that wait for a key, and goes on while nothing has to be written; returns the lanes
    /// that are done by that.
    fn take_step(&mut self, destination: u64) -> Vec<u64> {
        let mut done = Vec::new();
        while let Some(step) = self.queues.get(&destination).and_then(VecDeque::front) {
            let (lane, key) = (step.lane, step.key.clone());
            let Some(operation) = self.operations.get(&lane) else { break };
            let source = operation.source.clone();
            let is_kept = step.put.is_some();
            let claimants = self.index.by_destination.get(&key);
            let winner = claimants.into_iter().flatten().find(|(other, _)| is_kept || **other != source);
            let write = match (winner, &step.put) {
                (Some((winner, _)), Some(put)) if *winner == source => Some(Write::Put(put.clone())),
                // It stands there, or will when the winner's own operation is done.
                (Some(_), Some(_)) => None,
                (Some((_, winner)), None) => {
                    self.reads.spawn(reread(self.tools.clone(), lane, winner.clone(), key, step.item.clone()));
                    return done;
                }
                (None, _) => Some(Write::Delete(step.item.clone())),
            };
            if is_kept {
                self.tell_conflicts(lane, &key, &source);
            }
            if let Some(write) = write {
                self.tools.gate.write_claimed(lane, write);
                return done;
            }
            done.extend(self.answered(lane, destination));
            self.pop(destination);
        }
        done
    }

    /// The first step of a key is acknowledged; returns its lane if that is done by it.
    fn answered(&mut self, lane: u64, destination: u64) -> Option<u64> {
        let step = self.queues.get(&destination)?.front().filter(|step| step.lane == lane)?;
        let (key, item, is_kept) = (step.key.clone(), step.item.clone(), step.put.is_some());
        let operation = self.operations.get_mut(&lane)?;
        operation.left -= 1;
        let is_done = operation.left == 0;
        if !is_kept {
            let source = operation.source.clone();
            let claim = Claim {
                source: operation.origin.key_json(&self.tools.schema),
                destination: item.key_json(&self.tools.schema),
            };
            operation.given_up.push(claim);
            self.index.remove(&source, &key);
            self.tell_conflicts(lane, &key, &source);
        }
        is_done.then_some(lane)
    }

    /// Another one may have the key.
    fn release(&mut self, destination: u64) -> Vec<u64> {
        self.pop(destination);
        self.take_step(destination)
    }

    fn pop(&mut self, destination: u64) {
        if let Some(queue) = self.queues.get_mut(&destination) {
            queue.pop_front();
            if queue.is_empty() {
                self.queues.remove(&destination);
            }
        }
    }

    /// Ends operations whose writes are all acknowledged.
    async fn finish(&mut self, lanes: Vec<u64>) -> Result<()> {
        if lanes.is_empty() {
            return Ok(());
        }
        let mut given_up = Vec::new();
        for lane in &lanes {
            given_up.extend(
                self.operations.get_mut(lane).map(|done| std::mem::take(&mut done.given_up)).into_iter().flatten(),
            );
        }
        if !given_up.is_empty() && !mutant::is(Mutant::ClaimDroppedEarly) {
            self.tools.checkpoint.commit_claims(Vec::new(), given_up).await?;
        }
        for lane in lanes {
            let Some(operation) = self.operations.remove(&lane) else { continue };
            let is_conflicted = self.index.is_conflicted(&operation.source);
            match is_conflicted {
                true => self.index.conflicted.insert(operation.source),
                false => self.index.conflicted.remove(&operation.source),
            };
            self.tools.gate.claims_done(lane, is_conflicted.then_some(CONFLICT));
        }
        Ok(())
    }

    /// After the claimants of a key have changed: which of the others are dead letters now, and which no longer.
    fn tell_conflicts(&mut self, lane: u64, key: &Key, source: &Key) {
        let claimants = self.index.by_destination.get(key).cloned().unwrap_or_default();
        for (claimant, item) in claimants.into_iter().filter(|(claimant, _)| claimant != source) {
            let is_conflicted = self.index.is_conflicted(&claimant);
            if is_conflicted && self.index.conflicted.insert(claimant.clone()) {
                self.tools.gate.letter_of_another(lane, &item, Some(CONFLICT));
            } else if !is_conflicted && self.index.conflicted.remove(&claimant) {
                self.tools.gate.letter_of_another(lane, &item, None);
            }
        }
    }

    fn claim(&self, source: &RawItem, destination: &RawItem) -> Claim {
        let json = |item: &RawItem| item.key_json(&self.tools.schema);
        Claim { source: json(source), destination: json(destination) }
    }
}

impl Index {
    fn add(&mut self, source: &RawItem, destination: &RawItem) {
        let (from, to) = (source.key(), destination.key());
        self.by_destination.entry(to.clone()).or_default().entry(from.clone()).or_insert_with(|| source.clone());
        self.by_source.entry(from).or_default().entry(to).or_insert_with(|| destination.clone());
    }

    fn remove(&mut self, source: &Key, destination: &Key) {
        remove_from(&mut self.by_destination, destination, source);
        remove_from(&mut self.by_source, source, destination);
    }

    /// Whether another item has one of its outputs' keys.
    fn is_conflicted(&self, source: &Key) -> bool {
        let mut claimed = self.by_source.get(source).into_iter().flat_map(BTreeMap::keys);
        claimed.any(|key| {
            self.by_destination.get(key).and_then(|all| all.keys().next()).is_some_and(|first| first != source)
        })
    }
}

fn remove_from(map: &mut HashMap<Key, BTreeMap<Key, RawItem>>, outer: &Key, inner: &Key) {
    if let Some(entries) = map.get_mut(outer) {
        entries.remove(inner);
        if entries.is_empty() {
            map.remove(outer);
        }
    }
}

/// Reads the item that has a key next, and what it makes of it.
async fn reread(tools: Tools, lane: u64, winner: RawItem, key: Key, item: RawItem) -> Result<Reread> {
    let found = tools.reads.item(&winner).await;
    let found = found.map_err(|error| error.context("looking up who else has an output's key"))?;
    let output = found.and_then(|found| tools.applier.output(found, &key));
    if tools.applier.has_given_up() {
        // What stands there is not known, so nothing is written: the operation is begun anew when the run resumes.
        return std::future::pending().await;
    }
    Ok(Reread { lane, write: output.map_or(Write::Delete(item), Write::Put) })
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// An item with nothing but the key.
fn only_key(item: &RawItem, schema: &KeySchema) -> RawItem {
    let json = Bytes::from(item.key_json(schema));
    RawItem::parse(json, schema).expect("the key of an item is an item")
}
