//! `tableferry drain`: proves that every change of a source that was frozen has arrived.
//!
//! The proof is read from the journal, so it is the same whether another process follows the stream or this one does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::checkpoint::{ShardView, TailView};
use crate::cli::args::DrainArgs;
use crate::cli::markers::Markers;
use crate::cli::preflight::{self, Connections};
use crate::cli::run::prepare;
use crate::cli::{signals, status};
use crate::config::{RunSpec, TailSpec};
use crate::dynamodb::Table;
use crate::engine::shutdown::Phase;
use crate::engine::{Shutdown, Until};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{RunDirectory, RunView};
use crate::policy::{EXIT_DONE, EXIT_INTERRUPTED, EXIT_NOT_READY};
use crate::report::{self, to_stderr, to_stdout};

/// Time between looks at the journal.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Time between two rounds of markers.
const MARKER_INTERVAL: Duration = Duration::from_secs(1);
/// Reads that found nothing which the quiet period takes at least.
const POLLS: u64 = 10;
/// A journal that was not written for this long has no process behind it.
const STALE: Duration = Duration::from_secs(10);
/// All shards were silent for this long: whatever comes later was written later.
const CALM: Duration = Duration::from_secs(2);
/// Clocks of the service differ, and a stream tells whole seconds.
const CLOCKS: Duration = Duration::from_secs(2);

/// Runs the command; the exit code, unless it fails.
pub async fn drain(args: &DrainArgs) -> Result<u8> {
    let run = status::choose(args.run.as_ref(), &args.state)?;
    let directory = RunDirectory::new(&args.state, &run);
    let kept = RunSpec::from_json(&directory.spec()?)?;
    let state_dir = args.state.clone();
    let spec = RunSpec { state_dir, run, restart: false, create_destination: false, ..kept };
    if spec.tail == TailSpec::Off {
        let message = format!("run {} follows no stream (--no-tail): there is nothing to drain", spec.run);
        return Err(Error::new(ErrorKind::Usage, message).hint("a run without --no-tail can be drained"));
    }
    let shutdown = Arc::new(Shutdown::default());
    signals::listen(shutdown.clone())?;
    let connections = preflight::connections(&spec).await?;
    let mut markers = match args.markers {
        true => {
            let source = &connections.source.control;
            Some(Markers::new(source.clone(), &Table::describe(source, &spec.source.table).await?))
        }
        false => None,
    };
    let engine_shutdown = Arc::new(Shutdown::default());
    let engine = follow(&directory, &spec, connections, engine_shutdown.clone());
    let watch = async {
        let (quiet, timeout) = (Duration::from_secs(args.quiet_period), Duration::from_secs(args.timeout));
        let verdict = prove(&directory, quiet, timeout, markers.as_mut()).await;
        if let Some(markers) = &mut markers
            && let Err(error) = markers.remove().await
        {
            to_stderr(&format!("warning: some markers were not removed from the source: {error}"));
        }
        verdict
    };
    tokio::pin!(engine, watch);
    let mut has_engine = true;
    let verdict = loop {
        tokio::select! {
            biased;
            () = shutdown.reached(Phase::Draining) => return Ok(EXIT_INTERRUPTED),
            verdict = &mut watch => break verdict?,
            ended = &mut engine, if has_engine => {
                ended?;
                has_engine = false;
            }
        }
    };
    engine_shutdown.drain();
    if has_engine {
        engine.await?;
    }
    verdict.print(args.json);
    Ok(if verdict.drained { EXIT_DONE } else { EXIT_NOT_READY })
}

/// Follows the stream in this process, unless another one does.
async fn follow(
    directory: &RunDirectory,
    spec: &RunSpec,
    connections: Connections,
    shutdown: Arc<Shutdown>,
) -> Result<()> {
    if directory.is_locked() {
        return Ok(());
    }
    let prepared = prepare(spec, connections).await?;
    let (_, error) = prepared.migrate(spec, Until::Stopped, report::silent(), shutdown).await?;
    error.map_or(Ok(()), Err)
}

/// Waits for the proof that everything has arrived, or for a reason why that cannot be said, beside a process that follows
/// the stream.
pub(super) async fn prove(
    directory: &RunDirectory,
    quiet: Duration,
    timeout: Duration,
    markers: Option<&mut Markers>,
) -> Result<Verdict> {
    Watch::new(directory, quiet, timeout).run(markers).await
}

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) drained: bool,
    /// Why not.
    pub(super) reasons: Vec<String>,
    pub(super) shards: usize,
    pub(super) changes_applied: u64,
    pub(super) items_written: u64,
    pub(super) seconds: f64,
}

impl Verdict {
    fn print(&self, as_json: bool) {
        if as_json {
            return to_stdout(&format!("{}\n", serde_json::json!(self)));
        }
        let seconds = self.seconds;
        if self.drained {
            return to_stdout(&format!(
                "drained after {seconds:.0} s: nothing is left in {} shards; {} changes applied\n",
                self.shards, self.changes_applied
            ));
        }
        to_stdout(&format!("not drained after {seconds:.0} s:\n"));
        self.reasons.iter().for_each(|reason| to_stdout(&format!("  {reason}\n")));
    }
}

struct Watch<'a> {
    directory: &'a RunDirectory,
    begun: Instant,
    quiet: Duration,
    timeout: Duration,
    /// Changes applied when all shards had been silent for a moment.
    calm: Option<u64>,
    /// When this began, by the stream's clock.
    begun_ms: Option<i64>,
}

impl<'a> Watch<'a> {
    fn new(directory: &'a RunDirectory, quiet: Duration, timeout: Duration) -> Self {
        Self { directory, begun: Instant::now(), quiet, timeout, calm: None, begun_ms: None }
    }

    async fn run(mut self, mut markers: Option<&mut Markers>) -> Result<Verdict> {
        let mut marked_at = None;
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let view = RunView::glance(self.directory)?;
            let mut reasons = self.reasons(&view, markers.as_deref().map(Markers::token));
            if reasons.is_empty() {
                return Ok(self.verdict(&view, reasons));
            }
            let is_only_letters = !view.dead_letters.is_empty() && reasons.len() == 1;
            let still = self.still_written(&view, markers.is_some());
            let is_late = self.begun.elapsed() >= self.timeout;
            if is_only_letters || is_late || still.is_some() {
                reasons.splice(0..0, still);
                return Ok(self.verdict(&view, reasons));
            }
            if let Some(markers) = markers.as_deref_mut()
                && marked_at.is_none_or(|at: Instant| at.elapsed() >= MARKER_INTERVAL)
            {
                let leaves = view.tail.as_ref().map_or(0, |tail| tail.shards.len());
                markers.put(4 * leaves.max(2)).await?;
                marked_at = Some(Instant::now());
            }
        }
    }

    fn verdict(&self, view: &RunView, reasons: Vec<String>) -> Verdict {
        Verdict {
            drained: reasons.is_empty(),
            reasons,
            shards: view.tail.as_ref().map_or(0, |tail| tail.shards.len()),
            changes_applied: view.totals.changes_applied,
            items_written: view.totals.items_written,
            seconds: self.begun.elapsed().as_secs_f64(),
        }
    }

    /// What is still in the way of "drained".
    fn reasons(&self, view: &RunView, token: Option<&str>) -> Vec<String> {
        let mut reasons = Vec::new();
        if view.segments_done < view.segments {
            reasons.push(format!("the copy is not done: {} of {} segments", view.segments_done, view.segments));
        }
        match &view.tail {
            Some(tail) if view.is_locked && view.tail_age < STALE && self.is_of_now(view) => {
                reasons.extend(self.tail_reasons(tail, view, token));
            }
            _ => reasons.push("no process follows the stream at this moment".to_owned()),
        }
        let letters: u64 = view.dead_letters.iter().map(|group| group.count).sum();
        if letters > 0 {
            reasons.push(format!("{letters} items are dead letters; see `tableferry status`"));
        }
        reasons
    }

    /// Whether the tail's state was written after this command began.
    fn is_of_now(&self, view: &RunView) -> bool {
        view.tail_age < self.begun.elapsed()
    }

    fn tail_reasons(&self, tail: &TailView, view: &RunView, token: Option<&str>) -> Vec<String> {
        let mut reasons = Vec::new();
        if tail.changes_waiting > 0 {
            reasons.push(format!("{} changes are read and not yet applied", tail.changes_waiting));
        }
        if view.shards_waiting(tail) > 0 || tail.shards.is_empty() || tail.is_settling {
            reasons.push(
                "not every shard of the stream is being read: one has just ended, or is to be read first".to_owned(),
            );
        }
        // What was written just before this began may still be on its way.
        let is_long_enough = self.begun.elapsed() >= self.quiet;
        let open = |shard: &&ShardView| match token {
            Some(token) => !shard.marker.as_ref().is_some_and(|marker| marker.starts_with(token)),
            None => {
                let quiet_ms = shard.quiet_ms.unwrap_or(0);
                !is_long_enough || u128::from(quiet_ms) < self.quiet.as_millis() || shard.quiet_polls < POLLS
            }
        };
        let open: Vec<&ShardView> = tail.shards.iter().filter(open).collect();
        if let Some(worst) = open.iter().max_by_key(|shard| shard.lag_ms) {
            let (count, all) = (open.len(), tail.shards.len());
            let lag = Duration::from_millis(worst.lag_ms).as_secs_f64();
            reasons.push(match token {
                Some(_) => {
                    format!("{count} of {all} shards have not delivered a marker; the tail is {lag:.0} s behind")
                }
                None => {
                    let quiet = self.quiet.as_secs();
                    format!("{count} of {all} shards have not been silent for {quiet} s; the tail is {lag:.0} s behind")
                }
            });
        }
        reasons
    }

    /// Whether somebody writes to the source although it should be frozen.
    fn still_written(&mut self, view: &RunView, has_markers: bool) -> Option<String> {
        let tail = view.tail.as_ref().filter(|_| self.is_of_now(view))?;
        let begun_ms = *self.begun_ms.get_or_insert(tail.now_ms);
        let after_ms = tail.newest_ms.map_or(0, |newest_ms| newest_ms - begun_ms);
        if u128::try_from(after_ms).is_ok_and(|ms| ms > CLOCKS.as_millis()) {
            let seconds = after_ms / 1000;
            return Some(format!("the source is still written to: it was changed {seconds} s after this began"));
        }
        if has_markers {
            return None;
        }
        let applied = view.totals.changes_applied;
        if let Some(calm) = self.calm
            && applied > calm
        {
            let changes = applied - calm;
            let message = "changes came after all shards had been silent";
            return Some(format!("the source is still written to: {changes} {message}"));
        }
        let is_calm = |shard: &ShardView| shard.quiet_ms.is_some_and(|ms| u128::from(ms) >= CALM.as_millis());
        // What was written just before this began may still be on its way.
        let is_awaited = self.begun.elapsed() < CALM;
        if self.calm.is_none() && !is_awaited && !tail.shards.is_empty() && tail.shards.iter().all(is_calm) {
            self.calm = Some(applied);
        }
        None
    }
}

#[cfg(test)]
mod tests;
