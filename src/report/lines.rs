//! Plain lines where there is no terminal.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{summary, to_stderr, words};
use crate::event::{Event, Observer};

/// Time between two lines.
const INTERVAL: Duration = Duration::from_secs(5);

/// A line every five seconds on stderr; the summary on stdout.
#[derive(Debug, Default)]
pub struct LineReport {
    last: Mutex<Option<Instant>>,
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
            Event::Draining => to_stderr("stopping: waiting for the requests under way"),
            Event::Finished(summary) => summary::print(&summary),
        }
    }
}
