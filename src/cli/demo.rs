//! `tableferry demo`: the whole story on an embedded DynamoDB, in one process and without an account.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use tokio::sync::Notify;

use crate::cli::args::DemoArgs;
use crate::cli::preflight::Connections;
use crate::cli::run::prepare;
use crate::config::{Consistency, Output, RunSpec, TableSpec, TailSpec, UntilSpec};
use crate::dynamodb::Connection;
use crate::embedded::{EmbeddedDynamoDb, compare, seed};
use crate::engine::{Shutdown, Until};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Observer, Summary};
use crate::journal::RunDirectory;
use crate::policy::{EXIT_DONE, exit_code};
use crate::report;
use crate::units::RateSpec;

const SOURCE: &str = "court-alpha";
const DESTINATION: &str = "court-beta";
const RUN: &str = "demo";

/// The copy is slowed down to about this long, so that there is something to see and to interrupt.
const COPY_SECONDS: f64 = 5.0;
/// Write units of a seeded item, about.
const UNITS_PER_ITEM: f64 = 1.3;

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

    let state = tempfile::Builder::new().prefix("tableferry-demo-").tempdir();
    let state = state.map_err(|error| Error::new(ErrorKind::Io, format!("making a temporary directory: {error}")))?;
    let spec = spec(state.path().to_owned(), items, &database.endpoint_url());
    let connection = connection(&client, database.streams_client());

    let first = Instant::now();
    interrupt_half_way(&spec, &connection, u64::from(args.items) / 2).await?;
    let view = crate::journal::RunView::load(&RunDirectory::new(&spec.state_dir, RUN))?;
    say!(
        "2. killed    the copy to {DESTINATION} in the middle, after {}: {} of {} segments and {} items are on record",
        seconds(first),
        view.segments_done,
        view.segments,
        view.totals.items_written,
    );

    let second = Instant::now();
    let summary = copy(&spec, &connection, report::observer(spec.output)).await?;
    say!(
        "3. resumed   from the journal and copied the rest in {} ({:.0} items/s; this demo limits itself to {} write units/s)",
        seconds(second),
        summary.progress.items_per_second,
        spec.write_rate,
    );

    let third = Instant::now();
    let comparison = compare(&client, SOURCE, DESTINATION).await?;
    say!(
        "4. compared  {} items one by one in {}: {} missing, {} extra, {} different",
        comparison.compared,
        seconds(third),
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
    say!("\nboth tables are equal; the whole demo took {}", seconds(begun));
    Ok(EXIT_DONE)
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
        tail: TailSpec::Off,
        until: UntilSpec::Stopped,
        consistency: Consistency::Strong,
        read_rate: RateSpec::Unlimited,
        write_rate: RateSpec::Units((items as f64 * UNITS_PER_ITEM / COPY_SECONDS).ceil()),
        state_dir,
        run: RUN.to_owned(),
        max_dead_letters: 0,
        request_timeout: Duration::from_secs(10),
        give_up_after: Duration::from_secs(10),
        restart: false,
        output: Output::Terminal,
    }
}

fn connection(client: &Client, streams: aws_sdk_dynamodbstreams::Client) -> Connection {
    let data = client.config().to_builder().retry_config(RetryConfig::disabled()).build();
    Connection { control: client.clone(), data: Client::from_conf(data), streams, region: "us-east-1".to_owned() }
}

async fn copy(spec: &RunSpec, connection: &Connection, observer: Arc<dyn Observer>) -> Result<Summary> {
    let connections = Connections { source: connection.clone(), destination: connection.clone() };
    let prepared = prepare(spec, connections).await?;
    let (summary, error) = prepared.migrate(spec, Until::Stopped, observer, Arc::new(Shutdown::default())).await?;
    match error {
        Some(error) => Err(error),
        None => Ok(summary),
    }
}

/// Begins the copy and drops it when that many items are written: no goodbye, as with kill -9.
async fn interrupt_half_way(spec: &RunSpec, connection: &Connection, items: u64) -> Result<()> {
    let half_way = Arc::new(Notify::new());
    let observer = HalfWay { inner: report::observer(spec.output), items, reached: half_way.clone() };
    tokio::select! {
        copied = copy(spec, connection, Arc::new(observer)) => copied.map(drop),
        () = half_way.notified() => Ok(()),
    }
}

struct HalfWay {
    inner: Arc<dyn Observer>,
    items: u64,
    reached: Arc<Notify>,
}

impl Observer for HalfWay {
    fn observe(&self, event: Event) {
        if let Event::Progress(progress) = &event
            && progress.items_written >= self.items
        {
            self.reached.notify_one();
        }
        self.inner.observe(event);
    }
}
