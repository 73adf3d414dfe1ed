//! Where a run stands, from its journal.

use std::fmt::Write as _;

use serde::Serialize;

use super::words::{count, duration, plain, round};
use super::{summary, to_stdout};
use crate::checkpoint::{ShardView, TailView};
use crate::event::DeadLetterGroup;

/// What `status` shows; with `--json`, as it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusView {
    /// The run's name.
    pub run: String,
    /// Source table.
    pub source: String,
    /// Destination table.
    pub destination: String,
    /// `running`, `killed`, `interrupted`, `failed` or `done`.
    pub state: String,
    /// Seconds since the journal was written.
    pub heartbeat_seconds: f64,
    /// Segments done.
    pub segments_done: u32,
    /// Segments of the run.
    pub segments: u32,
    /// The source's estimate of its items.
    pub items_estimated: u64,
    /// Items of pages that are answered for.
    pub items_read: u64,
    /// Items of those that are at the destination.
    pub items_written: u64,
    /// Read capacity units consumed.
    pub read_units: f64,
    /// Write capacity units consumed.
    pub write_units: f64,
    /// Items read and not written, because a change of theirs is newer.
    pub items_superseded: u64,
    /// The tail, when it was last recorded; `None` without one.
    pub tail: Option<TailStatus>,
    /// Dead letters by reason.
    pub dead_letters: Vec<DeadLetterGroup>,
}

/// The tail, as `status` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TailStatus {
    /// Age of the oldest change that is not applied, in seconds.
    pub lag_seconds: f64,
    /// Changes applied by the whole run.
    pub changes_applied: u64,
    /// Changes read and not yet applied.
    pub changes_waiting: u64,
    /// The shards that are being read.
    pub shards: Vec<ShardStatus>,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShardStatus {
    /// Its name.
    pub id: String,
    /// Age of its oldest change that is not applied, in seconds.
    pub lag_seconds: f64,
    /// For how long it has delivered nothing, in seconds; `None` while it delivers.
    pub quiet_seconds: Option<f64>,
}

impl TailStatus {
    /// From what the journal has on record.
    pub fn new(view: &TailView, changes_applied: u64) -> Self {
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let shard = |shard: &ShardView| ShardStatus {
            id: shard.id.to_string(),
            lag_seconds: seconds(shard.lag_ms),
            quiet_seconds: shard.quiet_ms.map(seconds),
        };
        Self {
            lag_seconds: seconds(view.shards.iter().map(|shard| shard.lag_ms).max().unwrap_or(0)),
            changes_applied,
            changes_waiting: view.changes_waiting,
            shards: view.shards.iter().map(shard).collect(),
        }
    }
}

/// Prints the view on stdout.
pub fn print_status(view: &StatusView, as_json: bool) {
    match as_json {
        true => to_stdout(&format!("{}\n", serde_json::json!(view))),
        false => to_stdout(&text(view)),
    }
}

fn text(view: &StatusView) -> String {
    let heartbeat = std::time::Duration::from_secs_f64(view.heartbeat_seconds.max(0.0));
    // The table's own count is 0 until it is first measured.
    let estimated = match view.items_estimated {
        0 => String::new(),
        items => format!(" (the source has about {})", count(items)),
    };
    let mut out = format!(
        "run {}: {}\n  copies    {} to {}\n  items     {} read, {} written{estimated}\n  segments  {} of {} done\n  units     {} read, {} write\n  recorded  {} ago\n",
        view.run,
        view.state,
        plain(&view.source),
        plain(&view.destination),
        count(view.items_read),
        count(view.items_written),
        count(view.segments_done.into()),
        count(view.segments.into()),
        round(view.read_units),
        round(view.write_units),
        duration(heartbeat),
    );
    if let Some(tail) = &view.tail {
        let lag = duration(std::time::Duration::from_secs_f64(tail.lag_seconds));
        let (applied, waiting) = (count(tail.changes_applied), count(tail.changes_waiting));
        let shards = tail.shards.len();
        let _ = writeln!(out, "  changes   {applied} applied, {waiting} waiting; {lag} behind in {shards} shards");
    }
    if matches!(view.state.as_str(), "killed" | "interrupted" | "failed") {
        let _ = writeln!(out, "  next      run the same command again to resume");
    }
    summary::dead_letters(&mut out, &view.dead_letters);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn killed() -> StatusView {
        StatusView {
            run: "a-to-b".into(),
            source: "a".into(),
            destination: "b".into(),
            state: "killed".into(),
            heartbeat_seconds: 75.0,
            segments_done: 3,
            segments: 16,
            items_estimated: 20_000,
            items_read: 4100,
            items_written: 4100,
            read_units: 512.5,
            write_units: 4100.0,
            items_superseded: 0,
            tail: None,
            dead_letters: Vec::new(),
        }
    }

    #[test]
    fn a_killed_run_says_how_to_go_on() {
        insta::assert_snapshot!(text(&killed()), @r"
        run a-to-b: killed
          copies    a to b
          items     4,100 read, 4,100 written (the source has about 20,000)
          segments  3 of 16 done
          units     513 read, 4,100 write
          recorded  1m 15s ago
          next      run the same command again to resume
        ");
    }
    #[test]
    fn a_finished_run_shows_its_dead_letters_and_no_estimate_that_is_not_known() {
        let group = DeadLetterGroup { reason: "too large".into(), count: 2, example_key: r#"{"pk":{"S":"x"}}"#.into() };
        let view = StatusView { state: "done".into(), items_estimated: 0, dead_letters: vec![group], ..killed() };
        let view = StatusView { segments: 1_000_000, segments_done: 1_000_000, ..view };
        insta::assert_snapshot!(text(&view), @r#"
        run a-to-b: done
          copies    a to b
          items     4,100 read, 4,100 written
          segments  1,000,000 of 1,000,000 done
          units     513 read, 4,100 write
          recorded  1m 15s ago
        dead letters by reason:
          2 x too large
              for example {"pk":{"S":"x"}}
        "#);
    }
}
