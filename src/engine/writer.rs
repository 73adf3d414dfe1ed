//! Sends batches and answers for every write: at the destination, or a dead letter; never nowhere.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::engine::batch::Batch;
use crate::engine::gate::{Answer, Gate};
use crate::engine::in_flight::{InFlight, Permit};
use crate::engine::limiter::Limiter;
use crate::engine::mutant::{self, Mutant};
use crate::engine::retry::{Peer, Retry};
use crate::engine::shutdown::{Phase, Shutdown};
use crate::engine::stats::Stats;
use crate::error::{Error, ErrorKind};
use crate::policy::{Action, action};
use crate::sink::{Outcome, Sink, Write, WriteReply};

/// Everything that batches on their way share.
pub struct Writer {
    /// Where batches come from.
    pub gate: Arc<Gate>,
    /// Where they go.
    pub sink: Arc<dyn Sink>,
    /// Write units.
    pub limiter: Limiter,
    /// Requests under way.
    pub in_flight: Arc<InFlight>,
    /// Counters.
    pub stats: Arc<Stats>,
    /// The end.
    pub shutdown: Arc<Shutdown>,
    /// Nothing written for this long ends the run.
    pub give_up_after: Duration,
    /// How long after its begin an attempt that was given up may still land; zero where nothing newer could be in its way.
    pub settle: Duration,
    /// When the first write may be sent: requests of an earlier process may still be under way before.
    pub not_before: Instant,
}

impl Writer {
    /// Sends until the gate is closed and empty and every batch is answered. When an end is asked for, what is still
    /// queued stays unsent (no cursor has passed it), and only the batches under way are waited for.
    pub async fn run(self: Arc<Self>) {
        let mut deliveries = JoinSet::new();
        let send_all = async {
            tokio::time::sleep_until(self.not_before).await;
            while let Some(batch) = self.gate.next().await {
                let permit = self.in_flight.acquire().await;
                self.limiter.acquire(batch.units()).await;
                deliveries.spawn(self.clone().deliver(batch, permit));
                while let Some(ended) = deliveries.try_join_next() {
                    self.check(ended);
                }
            }
        };
        tokio::select! {
            biased;
            () = self.shutdown.reached(Phase::Draining) => {}
            () = send_all => {}
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
                self.limiter.acquire(part.units()).await;
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

    /// Sends one batch, already paid for, until every write is answered for. A batch of several that is refused as a
    /// whole comes back.
    async fn send(&self, mut batch: Batch) -> Result<Option<Batch>, Error> {
        let mut retry = Retry::new(&self.stats, Peer::Destination, self.give_up_after);
        loop {
            let paid = batch.units();
            let begun = Instant::now();
            match self.sink.write(&batch.writes).await {
                Ok(reply) => {
                    self.limiter.settle(paid, reply.units);
                    batch = self.settle(batch, reply);
                    if batch.writes.is_empty() {
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
                            if !self.settle.is_zero() && !mutant::is(Mutant::NoSettle) {
                                batch.settles = Some(begun + self.settle);
                            }
                            self.in_flight.congested();
                            retry.after(error).await?;
                        }
                        Action::Bisect if batch.writes.len() > 1 => return Ok(Some(batch)),
                        Action::Bisect => {
                            self.refuse(batch, error.message());
                            return Ok(None);
                        }
                        Action::Stop => return Err(error),
                    }
                }
            }
            self.limiter.acquire(batch.units()).await;
        }
    }

    /// Answers for the writes that have an outcome; returns those to be sent again.
    fn settle(&self, batch: Batch, reply: WriteReply) -> Batch {
        assert_eq!(reply.outcomes.len(), batch.writes.len(), "a sink answers for every write");
        let mut again = Batch { settles: batch.settles, ..Batch::default() };
        let mut answers = Vec::with_capacity(batch.writes.len());
        let mut written = 0;
        for ((write, lane), outcome) in batch.writes.into_iter().zip(batch.lanes).zip(reply.outcomes) {
            let key = write.item().key_hash();
            match outcome {
                Outcome::Written | Outcome::Superseded => {
                    written += usize::from(matches!(write, Write::Put(_)));
                    answers.push((lane, key, Answer::Written));
                }
                Outcome::Retry if mutant::is(Mutant::UnprocessedIgnored) => answers.push((lane, key, Answer::Written)),
                Outcome::Retry => again.push(write, lane),
                Outcome::Rejected(reason) => answers.push((lane, key, Answer::Rejected(reason, write))),
            }
        }
        self.stats.add_batch(written, reply.units);
        self.gate.answer(answers.into_iter(), batch.settles);
        again
    }

    /// Answers for a batch that is refused for good.
    fn refuse(&self, batch: Batch, reason: &str) {
        let writes = batch.lanes.into_iter().zip(batch.writes);
        let rejected = |lane, write: Write| (lane, write.item().key_hash(), Answer::Rejected(reason.to_owned(), write));
        self.gate.answer(writes.map(|(lane, write)| rejected(lane, write)), batch.settles);
    }
}
