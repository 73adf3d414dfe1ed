//! `auto`: finds the rate that a table sustains, from its throttles alone.
//!
//! Additive increase, multiplicative decrease, as TCP does it, with one thing that TCP cannot know. At a throttle the
//! table's own token bucket is empty. Between two throttles it was filled and emptied again, so the units consumed in
//! between, by the time in between, are the table's capacity: exactly, however fast or slow we went, as long as the table's
//! burst did not fill up and overflow.
//!
//! 1. *Climb*: double every second until the first throttle, then halve.
//! 2. A second throttle gives the first measurement, the *ceiling*. Until it comes, climb on, slower.
//! 3. *Probe*: approach the ceiling from below, rest near it and go past it, along CUBIC's curve, which is flat at the
//!    ceiling and steep far from it. What is left unused below pays for the probe above, so the mean is the capacity itself.
//!    A quarter above the ceiling and still no throttle: climb again.
//!
//! After each throttle nothing is sent for [`HOLD`]. The rate grows only while it is what holds the copy back.

use std::time::Duration;

use tokio::time::Instant;

/// No request starts for this long after a throttle: requests under way are answered, and the next throttle is news.
pub(super) const HOLD: Duration = Duration::from_millis(100);

/// Throttles within this time of the last decrease belong to it: they answer requests sent before.
const REACTION: Duration = HOLD;

/// How often the rate grows a little.
const TICK: Duration = Duration::from_millis(100);

/// The limiter is the bottleneck when at least this share of its time was spent; the rest is the gaps between requests.
const BOTTLENECK_SHARE: f64 = 0.85;

/// Time in which the rate doubles before the first throttle, seconds.
const FIRST_DOUBLING_SECONDS: f64 = 1.0;

/// Time in which it doubles between the first and the second throttle, seconds: capacity is between half and all of it.
const NEXT_DOUBLING_SECONDS: f64 = 4.0;

/// Multiplicative decrease while the ceiling is unknown, and the most that one throttle takes at any time: answers arrive out
/// of order, so that a measurement may miss units that are under way.
const CLIMB_DECREASE: f64 = 0.5;

/// Share of a measured ceiling to begin again at, and the least decrease at a throttle.
const PROBE_DECREASE: f64 = 0.97;

/// The most that one throttle takes when it measured over a long time, in which the table's burst may have overflowed.
const MAX_DECREASE: f64 = 0.85;

/// A measurement over a shorter time than this is noise: a batch more or less.
const MIN_MEASURE: Duration = Duration::from_millis(50);

/// Over a shorter time than this the table's burst did not overflow, so the measurement may be far below the rate.
const SHORT_MEASURE: Duration = Duration::from_secs(2);

/// Steepness of the curve, per second cubed: from 3 % below the ceiling to 3 % above it in 10 s, then 24 % in 5 s more.
const CUBIC: f64 = 0.00024;

/// A ceiling passed by this factor without a throttle was none: the table has grown, or the throttles had another cause.
const DISPROVED: f64 = 1.25;

/// Bounds of the rate, units per second: the first keeps every decrease recoverable, no table reaches the second.
const RATES: (f64, f64) = (1.0, 1e9);

/// The state of the search.
#[derive(Debug)]
pub(super) struct Auto {
    rate: f64,
    phase: Phase,
    ticked: Instant,
    /// Time bought from the bucket since the last tick.
    spent: Duration,
    /// When the table was last seen empty.
    dry: Option<Instant>,
    /// Units consumed since then.
    consumed: f64,
    decreased: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Climb {
        doubling_seconds: f64,
    },
    Probe {
        /// Units per second that the table was measured to sustain.
        ceiling: f64,
        /// Seconds on the curve; negative before it reaches the ceiling.
        at: f64,
    },
}

impl Auto {
    /// Begins at `start` units per second.
    pub(super) fn new(start: f64, now: Instant) -> Self {
        Self {
            rate: start.clamp(RATES.0, RATES.1),
            phase: Phase::Climb { doubling_seconds: FIRST_DOUBLING_SECONDS },
            ticked: now,
            spent: Duration::ZERO,
            dry: None,
            consumed: 0.0,
            decreased: None,
        }
    }

    /// Units per second allowed now.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Takes note of units that an answer reports.
    pub(super) fn consumed(&mut self, units: f64) {
        self.consumed += units;
    }

    /// Takes note of time bought from the bucket.
    pub(super) fn spent(&mut self, time: Duration) {
        self.spent += time;
    }

    /// Called often; returns the new rate when it is time for one.
    pub(super) fn tick(&mut self, now: Instant) -> Option<f64> {
        let passed = now - self.ticked;
        if passed < TICK {
            return None;
        }
        let is_bottleneck = self.spent.as_secs_f64() >= BOTTLENECK_SHARE * passed.as_secs_f64();
        self.ticked = now;
        self.spent = Duration::ZERO;
        if !is_bottleneck {
            return None;
        }
        let seconds = passed.as_secs_f64();
        let rate = match &mut self.phase {
            Phase::Climb { doubling_seconds } => self.rate * (seconds / *doubling_seconds).exp2(),
            Phase::Probe { ceiling, at } => {
                *at += seconds;
                let share = 1.0 + CUBIC * at.powi(3);
                let rate = *ceiling * share;
                if share > DISPROVED {
                    self.phase = Phase::Climb { doubling_seconds: FIRST_DOUBLING_SECONDS };
                }
                rate
            }
        };
        self.rate = rate.clamp(RATES.0, RATES.1);
        Some(self.rate)
    }

    /// A throttle; returns the new rate, or `None` when it belongs to the last decrease.
    pub(super) fn throttled(&mut self, now: Instant) -> Option<f64> {
        let measured = self.measure(now);
        self.dry = Some(now);
        self.consumed = 0.0;
        if self.decreased.is_some_and(|at| now - at < REACTION) {
            return None;
        }
        self.decreased = Some(now);
        let (ceiling, rate) = match (measured, &mut self.phase) {
            (Some(ceiling), _) => (ceiling, PROBE_DECREASE * ceiling.min(self.rate)),
            (None, Phase::Probe { .. }) => (self.rate, MAX_DECREASE * self.rate),
            (None, Phase::Climb { doubling_seconds }) => {
                *doubling_seconds = NEXT_DOUBLING_SECONDS;
                self.rate = (CLIMB_DECREASE * self.rate).max(RATES.0);
                return Some(self.rate);
            }
        };
        self.phase = Phase::Probe { ceiling, at: -((1.0 - rate / ceiling) / CUBIC).cbrt() };
        self.rate = rate.clamp(RATES.0, RATES.1);
        Some(self.rate)
    }

    /// The table's capacity, when it was empty before and is empty now.
    fn measure(&self, now: Instant) -> Option<f64> {
        let over = now - self.dry?;
        if over < MIN_MEASURE {
            return None;
        }
        let measured = self.consumed / over.as_secs_f64();
        let least = self.rate * if over < SHORT_MEASURE { CLIMB_DECREASE } else { MAX_DECREASE };
        Some(measured.max(least))
    }
}
