//! `auto`: finds what a table gives without asking it.
//!
//! Until the first throttle the rate doubles every second, as long as it is what holds the work back. A throttle says
//! that the ceiling is about what was consumed lately; the rate falls below it, returns to it along a cubic, rests there
//! and then probes beyond, slowly, because each probe costs throttled requests.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Growth until the first throttle: doubling in a second.
const DOUBLING: f64 = 1.0;
/// Consumption is measured over this time.
const MEASURE: Duration = Duration::from_millis(1000);
/// Throttles within this time of the last decrease tell of the same overload.
const REACTION: Duration = Duration::from_millis(500);
/// The rate after a throttle, as a share of the ceiling.
const DECREASE: f64 = 0.9;
/// Time from a decrease back to the ceiling.
const RECOVERY: f64 = 1.5;
/// Of the ceiling, a second, in each second beyond the rest: the first probe is gentle, later ones are bolder.
const PROBE: f64 = 0.0005;
/// Seconds at the ceiling before probing beyond it.
const REST: f64 = 10.0;
/// The rate stays this little below the ceiling while it rests.
const MARGIN: f64 = 0.985;
/// Never slower than this, units a second.
const FLOOR: f64 = 1.0;

#[derive(Debug)]
pub(super) struct Probe {
    rate: f64,
    ceiling: Option<f64>,
    decreased: Instant,
    grown: Instant,
    consumed: VecDeque<(Instant, f64)>,
}

impl Probe {
    pub(super) fn new(start: f64) -> Self {
        let now = Instant::now();
        Self { rate: start.max(FLOOR), ceiling: None, decreased: now, grown: now, consumed: VecDeque::new() }
    }

    /// Notes what an answer reported.
    pub(super) fn consumed(&mut self, units: f64) {
        let now = Instant::now();
        self.consumed.push_back((now, units));
        while self.consumed.front().is_some_and(|(at, _)| now - *at > MEASURE) {
            self.consumed.pop_front();
        }
    }

    /// The rate for now; it grows only while it is what holds the work back.
    pub(super) fn rate(&mut self, is_bottleneck: bool) -> f64 {
        let now = Instant::now();
        let passed = (now - self.grown).as_secs_f64();
        self.grown = now;
        match self.ceiling {
            None if is_bottleneck => self.rate *= 2f64.powf(passed / DOUBLING),
            None => {}
            Some(ceiling) => {
                let since = (now - self.decreased).as_secs_f64();
                let share = if since < RECOVERY {
                    let left = 1.0 - since / RECOVERY;
                    MARGIN - (MARGIN - DECREASE) * left.powi(3)
                } else {
                    let beyond = (since - RECOVERY - REST).max(0.0);
                    MARGIN + PROBE * beyond * beyond
                };
                let rate = ceiling * share;
                if rate <= self.rate || is_bottleneck {
                    self.rate = rate;
                }
            }
        }
        self.rate = self.rate.max(FLOOR);
        self.rate
    }

    /// The rate after a throttle.
    pub(super) fn throttled(&mut self) -> f64 {
        let now = Instant::now();
        if self.ceiling.is_some() && now - self.decreased < REACTION {
            return self.rate;
        }
        let measured = self.measured(now).min(self.rate);
        self.ceiling = Some(measured.max(FLOOR));
        self.decreased = now;
        self.grown = now;
        self.rate = (measured * DECREASE).max(FLOOR);
        self.rate
    }

    fn measured(&self, now: Instant) -> f64 {
        let Some((first, _)) = self.consumed.front() else { return self.rate / 2.0 };
        let seconds = (now - *first).as_secs_f64().max(0.2);
        self.consumed.iter().map(|(_, units)| units).sum::<f64>() / seconds
    }
}
