//! Capacity units a second, for one side: fixed, found by probing, or unlimited.
//!
//! governor is the bucket. Units are taken before a request from an estimate and corrected afterwards by what the answer
//! reports; the difference is carried into the next requests. Everything runs on Tokio's clock, so that a simulation can
//! run it on paused time.

mod probe;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::units::{Rate, Side};
use probe::Probe;

/// Tokens of the bucket for one capacity unit: eventual reads cost halves, and slow rates need fine steps.
const TOKENS_PER_UNIT: f64 = 10.0;
/// The burst, as time at the full rate: enough to cover a timer that fires late.
const BURST: Duration = Duration::from_millis(100);
/// How often `auto` reconsiders its rate.
const ADJUST: Duration = Duration::from_millis(100);

type Bucket = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<TokioInstant>>;

/// A limiter of one side, shared by all its requests.
#[derive(Debug)]
pub struct Limiter {
    side: Side,
    is_limited: AtomicBool,
    /// One waiter at a time draws from the bucket; the others queue here in order.
    turn: tokio::sync::Mutex<()>,
    waiting: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Units to be taken in addition to the next request's (negative: to be given back).
    carried: f64,
    units_per_second: f64,
    bucket: std::sync::Arc<Bucket>,
    burst_tokens: u32,
    probe: Option<Probe>,
    adjusted: Instant,
    /// Whether somebody had to wait since the last adjustment: then it is the rate that holds the work back.
    has_denied: bool,
}

impl Limiter {
    /// A limiter that enforces `rate`.
    pub fn new(side: Side, rate: Rate) -> Self {
        let (units_per_second, probe) = match rate {
            Rate::Fixed(units) => (units, None),
            Rate::Auto { start } => (start, Some(Probe::new(start))),
            Rate::Unlimited => (f64::MAX, None),
        };
        let (bucket, burst_tokens) = bucket(units_per_second);
        Self {
            side,
            is_limited: AtomicBool::new(rate != Rate::Unlimited),
            turn: tokio::sync::Mutex::new(()),
            waiting: AtomicU32::new(0),
            state: Mutex::new(State {
                carried: 0.0,
                units_per_second,
                bucket,
                burst_tokens,
                probe,
                adjusted: Instant::now(),
                has_denied: false,
            }),
        }
    }

    /// Waits until `units` may be spent; first come, first served.
    pub async fn acquire(&self, units: f64) {
        if !self.is_limited.load(Ordering::Relaxed) {
            return;
        }
        let _waiting = Waiting::new(&self.waiting);
        let _turn = self.turn.lock().await;
        let mut tokens = {
            let mut state = self.lock();
            let due = (units + state.carried) * TOKENS_PER_UNIT;
            let whole = due.max(0.0).floor();
            state.carried = (due - whole) / TOKENS_PER_UNIT;
            whole as u64
        };
        while tokens > 0 {
            let (bucket, part, paused_until) = {
                let mut state = self.lock();
                state.adjust();
                let paused_until = state.probe.as_ref().and_then(Probe::paused_until);
                (state.bucket.clone(), tokens.min(u64::from(state.burst_tokens)) as u32, paused_until)
            };
            if let Some(end) = paused_until {
                tokio::time::sleep_until(end).await;
                continue;
            }
            let Some(part_tokens) = NonZeroU32::new(part) else { break };
            match bucket.check_n(part_tokens) {
                Ok(Ok(())) => tokens -= u64::from(part),
                // At the longest until the rate may have changed.
                Ok(Err(not_until)) => {
                    self.lock().has_denied = true;
                    let wait = not_until.wait_time_from(TokioInstant(Instant::now()));
                    tokio::time::sleep(wait.min(ADJUST).max(Duration::from_micros(100))).await;
                }
                Err(_) => break,
            }
        }
    }

    /// Corrects an acquisition of `estimated` units by the `consumed` units that the answer reports.
    pub fn settle(&self, estimated: f64, consumed: f64) {
        if !self.is_limited.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.lock();
        state.carried += consumed - estimated;
        // What was not spent may be spent, but not hoarded.
        state.carried = state.carried.max(-state.units_per_second * BURST.as_secs_f64() - estimated);
        if let Some(probe) = &mut state.probe {
            probe.consume(consumed);
        }
    }

    /// An answer was a throttle or left items unprocessed.
    pub fn throttled(&self) {
        if !self.is_limited.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.lock();
        if let Some(probe) = &mut state.probe {
            let rate = probe.throttled();
            tracing::debug!(side = ?self.side, rate, "throttled");
            state.set_rate(rate);
        }
    }

    /// Units a second that are allowed now; `None` is no limit.
    pub fn allowed(&self) -> Option<f64> {
        self.is_limited.load(Ordering::Relaxed).then(|| self.lock().units_per_second)
    }

    /// Whether a request waits for units.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn adjust(&mut self) {
        if let Some(probe) = &mut self.probe
            && self.adjusted.elapsed() >= ADJUST
        {
            self.adjusted = Instant::now();
            let is_bottleneck = std::mem::take(&mut self.has_denied);
            let rate = probe.rate(is_bottleneck);
            self.set_rate(rate);
        }
    }

    fn set_rate(&mut self, units_per_second: f64) {
        if (units_per_second / self.units_per_second - 1.0).abs() < 0.001 {
            return;
        }
        self.units_per_second = units_per_second;
        (self.bucket, self.burst_tokens) = bucket(units_per_second);
    }
}

/// An empty bucket for that rate: a new one must not hand out its burst for free.
fn bucket(units_per_second: f64) -> (std::sync::Arc<Bucket>, u32) {
    let tokens_per_second = (units_per_second * TOKENS_PER_UNIT).clamp(0.001, 1e9);
    let period = Duration::from_nanos((1e9 / tokens_per_second).round().max(1.0) as u64);
    let burst = (tokens_per_second * BURST.as_secs_f64()).ceil().max(TOKENS_PER_UNIT) as u32;
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX)).allow_burst(burst);
    let bucket = RateLimiter::direct_with_clock(quota, TokioClock);
    // Cannot fail: a new bucket holds its burst.
    let _ = bucket.check_n(burst);
    (std::sync::Arc::new(bucket), burst.get())
}

struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tokio's clock as governor wants it.
#[derive(Debug, Clone, Copy)]
struct TokioClock;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TokioInstant(Instant);

impl Clock for TokioClock {
    type Instant = TokioInstant;

    fn now(&self) -> TokioInstant {
        TokioInstant(Instant::now())
    }
}

impl Reference for TokioInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl std::ops::Add<Nanos> for TokioInstant {
    type Output = Self;

    fn add(self, duration: Nanos) -> Self {
        Self(self.0 + Duration::from(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn spend(limiter: &Limiter, total: f64, each: f64) -> Duration {
        let begun = Instant::now();
        let mut spent = 0.0;
        while spent < total {
            limiter.acquire(each).await;
            limiter.settle(each, each);
            spent += each;
        }
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_rate_is_held() {
        for (rate, each) in [(1000.0, 25.0), (40_000.0, 25.0), (100.0, 256.0), (0.5, 1.0), (10.0, 0.5)] {
            let limiter = Limiter::new(Side::Write, Rate::Fixed(rate));
            let seconds = spend(&limiter, rate * 60.0, each).await.as_secs_f64();
            assert!((seconds / 60.0 - 1.0).abs() < 0.03 || each / rate > 2.0 * 0.6, "{rate} by {each}: {seconds} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_answer_reports_is_what_counts() {
        let limiter = Limiter::new(Side::Read, Rate::Fixed(100.0));
        let begun = Instant::now();
        for _ in 0..100 {
            limiter.acquire(1.0).await;
            limiter.settle(1.0, 20.0);
        }
        let seconds = begun.elapsed().as_secs_f64();
        assert!((18.0..21.0).contains(&seconds), "2000 units at 100 a second took {seconds} s");
    }

    #[tokio::test(start_paused = true)]
    async fn units_not_used_for_long_are_no_credit() {
        let limiter = Limiter::new(Side::Write, Rate::Fixed(100.0));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let seconds = spend(&limiter, 1000.0, 10.0).await.as_secs_f64();
        assert!(seconds > 9.5, "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_never_waits() {
        let limiter = Limiter::new(Side::Write, Rate::Unlimited);
        assert_eq!(spend(&limiter, 1e7, 1e3).await, Duration::ZERO);
        assert_eq!(limiter.allowed(), None);
    }
}
