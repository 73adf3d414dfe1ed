//! The copy: readers, writer, commits and progress, from the first lease to the summary.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::checkpoint::{Checkpoint, DeadLetter, SegmentState};
use crate::engine::batcher::Batcher;
use crate::engine::in_flight::InFlight;
use crate::engine::limiter::Limiter;
use crate::engine::retry::Retry;
use crate::engine::shutdown::{Phase, Shutdown};
use crate::engine::stats::{LimiterView, Meter, Stats};
use crate::engine::watermark::Watermark;
use crate::engine::writer::Writer;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{End, Event, Observer, Summary};
use crate::item::{KeySchema, RawItem};
use crate::policy::{Action, action};
use crate::sink::Sink;
use crate::source::{Cursor, Page, ScanSource};
use crate::transform::{Rejection, Transform};
use crate::units::{Rate, Side};

/// Time between commits: what a kill makes us do again.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);
/// Time between looks at the counters.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// An orderly end that takes longer than this (the destination is down, say) becomes an immediate one.
const DRAIN_LIMIT: Duration = Duration::from_secs(15);

/// Memory for pages that are read and not answered for, in KiB: about ten pages. More would only be out of the
/// processor's cache by the time it is written.
const MEMORY_KIB: u32 = 16 * 1024;
/// What one page is assumed to hold until it is there: 1 MB of items are about 1.3 MB of JSON.
const PAGE_KIB: u32 = 1536;

/// Page requests under way: at first, and at the most.
const READS_IN_FLIGHT: (usize, usize) = (4, 32);
/// Batches under way: at first, and at the most.
const WRITES_IN_FLIGHT: (usize, usize) = (8, 128);

/// What a copy needs besides its seams.
#[derive(Debug, Clone)]
pub struct CopyOptions {
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
}

/// A copy, ready to run.
pub struct Copy {
    /// What, how fast, how patiently.
    pub options: CopyOptions,
    /// Where items come from.
    pub source: Arc<dyn ScanSource>,
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

impl Copy {
    /// Copies until everything is answered for, a stop is asked for, or an error ends it.
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
            resumed: state.totals != Default::default() || state.segments_done > 0,
        });
        let stats = Arc::new(Stats::new(&state, self.options.items_estimated));
        let watermark = Watermark::new(state.totals);
        let writer = Arc::new(Writer {
            batcher: Batcher::new(self.sink.limits()),
            sink: self.sink.clone(),
            schema: self.options.schema.clone(),
            limiter: Limiter::new(Side::Write, self.options.write_rate),
            in_flight: Arc::new(InFlight::new(WRITES_IN_FLIGHT.0, WRITES_IN_FLIGHT.1)),
            stats: stats.clone(),
            watermark: watermark.clone(),
            shutdown: self.shutdown.clone(),
            observer: self.observer.clone(),
            max_dead_letters: self.options.max_dead_letters,
            give_up_after: self.options.give_up_after,
        });
        let reader = Arc::new(Reader {
            source: self.source.clone(),
            transform: self.transform.clone(),
            checkpoint: self.checkpoint.clone(),
            segments: state.segments,
            limiter: Limiter::new(Side::Read, self.options.read_rate),
            in_flight: Arc::new(InFlight::new(READS_IN_FLIGHT.0, READS_IN_FLIGHT.1)),
            memory: Arc::new(Semaphore::new(MEMORY_KIB as usize)),
            writer: writer.clone(),
        });
        let journalist = Journalist { checkpoint: self.checkpoint.clone(), watermark, stats: stats.clone() };

        let mut background = JoinSet::new();
        background.spawn(journalist.clone().run(self.shutdown.clone()));
        background.spawn(tell(self.observer.clone(), stats.clone(), reader.clone(), writer.clone()));
        move_items(&self.shutdown, self.observer.as_ref(), reader.clone(), writer.clone()).await;
        background.shutdown().await;
        drop((reader, writer));

        let mut error = self.shutdown.error();
        if let Err(failed) = journalist.commit().await {
            error = error.or(Some(failed));
        }
        let end = match (&error, self.shutdown.phase()) {
            (Some(_), _) => End::Failed,
            (None, Phase::Running) => End::Done,
            (None, _) if stats.is_complete() => End::Done,
            (None, _) => End::Interrupted,
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

/// Runs readers and writer until all is answered for or the end is near.
async fn move_items(shutdown: &Arc<Shutdown>, observer: &dyn Observer, reader: Arc<Reader>, writer: Arc<Writer>) {
    let mut readers = JoinSet::new();
    for _ in 0..READS_IN_FLIGHT.1 {
        readers.spawn(reader.clone().run());
    }
    let mut writing = JoinSet::new();
    writing.spawn(writer.clone().run());

    let work = async {
        while let Some(ended) = readers.join_next().await {
            check(shutdown, ended);
        }
        writer.batcher.close();
        while let Some(ended) = writing.join_next().await {
            check(shutdown, ended);
        }
    };
    let drain_limit = async {
        shutdown.reached(Phase::Draining).await;
        observer.observe(Event::Draining);
        tokio::time::sleep(DRAIN_LIMIT).await;
        shutdown.stop();
    };
    tokio::pin!(drain_limit);
    tokio::select! {
        () = work => {}
        () = shutdown.reached(Phase::Stopped) => {}
        () = &mut drain_limit => {}
    }
    // Whatever still runs ends here; its items have no answer and are read again.
    readers.shutdown().await;
    writing.shutdown().await;
}

fn check(shutdown: &Shutdown, ended: std::result::Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        shutdown.fail(Error::new(ErrorKind::Internal, format!("a task broke off: {error}")));
    }
}

/// Sends progress until it is aborted.
async fn tell(observer: Arc<dyn Observer>, stats: Arc<Stats>, reader: Arc<Reader>, writer: Arc<Writer>) {
    let view = |limiter: &Limiter| LimiterView { allowed: limiter.allowed(), is_waiting: limiter.is_waiting() };
    let mut meter = Meter::default();
    loop {
        let progress = meter.read(&stats, view(&reader.limiter), view(&writer.limiter));
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
}

impl Journalist {
    async fn run(self, shutdown: Arc<Shutdown>) {
        loop {
            tokio::time::sleep(COMMIT_INTERVAL).await;
            if let Err(error) = self.commit().await {
                return shutdown.fail(error);
            }
        }
    }

    async fn commit(&self) -> Result<()> {
        let (read_units, write_units) = self.stats.units();
        let commit = self.watermark.take(read_units, write_units);
        let done = commit.segments.iter().filter(|segment| segment.done).count();
        self.checkpoint.commit(commit).await?;
        self.stats.add_segments_done(done as u32);
        Ok(())
    }
}

/// Reads segments, page by page.
struct Reader {
    source: Arc<dyn ScanSource>,
    transform: Arc<dyn Transform>,
    checkpoint: Arc<dyn Checkpoint>,
    segments: u32,
    limiter: Limiter,
    in_flight: Arc<InFlight>,
    memory: Arc<Semaphore>,
    writer: Arc<Writer>,
}

impl Reader {
    async fn run(self: Arc<Self>) {
        let shutdown = &self.writer.shutdown;
        while shutdown.phase() == Phase::Running {
            let read = match self.checkpoint.lease().await {
                Ok(None) => return,
                Ok(Some(segment)) => tokio::select! {
                    read = self.read_segment(segment) => read,
                    // A page that was asked for and not answered is asked for again when the run resumes.
                    () = shutdown.reached(Phase::Draining) => return,
                },
                Err(error) => Err(error),
            };
            if let Err(error) = read {
                return shutdown.fail(error);
            }
        }
    }

    async fn read_segment(&self, state: SegmentState) -> Result<()> {
        let segment = state.segment;
        let mut cursor = state.cursor.clone();
        self.writer.watermark.open_segment(state);
        // Of the first page nothing is known; later ones cost about what the last one did.
        let mut units_expected = 1.0;
        loop {
            let mut memory = self.reserve(PAGE_KIB).await?;
            let permit = self.in_flight.acquire().await;
            let page = self.read_page(segment, cursor.as_ref(), units_expected).await;
            let page = page.map_err(|error| error.context(format!("reading segment {segment}")))?;
            drop(permit);
            units_expected = page.units;
            drop(memory.split((PAGE_KIB as usize).saturating_sub(page.bytes / 1024 + 1)));
            let next = page.next.clone();
            self.hand_over(segment, page, memory);
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn reserve(&self, kib: u32) -> Result<OwnedSemaphorePermit> {
        let reserved = self.memory.clone().acquire_many_owned(kib).await;
        reserved.map_err(|_| Error::new(ErrorKind::Internal, "the memory budget is closed"))
    }

    async fn read_page(&self, segment: u32, cursor: Option<&Cursor>, units_expected: f64) -> Result<Page> {
        let stats = &self.writer.stats;
        let mut retry = Retry::new(stats, Side::Read, self.writer.give_up_after);
        loop {
            self.limiter.acquire(units_expected).await;
            match self.source.read_page(segment, self.segments, cursor).await {
                Ok(page) => {
                    self.limiter.settle(units_expected, page.units);
                    self.in_flight.success();
                    stats.add_page(page.items.len(), page.units);
                    return Ok(page);
                }
                Err(error) => {
                    self.limiter.settle(units_expected, 0.0);
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
                        // A Scan has no items that could be at fault: what it refuses, it refuses for good.
                        Action::Bisect | Action::Stop => return Err(error),
                    }
                }
            }
        }
    }

    /// Transforms a page's items and queues the outputs.
    fn hand_over(&self, segment: u32, page: Page, memory: OwnedSemaphorePermit) {
        let items_read = page.items.len();
        let mut outputs: Vec<RawItem> = Vec::with_capacity(items_read);
        let mut rejected = Vec::new();
        for item in page.items {
            let kept = outputs.len();
            if let Err(rejection) = self.transform.apply(item, &mut outputs) {
                let Rejection { item, reason } = *rejection;
                outputs.truncate(kept);
                rejected.push((item.key_json(&self.writer.schema), reason));
            }
        }
        let answers = outputs.len() + rejected.len();
        let watermark = &self.writer.watermark;
        let ticket = watermark.open_page(segment, page.next, items_read, answers, Some(memory));
        for (key, reason) in rejected {
            let reason = format!("transform {}: {reason}", self.transform.name());
            self.writer.record(DeadLetter { key, reason, segment, page: ticket.page });
            ticket.answer(1, 0);
        }
        self.writer.batcher.push(outputs, &ticket);
    }
}
