//! `tableferry run`: copies a table, or goes on with a copy that was stopped.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::applied::Transforms;
use crate::cli::args::RunArgs;
use crate::cli::preflight::{self, Connections, Ends};
use crate::cli::{code, log, signals};
use crate::config::{self, Consistency, RunSpec, UntilSpec};
use crate::dynamodb::{TableSink, TableSource, TableStream, scan};
use crate::engine::shutdown::Phase;
use crate::engine::{Migration, Options, Shutdown, Until};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{End, Observer, Summary};
use crate::journal::{Identity, Journal, RunDirectory, RunLock, RunStatus};
use crate::policy::EXIT_INTERRUPTED;
use crate::report;
use crate::stream::ChangeSource;
use crate::transform::Chain;
use crate::units::Side;

/// Runs the command; the exit code, unless it fails.
pub async fn run(args: RunArgs) -> Result<u8> {
    let spec = config::resolve(&args, &config::process_environment)?;
    let shutdown = Arc::new(Shutdown::default());
    signals::listen(shutdown.clone())?;
    let observer = report::observer(spec.output);
    let preparing = async { prepare(&spec, preflight::connections(&spec).await?).await };
    let prepared = tokio::select! {
        prepared = preparing => prepared?,
        () = shutdown.reached(Phase::Draining) => return Ok(EXIT_INTERRUPTED),
    };
    let (summary, error) = prepared.migrate(&spec, until(&spec), observer, shutdown).await?;
    match error {
        Some(error) => Err(error),
        None => code(summary.end, summary.progress.dead_letters),
    }
}

fn until(spec: &RunSpec) -> Until {
    match spec.until {
        UntilSpec::Stopped => Until::Stopped,
        UntilSpec::Copied => Until::Copied,
        UntilSpec::CaughtUp => Until::CaughtUp,
    }
}

/// How long ago a strongly consistent page may show the table: not at all, but a margin is cheap.
const VISIBILITY_STRONG: Duration = Duration::from_secs(5);
/// How long ago an eventually consistent one may.
const VISIBILITY_EVENTUAL: Duration = Duration::from_secs(60);
/// Changes are kept for 24 hours: a run that stood still for longer than this has lost some, or is about to.
const LONGEST_PAUSE: Duration = Duration::from_secs(23 * 3600);
/// An earlier process that ended longer ago than this has no requests under way any more.
const LATEST_LANDING: Duration = Duration::from_secs(600);

/// A run whose tables are checked and whose journal is open.
pub(super) struct Prepared {
    ends: Ends,
    chain: Chain,
    journal: Journal,
    was_killed: bool,
    _lock: RunLock,
}

/// Checks everything that can be checked and opens the journal, a new one or that of an earlier process.
pub(super) async fn prepare(spec: &RunSpec, connections: Connections) -> Result<Prepared> {
    let directory = RunDirectory::new(&spec.state_dir, &spec.run);
    directory.create()?;
    let lock = directory.lock()?;
    log::start(&directory)?;
    if directory.journal().exists() && !spec.restart {
        // A damaged journal is told first: nothing else matters then.
        let journal = Journal::open(&directory)?;
        let status = journal.status().await?;
        let age = journal.heartbeat_age().await?;
        let ends = preflight::ends(connections, spec, false).await.map_err(|error| match error.kind() {
            ErrorKind::StreamUnfit => error.hint(
                "this run followed a stream that is gone or changed: what was deleted since is not known. Switch a stream \
                 with NEW_AND_OLD_IMAGES on, and begin again with --restart into an empty destination",
            ),
            _ => error,
        })?;
        let transforms = Transforms::load(spec, &ends.connections, &ends.source).await?;
        let chain = transforms.chain();
        check_unchanged(&journal.identity().await?, spec, &ends, &chain)?;
        if ends.stream.is_some() {
            check_stream_remembers(spec, status, age)?;
        }
        let was_killed = age < LATEST_LANDING;
        directory.keep_spec(&spec.to_json())?;
        return Ok(Prepared { ends, chain, journal, was_killed, _lock: lock });
    }
    let ends = preflight::ends(connections, spec, spec.create_destination).await?;
    let transforms = Transforms::load(spec, &ends.connections, &ends.source).await?;
    check_needed(spec, &transforms)?;
    let chain = transforms.chain();
    if !spec.into_nonempty {
        ends.check_empty().await?;
    }
    let segments = spec.segments.unwrap_or_else(|| preflight::choose_segments(&ends.source));
    let identity = ends.identity(segments, &chain);
    let journal = Journal::create(&directory, &identity, segments, ends.source.items_estimated())?;
    directory.keep_spec(&spec.to_json())?;
    Ok(Prepared { ends, chain, journal, was_killed: false, _lock: lock })
}

/// Refuses a migration that would change nothing, and tells what it would do without.
fn check_needed(spec: &RunSpec, transforms: &Transforms) -> Result<()> {
    if transforms.is_nothing_new() && !spec.force {
        let message = format!("no migration is needed: all {} transforms are applied already", transforms.all.len());
        return Err(Error::new(ErrorKind::NotNeeded, message)
            .hint("`tableferry plan` shows the records; --force migrates all the same"));
    }
    for (name, record) in transforms.applied() {
        let when = record.created_at.as_ref().map_or(String::new(), |when| format!(", on {when}"));
        report::to_stderr(&format!("{name} is skipped: an earlier migration has applied it{when}"));
    }
    Ok(())
}

/// Refuses a run that the stream has passed by.
fn check_stream_remembers(spec: &RunSpec, status: RunStatus, age: Duration) -> Result<()> {
    let message = match status {
        RunStatus::Gap => format!("run {}: the stream has forgotten changes that the run had not read", spec.run),
        _ if age > LONGEST_PAUSE => {
            format!("run {} stood still for {} hours; the stream keeps 24", spec.run, age.as_secs() / 3600)
        }
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::StreamGap, message).hint(
        "what was deleted meanwhile is not known, so the run cannot go on: empty the destination, or name a new one, and \
         begin again with --restart",
    ))
}

fn check_unchanged(before: &Identity, spec: &RunSpec, ends: &Ends, chain: &Chain) -> Result<()> {
    let stored = before.0.iter().find(|(name, _)| name == "segments").and_then(|(_, count)| count.parse().ok());
    let segments = spec.segments.or(stored).unwrap_or(0);
    let differences = before.differences(&ends.identity(segments, chain));
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("run {} was begun with something else: {}", spec.run, differences.join("; "));
    Err(Error::new(ErrorKind::RunChanged, message).hint(
        "use what it was begun with; or another --run; or begin again with --restart (and --into-nonempty, as the \
         destination may hold items by now)",
    ))
}

impl Prepared {
    /// Works to the end, or to an end. The status on record says which.
    pub(super) async fn migrate(
        self,
        spec: &RunSpec,
        until: Until,
        observer: Arc<dyn Observer>,
        shutdown: Arc<Shutdown>,
    ) -> Result<(Summary, Option<Error>)> {
        let Self { ends, chain, journal, was_killed, _lock } = self;
        let (consistency, visibility) = match spec.consistency {
            Consistency::Strong => (scan::Consistency::Strong, VISIBILITY_STRONG),
            Consistency::Eventual => (scan::Consistency::Eventual, VISIBILITY_EVENTUAL),
        };
        let schema = ends.source.schema.clone();
        let from = &ends.connections.source;
        let stream = |arn: &String| TableStream::new(from.streams.clone(), arn, schema.clone());
        let changes = ends.stream.as_ref().map(|arn| Arc::new(stream(arn)) as Arc<dyn ChangeSource>);
        let has_tail = changes.is_some();
        let migration = Migration {
            options: Options {
                run: spec.run.clone(),
                source: ends.source.name.clone(),
                destination: ends.destination.name.clone(),
                schema: schema.clone(),
                read_rate: ends.rate(Side::Read, spec.read_rate)?,
                write_rate: ends.rate(Side::Write, spec.write_rate)?,
                max_dead_letters: spec.max_dead_letters,
                give_up_after: spec.give_up_after,
                items_estimated: ends.source.items_estimated(),
                until,
                request_timeout: spec.request_timeout,
                visibility,
                is_eventual: spec.consistency == Consistency::Eventual,
                was_killed,
            },
            source: Arc::new(TableSource::new(from.data.clone(), &ends.source.name, schema.clone(), consistency)),
            changes,
            transform: Arc::new(chain),
            sink: Arc::new(TableSink::new(ends.connections.destination.data.clone(), &ends.destination.name, schema)),
            checkpoint: Arc::new(journal.clone()),
            observer,
            shutdown,
        };
        journal.set_status(RunStatus::Running).await?;
        tracing::info!(run = spec.run, "run begins");
        let (summary, mut error) = migration.run().await;
        let status = match (summary.end, &error) {
            (End::Done, _) if !has_tail => RunStatus::Done,
            (End::Done, _) if until == Until::Copied => RunStatus::Copied,
            (End::Done, _) => RunStatus::CaughtUp,
            (End::Interrupted, _) => RunStatus::Interrupted,
            (End::Failed, Some(error)) if error.kind() == ErrorKind::StreamGap => RunStatus::Gap,
            (End::Failed, _) => RunStatus::Failed,
        };
        tracing::info!(run = spec.run, status = status.name(), "run ended");
        if let Err(failed) = journal.set_status(status).await {
            error = error.or(Some(failed));
        }
        Ok((summary, error))
    }
}
