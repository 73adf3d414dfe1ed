//! Everything that is left to chance, from one seed.

use std::time::Duration;

/// Numbers that are the same for the same seed, on every machine.
#[derive(Debug, Clone)]
pub struct Random(fastrand::Rng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// True in this share of all cases.
    pub fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.0.f64() < share
    }

    /// From 0 to less than `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.0.usize(0..end) }
    }

    /// Both ends included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        self.0.u64(first..=last.max(first))
    }

    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.0.usize(0..choices.len())].clone()
    }

    /// From 1 ms to `most_ms`, evenly or, now and then, hardly anything.
    pub fn latency(&mut self, most_ms: u64) -> Duration {
        let most_ms = if self.chance(0.2) { most_ms / 10 } else { most_ms };
        Duration::from_millis(self.between(1, most_ms.max(1)))
    }

    /// Cuts a time in two at a random place.
    pub fn split(&mut self, whole: Duration) -> (Duration, Duration) {
        let first = Duration::from_millis(self.between(0, whole.as_millis() as u64));
        (first, whole - first)
    }
}
