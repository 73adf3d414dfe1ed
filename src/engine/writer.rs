//! Sends batches and answers for every item: written, or a dead letter; never nowhere.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::checkpoint::DeadLetter;
use crate::engine::batcher::{Batch, Batcher};
use crate::engine::in_flight::{InFlight, Permit};
use crate::engine::limiter::Limiter;
use crate::engine::retry::Retry;
use crate::engine::shutdown::{Phase, Shutdown};
use crate::engine::stats::Stats;
use crate::engine::watermark::{Ticket, Watermark};
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
    /// Sends until the batcher is closed and empty and every batch is answered. When an end is asked for, what is still
    /// queued stays unsent (no cursor has passed it), and only the batches under way are waited for.
    pub async fn run(self: Arc<Self>) {
        let mut deliveries = JoinSet::new();
        let send_all = async {
            while let Some(batch) = self.batcher.next().await {
                let permit = self.in_flight.acquire().await;
                self.limiter.acquire(units(&batch.items)).await;
                deliveries.spawn(self.clone().deliver(batch, permit));
                while let Some(ended) = deliveries.try_join_next() {
                    self.check(ended);
                }
            }
        };
        tokio::select! {
            () = send_all => {}
            () = self.shutdown.reached(Phase::Draining) => {}
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
    async fn deliver(self: Arc<Self>, batch: Batch, _permit: Permit) {
        let mut is_paid = true;
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if !is_paid {
                self.limiter.acquire(units(&part.items)).await;
            }
            is_paid = false;
            match self.send(part).await {
                Ok(None) => {}
                Ok(Some(mut refused)) => {
                    parts.push(refused.split_off_half());
                    parts.push(refused);
                }
                Err(error) => return self.shutdown.fail(error),
            }
        }
    }

    /// Sends one batch, already paid for, until every item is answered for. A batch of several items that is refused as a
    /// whole comes back.
    async fn send(&self, mut batch: Batch) -> Result<Option<Batch>, Error> {
        let mut retry = Retry::new(&self.stats, Side::Write, self.give_up_after);
        loop {
            let paid = units(&batch.items);
            match self.sink.write(&batch.items).await {
                Ok(reply) => {
                    self.limiter.settle(paid, reply.units);
                    batch = self.settle(batch, reply);
                    if batch.items.is_empty() {
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
                        Action::Bisect if batch.items.len() > 1 => return Ok(Some(batch)),
                        Action::Bisect => {
                            for (item, ticket) in batch.items.iter().zip(&batch.tickets) {
                                self.bury(item, ticket, error.message());
                            }
                            return Ok(None);
                        }
                        Action::Stop => return Err(error),
                    }
                }
            }
            self.limiter.acquire(units(&batch.items)).await;
        }
    }

    /// Answers for the items that have an outcome; returns those to be sent again.
    fn settle(&self, batch: Batch, reply: WriteReply) -> Batch {
        assert_eq!(reply.outcomes.len(), batch.items.len(), "a sink answers for every item");
        let mut again = Batch::default();
        let mut written = 0;
        // Neighbours are mostly of one page: its ticket is told once for all of them.
        let mut told: Option<(Arc<Ticket>, usize)> = None;
        for ((item, ticket), outcome) in batch.items.into_iter().zip(batch.tickets).zip(reply.outcomes) {
            match outcome {
                Outcome::Written | Outcome::Superseded => {
                    written += 1;
                    told = match told.take() {
                        Some((same, count)) if Arc::ptr_eq(&same, &ticket) => Some((same, count + 1)),
                        Some((other, count)) => {
                            other.answer(count, count);
                            Some((ticket, 1))
                        }
                        None => Some((ticket, 1)),
                    };
                }
                Outcome::Retry => again.push(item, ticket),
                Outcome::Rejected(reason) => self.bury(&item, &ticket, &reason),
            }
        }
        if let Some((ticket, count)) = told {
            ticket.answer(count, count);
        }
        self.stats.add_batch(written, reply.units);
        again
    }

    /// Makes an item a dead letter.
    fn bury(&self, item: &RawItem, ticket: &Ticket, reason: &str) {
        let key = item.key_json(&self.schema);
        self.record(DeadLetter { key, reason: reason.to_owned(), segment: ticket.segment, page: ticket.page });
        ticket.answer(1, 0);
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

fn units(items: &[RawItem]) -> f64 {
    items.iter().map(|item| write_units(item.bytes())).sum()
}
