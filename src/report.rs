//! What a person or a script sees of a run. Everything here listens to events; nothing here decides anything.

mod bars;
mod difference;
mod json;
mod lines;
mod plan;
mod preview;
mod status;
mod summary;
mod words;

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use crate::config::Output;
use crate::event::{Event, Observer};

pub use difference::{Difference, difference_lines, differences, is_coloured, shown};
pub use plan::{Capacity, DestinationState, PlanView, TransformView, print_plan};
pub use preview::{Fate, PreviewCounts, Previewed, preview_html, preview_summary, previewed_text};
pub use status::{ShardStatus, StatusView, TailStatus, print_status};

pub use words::{count, plain, round};

/// The observer for that output: a bar on a terminal, plain lines elsewhere, JSON, or the summary alone.
pub fn observer(output: Output) -> Arc<dyn Observer> {
    match output {
        Output::Json => Arc::new(json::JsonReport::default()),
        Output::Quiet => Arc::new(SummaryReport),
        Output::Terminal if std::io::stderr().is_terminal() => Arc::new(bars::BarReport::default()),
        Output::Terminal => Arc::new(lines::LineReport::default()),
    }
}

/// Writes on stdout. A reader that has gone away (`| head`, a closed terminal) is no reason to stop a migration.
pub fn to_stdout(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Writes a line on stderr, for whoever still reads it.
pub fn to_stderr(line: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// The observer that shows nothing.
pub fn silent() -> Arc<dyn Observer> {
    Arc::new(Silent)
}

struct Silent;

impl Observer for Silent {
    fn observe(&self, _: Event) {}
}

/// Shows nothing but the end.
struct SummaryReport;

impl Observer for SummaryReport {
    fn observe(&self, event: Event) {
        if let Event::Finished(summary) = event {
            summary::print(&summary);
        }
    }
}
