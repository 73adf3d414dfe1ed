//! Sends batches and answers for every item: written, or a dead letter; never nowhere.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::checkpoint::DeadLetter;
use crate::engine::batcher::{Batcher, Pending};
use crate::engine::in_flight::{InFlight, Permit};
use crate::engine::limiter::Limiter;
use crate::engine::retry::Retry;
use crate::engine::shutdown::Shutdown;
use crate::engine::stats::Stats;
use crate::engine::watermark::Watermark;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Observer};
use crate::item::{KeySchema, RawItem};
use crate::policy::{Action, action};
use crate::sink::{Outcome, Sink, WriteReply};
use crate::units::{Side, write_units};

/// Everything that batches on their way share.
pub struct Writer {
    /// Where batches come from.
    pub batcher: Batcher,
    /// Where they go.
    pub sink: Arc<dyn Sink>,
    /// Key schema of the items, to name a dead letter.
    pub schema: KeySchema,
    /// Write units.
    pub limiter: Limiter,
    /// Requests under way.
    pub in_flight: Arc<InFlight>,
    /// Counters.
    pub stats: Arc<Stats>,
    /// Takes dead letters.
    pub watermark: Arc<Watermark>,
    /// The end.
    pub shutdown: Arc<Shutdown>,
    /// Who listens.
    pub observer: Arc<dyn Observer>,
    /// More dead letters than this end the run.
    pub max_dead_letters: u64,
    /// Nothing written for this long ends the run.
    pub give_up_after: Duration,
}

impl Writer {
    /// Sends until the batcher is closed and empty and every batch is answered.
    pub async fn run(self: Arc<Self>) {
        let mut deliveries = JoinSet::new();
        while let Some(batch) = self.batcher.next().await {
            let permit = self.in_flight.acquire().await;
            self.limiter.acquire(units(batch.iter().map(|pending| &pending.item))).await;
            deliveries.spawn(self.clone().deliver(batch, permit));
            while let Some(ended) = deliveries.try_join_next() {
                self.check(ended);
            }
        }
        while let Some(ended) = deliveries.join_next().await {
            self.check(ended);
        }
    }

    fn check(&self, ended: Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            self.shutdown.fail(Error::new(ErrorKind::Internal, format!("a delivery broke off: {error}")));
        }
    }

    /// Delivers a batch, in halves where the sink refuses the whole because of one item.
    async fn deliver(self: Arc<Self>, batch: Vec<Pending>, _permit: Permit) {
        let mut is_paid = true;
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if !is_paid {
                self.limiter.acquire(units(part.iter().map(|pending| &pending.item))).await;
            }
            is_paid = false;
            match self.send(part).await {
                Ok(None) => {}
                Ok(Some(mut refused)) => {
                    let second = refused.split_off(refused.len() / 2);
                    parts.push(second);
                    parts.push(refused);
                }
                Err(error) => return self.shutdown.fail(error),
            }
        }
    }

    /// Sends one batch, already paid for, until every item is answered for. A batch of several items that is refused as a
    /// whole comes back.
    async fn send(&self, mut batch: Vec<Pending>) -> Result<Option<Vec<Pending>>, Error> {
        let mut retry = Retry::new(&self.stats, Side::Write, self.give_up_after);
        loop {
            let items: Vec<RawItem> = batch.iter().map(|pending| pending.item.clone()).collect();
            let paid = units(items.iter());
            match self.sink.write(&items).await {
                Ok(reply) => {
                    self.limiter.settle(paid, reply.units);
                    batch = self.settle(batch, reply);
                    if batch.is_empty() {
                        self.in_flight.success();
                        return Ok(None);
                    }
                    self.limiter.throttled();
                    self.in_flight.congested();
                    retry.back_off().await;
                }
                Err(error) => {
                    self.limiter.settle(paid, 0.0);
                    match action(error.kind()) {
                        Action::BackOff => {
                            self.limiter.throttled();
                            self.in_flight.congested();
                            retry.back_off().await;
                        }
                        Action::Retry => {
                            self.in_flight.congested();
                            retry.after(error).await?;
                        }
                        Action::Bisect if batch.len() > 1 => return Ok(Some(batch)),
                        Action::Bisect => {
                            for pending in batch {
                                self.bury(&pending, error.message());
                            }
                            return Ok(None);
                        }
                        Action::Stop => return Err(error),
                    }
                }
            }
            self.limiter.acquire(units(batch.iter().map(|pending| &pending.item))).await;
        }
    }

    /// Answers for the items that have an outcome; returns those to be sent again.
    fn settle(&self, batch: Vec<Pending>, reply: WriteReply) -> Vec<Pending> {
        assert_eq!(reply.outcomes.len(), batch.len(), "a sink answers for every item");
        let mut again = Vec::new();
        let mut written = 0;
        for (pending, outcome) in batch.into_iter().zip(reply.outcomes) {
            match outcome {
                Outcome::Written | Outcome::Superseded => {
                    written += 1;
                    pending.ticket.answer(1, 1);
                }
                Outcome::Retry => again.push(pending),
                Outcome::Rejected(reason) => self.bury(&pending, &reason),
            }
        }
        self.stats.add_batch(written, reply.units);
        again
    }

    /// Makes an item a dead letter.
    fn bury(&self, pending: &Pending, reason: &str) {
        let letter = DeadLetter {
            key: pending.item.key_json(&self.schema),
            reason: reason.to_owned(),
            segment: pending.ticket.segment,
            page: pending.ticket.page,
        };
        self.record(letter);
        pending.ticket.answer(1, 0);
    }

    /// Takes a dead letter on record; too many end the run.
    pub fn record(&self, letter: DeadLetter) {
        self.observer.observe(Event::DeadLetter { reason: letter.reason.clone(), segment: letter.segment });
        self.watermark.add_dead_letter(letter);
        if self.stats.add_dead_letter() > self.max_dead_letters {
            let message = format!("more than {} items could not be written", self.max_dead_letters);
            self.shutdown.fail(Error::new(ErrorKind::TooManyDeadLetters, message).hint(
                "the summary groups them by reason; mend the cause, or allow more with --max-dead-letters, and run the \
                 same command again",
            ));
        }
    }
}

fn units<'a>(items: impl Iterator<Item = &'a RawItem>) -> f64 {
    items.map(|item| write_units(item.bytes())).sum()
}
