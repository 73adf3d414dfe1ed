//! `tableferry run`: copies a table, or goes on with a copy that was stopped.

use std::sync::Arc;

use crate::cli::args::RunArgs;
use crate::cli::preflight::{self, Connections, Ends};
use crate::cli::{code, log, signals};
use crate::config::{self, Consistency, RunSpec};
use crate::dynamodb::{TableSink, TableSource, scan};
use crate::engine::shutdown::Phase;
use crate::engine::{Copy, CopyOptions, Shutdown};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{End, Observer, Summary};
use crate::journal::{Identity, Journal, RunDirectory, RunLock, RunStatus};
use crate::policy::EXIT_INTERRUPTED;
use crate::report;
use crate::transform::{PassThrough, Transform};
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
    let (summary, error) = prepared.copy(&spec, observer, shutdown).await?;
    match error {
        Some(error) => Err(error),
        None => code(summary.end, summary.progress.dead_letters),
    }
}

/// A run whose tables are checked and whose journal is open.
pub(super) struct Prepared {
    ends: Ends,
    journal: Journal,
    _lock: RunLock,
}

/// Checks everything that can be checked and opens the journal, a new one or that of an earlier process.
pub(super) async fn prepare(spec: &RunSpec, connections: Connections) -> Result<Prepared> {
    let directory = RunDirectory::new(&spec.state_dir, &spec.run);
    directory.create()?;
    let lock = directory.lock()?;
    log::start(&directory)?;
    let transform = PassThrough;
    if directory.journal().exists() && !spec.restart {
        // A damaged journal is told first: nothing else matters then.
        let journal = Journal::open(&directory)?;
        let ends = preflight::ends(connections, spec, false).await?;
        check_unchanged(&journal.identity().await?, spec, &ends, transform.name())?;
        return Ok(Prepared { ends, journal, _lock: lock });
    }
    let ends = preflight::ends(connections, spec, spec.create_destination).await?;
    if !spec.into_nonempty {
        ends.check_empty().await?;
    }
    let segments = spec.segments.unwrap_or_else(|| ends.choose_segments());
    let identity = ends.identity(segments, transform.name());
    let journal = Journal::create(&directory, &identity, segments, ends.source.items_estimated())?;
    Ok(Prepared { ends, journal, _lock: lock })
}

fn check_unchanged(before: &Identity, spec: &RunSpec, ends: &Ends, transform: &str) -> Result<()> {
    let stored = before.0.iter().find(|(name, _)| name == "segments").and_then(|(_, count)| count.parse().ok());
    let segments = spec.segments.or(stored).unwrap_or(0);
    let differences = before.differences(&ends.identity(segments, transform));
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
    /// Copies to the end, or to an end. The status on record says which.
    pub(super) async fn copy(
        self,
        spec: &RunSpec,
        observer: Arc<dyn Observer>,
        shutdown: Arc<Shutdown>,
    ) -> Result<(Summary, Option<Error>)> {
        let Self { ends, journal, _lock } = self;
        let consistency = match spec.consistency {
            Consistency::Strong => scan::Consistency::Strong,
            Consistency::Eventual => scan::Consistency::Eventual,
        };
        let schema = ends.source.schema.clone();
        let copy = Copy {
            options: CopyOptions {
                run: spec.run.clone(),
                source: ends.source.name.clone(),
                destination: ends.destination.name.clone(),
                schema: schema.clone(),
                read_rate: ends.rate(Side::Read, spec.read_rate)?,
                write_rate: ends.rate(Side::Write, spec.write_rate)?,
                max_dead_letters: spec.max_dead_letters,
                give_up_after: spec.give_up_after,
                items_estimated: ends.source.items_estimated(),
            },
            source: Arc::new(TableSource::new(
                ends.source_connection.data.clone(),
                &ends.source.name,
                schema.clone(),
                consistency,
            )),
            transform: Arc::new(PassThrough),
            sink: Arc::new(TableSink::new(ends.destination_connection.data.clone(), &ends.destination.name, schema)),
            checkpoint: Arc::new(journal.clone()),
            observer,
            shutdown,
        };
        journal.set_status(RunStatus::Running).await?;
        tracing::info!(run = spec.run, "copy begins");
        let (summary, mut error) = copy.run().await;
        let status = match summary.end {
            End::Done => RunStatus::Done,
            End::Interrupted => RunStatus::Interrupted,
            End::Failed => RunStatus::Failed,
        };
        tracing::info!(run = spec.run, status = status.name(), "copy ended");
        if let Err(failed) = journal.set_status(status).await {
            error = error.or(Some(failed));
        }
        Ok((summary, error))
    }
}
