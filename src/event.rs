//! What the engine tells while it works. Bars, lines and JSON in [`crate::report`] listen; nothing here prints.

use std::time::Duration;

use serde::Serialize;

/// Why work is not going faster at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// `--read-rate` is used up.
    ReadRate,
    /// `--write-rate` is used up.
    WriteRate,
    /// The source table throttles.
    SourceThrottles,
    /// The destination table throttles.
    DestinationThrottles,
    /// The stream throttles: perhaps two others read it already.
    StreamThrottles,
    /// The stream does not answer or answers with a fault.
    StreamFails,
    /// The source does not answer or answers with a fault.
    SourceFails,
    /// The destination does not answer or answers with a fault.
    DestinationFails,
    /// Credentials have expired and were not renewed yet.
    Credentials,
}

impl WaitReason {
    /// The words an operator reads, such as `write rate reached`.
    pub fn words(self) -> &'static str {
        match self {
            Self::ReadRate => "read rate reached",
            Self::WriteRate => "write rate reached",
            Self::SourceThrottles => "source throttles",
            Self::DestinationThrottles => "destination throttles",
            Self::StreamThrottles => "stream throttles",
            Self::StreamFails => "stream fails, retrying",
            Self::SourceFails => "source fails, retrying",
            Self::DestinationFails => "destination fails, retrying",
            Self::Credentials => "waiting for fresh credentials",
        }
    }
}

/// Where a run stands. Counts are totals of the whole run, earlier processes included; rates are of the last seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Progress {
    /// Time since this process began to copy.
    #[serde(serialize_with = "seconds")]
    pub elapsed: Duration,
    /// Items of pages that were answered.
    pub items_read: u64,
    /// Items acknowledged by the destination.
    pub items_written: u64,
    /// Items that could not be written and are kept as dead letters.
    pub dead_letters: u64,
    /// The source's own estimate of its item count, up to six hours old; 0 when unknown.
    pub items_estimated: u64,
    /// Items read and not written, because a change of theirs is newer.
    pub items_superseded: u64,
    /// Changes of the stream that are applied.
    pub changes_applied: u64,
    /// Changes read and not yet applied.
    pub changes_waiting: u64,
    /// Age of the oldest change that is not applied; `None` without a tail.
    #[serde(rename = "lag_seconds", serialize_with = "optional_seconds")]
    pub lag: Option<Duration>,
    /// Segments read and written to their end.
    pub segments_done: u32,
    /// Segments of the run.
    pub segments: u32,
    /// Items written per second.
    pub items_per_second: f64,
    /// Read capacity units consumed per second.
    pub read_units_per_second: f64,
    /// Read capacity units per second that the limiter allows; `None` is no limit.
    pub read_units_allowed: Option<f64>,
    /// Write capacity units consumed per second.
    pub write_units_per_second: f64,
    /// Write capacity units per second that the limiter allows; `None` is no limit.
    pub write_units_allowed: Option<f64>,
    /// Questions for other items that transforms asked in this process.
    pub lookups: u64,
    /// Requests that were sent for them; the others were known already.
    pub lookup_requests: u64,
    /// Requests that were throttled, or came back with unprocessed items.
    pub throttles: u64,
    /// Requests that were sent again for another reason than throttling.
    pub retries: u64,
    /// Why it is not going faster, if something holds it.
    pub wait: Option<WaitReason>,
    /// Share of the work done, 0 to 1.
    pub fraction: f64,
    /// Time left at the present pace; none before 1 %.
    #[serde(serialize_with = "optional_seconds")]
    pub eta: Option<Duration>,
}

/// How a copy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Every segment was read and every item answered for.
    Done,
    /// Stopped on request; the same command resumes.
    Interrupted,
    /// Stopped by an error; the same command resumes.
    Failed,
}

/// Dead letters that share a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterGroup {
    /// The destination's words, without what is particular to one item.
    pub reason: String,
    /// How many items.
    pub count: u64,
    /// The key of one of them, as DynamoDB JSON.
    pub example_key: String,
}

/// The last word about a run, printed on stdout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How it ended.
    pub end: End,
    /// The run's name.
    pub run: String,
    /// Counts and rates at the end.
    pub progress: Progress,
    /// Read capacity units consumed by the whole run.
    pub read_units: f64,
    /// Write capacity units consumed by the whole run.
    pub write_units: f64,
    /// Dead letters by reason, most frequent first.
    pub dead_letters: Vec<DeadLetterGroup>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The copy begins or resumes.
    Started {
        /// The run's name.
        run: String,
        /// Source table.
        source: String,
        /// Destination table.
        destination: String,
        /// Segments of the run.
        segments: u32,
        /// Whether an earlier process had begun it.
        resumed: bool,
    },
    /// Sent several times a second.
    Progress(Progress),
    /// An item became a dead letter. Its key is item data, so it is not part of the event.
    DeadLetter {
        /// Why it cannot be written.
        reason: String,
    },
    /// The tail is so far behind that the stream may forget changes before they are read.
    Behind {
        /// Age of the oldest change that is not applied.
        #[serde(rename = "lag_seconds", serialize_with = "seconds")]
        lag: Duration,
        /// Whether the copy waits so that the tail has all of the write capacity.
        copy_waits: bool,
    },
    /// A stop was asked for; requests under way are waited for.
    Draining,
    /// The end.
    Finished(Summary),
}

/// Listens to events. Called from the engine's tasks: must return fast and never block.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn observe(&self, event: Event);
}

fn seconds<S: serde::Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((value.as_secs_f64() * 1000.0).round() / 1000.0)
}

fn optional_seconds<S: serde::Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => seconds(value, serializer),
        None => serializer.serialize_none(),
    }
}
