//! What can go wrong with a request, the configuration or the journal.
//!
//! An *item* that fails is not an error but an outcome (see [`crate::sink::Outcome`]). What each kind leads to is decided
//! in one place, [`crate::policy`].

use std::fmt;

/// The families of failure. [`crate::policy`] maps each to an action and an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The command line, an environment variable or the configuration file is wrong.
    Usage,
    /// There is nothing to migrate.
    NotNeeded,
    /// No credentials, or they are refused for good.
    Access,
    /// The credentials were good and are no longer: pausing may mend it.
    CredentialsExpired,
    /// A table does not exist.
    TableMissing,
    /// A table exists but cannot take part: same table twice, other keys, not empty.
    TableUnfit,
    /// The service asks for less load.
    Throttled,
    /// No complete answer in time; the request may still take effect.
    TimedOut,
    /// The endpoint could not be reached or broke off; the request may have taken effect.
    Unreachable,
    /// The service failed (HTTP 5xx); the request may have taken effect.
    ServerFault,
    /// The answer is not what the protocol says: HTML, half a body, a wrong checksum.
    MalformedAnswer,
    /// The service understood the request and refuses it: one of its items is invalid.
    Rejected,
    /// A shard iterator was kept too long; another one is to be asked for.
    IteratorExpired,
    /// The stream no longer has what follows a position: the changes were trimmed, or the shard or stream is gone.
    PositionLost,
    /// Changes of the source are lost to this run: what was deleted meanwhile can no longer be known.
    StreamGap,
    /// The tail is so far behind that the stream will soon forget what it has not read.
    TailBehind,
    /// The stream is switched off, has no images, or belongs to another table.
    StreamUnfit,
    /// The run's journal cannot be read, written or locked.
    Journal,
    /// The run was started with another source, destination, segment count or transforms.
    RunChanged,
    /// A transform gave two different results for one item.
    Impure,
    /// More dead letters than `--max-dead-letters` allows.
    TooManyDeadLetters,
    /// Local files or the terminal.
    Io,
    /// A broken assumption of ours.
    Internal,
}

/// An error with what happened and, where there is one, what to do about it.
///
/// `Display` prints `message` and, on its own line, `hint: remedy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
}

/// The result of everything in this crate that can fail as a whole.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; `message` is lower-case and names the thing and the place.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// Adds the remedy, an instruction to the operator.
    #[must_use]
    pub fn hint(mut self, remedy: impl Into<String>) -> Self {
        self.hint = Some(remedy.into());
        self
    }

    /// Puts where it happened in front of the message: `reading segment 3: ...`.
    #[must_use]
    pub fn context(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// The family of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What happened, without the remedy.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The remedy, if one is known.
    pub fn remedy(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(remedy) => write!(f, "\nhint: {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
