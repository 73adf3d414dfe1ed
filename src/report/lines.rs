//! Plain lines where there is no terminal.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{summary, to_stderr, words};
use crate::event::{Event, Observer};

/// Time between two lines.
const INTERVAL: Duration = Duration::from_secs(5);

/// Time between two warnings of one kind.
const BEHIND_INTERVAL: Duration = Duration::from_secs(300);

/// A line every five seconds on stderr; the summary on stdout.
#[derive(Debug, Default)]
pub struct LineReport {
    last: Mutex<Option<Instant>>,
    last_behind: Mutex<Option<Instant>>,
}

impl Observer for LineReport {
    fn observe(&self, event: Event) {
        match event {
            Event::Started { run, source, destination, segments, resumed } => {
                let verb = if resumed { "resuming" } else { "copying" };
                let (source, destination) = (words::plain(&source), words::plain(&destination));
                to_stderr(&format!("{verb} {source} to {destination} in {segments} segments (run {run})"));
            }
            Event::Progress(progress) => {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.is_none_or(|last| last.elapsed() >= INTERVAL) {
                    // The first one would only say that nothing has happened yet.
                    if last.is_some() {
                        to_stderr(&words::progress(&progress));
                    }
                    *last = Some(Instant::now());
                }
            }
            Event::DeadLetter { .. } => {}
            Event::Behind { lag, copy_waits } => {
                let mut last = self.last_behind.lock().unwrap_or_else(PoisonError::into_inner);
                if last.is_none_or(|last| last.elapsed() >= BEHIND_INTERVAL) {
                    let copy = if copy_waits { "; the copy waits for it" } else { "" };
                    let lag = words::duration(lag);
                    to_stderr(&format!("warning: the tail is {lag} behind; the stream forgets after 24 hours{copy}"));
                    *last = Some(Instant::now());
                }
            }
            Event::Draining => to_stderr("stopping: waiting for the requests under way"),
            Event::Finished(summary) => summary::print(&summary),
        }
    }
}
