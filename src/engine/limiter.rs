//! Capacity units per second for one side of the copy: fixed, found by probing, or unlimited.
//!
//! A request pays an estimate before it is sent ([`Limiter::acquire`]) and is corrected by what the answer reports
//! ([`Limiter::settle`]). Both only move one number, the *debt* in units; acquiring means waiting, first come first served,
//! until the debt is paid out of the bucket. So a correction of any sign or fraction reaches the next request, and an
//! acquisition that is dropped half-way takes its debt with it. The bucket holds time, not units (see there), so that the
//! rate can change at any moment without a free burst and without losing what is already saved. `auto` decides the rate
//! when nobody named one.

mod auto;
mod bucket;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::units::{Rate, Side};
use auto::Auto;
use bucket::Bucket;

/// Rates below this are taken as this, units per second: one unit in 17 minutes, and nothing divides by zero.
const MIN_RATE: f64 = 0.001;

/// The most that answers may give back beyond one request's own estimate, as time at the present rate: the bucket's burst.
/// More would let a wave of failed requests turn into a spike when the table recovers.
const MAX_CREDIT: Duration = bucket::BURST;

/// Spends the capacity units of one side. Shared by reference among all tasks that send requests of that side.
#[derive(Debug)]
pub struct Limiter {
    side: Side,
    /// Units per second as the bits of an `f64`, infinite when unlimited: read on every call without a lock.
    rate: AtomicU64,
    /// One task at a time waits for the bucket; the others queue here in order.
    turn: tokio::sync::Mutex<()>,
    /// Tasks that wait for units.
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Units to be paid before the next request may go; negative is credit.
    debt: f64,
    bucket: Bucket,
    /// Nothing is paid before this, after a throttle.
    held_until: Option<Instant>,
    auto: Option<Auto>,
}

impl Limiter {
    /// A limiter for one side. The bucket begins empty, so even the first request waits for its units.
    pub fn new(side: Side, rate: Rate) -> Self {
        let (units_per_second, auto) = Self::resolve(rate);
        Self {
            side,
            rate: AtomicU64::new(units_per_second.to_bits()),
            turn: tokio::sync::Mutex::new(()),
            waiting: AtomicUsize::new(0),
            state: Mutex::new(State { debt: 0.0, bucket: Bucket::new(), held_until: None, auto }),
        }
    }

    /// Waits until `units` capacity units may be spent; tasks are served in the order in which they called. Dropping the
    /// future gives back what it has paid so far.
    pub async fn acquire(&self, units: f64) {
        if self.units_per_second().is_infinite() {
            return;
        }
        let mut waiting = None;
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                waiting = Some(Waiting::begin(self));
                self.turn.lock().await
            }
        };
        let mut claim = Claim::begin(self, units);
        while let Some(pause) = self.pay() {
            waiting.get_or_insert_with(|| Waiting::begin(self));
            tokio::time::sleep(pause).await;
        }
        claim.is_paid = true;
    }

    /// Corrects an acquisition of `estimated` units by the `consumed` units that the answer reports; pass 0 when nothing
    /// was consumed. The difference is carried into the next acquisitions.
    pub fn settle(&self, estimated: f64, consumed: f64) {
        let rate = self.units_per_second();
        if rate.is_infinite() {
            return;
        }
        let mut state = self.lock();
        let before = state.debt;
        let most_credit = -(estimated + rate * MAX_CREDIT.as_secs_f64());
        // Credit that is already there, from a rate that was higher, stays.
        state.debt = (before + consumed - estimated).max(most_credit.min(before));
        if let Some(auto) = &mut state.auto {
            auto.consumed(consumed);
        }
    }

    /// Tells that an answer was a throttle or left items unprocessed. `auto` backs off, at most once per reaction time; a
    /// fixed rate stays what the operator asked for.
    pub fn throttled(&self) {
        if self.units_per_second().is_infinite() {
            return;
        }
        let mut state = self.lock();
        let Some(auto) = &mut state.auto else { return };
        let now = Instant::now();
        if let Some(units_per_second) = auto.throttled(now) {
            state.held_until = Some(now + auto::HOLD);
            self.store(units_per_second);
            tracing::debug!(side = ?self.side, units_per_second, "throttled, slowing down");
        }
    }

    /// Capacity units per second that may be spent now; `None` is no limit.
    pub fn allowed(&self) -> Option<f64> {
        let rate = self.units_per_second();
        rate.is_finite().then_some(rate)
    }

    /// Whether some task waits for units at this moment.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Changes the rate; tasks that wait already feel it within 50 ms.
    pub fn set_rate(&self, rate: Rate) {
        let (units_per_second, auto) = Self::resolve(rate);
        let mut state = self.lock();
        if self.units_per_second().is_infinite() {
            state.debt = 0.0;
            state.bucket.drain();
        }
        state.held_until = None;
        state.auto = auto;
        self.store(units_per_second);
    }

    /// Pays off debt as far as the bucket goes; returns how long to wait before the next piece, or `None` when all is paid.
    fn pay(&self) -> Option<Duration> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if let Some(until) = state.held_until {
            let pause = until.saturating_duration_since(Instant::now());
            if !pause.is_zero() {
                return Some(pause);
            }
            state.held_until = None;
            state.bucket.drain();
        }
        while state.debt > 0.0 {
            if let Some(auto) = &mut state.auto
                && let Some(units_per_second) = auto.tick(Instant::now())
            {
                self.store(units_per_second);
            }
            let rate = self.units_per_second();
            if rate.is_infinite() {
                state.debt = 0.0;
                return None;
            }
            match state.bucket.take(Duration::from_secs_f64((state.debt / rate).min(1.0))) {
                Ok(paid) => {
                    state.debt -= paid.as_secs_f64() * rate;
                    if let Some(auto) = &mut state.auto {
                        auto.spent(paid);
                    }
                }
                Err(pause) => return Some(pause),
            }
        }
        None
    }

    fn resolve(rate: Rate) -> (f64, Option<Auto>) {
        match rate {
            Rate::Fixed(units) => (units.max(MIN_RATE), None),
            Rate::Auto { start } => {
                let auto = Auto::new(start, Instant::now());
                (auto.rate(), Some(auto))
            }
            Rate::Unlimited => (f64::INFINITY, None),
        }
    }

    fn units_per_second(&self) -> f64 {
        f64::from_bits(self.rate.load(Ordering::Relaxed))
    }

    fn store(&self, units_per_second: f64) {
        self.rate.store(units_per_second.to_bits(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is numbers that are whole after every statement, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a task as waiting for as long as it lives.
struct Waiting<'a>(&'a Limiter);

impl<'a> Waiting<'a> {
    fn begin(limiter: &'a Limiter) -> Self {
        limiter.waiting.fetch_add(1, Ordering::Relaxed);
        Self(limiter)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The debt of an acquisition under way; taken back if that is dropped before it is paid.
struct Claim<'a> {
    limiter: &'a Limiter,
    units: f64,
    is_paid: bool,
}

impl<'a> Claim<'a> {
    fn begin(limiter: &'a Limiter, units: f64) -> Self {
        limiter.lock().debt += units;
        Self { limiter, units, is_paid: false }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.is_paid {
            self.limiter.lock().debt -= self.units;
        }
    }
}

#[cfg(test)]
mod tests;
