//! One migration under live writes: crashes, resumes, and the comparison at its end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tableferry::checkpoint::{Checkpoint, RunState};
use tableferry::dynamodb::stream::TableStream;
use tableferry::dynamodb::{TableSink, TableSource, scan};
use tableferry::engine::{Migration, Options, Shutdown, Until};
use tableferry::error::{Error, ErrorKind};
use tableferry::event::{End, Event, Observer, Summary};
use tableferry::item::{KeyAttribute, KeyKind, KeySchema};
use tableferry::memory::MemoryCheckpoint;
use tableferry::stream::Position;
use tableferry::transform::Chain;
use tableferry::units::Rate;
use tokio::runtime::{Builder, Runtime};

use crate::forest::Forest;
use crate::shim::{ShardShim, Trim};
use crate::support::contents::assert_equal;
use crate::support::seed;
use crate::support::table::Table;
use crate::support::writers::{Load, Writers};
use crate::support::{ACCESS_KEY, REGION};

/// Items written or deleted while a run goes on.
const WRITES: u64 = 150;
/// The time for one request. After a crash nothing is written for 1.5 times this.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(1_000);
/// A calm stream that was silent for this long has nothing more.
const QUIET: Duration = Duration::from_millis(500);
/// No process takes longer to come to its end.
const LIMIT: Duration = Duration::from_secs(120);

/// How a run is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With equal tables.
    Equal,
    /// With an error, because a shard has forgotten changes that were not read.
    Gap,
}

/// What was done, over one or many runs.
#[derive(Debug, Default)]
pub struct Account {
    pub runs: u64,
    pub crashes: u64,
    /// Orderly stops.
    pub drains: u64,
    pub gaps: u64,
    pub items: usize,
    pub changes: usize,
    pub shards: usize,
    pub faults: BTreeMap<&'static str, u64>,
}

impl Account {
    pub fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.crashes += other.crashes;
        self.drains += other.drains;
        self.gaps += other.gaps;
        self.items += other.items;
        self.changes += other.changes;
        self.shards += other.shards;
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, crashes, drains, gaps, items, changes, shards, faults } = self;
        write!(f, "{runs} runs, {crashes} crashes, {drains} orderly stops, {gaps} gaps told; ")?;
        write!(f, "{items} items, {changes} changes in {shards} shards; ")?;
        let total: u64 = faults.values().sum();
        write!(f, "{total} oddities: {faults:?}; 0 lost, 0 extra, 0 stale")
    }
}

/// Plays one run; panics when its end is not as it must be.
pub fn play(seed: u64, ending: Ending, endpoint: &str) -> Account {
    let mut rng = StdRng::seed_from_u64(seed);
    let trial = Trial::new(&mut rng, seed, endpoint);
    let load =
        Load { seed, threads: 2, rate: rng.random_range(40.0..150.0), total: Some(WRITES), keys: trial.items + 60 };
    let writers = Writers::start(&trial.source, load);
    let mut account = match ending {
        Ending::Equal => trial.crash(&mut rng),
        Ending::Gap => trial.forget(&mut rng),
    };
    match ending {
        Ending::Equal => {
            writers.finish();
            trial.finish(&mut rng);
        }
        Ending::Gap => drop(writers),
    }
    let forest = trial.forest.lock().expect("not poisoned");
    assert!(forest.violations.is_empty(), "SEED={seed}: {:?}", forest.violations);
    account.runs = 1;
    (account.items, account.changes, account.shards) = (trial.items, forest.changes(), forest.len());
    account.faults = forest.counts.clone();
    account
}

struct Trial {
    seed: u64,
    items: usize,
    source: Table,
    destination: Table,
    stream: String,
    forest: Arc<Mutex<Forest>>,
    checkpoint: Arc<MemoryCheckpoint>,
    write_rate: Rate,
}

impl Trial {
    fn new(rng: &mut StdRng, seed: u64, endpoint: &str) -> Self {
        let (source, destination) = (Table::create(endpoint, "source"), Table::create(endpoint, "destination"));
        let items = rng.random_range(150..=220);
        source.seed(items, seed);
        let stream = source.enable_stream();
        // Changes from long before the run, which the scan sees too.
        let aged = rng.random_range(0..30);
        (0..aged).for_each(|number| source.put(&seed::items(&source.keys, number, 1, !seed)[0]));
        let write_rate = match rng.random_range(0..3) {
            0 => Rate::Unlimited,
            1 => Rate::Fixed(300.0),
            _ => Rate::Fixed(1_000.0),
        };
        let checkpoint = Arc::new(MemoryCheckpoint::new(rng.random_range(1..=8)));
        let forest = Arc::new(Mutex::new(Forest::new(seed, aged)));
        Self { seed, items, source, destination, stream, forest, checkpoint, write_rate }
    }

    /// Crashes, or now and then stops, some processes.
    fn crash(&self, rng: &mut StdRng) -> Account {
        let mut account = Account::default();
        while account.crashes < 1 || (account.crashes < 3 && rng.random_bool(0.5)) {
            let life = Duration::from_millis(rng.random_range(5..2_800));
            let process = Process::new(self, account.crashes + account.drains > 0, Until::Stopped, Trim::Never);
            match rng.random_bool(0.2) {
                true => {
                    let (summary, error) = process.stop_after(life);
                    assert_eq!(error, None, "SEED={}", self.seed);
                    assert_eq!(summary.end, End::Interrupted, "SEED={}", self.seed);
                    account.drains += 1;
                }
                false => {
                    let ended = process.drop_after(life);
                    assert!(ended.is_none(), "SEED={}: it ended by itself: {ended:?}", self.seed);
                    account.crashes += 1;
                }
            }
        }
        account
    }

    /// Brings the run to its end and compares.
    fn finish(&self, rng: &mut StdRng) {
        // Half of the time the last process begins on a stream that still holds changes back.
        let process = Process::new(self, true, Until::Quiet(QUIET), Trim::Never);
        let is_calm_at_once = rng.random_bool(0.5);
        let calm = || self.forest.lock().expect("not poisoned").calm();
        if is_calm_at_once {
            calm();
        }
        let calm_later = async {
            tokio::time::sleep(Duration::from_millis(450)).await;
            calm();
            std::future::pending::<()>().await;
        };
        let (summary, error) = process.end_beside(calm_later);
        assert_eq!(error, None, "SEED={}", self.seed);
        assert_eq!(summary.end, End::Done, "SEED={}", self.seed);
        assert_equal(&self.source.contents(), &self.destination.contents());
    }

    /// Runs until a shard has forgotten something, which must end the process with that error; the next one too.
    fn forget(&self, rng: &mut StdRng) -> Account {
        let mut account = Account::default();
        if rng.random_bool(0.5) {
            let life = Duration::from_millis(rng.random_range(5..900));
            Process::new(self, false, Until::Stopped, Trim::Never).drop_after(life);
            account.crashes += 1;
        }
        let process = Process::new(self, account.crashes > 0, Until::Stopped, Trim::Soon);
        let shim = process.shim.clone();
        self.assert_gap(process.end());
        let trim = shim.trim();
        let Trim::Done(forgotten) = &trim else { panic!("SEED={}: a gap without a reason", self.seed) };
        // A process that begins at a change of the shard must tell it too. One that begins before the shard's oldest
        // change may not: what is that old was in the table when the run began.
        let begins_behind = |state: &tableferry::checkpoint::ShardState| {
            state.id == *forgotten && !state.ended && !matches!(state.position, Position::Since(_))
        };
        if self.load().shards.iter().any(begins_behind) {
            self.assert_gap(Process::new(self, true, Until::Quiet(QUIET), trim).end());
        }
        account.gaps += 1;
        account
    }

    #[track_caller]
    fn assert_gap(&self, (summary, error): (Summary, Option<Error>)) {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::StreamGap), "SEED={}", self.seed);
        assert_eq!(summary.end, End::Failed, "SEED={}", self.seed);
    }

    /// What the next process finds on record.
    fn load(&self) -> RunState {
        futures::executor::block_on(self.checkpoint.load()).expect("memory does not fail")
    }
}

fn schema() -> KeySchema {
    KeySchema {
        partition: KeyAttribute::new("pk", KeyKind::String),
        sort: Some(KeyAttribute::new("sk", KeyKind::String)),
    }
}

/// Clients for items and for the stream, with a time-out and one attempt a call, as `connect` makes them of an environment.
fn clients(endpoint: &str) -> (aws_sdk_dynamodb::Client, aws_sdk_dynamodbstreams::Client) {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(REQUEST_TIMEOUT).build();
    let shared = aws_types::SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            ACCESS_KEY, "secret", None, None, "tests",
        )))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled())
        .build();
    (aws_sdk_dynamodb::Client::new(&shared), aws_sdk_dynamodbstreams::Client::new(&shared))
}

/// One life of an engine. Its runtime is its own, so that dropping that ends everything it had under way, its connections
/// too.
struct Process {
    runtime: Runtime,
    migration: Migration,
    shutdown: Arc<Shutdown>,
    shim: Arc<ShardShim>,
    memory: Arc<Memory>,
}

impl Process {
    fn new(trial: &Trial, was_killed: bool, until: Until, trim: Trim) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts");
        let (data, streams) = clients(&trial.source.endpoint());
        let ended = trial.load().shards.into_iter().filter(|shard| shard.ended).map(|shard| shard.id).collect();
        trial.forest.lock().expect("not poisoned").forget(&ended);
        let real = TableStream::new(streams, &trial.stream, schema());
        let shim = Arc::new(ShardShim::new(trial.forest.clone(), Arc::new(real), ended, trim));
        let (from, to) = (&trial.source.name, &trial.destination.name);
        let (shutdown, memory) = (Arc::new(Shutdown::default()), Arc::new(Memory::default()));
        let migration = Migration {
            options: Options {
                run: "trial".to_owned(),
                source: from.clone(),
                destination: to.clone(),
                schema: schema(),
                read_rate: Rate::Unlimited,
                write_rate: trial.write_rate,
                max_dead_letters: 0,
                give_up_after: LIMIT,
                items_estimated: trial.items as u64,
                until,
                request_timeout: REQUEST_TIMEOUT,
                visibility: Duration::ZERO,
                is_eventual: false,
                was_killed,
            },
            source: Arc::new(TableSource::new(data.clone(), from, schema(), scan::Consistency::Strong)),
            changes: Some(shim.clone()),
            transform: Arc::new(Chain::new(Vec::new())),
            sink: Arc::new(TableSink::new(data, to, schema())),
            checkpoint: trial.checkpoint.clone(),
            observer: memory.clone(),
            shutdown: shutdown.clone(),
        };
        Self { runtime, migration, shutdown, shim, memory }
    }

    /// Dies after a while; what it returned if it came to an end before.
    fn drop_after(self, life: Duration) -> Option<(Summary, Option<Error>)> {
        let Self { runtime, migration, .. } = self;
        let running = runtime.spawn(migration.run());
        let ended = runtime.block_on(async { tokio::time::timeout(life, running).await });
        // Waits until every task has let go: nothing of it works on when the next process begins.
        drop(runtime);
        ended.ok().map(|ended| ended.expect("the engine does not panic"))
    }

    /// Is asked to stop after a while.
    fn stop_after(self, life: Duration) -> (Summary, Option<Error>) {
        let shutdown = self.shutdown.clone();
        self.end_beside(async move {
            tokio::time::sleep(life).await;
            shutdown.drain();
            std::future::pending::<()>().await;
        })
    }

    fn end(self) -> (Summary, Option<Error>) {
        self.end_beside(std::future::pending())
    }

    /// Comes to its end while something else happens.
    fn end_beside(self, other: impl Future<Output = ()>) -> (Summary, Option<Error>) {
        let Self { runtime, migration, shim, memory, .. } = self;
        let checkpoint = migration.checkpoint.clone();
        let running = runtime.spawn(migration.run());
        let ended = runtime.block_on(async {
            tokio::select! {
                ended = tokio::time::timeout(LIMIT, running) => ended,
                () = other => unreachable!("it never ends"),
            }
        });
        if let Ok(ended) = ended {
            return ended.expect("the engine does not panic");
        }
        let last = memory.0.lock().expect("not poisoned").clone();
        let shards = futures::executor::block_on(checkpoint.load()).expect("memory does not fail").shards;
        panic!("it does not come to its end: {last:?}\non record: {shards:#?}\nin the stream: {}", shim.describe());
    }
}

/// Remembers how far a process had come, for the report of a failure.
#[derive(Default)]
struct Memory(Mutex<Option<Event>>);

impl Observer for Memory {
    fn observe(&self, event: Event) {
        *self.0.lock().expect("not poisoned") = Some(event);
    }
}
