//! `tableferry demo`: the whole story on an embedded DynamoDB, in one process and without an account.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use tokio::sync::watch;

use crate::cli::args::DemoArgs;
use crate::cli::drain::{self, Verdict};
use crate::cli::preflight::Connections;
use crate::cli::run::prepare;
use crate::config::{Consistency, Output, RunSpec, TableSpec, TailSpec, UntilSpec};
use crate::dynamodb::Connection;
use crate::embedded::{Application, EmbeddedDynamoDb, compare, seed};
use crate::engine::{Shutdown, Until};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{End, Event, Observer, Progress, Summary};
use crate::journal::{RunDirectory, RunView};
use crate::policy::{EXIT_DONE, EXIT_NOT_READY, exit_code};
use crate::report;
use crate::units::RateSpec;

const SOURCE: &str = "court-alpha";
const DESTINATION: &str = "court-beta";
const RUN: &str = "demo";

/// The copy is slowed down to about this long, so that there is something to see and to interrupt.
const COPY_SECONDS: f64 = 5.0;
/// Write units of a seeded item, about.
const UNITS_PER_ITEM: f64 = 1.3;

/// A tail that is less than this behind has caught up.
const CLOSE: Duration = Duration::from_secs(2);
/// How long it is followed after that.
const FOLLOWED: Duration = Duration::from_secs(3);
/// How long the frozen source must be silent, and how long that is waited for.
const QUIET: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(60);

/// As `println!`, for whoever still reads it.
macro_rules! say {
    ($($words:tt)*) => { report::to_stdout(&(format!($($words)*) + "\n")) };
}

/// Runs the command; the exit code, unless it fails.
pub async fn demo(args: &DemoArgs) -> Result<u8> {
    let begun = Instant::now();
    let items = args.items as usize;
    say!("tableferry demo: {items} items of an imagined court, on an embedded DynamoDB\n");

    let database = EmbeddedDynamoDb::start().await?;
    let client = database.client();
    seed::seed_table(&client, SOURCE, items, args.seed).await?;
    say!("1. seeded    table {SOURCE} with {items} items (seed {}) in {}", args.seed, seconds(begun));

    seed::switch_stream_on(&client, SOURCE).await?;
    let writing = Instant::now();
    let application = Application::start(&client, SOURCE, items, args.seed, args.writes);
    say!("2. written   its stream is on, and from now on an application writes {} times a second", args.writes);

    let state = tempfile::Builder::new().prefix("tableferry-demo-").tempdir();
    let state = state.map_err(|error| Error::new(ErrorKind::Io, format!("making a temporary directory: {error}")))?;
    let spec = spec(state.path().to_owned(), items, &database.endpoint_url());
    let connection = connection(&client, database.streams_client());
    let directory = RunDirectory::new(&spec.state_dir, RUN);

    kill_half_way(&spec, &connection, u64::from(args.items) / 2).await?;
    let view = RunView::load(&directory)?;
    say!(
        "3. killed    the copy to {DESTINATION} in the middle: {} of {} segments, {} items and {} changes are on record",
        view.segments_done,
        view.segments,
        view.totals.items_written,
        view.totals.changes_applied,
    );

    let (latest, progress) = Latest::new(report::observer(spec.output));
    let shutdown = Arc::new(Shutdown::default());
    let operator = async {
        let proof = Operator { directory: &directory, writing, progress }.cut_over(application).await;
        shutdown.drain();
        proof
    };
    let migration = migrate(&spec, &connection, Arc::new(latest), shutdown.clone());
    let (migrated, proof) = tokio::join!(migration, operator);
    migrated?;
    let verdict = proof?;

    let last = Instant::now();
    let comparison = compare(&client, SOURCE, DESTINATION).await?;
    say!(
        "7. compared  {} items one by one in {}: {} missing, {} extra, {} different",
        comparison.compared,
        seconds(last),
        comparison.missing,
        comparison.extra,
        comparison.different,
    );
    database.stop().await;

    if args.keep {
        say!("\nthe run's journal and log are in {}", state.keep().display());
    }
    if !comparison.is_equal() {
        report::to_stderr(&format!("error: the tables differ: {}", comparison.examples.join(", ")));
        return Ok(exit_code(ErrorKind::Internal));
    }
    if !verdict.drained {
        return Ok(EXIT_NOT_READY);
    }
    say!("\nboth tables are equal; the whole demo took {}", seconds(begun));
    Ok(EXIT_DONE)
}

/// Who watches the resumed run, and freezes the source when it is time.
struct Operator<'a> {
    directory: &'a RunDirectory,
    writing: Instant,
    progress: watch::Receiver<Progress>,
}

impl Operator<'_> {
    /// From the resumed copy to the proof that nothing is left.
    async fn cut_over(&mut self, application: Application) -> Result<Verdict> {
        let resumed = Instant::now();
        let copied = self.wait(|now| now.segments > 0 && now.segments_done == now.segments).await?;
        say!(
            "4. resumed   from the journal and copied the rest in {}; {} changes are applied, {} items were left to newer ones",
            seconds(resumed),
            copied.changes_applied,
            copied.items_superseded,
        );
        let copied_at = Instant::now();
        self.wait(|now| now.lag.is_some_and(|lag| lag < CLOSE)).await?;
        let caught_up = seconds(copied_at);
        let mut worst = Duration::ZERO;
        let until = tokio::time::Instant::now() + FOLLOWED;
        while let Ok(changed) = tokio::time::timeout_at(until, self.progress.changed()).await {
            changed.map_err(|_| ended_early())?;
            worst = worst.max(self.progress.borrow().lag.unwrap_or_default());
        }
        let writes = application.stop().await?;
        let pace = writes.total() as f64 / self.writing.elapsed().as_secs_f64();
        say!(
            "5. followed  less than {CLOSE:?} behind {caught_up} after the copy, and less than {} s from then on (a stream tells whole \
             seconds); then the source was frozen",
            worst.as_secs() + 1
        );
        say!(
            "             {} writes in {} ({pace:.0} a second): {} new, {} updates, {} deletes, {} deleted and put again, {} to {} hot items",
            writes.total(),
            seconds(self.writing),
            writes.puts,
            writes.updates,
            writes.deletes,
            writes.recreations,
            writes.hot,
            Application::HOT_ITEMS,
        );
        let verdict = drain::prove(self.directory, QUIET, PATIENCE, None).await?;
        let (shards, changes, seconds) = (verdict.shards, verdict.changes_applied, verdict.seconds);
        match verdict.drained {
            true => {
                say!("6. drained   nothing is left in {shards} shards after {seconds:.1} s; {changes} changes applied")
            }
            false => report::to_stderr(&format!("error: not drained: {}", verdict.reasons.join("; "))),
        }
        Ok(verdict)
    }

    async fn wait(&mut self, is_reached: impl FnMut(&Progress) -> bool) -> Result<Progress> {
        self.progress.wait_for(is_reached).await.map(|now| now.clone()).map_err(|_| ended_early())
    }
}

fn ended_early() -> Error {
    Error::new(ErrorKind::Internal, "the run ended before it was asked to")
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}

fn spec(state_dir: PathBuf, items: usize, endpoint_url: &str) -> RunSpec {
    let table = |name: &str| TableSpec {
        table: name.to_owned(),
        endpoint_url: Some(endpoint_url.to_owned()),
        region: None,
        profile: None,
    };
    RunSpec {
        source: table(SOURCE),
        destination: table(DESTINATION),
        create_destination: true,
        into_nonempty: false,
        segments: None,
        tail: TailSpec::Latest,
        until: UntilSpec::Stopped,
        consistency: Consistency::Strong,
        read_rate: RateSpec::Unlimited,
        write_rate: RateSpec::Units((items as f64 * UNITS_PER_ITEM / COPY_SECONDS).ceil()),
        transforms: None,
        deploy_table: None,
        force: false,
        state_dir,
        run: RUN.to_owned(),
        max_dead_letters: 0,
        // A killed run waits for 1.5 times this before it writes again.
        request_timeout: Duration::from_secs(2),
        give_up_after: Duration::from_secs(10),
        restart: false,
        output: Output::Terminal,
    }
}

fn connection(client: &Client, streams: aws_sdk_dynamodbstreams::Client) -> Connection {
    let data = client.config().to_builder().retry_config(RetryConfig::disabled()).build();
    Connection { control: client.clone(), data: Client::from_conf(data), streams, region: "us-east-1".to_owned() }
}

async fn migrate(
    spec: &RunSpec,
    connection: &Connection,
    observer: Arc<dyn Observer>,
    shutdown: Arc<Shutdown>,
) -> Result<Summary> {
    let connections = Connections { source: connection.clone(), destination: connection.clone() };
    let prepared = prepare(spec, connections).await?;
    let (summary, error) = prepared.migrate(spec, Until::Stopped, observer, shutdown).await?;
    match error {
        Some(error) => Err(error),
        None => Ok(summary),
    }
}

/// Begins the run and drops it when that many items are written: no goodbye, as with kill -9.
async fn kill_half_way(spec: &RunSpec, connection: &Connection, items: u64) -> Result<()> {
    let (latest, mut progress) = Latest::new(report::observer(spec.output));
    tokio::select! {
        ended = migrate(spec, connection, Arc::new(latest), Arc::default()) => ended.map(drop),
        _ = progress.wait_for(|now| now.items_written >= items) => Ok(()),
    }
}

/// Shows what happens, and keeps where the run stands for whoever waits for it.
struct Latest {
    inner: Arc<dyn Observer>,
    progress: watch::Sender<Progress>,
}

impl Latest {
    fn new(inner: Arc<dyn Observer>) -> (Self, watch::Receiver<Progress>) {
        let (sender, receiver) = watch::channel(Progress::default());
        (Self { inner, progress: sender }, receiver)
    }
}

impl Observer for Latest {
    fn observe(&self, event: Event) {
        match event {
            // The stop after the proof is the end of the story.
            Event::Draining => return,
            Event::Finished(summary) => {
                let end = if summary.end == End::Interrupted { End::Done } else { summary.end };
                return self.inner.observe(Event::Finished(Summary { end, ..summary }));
            }
            Event::Progress(ref progress) => drop(self.progress.send_replace(progress.clone())),
            _ => {}
        }
        self.inner.observe(event);
    }
}
