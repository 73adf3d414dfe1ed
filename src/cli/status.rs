//! `tableferry status`: reads a run's journal, also while the run goes on.

use std::path::Path;

use crate::cli::args::StatusArgs;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{RunDirectory, RunStatus, RunView, list_runs};
use crate::policy::EXIT_DONE;
use crate::report::{StatusView, TailStatus, print_status};

/// Runs the command; the exit code, unless it fails.
pub fn status(args: &StatusArgs) -> Result<u8> {
    let run = choose(args.run.as_ref(), &args.state)?;
    let view = RunView::load(&RunDirectory::new(&args.state, &run))?;
    print_status(&status_view(run, view), args.json);
    Ok(EXIT_DONE)
}

/// The run that is named, or the only one there is.
pub(super) fn choose(run: Option<&String>, state: &Path) -> Result<String> {
    let runs = list_runs(state);
    let place = state.display();
    let usage = |message: String, hint: &str| Err(Error::new(ErrorKind::Usage, message).hint(hint));
    match (run, runs.as_slice()) {
        (_, []) => usage(format!("there is no run in {place}"), "name the directory with --state"),
        (Some(run), _) if runs.contains(run) => Ok(run.clone()),
        (Some(run), _) => {
            usage(format!("there is no run {run} in {place}"), &format!("there are: {}", runs.join(", ")))
        }
        (None, [only]) => Ok(only.clone()),
        (None, _) => usage(
            format!("there are {} runs in {place}", runs.len()),
            &format!("choose with --run: {}", runs.join(", ")),
        ),
    }
}

fn status_view(run: String, view: RunView) -> StatusView {
    let state = match (view.status, view.is_locked) {
        (RunStatus::Running, false) => "killed",
        (_, true) => "running",
        (status, false) => status.name(),
    };
    let identity = |name: &str| {
        let found = view.identity.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    StatusView {
        source: identity("source table"),
        destination: identity("destination table"),
        state: state.to_owned(),
        heartbeat_seconds: view.heartbeat_age.as_secs_f64(),
        segments_done: view.segments_done,
        segments: view.segments,
        items_estimated: view.items_estimated,
        items_read: view.totals.items_read,
        items_written: view.totals.items_written,
        read_units: view.totals.read_units,
        write_units: view.totals.write_units,
        tail: view.tail.map(|tail| TailStatus::new(&tail, view.totals.changes_applied)),
        items_superseded: view.totals.items_superseded,
        dead_letters: view.dead_letters,
        run,
    }
}
