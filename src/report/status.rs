//! Where a run stands, from its journal.

use std::fmt::Write as _;

use serde::Serialize;

use super::summary;
use super::words::{count, duration, plain, round};
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
    /// Dead letters by reason.
    pub dead_letters: Vec<DeadLetterGroup>,
}

/// Prints the view on stdout.
pub fn print_status(view: &StatusView, as_json: bool) {
    if as_json {
        println!("{}", serde_json::json!(view));
    } else {
        print!("{}", text(view));
    }
}

fn text(view: &StatusView) -> String {
    let heartbeat = std::time::Duration::from_secs_f64(view.heartbeat_seconds.max(0.0));
    let mut out = format!(
        "run {}: {}\n  copies    {} to {}\n  items     {} read, {} written (the source has about {})\n  segments  {} of {} done\n  units     {} read, {} write\n  recorded  {} ago\n",
        view.run,
        view.state,
        plain(&view.source),
        plain(&view.destination),
        count(view.items_read),
        count(view.items_written),
        count(view.items_estimated),
        view.segments_done,
        view.segments,
        round(view.read_units),
        round(view.write_units),
        duration(heartbeat),
    );
    if matches!(view.state.as_str(), "killed" | "interrupted" | "failed") {
        let _ = writeln!(out, "  next      run the same command again to resume");
    }
    summary::dead_letters(&mut out, &view.dead_letters);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_run_says_how_to_go_on() {
        let view = StatusView {
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
            dead_letters: Vec::new(),
        };
        insta::assert_snapshot!(text(&view), @r"
        run a-to-b: killed
          copies    a to b
          items     4,100 read, 4,100 written (the source has about 20,000)
          segments  3 of 16 done
          units     513 read, 4,100 write
          recorded  1m 15s ago
          next      run the same command again to resume
        ");
    }
}
