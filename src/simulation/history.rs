//! One history: lives and deaths of the engine, the freeze, the last run, the comparison.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::checkpoint::SlowCheckpoint;
use super::items::schema;
use super::oracle::{Differences, compare};
use super::profile::{Profile, Stop};
use super::shards::CHILD_UNSEEN_MS;
use super::sink::Table;
use super::source::Source;
use super::stream::Stream;
use super::transforms::{Kind, Shaper};
use super::workload;
use super::world::{Tally, World, tell};
use crate::engine::{Migration, Options, Shutdown, Until};
use crate::error::{Error, ErrorKind};
use crate::event::{End, Event, Observer, Summary};
use crate::memory::MemoryCheckpoint;

/// After the freeze, until every change can be read and every shard is listed.
const SETTLED: Duration = Duration::from_millis(CHILD_UNSEEN_MS as u64 + 1500);
/// For how long the stream must be quiet at the end.
const QUIET: Duration = Duration::from_secs(30);

/// How a history went wrong.
#[derive(Debug)]
pub enum Failure {
    /// The engine said that it was done, and the destination is not what it must be.
    Wrong(Differences),
    /// The engine did what it must not do, ended with an error, or never ended.
    Broken(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(differences) => write!(f, "{differences}"),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

/// What happened, and a number that is equal for equal histories.
#[derive(Debug)]
pub struct Account {
    pub tally: Tally,
    pub trace: u64,
}

struct Silent;

impl Observer for Silent {
    fn observe(&self, _: Event) {}
}

/// Runs the history of a seed in a world of its own.
pub fn run(seed: u64, profile: Profile) -> Result<Account, Failure> {
    // The engine's jitter.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    // Inside, where the time is the simulated one.
    runtime.expect("a runtime").block_on(async { History::new(seed, profile).run().await })
}

struct History {
    world: Arc<World>,
    memory: Arc<MemoryCheckpoint>,
    lives: u64,
    long_pauses: usize,
}

/// How a life of the engine ended by itself.
type Ended = (Summary, Option<Error>);

impl History {
    fn new(seed: u64, profile: Profile) -> Self {
        let memory = Arc::new(MemoryCheckpoint::new(profile.segments));
        Self { world: World::new(seed, profile), memory, lives: 0, long_pauses: 0 }
    }

    async fn run(mut self) -> Result<Account, Failure> {
        let is_done = self.live().await?;
        let world = &self.world;
        // Until whatever is under way has landed or never will.
        tokio::time::sleep(world.request_timeout() * 2).await;
        if is_done {
            self.compare()?;
        }
        world.with(|state| {
            state.count("histories");
            match state.violations.first() {
                Some(violation) => Err(Failure::Broken(violation.clone())),
                None => Ok(()),
            }
        })?;
        Ok(Account { tally: world.with(|state| state.tally.clone()), trace: world.trace() })
    }

    /// All lives of the engine; whether the last one came to the end, and was not given up with a good reason before.
    async fn live(&mut self) -> Result<bool, Failure> {
        let world = self.world.clone();
        let workload = tokio::spawn(workload::run(world.clone()));
        for stop in world.profile.stops.clone() {
            if !self.stopped_life(stop).await? {
                return Ok(false);
            }
            self.pause().await;
        }
        if world.profile.has_tail && world.with(|state| state.random.chance(0.8)) {
            if !self.life_over_the_freeze(workload).await? {
                return Ok(false);
            }
        } else {
            workload.await.expect("the workload ends");
        }
        tokio::time::sleep(SETTLED).await;
        self.last_life().await
    }

    /// An engine that is killed or stopped, unless it ends before.
    async fn stopped_life(&mut self, stop: Stop) -> Result<bool, Failure> {
        let world = self.world.clone();
        let shutdown = Arc::new(Shutdown::default());
        let until = world.with(|state| {
            state.random.pick(&[Until::Stopped, Until::Stopped, Until::CaughtUp, Until::Copied, Until::Quiet(QUIET)])
        });
        let longest = Duration::from_secs(world.profile.longest_s);
        let crash_at_call = if let Stop::CrashAtCall(call) = stop { Some(call) } else { None };
        let engine = self.engine(until, &shutdown, crash_at_call);
        let time = async {
            match stop {
                Stop::Crash { after_ms } => tokio::time::sleep(Duration::from_millis(after_ms)).await,
                // An engine may be done before it has made so many calls.
                Stop::CrashAtCall(_) => tokio::time::sleep(Duration::from_secs(20)).await,
                Stop::Drain { after_ms } => {
                    tokio::time::sleep(Duration::from_millis(after_ms)).await;
                    shutdown.drain();
                    tokio::time::sleep(longest).await;
                }
            }
        };
        let ended = tokio::select! {
            biased;
            () = world.killed() => None,
            ended = engine.run() => Some(ended),
            () = time => None,
        };
        let is_drain = matches!(stop, Stop::Drain { .. });
        match ended {
            Some(ended) => {
                world.with(|state| state.count(if is_drain { "drains" } else { "ends before the crash" }));
                self.judge(&ended)
            }
            None if is_drain => Err(Failure::Broken("a stop was asked for and nothing ended".to_owned())),
            None => {
                world.with(|state| state.count("crashes"));
                Ok(true)
            }
        }
    }

    /// An engine that runs while the last changes are made, and is stopped some time after.
    async fn life_over_the_freeze(&mut self, workload: tokio::task::JoinHandle<()>) -> Result<bool, Failure> {
        let shutdown = Arc::new(Shutdown::default());
        let engine = self.engine(Until::Stopped, &shutdown, None);
        let longest = Duration::from_secs(self.world.profile.longest_s);
        let longer = self.world.with(|state| Duration::from_millis(state.random.between(0, 4000)));
        let freeze = async {
            workload.await.expect("the workload ends");
            tokio::time::sleep(longer).await;
            shutdown.drain();
            tokio::time::sleep(longest).await;
        };
        let ended = tokio::select! {
            biased;
            ended = engine.run() => ended,
            () = freeze => return Err(Failure::Broken("a stop was asked for and nothing ended (over the freeze)".to_owned())),
        };
        self.judge(&ended)
    }

    /// The engine on the frozen source, to its end.
    async fn last_life(&mut self) -> Result<bool, Failure> {
        let longest = Duration::from_secs(self.world.profile.longest_s);
        let engine = self.engine(Until::Quiet(QUIET), &Arc::default(), None);
        let Ok(ended) = tokio::time::timeout(longest, engine.run()).await else {
            return Err(Failure::Broken("the last run did not end".to_owned()));
        };
        let may_go_on = self.judge(&ended)?;
        let (Summary { end, progress, .. }, _) = ended;
        if !may_go_on {
            return Ok(false);
        }
        if end != End::Done {
            return Err(Failure::Broken(format!("the last run ended {end:?}")));
        }
        let letters = self.memory.letters().len() as u64;
        if progress.dead_letters != letters {
            return Err(Failure::Broken(format!("{} dead letters told, {letters} on record", progress.dead_letters)));
        }
        let profile = &self.world.profile;
        let items = self.world.with(|state| state.table.items().len()) as u64;
        let is_counted = profile.changes == 0 && profile.stale_ms == 0;
        let is_copy = is_counted && !profile.has_tail && profile.transform == Kind::PassThrough;
        let counted = (progress.items_read, progress.items_written);
        if is_copy && counted != (items, items - letters) {
            return Err(Failure::Broken(format!("{items} items, {letters} letters, but counted {counted:?}")));
        }
        Ok(true)
    }

    /// Whether another life may follow: not if the engine gave up because changes are gone or soon will be, which it must
    /// not do without a reason.
    fn judge(&self, (_, error): &Ended) -> Result<bool, Failure> {
        let Some(error) = error else { return Ok(true) };
        let profile = &self.world.profile;
        let given_up = match error.kind() {
            ErrorKind::StreamGap if profile.may_gap() => "gaps found",
            ErrorKind::TailBehind if profile.may_be_behind() => "tails too far behind",
            kind => return Err(Failure::Broken(format!("{kind:?}: {error}"))),
        };
        self.world.with(|state| state.count(given_up));
        Ok(false)
    }

    /// Nobody runs, for a while or for hours; the application goes on.
    async fn pause(&mut self) {
        let world = &self.world;
        let profile = &world.profile;
        let short_ms = world.with(|state| state.random.between(1, profile.longest_pause_ms));
        tokio::time::sleep(Duration::from_millis(short_ms)).await;
        let Some(long_ms) = profile.long_pauses_ms.get(self.long_pauses) else { return };
        self.long_pauses += 1;
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(*long_ms as u64 / 5)).await;
            if profile.changes > 0 {
                world.with(|state| {
                    state.step(world.now_ms(), profile);
                    state.roll_any(world.now_ms());
                });
            }
        }
        world.with(|state| state.count("pauses of hours"));
    }

    fn engine(&mut self, until: Until, shutdown: &Arc<Shutdown>, crash_at_call: Option<u64>) -> Migration {
        let world = &self.world;
        let profile = &world.profile;
        tell(world.now_ms(), "", || format!("the engine begins, {until:?}"));
        world.begin_incarnation(crash_at_call);
        self.lives += 1;
        Migration {
            options: Options {
                run: "simulation".to_owned(),
                source: "source".to_owned(),
                destination: "destination".to_owned(),
                schema: schema(),
                read_rate: profile.read_rate,
                write_rate: profile.write_rate,
                max_dead_letters: 1000,
                give_up_after: Duration::from_secs(3600),
                items_estimated: profile.keys as u64,
                until,
                request_timeout: world.request_timeout(),
                visibility: Duration::from_millis(profile.visibility_ms),
                is_eventual: profile.stale_ms > 0,
                was_killed: self.lives > 1,
            },
            source: Arc::new(Source(world.clone())),
            changes: profile.has_tail.then(|| Arc::new(Stream(world.clone())) as _),
            transform: Arc::new(self.shaper()),
            sink: Arc::new(Table(world.clone())),
            checkpoint: Arc::new(SlowCheckpoint { world: world.clone(), memory: self.memory.clone() }),
            observer: Arc::new(Silent),
            shutdown: shutdown.clone(),
        }
    }

    fn shaper(&self) -> Shaper {
        Shaper { kind: self.world.profile.transform, refuses: self.world.profile.refuses }
    }

    fn compare(&self) -> Result<(), Failure> {
        let letters = self.memory.letters();
        let differences =
            self.world.with(|state| compare(&state.table.items(), &self.shaper(), &state.destination.items, &letters));
        if !differences.is_none() {
            return Err(Failure::Wrong(differences));
        }
        self.world.with(|state| {
            *state.tally.entry("items compared").or_default() += state.destination.items.len() as u64;
            *state.tally.entry("dead letters").or_default() += letters.len() as u64;
        });
        Ok(())
    }
}
