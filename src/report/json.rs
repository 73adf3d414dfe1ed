//! Events for scripts: one JSON object a line on stdout.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::to_stdout;
use crate::event::{Event, Observer};

/// Time between two events of a kind that repeats.
const INTERVAL: Duration = Duration::from_secs(1);

/// Every event as it comes, those that repeat once a second.
#[derive(Debug, Default)]
pub struct JsonReport {
    last_progress: Mutex<Option<Instant>>,
    last_behind: Mutex<Option<Instant>>,
}

impl Observer for JsonReport {
    fn observe(&self, event: Event) {
        let last = match event {
            Event::Progress(_) => Some(&self.last_progress),
            Event::Behind { .. } => Some(&self.last_behind),
            _ => None,
        };
        if let Some(last) = last {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| last.elapsed() < INTERVAL) {
                return;
            }
            *last = Some(Instant::now());
        }
        if let Ok(line) = serde_json::to_string(&event) {
            to_stdout(&format!("{line}\n"));
        }
    }
}
