//! The pace of attempts: full jitter under a doubling bound, and when to give up.

use std::time::Duration;

use tokio::time::Instant;

use crate::engine::stats::{Stats, WaitGuard};
use crate::error::{Error, ErrorKind};
use crate::event::WaitReason;
use crate::policy::{Action, action};

/// The first backoff is a random time up to this, and the bound doubles with each attempt ...
const FIRST_BOUND: Duration = Duration::from_millis(50);
/// ... up to this (AWS's advice is 20 s; a request that waits longer than this only adds to the lag).
const LAST_BOUND: Duration = Duration::from_secs(10);
/// An answer that is damaged this often in a row is not bad luck: somebody else answers, or we read it wrongly.
const DAMAGED_ATTEMPTS: u32 = 8;

/// Whom a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The table that is read.
    Source,
    /// Its stream.
    Stream,
    /// The table that is written.
    Destination,
}

/// The attempts of one request.
#[derive(Debug)]
pub struct Retry<'a> {
    stats: &'a Stats,
    peer: Peer,
    give_up_after: Duration,
    begun: Instant,
    failures: u32,
    /// Damaged answers in a row.
    damaged: u32,
}

impl<'a> Retry<'a> {
    /// Before the first attempt.
    pub fn new(stats: &'a Stats, peer: Peer, give_up_after: Duration) -> Self {
        Self { stats, peer, give_up_after, begun: Instant::now(), failures: 0, damaged: 0 }
    }

    /// Waits before the next attempt after a throttle or unprocessed items. There is no end to it: the table is alive
    /// and takes something, if not this.
    pub async fn back_off(&mut self) {
        self.stats.add_throttle();
        self.damaged = 0;
        let reason = match self.peer {
            Peer::Source => WaitReason::SourceThrottles,
            Peer::Stream => WaitReason::StreamThrottles,
            Peer::Destination => WaitReason::DestinationThrottles,
        };
        self.pause(reason).await;
    }

    /// Waits before the next attempt after `error`, or returns it when it is time to give up: nothing has succeeded on
    /// this side for long, or the answers stay damaged.
    pub async fn after(&mut self, error: Error) -> Result<(), Error> {
        debug_assert_eq!(action(error.kind()), Action::Retry);
        let quiet = self.begun.elapsed().min(self.stats.since_success(self.peer));
        self.damaged = if error.kind() == ErrorKind::MalformedAnswer { self.damaged + 1 } else { 0 };
        if quiet >= self.give_up_after || self.damaged >= DAMAGED_ATTEMPTS {
            let error = error.context(format!("gave up after {} attempts", self.failures + 1));
            let is_silent = error.remedy().is_none();
            return Err(if is_silent { error.hint("when it answers again, the same command resumes") } else { error });
        }
        tracing::warn!(peer = ?self.peer, kind = ?error.kind(), failures = self.failures + 1, "request failed, retrying");
        self.stats.add_retry();
        let reason = match (error.kind(), self.peer) {
            (ErrorKind::CredentialsExpired, _) => WaitReason::Credentials,
            (_, Peer::Source) => WaitReason::SourceFails,
            (_, Peer::Stream) => WaitReason::StreamFails,
            (_, Peer::Destination) => WaitReason::DestinationFails,
        };
        self.pause(reason).await;
        Ok(())
    }

    async fn pause(&mut self, reason: WaitReason) {
        let bound = FIRST_BOUND.saturating_mul(1 << self.failures.min(16)).min(LAST_BOUND);
        self.failures += 1;
        let _waiting = WaitGuard::new(self.stats, reason);
        let share = fastrand::f64();
        tokio::time::sleep(bound.mul_f64(share)).await;
    }
}
