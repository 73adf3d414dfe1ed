//! A bar on a terminal.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::{summary, words};
use crate::event::{Event, Observer};

/// Steps of the bar.
const STEPS: u64 = 1000;

/// One bar for the copy, on stderr, with what holds it below; the summary on stdout.
#[derive(Debug, Default)]
pub struct BarReport {
    bar: Mutex<Option<ProgressBar>>,
}

impl Observer for BarReport {
    fn observe(&self, event: Event) {
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { source, destination, resumed, .. } => {
                let style = ProgressStyle::with_template("copy [{bar:24}] {percent:>3}% {prefix}\n  {wide_msg}");
                let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
                let new = ProgressBar::new(STEPS).with_style(style);
                let verb = if resumed { "resuming" } else { "copying" };
                new.println(format!("{verb} {} to {}", words::plain(&source), words::plain(&destination)));
                *bar = Some(new);
            }
            Event::Progress(progress) => {
                if let Some(bar) = &*bar {
                    bar.set_position((progress.fraction * STEPS as f64) as u64);
                    bar.set_prefix(words::pace(&progress));
                    bar.set_message(words::details(&progress));
                }
            }
            Event::DeadLetter { .. } => {}
            // The line below the bar shows the lag all the time.
            Event::Behind { .. } => {}
            Event::Draining => {
                if let Some(bar) = &*bar {
                    bar.println("stopping: waiting for the requests under way; press Ctrl-C again to leave at once");
                }
            }
            Event::Finished(summary) => {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
                summary::print(&summary);
            }
        }
    }
}
