//! What the gate does when keys are free: it hands every operation to the claims, which say what is to be written.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::{Gate, Inner};
use crate::engine::apply::Operation;
use crate::item::RawItem;
use crate::sink::Write;

/// Rows that are begun and not done, at the most: those behind them can still be superseded.
const MOST_BEGUN: usize = 512;

/// An operation that has its lane.
#[derive(Debug)]
pub struct Begun {
    /// Hash of its source key.
    pub lane: u64,
    /// An item with the source's key.
    pub origin: RawItem,
    /// What the transform made of it.
    pub puts: Vec<RawItem>,
}

/// A write that was asked for and is answered for.
#[derive(Debug)]
pub struct Answered {
    /// The lane that it was for.
    pub lane: u64,
    /// Hash of the destination key.
    pub destination: u64,
    /// Until when an attempt that was given up may still land.
    pub settles: Option<Instant>,
}

/// What the claims have to look at.
#[derive(Debug, Default)]
pub(super) struct Claiming {
    begun: VecDeque<Begun>,
    answered: Vec<Answered>,
    under_way: usize,
}

impl Claiming {
    pub(super) fn begin(&mut self, lane: u64, operation: Operation) -> RawItem {
        let origin = operation.origin().clone();
        let puts = operation.writes.into_iter().filter_map(|write| match write {
            Write::Put(item) => Some(item),
            Write::Delete(_) => None,
        });
        self.begun.push_back(Begun { lane, origin: origin.clone(), puts: puts.collect() });
        self.under_way += 1;
        origin
    }

    pub(super) fn answer(&mut self, answered: Answered) {
        self.answered.push(answered);
    }

    pub(super) fn is_full(&self) -> bool {
        self.under_way >= MOST_BEGUN
    }
}

impl Gate {
    /// What was begun and what was answered for since the last call, in order.
    pub fn claim_events(&self) -> (Vec<Begun>, Vec<Answered>) {
        let mut inner = self.lock();
        let Some(claiming) = &mut inner.claiming else { return Default::default() };
        (claiming.begun.drain(..).collect(), std::mem::take(&mut claiming.answered))
    }

    /// Returns when there may be such events.
    pub async fn claims_changed(&self) {
        self.claims_changed.notified().await;
    }

    /// Writes something for a lane's operation.
    pub fn write_claimed(&self, lane: u64, write: Write) {
        let mut inner = self.lock();
        if let Some(found) = inner.lanes.get_mut(&lane) {
            found.left += 1;
            inner.changes.push_back((lane, write));
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// The operation of `lane` has made another item a dead letter, or it no longer is one.
    pub fn letter_of_another(&self, lane: u64, item: &RawItem, reason: Option<&str>) {
        let mut inner = self.lock();
        let Inner { lanes, letters, .. } = &mut *inner;
        let Some(reason) = reason else { return letters.clear(item) };
        let found = lanes.get(&lane).and_then(|lane| Some(lane.tickets.last()?.place(lane.change.as_ref())));
        if let Some(place) = found {
            letters.add(item, reason.to_owned(), place);
        }
    }

    /// These items are no dead letters any more.
    pub fn clear_letters(&self, items: &[RawItem]) {
        let mut inner = self.lock();
        items.iter().for_each(|item| inner.letters.clear(item));
    }

    /// All of a lane's writes are answered for and its claims are durable. With a reason its item is a dead letter.
    pub fn claims_done(&self, lane: u64, reason: Option<&str>) {
        let mut inner = self.lock();
        if let Some(claiming) = &mut inner.claiming {
            claiming.under_way = claiming.under_way.saturating_sub(1);
        }
        if let Some(found) = inner.lanes.get_mut(&lane) {
            if let Some(reason) = reason {
                found.rejected.get_or_insert_with(|| reason.to_owned());
            }
            found.left -= 1;
            if found.left == 0 {
                inner.finish(lane);
            }
        }
        drop(inner);
        self.changed.notify_one();
        self.claims_changed.notify_one();
    }
}
