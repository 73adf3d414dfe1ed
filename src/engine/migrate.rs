//! A migration: copy, tail, writer, commits and progress, from the start positions to the summary.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::checkpoint::{Checkpoint, RunState};
use crate::engine::apply::Applier;
use crate::engine::claims::{Claims, Tools};
use crate::engine::copy::{MEMORY_KIB, Reader};
use crate::engine::gate::Gate;
use crate::engine::in_flight::InFlight;
use crate::engine::letters::Letters;
use crate::engine::limiter::Limiter;
use crate::engine::lookups::Lookups;
use crate::engine::mutant::{self, Mutant};
use crate::engine::reads::Reads;
use crate::engine::shutdown::{Phase, Shutdown};
use crate::engine::stats::{LimiterView, Meter, Stats};
use crate::engine::tail::{Tail, TailState};
use crate::engine::watermark::Watermark;
use crate::engine::writer::Writer;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{End, Event, Observer, Summary};
use crate::item::KeySchema;
use crate::sink::Sink;
use crate::source::ScanSource;
use crate::stream::ChangeSource;
use crate::transform::Transform;
use crate::units::{Rate, Side};

/// Time between commits: what a kill makes us do again.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);
/// Time between looks at the counters.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// An orderly end that takes longer than this (the destination is down, say) becomes an immediate one.
const DRAIN_LIMIT: Duration = Duration::from_secs(15);
/// Time between looks whether the end is reached.
const END_INTERVAL: Duration = Duration::from_millis(50);
/// For so long after the copy each shard's tip is waited for, ...
const TIP_PATIENCE: Duration = Duration::from_secs(10);
/// ... and then a tail that is less than this behind has caught up.
const NEAR: Duration = Duration::from_secs(2);

/// Page requests under way: at first, and at the most.
const READS_IN_FLIGHT: (usize, usize) = (4, 32);
/// Batches under way: at first, and at the most.
const WRITES_IN_FLIGHT: (usize, usize) = (8, 128);

/// What ends a migration that has a tail; one without ends when the copy is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Nothing but a stop.
    Stopped,
    /// The end of the copy.
    Copied,
    /// The end of the copy, and after it every shard once read to its tip; or, when writes leave no pause for that, less
    /// than two seconds behind.
    CaughtUp,
    /// The end of the copy, and no shard has delivered anything for this long, everything being applied.
    Quiet(Duration),
}

/// What a migration needs besides its seams.
#[derive(Debug, Clone)]
pub struct Options {
    /// The run's name.
    pub run: String,
    /// Source table, for people.
    pub source: String,
    /// Destination table, for people.
    pub destination: String,
    /// Primary key of both tables.
    pub schema: KeySchema,
    /// Read capacity.
    pub read_rate: Rate,
    /// Write capacity.
    pub write_rate: Rate,
    /// More dead letters than this end the run.
    pub max_dead_letters: u64,
    /// Nothing read, or nothing written, for this long ends the run.
    pub give_up_after: Duration,
    /// The source's estimate of its items; 0 when unknown.
    pub items_estimated: u64,
    /// What ends it.
    pub until: Until,
    /// How long an attempt may take; one that was given up may land until 1.5 times this after its begin.
    pub request_timeout: Duration,
    /// How long ago a page may show the table; with `is_eventual` the first page waits for so long.
    pub visibility: Duration,
    /// Whether pages may be older than their request.
    pub is_eventual: bool,
    /// Whether requests of an earlier process may still be under way: nothing is written until they have ended.
    pub was_killed: bool,
}

/// A migration, ready to run.
pub struct Migration {
    /// What, how fast, how patiently.
    pub options: Options,
    /// Where items come from.
    pub source: Arc<dyn ScanSource>,
    /// Where changes come from; `None` for a source to which nobody writes.
    pub changes: Option<Arc<dyn ChangeSource>>,
    /// What becomes of them.
    pub transform: Arc<dyn Transform>,
    /// Where they go.
    pub sink: Arc<dyn Sink>,
    /// What survives a kill.
    pub checkpoint: Arc<dyn Checkpoint>,
    /// Who listens.
    pub observer: Arc<dyn Observer>,
    /// How to end it.
    pub shutdown: Arc<Shutdown>,
}

/// The parts of a migration under way.
struct Parts {
    reader: Arc<Reader>,
    tail: Option<Arc<Tail>>,
    writer: Arc<Writer>,
    /// When keys are free.
    claims: Option<Claims>,
    journalist: Journalist,
}

impl Migration {
    /// Works until everything is answered for, a stop is asked for, or an error ends it.
    ///
    /// Whatever the end, what is acknowledged is committed before this returns, and the summary is told and returned.
    /// Dropping the future is like a kill: the run continues from its last commit.
    pub async fn run(self) -> (Summary, Option<Error>) {
        let state = match self.checkpoint.load().await {
            Ok(state) => state,
            Err(error) => {
                let stats = Stats::new(&Default::default(), 0);
                return (self.summary(&stats, End::Failed, Vec::new()), Some(error));
            }
        };
        self.observer.observe(Event::Started {
            run: self.options.run.clone(),
            source: self.options.source.clone(),
            destination: self.options.destination.clone(),
            segments: state.segments,
            resumed: state.totals != Default::default() || state.segments_done > 0 || !state.shards.is_empty(),
        });
        let stats = Arc::new(Stats::new(&state, self.options.items_estimated));
        let mut parts = match self.parts(&state, &stats) {
            Ok(parts) => parts,
            Err(error) => return (self.summary(&stats, End::Failed, Vec::new()), Some(error)),
        };

        let mut background = JoinSet::new();
        let ended = Arc::new(Notify::new());
        background.spawn(parts.journalist.clone().run(self.shutdown.clone(), ended.clone()));
        let mut telling = JoinSet::new();
        telling.spawn(tell(self.observer.clone(), stats.clone(), parts.reader.clone(), parts.writer.clone()));
        let is_end_reached = self.work(&state, &mut parts, &stats).await;
        telling.shutdown().await;
        ended.notify_one();
        while let Some(ended) = background.join_next().await {
            self.check(ended);
        }

        let mut error = self.shutdown.error();
        if let Err(failed) = parts.journalist.commit().await {
            error = error.or(Some(failed));
        }
        let end = match &error {
            Some(_) => End::Failed,
            None if is_end_reached || (parts.tail.is_none() && stats.is_complete()) => End::Done,
            None => End::Interrupted,
        };
        let letters = match self.checkpoint.dead_letters().await {
            Ok(letters) => letters,
            Err(failed) => {
                error = error.or(Some(failed));
                Vec::new()
            }
        };
        (self.summary(&stats, end, letters), error)
    }

    fn parts(&self, state: &RunState, stats: &Arc<Stats>) -> Result<Parts> {
        let options = &self.options;
        let has_tail = self.changes.is_some();
        let watermark = Watermark::new(state.totals);
        let letters = Letters::new(
            state.dead_letters.keys().cloned(),
            options.schema.clone(),
            watermark.clone(),
            stats.clone(),
            self.observer.clone(),
            self.shutdown.clone(),
            options.max_dead_letters,
        );
        let reads = Reads {
            source: self.source.clone(),
            limiter: Arc::new(Limiter::new(Side::Read, options.read_rate)),
            stats: stats.clone(),
            give_up_after: options.give_up_after,
        };
        let schema = || options.schema.clone();
        let lookups = || Arc::new(Lookups::new(&options.source, schema(), reads.clone(), self.shutdown.clone()));
        let lookups = self.transform.has_lookups().then(lookups);
        let applier = Arc::new(Applier::new(self.transform.clone(), lookups, schema(), self.shutdown.clone()));
        let has_claims = applier.has_claims();
        let gate = Gate::new(self.sink.limits(), options.visibility, has_claims, stats.clone(), letters);
        let gate = Arc::new(gate);
        // Without a tail a key is written once, or again with the same item: what lands late does no harm.
        let settle = if has_tail || has_claims { options.request_timeout.mul_f64(1.5) } else { Duration::ZERO };
        let hold = if options.was_killed && !mutant::is(Mutant::NoSettle) { settle } else { Duration::ZERO };
        let writer = Arc::new(Writer {
            gate: gate.clone(),
            sink: self.sink.clone(),
            limiter: Limiter::new(Side::Write, options.write_rate),
            in_flight: Arc::new(InFlight::new(WRITES_IN_FLIGHT.0, WRITES_IN_FLIGHT.1)),
            stats: stats.clone(),
            shutdown: self.shutdown.clone(),
            give_up_after: options.give_up_after,
            settle,
            not_before: Instant::now() + hold,
        });
        let reader = Arc::new(Reader {
            reads: reads.clone(),
            applier: applier.clone(),
            gate: gate.clone(),
            checkpoint: self.checkpoint.clone(),
            segments: state.segments,
            in_flight: Arc::new(InFlight::new(READS_IN_FLIGHT.0, READS_IN_FLIGHT.1)),
            memory: Arc::new(Semaphore::new(MEMORY_KIB as usize)),
            watermark: watermark.clone(),
            shutdown: self.shutdown.clone(),
        });
        let tail = self.changes.clone().map(|source| {
            Arc::new(Tail {
                source,
                applier,
                gate,
                watermark: watermark.clone(),
                stats: stats.clone(),
                shutdown: self.shutdown.clone(),
                observer: self.observer.clone(),
                give_up_after: options.give_up_after,
                state: TailState::new(state),
            })
        });
        let tools = Tools {
            gate: reader.gate.clone(),
            applier: reader.applier.clone(),
            reads,
            checkpoint: self.checkpoint.clone(),
            schema: options.schema.clone(),
            shutdown: self.shutdown.clone(),
        };
        let claims = has_claims.then(|| Claims::new(tools, &state.claims, &state.dead_letters)).transpose()?;
        let checkpoint = self.checkpoint.clone();
        let journalist = Journalist { checkpoint, watermark, stats: stats.clone(), tail: tail.clone() };
        Ok(Parts { reader, tail, writer, claims, journalist })
    }

    /// Runs all parts until the end is reached, which it returns, or is near for another reason.
    async fn work(&self, state: &RunState, parts: &mut Parts, stats: &Arc<Stats>) -> bool {
        let mut tasks = JoinSet::new();
        let mut reading = JoinSet::new();
        // Ends after the writer, which it has to tell what to write.
        let mut claiming = JoinSet::new();
        if let Some(claims) = parts.claims.take() {
            claiming.spawn(claims.run());
        }
        let work = async {
            if let Some(tail) = &parts.tail
                && state.shards.is_empty()
                && !mutant::is(Mutant::LateStart)
                && !mutant::is(Mutant::TailAfterCopy)
                && let Err(error) = tail.fix_start(self.checkpoint.as_ref()).await
            {
                self.shutdown.fail(error);
                return false;
            }
            if let Some(tail) = parts.tail.clone() {
                tasks.spawn(follow(tail, self.checkpoint.clone(), state.shards.is_empty(), stats.clone()));
                if self.options.is_eventual && !mutant::is(Mutant::NoHold) {
                    tokio::time::sleep(self.options.visibility).await;
                }
            }
            for _ in 0..READS_IN_FLIGHT.1 {
                reading.spawn(parts.reader.clone().run());
            }
            let mut writing = JoinSet::new();
            writing.spawn(parts.writer.clone().run());
            while let Some(ended) = reading.join_next().await {
                self.check(ended);
            }
            let reached = match &parts.tail {
                None => true,
                Some(tail) => {
                    tokio::select! {
                        biased;
                        () = self.shutdown.reached(Phase::Draining) => false,
                        () = self.end_reached(tail, &parts.writer.gate, stats) => true,
                    }
                }
            };
            tasks.shutdown().await;
            parts.writer.gate.close();
            while let Some(ended) = writing.join_next().await {
                self.check(ended);
            }
            reached && self.shutdown.phase() == Phase::Running
        };
        let drain_limit = async {
            self.shutdown.reached(Phase::Draining).await;
            self.observer.observe(Event::Draining);
            tokio::time::sleep(DRAIN_LIMIT).await;
            self.shutdown.stop();
        };
        // Whatever still runs when this returns ends with its task set; its items have no answer and are read again.
        tokio::pin!(drain_limit);
        tokio::select! {
            biased;
            reached = work => reached,
            () = self.shutdown.reached(Phase::Stopped) => false,
            () = &mut drain_limit => false,
        }
    }

    /// Returns when the end that was asked for is reached.
    async fn end_reached(&self, tail: &Tail, gate: &Gate, stats: &Stats) {
        while !stats.is_complete() {
            tokio::time::sleep(END_INTERVAL).await;
        }
        let copied_at = Instant::now();
        loop {
            tokio::time::sleep(END_INTERVAL).await;
            // Under writes without a pause a shard may never be seen at its tip.
            let near = (copied_at.elapsed() >= TIP_PATIENCE).then_some(NEAR);
            let is_reached = match self.options.until {
                Until::Stopped => false,
                Until::Copied => true,
                Until::CaughtUp => tail.is_caught_up(copied_at, Duration::ZERO, near),
                Until::Quiet(quiet) => gate.is_idle() && tail.is_caught_up(copied_at, quiet, None),
            };
            if is_reached {
                return;
            }
        }
    }

    fn check(&self, ended: std::result::Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            self.shutdown.fail(Error::new(ErrorKind::Internal, format!("a task broke off: {error}")));
        }
    }

    fn summary(&self, stats: &Stats, end: End, dead_letters: Vec<crate::event::DeadLetterGroup>) -> Summary {
        let mut progress = Meter::default().read(stats, LimiterView::default(), LimiterView::default());
        progress.items_per_second = stats.mean_items_per_second();
        let (read_units, write_units) = stats.units();
        let run = self.options.run.clone();
        let summary = Summary { end, run, progress, read_units, write_units, dead_letters };
        self.observer.observe(Event::Finished(summary.clone()));
        summary
    }
}

/// Follows the stream; under two mutants from a moment that is too late.
async fn follow(tail: Arc<Tail>, checkpoint: Arc<dyn Checkpoint>, is_new: bool, stats: Arc<Stats>) {
    if is_new && (mutant::is(Mutant::LateStart) || mutant::is(Mutant::TailAfterCopy)) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        while mutant::is(Mutant::TailAfterCopy) && !stats.is_complete() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if let Err(error) = tail.fix_start(checkpoint.as_ref()).await {
            return tail.shutdown.fail(error);
        }
    }
    tail.run().await;
}

/// Sends progress until it is aborted.
async fn tell(observer: Arc<dyn Observer>, stats: Arc<Stats>, reader: Arc<Reader>, writer: Arc<Writer>) {
    let view = |limiter: &Limiter| LimiterView { allowed: limiter.allowed(), is_waiting: limiter.is_waiting() };
    let mut meter = Meter::default();
    loop {
        let progress = meter.read(&stats, view(&reader.reads.limiter), view(&writer.limiter));
        observer.observe(Event::Progress(progress));
        tokio::time::sleep(PROGRESS_INTERVAL).await;
    }
}

/// Stores what the watermark passed.
#[derive(Clone)]
struct Journalist {
    checkpoint: Arc<dyn Checkpoint>,
    watermark: Arc<Watermark>,
    stats: Arc<Stats>,
    tail: Option<Arc<Tail>>,
}

impl Journalist {
    /// Commits now and then until `ended`. A commit that was begun is finished: it has taken what it stores.
    async fn run(self, shutdown: Arc<Shutdown>, ended: Arc<Notify>) {
        loop {
            tokio::select! {
                biased;
                () = ended.notified() => return,
                () = tokio::time::sleep(COMMIT_INTERVAL) => {}
            }
            if let Err(error) = self.commit().await {
                return shutdown.fail(error);
            }
        }
    }

    async fn commit(&self) -> Result<()> {
        let (read_units, write_units) = self.stats.units();
        let mut commit = self.watermark.take(read_units, write_units);
        commit.totals.items_superseded = self.stats.items_superseded();
        commit.tail = self.tail.as_ref().map(|tail| tail.view());
        let done = commit.segments.iter().filter(|segment| segment.done).count();
        self.checkpoint.commit(commit).await?;
        self.stats.add_segments_done(done as u32);
        Ok(())
    }
}
