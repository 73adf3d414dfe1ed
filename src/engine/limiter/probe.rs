//! `auto`: finds what a table gives without asking it.
//!
//! Until the first throttle the rate grows exponentially, as long as it is what holds the work back. Every throttle
//! remembers the rate as too high, pauses (a table that has nothing left needs time to gather some) and goes on below:
//! far below when throttles come in quick succession, because then the rate is far off, else just a little. From there
//! the rate approaches the one that was too high, and probes beyond it slowly, because each probe costs throttled
//! requests. `benches/rates` holds the constants to what they promise.

use std::time::Duration;

use tokio::time::Instant;

/// Seconds in which the rate doubles until the first throttle.
const DOUBLING: f64 = 1.5;
/// No units are handed out for this long after a throttle.
const PAUSE: Duration = Duration::from_millis(1000);
/// Throttles within this time of the last decrease tell of the same overload.
const REACTION: Duration = Duration::from_millis(1200);
/// Throttles closer than this are in quick succession.
const SUCCESSION: Duration = Duration::from_secs(5);
/// The rate after a throttle: the first, one in quick succession, one out of a steady state.
const DECREASE: [f64; 3] = [0.5, 0.6, 0.93];
/// Seconds in which the way back to the rate that was too high shrinks to a third.
const APPROACH: f64 = 5.0;
/// From this share of it on, probing begins ...
const NEAR: f64 = 0.985;
/// ... with this share of it more each second.
const PROBE: f64 = 0.001;
/// Growth between two looks at the clock is at most that of this time.
const LONGEST_STEP: Duration = Duration::from_millis(300);
/// This many decreases in quick succession may have gone too far: after a while without throttles the search begins anew.
const SEARCH_AGAIN: u32 = 4;
/// Never more than this many times what is consumed: a rate that nobody uses says nothing.
const LEAD: f64 = 4.0;
/// Consumption is measured over this time.
const MEASURE: Duration = Duration::from_secs(1);
/// Never slower than this share of the first rate, and one unit a second.
const FLOOR: f64 = 0.02;

#[derive(Debug)]
pub(super) struct Probe {
    rate: f64,
    start: f64,
    too_high: Option<f64>,
    /// Decreases in quick succession.
    decreases: u32,
    decreased: Instant,
    grown: Instant,
    /// Units since then, and units a second in the time measured before.
    consumed: (Instant, f64),
    consumption: f64,
}

impl Probe {
    pub(super) fn new(start: f64) -> Self {
        let now = Instant::now();
        Self {
            rate: start.max(1.0),
            start,
            too_high: None,
            decreases: 0,
            decreased: now,
            grown: now,
            consumed: (now, 0.0),
            consumption: 0.0,
        }
    }

    /// Notes what an answer reported.
    pub(super) fn consume(&mut self, units: f64) {
        self.consumed.1 += units;
        let (since, total) = self.consumed;
        let passed = since.elapsed();
        if passed >= MEASURE {
            self.consumption = total / passed.as_secs_f64();
            self.consumed = (Instant::now(), 0.0);
        }
    }

    /// Until when no units are handed out.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        let end = self.decreased + PAUSE;
        (self.too_high.is_some() && end > Instant::now()).then_some(end)
    }

    /// The rate for now; it grows only while it is what holds the work back.
    pub(super) fn rate(&mut self, is_bottleneck: bool) -> f64 {
        let now = Instant::now();
        // A time without requests says nothing about the table.
        let seconds = (now - self.grown).min(LONGEST_STEP).as_secs_f64();
        self.grown = now;
        if self.decreases >= SEARCH_AGAIN && now - self.decreased >= SUCCESSION {
            self.too_high = None;
            self.decreases = 0;
        }
        if is_bottleneck && self.rate < (self.consumption * LEAD).max(self.start) {
            self.rate = match self.too_high {
                None => self.rate * (seconds / DOUBLING).exp2(),
                Some(limit) if self.rate < limit * NEAR => {
                    self.rate + (limit - self.rate) * (1.0 - (-seconds / APPROACH).exp())
                }
                Some(limit) => self.rate + limit * PROBE * seconds,
            };
        }
        self.rate
    }

    /// The rate after a throttle.
    pub(super) fn throttled(&mut self) -> f64 {
        let now = Instant::now();
        let since = now - self.decreased;
        let (share, decreases) = match self.too_high {
            Some(_) if since < REACTION => return self.rate,
            None => (DECREASE[0], 1),
            Some(_) if since < SUCCESSION => (DECREASE[1], self.decreases + 1),
            Some(_) => (DECREASE[2], 1),
        };
        self.decreases = decreases;
        self.too_high = Some(self.rate);
        self.decreased = now;
        self.grown = now;
        self.rate = (self.rate * share).max(self.start * FLOOR).max(1.0);
        self.rate
    }
}
