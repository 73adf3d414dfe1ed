//! The token bucket, in units of time.
//!
//! A token is a microsecond of the allowed rate: at 4,000 units per second, a request of 25 units costs 6,250 tokens. The
//! bucket therefore fills at one token per microsecond whatever the rate is; a change of the rate changes only the price.
//! It neither refills nor empties the bucket, and rates below one unit per second need no special case.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::Add;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// What the bucket holds when nobody draws: a late timer is made up for, idleness is not.
pub(super) const BURST: Duration = Duration::from_millis(100);

/// The most that is drawn at once: half the burst, so that a timer that fires late loses nothing, and short enough for a
/// new rate to be felt at once.
pub(super) const PIECE: Duration = Duration::from_millis(50);

/// One token.
const TOKEN: Duration = Duration::from_micros(1);

/// A bucket of time on Tokio's clock; begins empty.
pub(super) struct Bucket(RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Moment>>);

impl Bucket {
    pub(super) fn new() -> Self {
        let quota = Quota::with_period(TOKEN).expect("a token lasts longer than nothing").allow_burst(tokens(BURST));
        let bucket = Self(RateLimiter::direct_with_clock(quota, TokioClock));
        bucket.drain();
        bucket
    }

    /// Draws `wanted`, rounded up to whole tokens, at most [`PIECE`]. Returns what was drawn, or how long to wait until
    /// that much is there.
    pub(super) fn take(&self, wanted: Duration) -> Result<Duration, Duration> {
        let tokens = tokens(wanted.min(PIECE));
        match self.0.check_n(tokens).expect("a piece is smaller than the burst") {
            Ok(()) => Ok(TOKEN * tokens.get()),
            Err(until) => Err(until.wait_time_from(TokioClock.now()).max(TOKEN)),
        }
    }

    /// Takes away what has been saved up, to the last few tokens.
    pub(super) fn drain(&self) {
        let mut part = Some(tokens(BURST));
        while let Some(tokens) = part {
            // Refused when less than this is left; then a smaller part is tried.
            let _ = self.0.check_n(tokens);
            part = NonZeroU32::new(tokens.get() / 2);
        }
    }
}

/// Whole tokens that cover `time`, at least one.
fn tokens(time: Duration) -> NonZeroU32 {
    let tokens = time.as_nanos().div_ceil(TOKEN.as_nanos());
    u32::try_from(tokens).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bucket")
    }
}

/// Tokio's clock, which tests and simulations can pause.
#[derive(Debug, Clone, Copy)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(Instant::now())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(Instant);

impl Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, nanos: Nanos) -> Self {
        Self(self.0 + Duration::from(nanos))
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, nanos: Nanos) -> Self {
        Self(self.0.checked_sub(nanos.into()).unwrap_or(self.0))
    }
}
