//! What a call may use.

use std::time::Duration;

/// Bounds of a call, and the time that it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For all objects and code of a context.
    pub memory_bytes: usize,
    /// From the call to its result, without the time that look-ups take.
    pub time: Duration,
    /// What `Date.now()` gives, in milliseconds since 1970.
    pub now_ms: u64,
}

impl Default for Limits {
    /// 64 MB, 1 s, and the first second of 2000.
    fn default() -> Self {
        Self { memory_bytes: 64 << 20, time: Duration::from_secs(1), now_ms: 946_684_800_000 }
    }
}
