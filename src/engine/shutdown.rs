//! Ending: on request, with everything under way finished, or because of an error, at once.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::error::Error;

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// No end in sight.
    Running,
    /// No new requests; those under way are waited for.
    Draining,
    /// Nothing more is sent. What is not acknowledged is read again when the run resumes.
    Stopped,
}

/// Shared by everyone who must notice the end.
#[derive(Debug)]
pub struct Shutdown {
    phase: watch::Sender<Phase>,
    error: Mutex<Option<Error>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Running), error: Mutex::new(None) }
    }
}

impl Shutdown {
    /// Asks for an orderly end.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Ends at once, because nothing more can be done; the first error stays.
    pub fn fail(&self, error: Error) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.advance(Phase::Stopped);
    }

    /// Ends at once, without an error.
    pub fn stop(&self) {
        self.advance(Phase::Stopped);
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Returns when `phase` or a later one is reached.
    pub async fn reached(&self, phase: Phase) {
        // The sender lives in self, so waiting cannot fail.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// The error that ended it, if one did.
    pub fn error(&self) -> Option<Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let later = *now < phase;
            *now = (*now).max(phase);
            later
        });
    }
}
