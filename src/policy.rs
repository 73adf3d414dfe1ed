//! What an error leads to: one table for the whole program.

use crate::error::ErrorKind;

/// What the engine does when a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send it again after a backoff; the service is fine and asks for less load.
    BackOff,
    /// Send it again after a backoff; give up when nothing has succeeded for long.
    Retry,
    /// Halve the batch until the item at fault stands alone, then make it a dead letter.
    Bisect,
    /// End the run; what is acknowledged is checkpointed.
    Stop,
}

/// The action for a failed request of this kind.
pub fn action(kind: ErrorKind) -> Action {
    use ErrorKind::*;
    match kind {
        Throttled => Action::BackOff,
        TimedOut | Unreachable | ServerFault | MalformedAnswer | CredentialsExpired => Action::Retry,
        Rejected => Action::Bisect,
        Usage | NotNeeded | Access | TableMissing | TableUnfit | IteratorExpired | PositionLost | StreamGap
        | TailBehind | StreamUnfit | Journal | RunChanged | Impure | TooManyDeadLetters | Io | Internal => Action::Stop,
    }
}

/// Everything was done.
pub const EXIT_DONE: u8 = 0;
/// Not ready: the source still changes, or something is still to be done.
pub const EXIT_NOT_READY: u8 = 3;
/// Interrupted; the same command resumes.
pub const EXIT_INTERRUPTED: u8 = 4;
/// Done, but some items are dead letters.
pub const EXIT_DEAD_LETTERS: u8 = 5;
/// What was compared differs.
pub const EXIT_DIFFERENCES: u8 = 6;

/// There is nothing to migrate.
pub const EXIT_NOT_NEEDED: u8 = 7;

/// The process exit code for an error that ends the program; the README lists them.
pub fn exit_code(kind: ErrorKind) -> u8 {
    use ErrorKind::*;
    match kind {
        Usage => 2,
        NotNeeded => EXIT_NOT_NEEDED,
        Access | CredentialsExpired => 10,
        TableMissing | TableUnfit | StreamUnfit => 11,
        IteratorExpired | Throttled | TimedOut | Unreachable | ServerFault | MalformedAnswer | Rejected => 12,
        Journal => 13,
        RunChanged => 14,
        TooManyDeadLetters => 15,
        Io => 16,
        Internal => 17,
        PositionLost | StreamGap | TailBehind => 18,
        Impure => 19,
    }
}
