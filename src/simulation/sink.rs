//! The destination: takes writes, refuses them, loses answers, and lets some writes land late or twice.
//!
//! What lands is decided when an attempt begins and done by tasks of the world, so it also lands when the engine has been
//! killed meanwhile. A write of an attempt that has no good answer may land until 1.4 times the request time-out after
//! the attempt's begin; what was acknowledged or refused has landed before the answer, or never will.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::items::{is_poison, name};
use super::source::failure;
use super::world::{State, World, tell};
use crate::error::{Error, ErrorKind, Result};
use crate::item::RawItem;
use crate::sink::{Outcome, Sink, SinkLimits, Write, WriteReply};

/// The destination table, and the attempts that may still change it.
#[derive(Debug, Default)]
pub struct Destination {
    pub items: BTreeMap<String, RawItem>,
    under_way: BTreeMap<String, Vec<UnderWay>>,
}

/// An attempt at a key that is not answered, or may still land.
#[derive(Debug)]
struct UnderWay {
    incarnation: u64,
    write: Write,
    /// From when on it can do nothing more.
    until: Instant,
}

pub struct Table(pub Arc<World>);

/// What will come of an attempt.
struct Plan {
    /// Which writes land, and how long after the begin.
    landings: Vec<(Duration, usize)>,
    answer_after: Duration,
    answer: Result<WriteReply>,
}

impl Sink for Table {
    fn limits(&self) -> SinkLimits {
        SinkLimits { max_items: self.0.profile.batch_items, max_batch_bytes: self.0.profile.batch_bytes }
    }

    fn write<'a>(&'a self, batch: &'a [Write]) -> BoxFuture<'a, Result<WriteReply>> {
        Box::pin(async move {
            let world = &self.0;
            let begun = Instant::now();
            let plan = world.with(|state| {
                state.note(batch, world.now_ms());
                state.check(batch, self.limits());
                let plan = state.plan(batch, world);
                for write in batch {
                    tell(world.now_ms(), name(write.item()), || {
                        format!("is sent: {write:?}, answer after {:?}: {:?}", plan.answer_after, plan.answer)
                    });
                }
                state.register(batch, &plan, begun, world.profile.checks_overlap);
                plan
            });
            world.call().await;
            let answered = begun + plan.answer_after;
            for (after, which) in plan.landings {
                land(world, batch[which].clone(), begun + after, answered < begun + after);
            }
            let mut attempt = Attempt { world: world.clone(), batch, begun, is_answered: false };
            tokio::time::sleep_until(answered).await;
            world.call().await;
            attempt.is_answered = true;
            plan.answer
        })
    }
}

/// Writes at a time, whatever becomes of the engine.
fn land(world: &Arc<World>, write: Write, at: Instant, is_late: bool) {
    let world = world.clone();
    tokio::spawn(async move {
        tokio::time::sleep_until(at).await;
        world.with(|state| {
            if is_late {
                state.count("writes that landed after their attempt had ended");
            }
            let key = name(write.item()).to_owned();
            tell(world.now_ms(), &key, || format!("lands: {write:?}, late: {is_late}"));
            match write {
                Write::Put(item) => drop(state.destination.items.insert(key, item)),
                Write::Delete(_) => drop(state.destination.items.remove(&key)),
            }
        });
    });
}

/// An attempt that nobody waits for any more, because the engine was killed, may land once more.
struct Attempt<'a> {
    world: Arc<World>,
    batch: &'a [Write],
    begun: Instant,
    is_answered: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.is_answered || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let left = (self.begun + self.world.request_timeout().mul_f64(1.4)).saturating_duration_since(Instant::now());
        for write in self.batch.iter().filter(|write| lands(write)) {
            let after = self.world.with(|state| {
                let (after, _) = state.random.split(left);
                state.random.chance(0.5).then_some(after)
            });
            if let Some(after) = after {
                land(&self.world, write.clone(), Instant::now() + after, true);
            }
        }
    }
}

/// Whether the destination takes the write at all.
fn lands(write: &Write) -> bool {
    match write {
        Write::Put(item) => !is_poison(item),
        Write::Delete(_) => true,
    }
}

impl State {
    /// Adds a batch to the trace.
    fn note(&mut self, batch: &[Write], now_ms: i64) {
        self.trace.write_i64(now_ms);
        for write in batch {
            self.trace.write_u8(u8::from(matches!(write, Write::Put(_))));
            self.trace.write(write.item().json());
        }
        self.count("batches");
        *self.tally.entry("writes").or_default() += batch.len() as u64;
    }

    fn check(&mut self, batch: &[Write], limits: SinkLimits) {
        let keys: BTreeSet<&str> = batch.iter().map(|write| name(write.item())).collect();
        if keys.len() != batch.len() {
            self.violations.push("a key stands in a batch twice".to_owned());
        }
        if batch.is_empty() || batch.len() > limits.max_items {
            self.violations.push(format!("a batch of {} where {} are allowed", batch.len(), limits.max_items));
        }
        let bytes: usize = batch.iter().map(Write::json_bytes).sum();
        if batch.len() > 1 && bytes > limits.max_batch_bytes {
            self.violations.push(format!("a batch of {bytes} bytes where {} are allowed", limits.max_batch_bytes));
        }
    }

    /// Notes which keys the attempt may change and until when. No other content of a key may be under way then.
    fn register(&mut self, batch: &[Write], plan: &Plan, begun: Instant, is_checked: bool) {
        let incarnation = self.incarnation;
        for (at, write) in batch.iter().enumerate() {
            let last = plan.landings.iter().filter(|(_, which)| *which == at).map(|(after, _)| *after).max();
            let until = begun + plan.answer_after.max(last.unwrap_or_default());
            let others = self.destination.under_way.entry(name(write.item()).to_owned()).or_default();
            others.retain(|other| other.incarnation == incarnation && other.until > begun);
            if is_checked && let Some(other) = others.iter().find(|other| !is_same(&other.write, write)) {
                self.violations.push(format!("two writes of a key under way at once: {:?}, {write:?}", other.write));
            }
            others.push(UnderWay { incarnation, write: write.clone(), until });
        }
    }

    /// Decides what comes of an attempt.
    fn plan(&mut self, batch: &[Write], world: &World) -> Plan {
        let profile = &world.profile;
        let whole = self.random.latency(profile.writes.latency_ms);
        let refused = batch.iter().filter(|write| !lands(write)).count();
        if refused > 0 && profile.refuses_batches {
            self.count("write: batch refused for one item");
            return Plan { landings: Vec::new(), answer_after: whole, answer: Err(failure(ErrorKind::Rejected)) };
        }
        if !self.random.chance(profile.writes.faults) {
            return self.good(batch, whole, |_, _| true);
        }
        if self.random.chance(profile.late) {
            return self.late(batch, whole, world.request_timeout());
        }
        let none = |kind| Plan { landings: Vec::new(), answer_after: whole, answer: Err(failure(kind)) };
        let fault = self.random.pick(&[
            "write: throttled",
            "write: some unprocessed",
            "write: all unprocessed",
            "write: acknowledgement lost",
            "write: garbage for an acknowledgement",
            "write: never arrived",
            "write: server fault",
            "write: credentials expired",
            "write: delivered twice",
        ]);
        self.count(fault);
        match fault {
            "write: throttled" => none(ErrorKind::Throttled),
            "write: some unprocessed" => self.good(batch, whole, |random, _| random.chance(0.5)),
            "write: all unprocessed" => self.good(batch, whole, |_, _| false),
            "write: never arrived" => none(ErrorKind::Unreachable),
            "write: server fault" => none(ErrorKind::ServerFault),
            "write: credentials expired" => none(ErrorKind::CredentialsExpired),
            "write: delivered twice" => {
                let mut plan = self.good(batch, whole, |_, _| true);
                let again = self.good(batch, whole, |_, _| true);
                plan.landings.extend(again.landings);
                plan
            }
            lost => {
                let is_garbage = lost == "write: garbage for an acknowledgement";
                let kind = if is_garbage { ErrorKind::MalformedAnswer } else { ErrorKind::Unreachable };
                Plan { answer: Err(failure(kind)), ..self.good(batch, whole, |_, _| true) }
            }
        }
    }

    /// An answer for every write; those that `is_taken` chooses have landed before it.
    fn good(
        &mut self,
        batch: &[Write],
        whole: Duration,
        mut is_taken: impl FnMut(&mut super::random::Random, usize) -> bool,
    ) -> Plan {
        let (before, _) = self.random.split(whole);
        let mut landings = Vec::new();
        let mut outcomes = Vec::new();
        for (at, write) in batch.iter().enumerate() {
            outcomes.push(match (is_taken(&mut self.random, at), lands(write)) {
                (false, _) => Outcome::Retry,
                (true, false) => Outcome::Rejected("simulated".to_owned()),
                (true, true) => {
                    landings.push((before, at));
                    Outcome::Written
                }
            });
        }
        let units = landings.len() as f64;
        Plan { landings, answer_after: whole, answer: Ok(WriteReply { outcomes, units }) }
    }

    /// No answer in time, or none at all: every write lands some time, or twice, or never.
    fn late(&mut self, batch: &[Write], whole: Duration, timeout: Duration) -> Plan {
        let is_timeout = self.random.chance(0.7);
        let (answer_after, error): (Duration, Error) = if is_timeout {
            self.count("write: timed out");
            (timeout, failure(ErrorKind::TimedOut))
        } else {
            self.count("write: broken off");
            (whole.min(timeout), failure(self.random.pick(&[ErrorKind::Unreachable, ErrorKind::ServerFault])))
        };
        let longest = timeout.mul_f64(1.39);
        let mut landings = Vec::new();
        for at in (0..batch.len()).filter(|at| lands(&batch[*at])) {
            for _ in 0..self.random.pick(&[0, 1, 1, 1, 2]) {
                landings.push((self.random.split(longest).0, at));
            }
        }
        Plan { landings, answer_after, answer: Err(error) }
    }
}

fn is_same(one: &Write, other: &Write) -> bool {
    match (one, other) {
        (Write::Put(one), Write::Put(other)) => one.json() == other.json(),
        (Write::Delete(_), Write::Delete(_)) => true,
        _ => false,
    }
}
