//! Does the limiter hold a rate, and does `auto` find what a table gives? Simulated tables on paused time, the real
//! [`Limiter`] and [`InFlight`].
//!
//! `cargo bench --bench rates` prints every figure and ends with code 1 when a claim fails; `-- --test` runs one short case.
//!
//! The table is a token bucket that fills at its capacity and holds some seconds of it (DynamoDB keeps up to 300 s of unused
//! capacity, and promises none). A request of 25 items of 1 to 3 units takes about 10 ms; items that find the bucket dry
//! come back unprocessed, and are sent again after a jittered backoff. Such a request counts as throttled.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tableferry::engine::in_flight::{InFlight, Permit};
use tableferry::engine::limiter::Limiter;
use tableferry::units::{Rate, Side};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Capacities of the simulated tables, write units per second.
const TABLES: [f64; 3] = [1_000.0, 4_000.0, 40_000.0];
/// A table that never throttles, write units per second.
const BOTTOMLESS: f64 = 1e12;
/// How far a fixed rate may be off.
const FIXED_TOLERANCE: f64 = 0.02;
/// The share of the capacity that `auto` must find ...
const SHARE: f64 = 0.95;
/// ... within this time ...
const FOUND_WITHIN: u64 = 30;
/// ... with fewer requests throttled than this share, then and afterwards.
const MOST_THROTTLED: f64 = 0.01;
/// A window in which the share is measured, seconds.
const WINDOW: u64 = 5;
/// Length of an `auto` run: the search, and a minute of what comes after.
const AUTO_SECONDS: u64 = 90;
/// Items in a batch, as BatchWriteItem allows.
const BATCH: usize = 25;
/// Time to the table and back, milliseconds.
const LATENCY_MS: std::ops::Range<f64> = 8.0..12.0;
/// First and last bound of the backoff, as the engine's.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
/// Requests in flight: at first, at most.
const IN_FLIGHT: (usize, usize) = (8, 256);

struct Table {
    capacity: f64,
    burst: f64,
    level: f64,
    filled: Instant,
}

impl Table {
    /// Takes items from the front while there is capacity for them; returns those left over.
    fn write(&mut self, items: &[f64]) -> Vec<f64> {
        let now = Instant::now();
        self.level = (self.level + (now - self.filled).as_secs_f64() * self.capacity).min(self.burst);
        self.filled = now;
        let mut left = Vec::new();
        for &units in items {
            if self.level >= units {
                self.level -= units;
            } else {
                left.push(units);
            }
        }
        left
    }
}

/// What happened in one second.
#[derive(Clone, Copy, Default)]
struct Second {
    units: f64,
    requests: u64,
    throttled: u64,
}

struct Simulation {
    limiter: Limiter,
    in_flight: Arc<InFlight>,
    table: Mutex<Table>,
    random: Mutex<StdRng>,
    /// What the estimate is of what is consumed.
    estimate: f64,
    begun: Instant,
    seconds: Mutex<Vec<Second>>,
}

impl Simulation {
    /// Sends batches for so many seconds as the engine's writer does; returns what happened in each.
    fn run(capacity: f64, burst_seconds: f64, rate: Rate, estimate: f64, seconds: u64) -> Vec<Second> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime without I/O needs nothing").block_on(async {
            let now = Instant::now();
            let burst = capacity * burst_seconds;
            let simulation = Arc::new(Self {
                limiter: Limiter::new(Side::Write, rate),
                in_flight: Arc::new(InFlight::new(IN_FLIGHT.0, IN_FLIGHT.1)),
                table: Mutex::new(Table { capacity, burst, level: burst, filled: now }),
                random: Mutex::new(StdRng::seed_from_u64(7)),
                estimate,
                begun: now,
                seconds: Mutex::new(vec![Second::default(); seconds as usize + 1]),
            });
            let _ = timeout(Duration::from_secs(seconds), simulation.clone().dispatch()).await;
            let mut happened = simulation.seconds.lock().expect("no thread panics").clone();
            happened.truncate(seconds as usize);
            happened
        })
    }

    async fn dispatch(self: Arc<Self>) {
        let mut deliveries = JoinSet::new();
        loop {
            let batch: Vec<f64> = (0..BATCH).map(|_| f64::from(self.random(1..=3u8))).collect();
            let permit = self.in_flight.acquire().await;
            self.limiter.acquire(self.estimated(&batch)).await;
            deliveries.spawn(self.clone().deliver(batch, permit));
            while deliveries.try_join_next().is_some() {}
        }
    }

    async fn deliver(self: Arc<Self>, mut batch: Vec<f64>, _permit: Permit) {
        let mut bound = BACKOFF.0;
        loop {
            sleep(Duration::from_secs_f64(self.random(LATENCY_MS) / 2e3)).await;
            let left = self.table.lock().expect("no thread panics").write(&batch);
            let consumed = batch.iter().sum::<f64>() - left.iter().sum::<f64>();
            self.count(consumed, !left.is_empty());
            sleep(Duration::from_secs_f64(self.random(LATENCY_MS) / 2e3)).await;
            self.limiter.settle(self.estimated(&batch), consumed);
            if left.is_empty() {
                return self.in_flight.success();
            }
            self.limiter.throttled();
            self.in_flight.congested();
            sleep(bound.mul_f64(self.random(0.0..1.0))).await;
            bound = (bound * 2).min(BACKOFF.1);
            batch = left;
            self.limiter.acquire(self.estimated(&batch)).await;
        }
    }

    fn estimated(&self, batch: &[f64]) -> f64 {
        batch.iter().sum::<f64>() * self.estimate
    }

    fn count(&self, units: f64, is_throttled: bool) {
        let second = self.begun.elapsed().as_secs() as usize;
        let mut seconds = self.seconds.lock().expect("no thread panics");
        seconds[second].units += units;
        seconds[second].requests += 1;
        seconds[second].throttled += u64::from(is_throttled);
    }

    fn random<T: rand::distr::uniform::SampleUniform>(&self, range: impl rand::distr::uniform::SampleRange<T>) -> T {
        self.random.lock().expect("no thread panics").random_range(range)
    }
}

fn rate(seconds: &[Second]) -> f64 {
    seconds.iter().map(|second| second.units).sum::<f64>() / seconds.len() as f64
}

fn throttled(seconds: &[Second]) -> f64 {
    let requests: u64 = seconds.iter().map(|second| second.requests).sum();
    seconds.iter().map(|second| second.throttled).sum::<u64>() as f64 / requests.max(1) as f64
}

/// Runs a fixed rate; returns whether it was held.
fn fixed(asked: f64, estimate: f64, seconds: u64) -> bool {
    let happened = Simulation::run(BOTTOMLESS, 1.0, Rate::Fixed(asked), estimate, seconds);
    let achieved = rate(&happened);
    let off = achieved / asked - 1.0;
    println!("{asked:>10} {:>9.0}% {achieved:>12.2} {:>+8.2}%", estimate * 100.0, off * 100.0);
    off.abs() <= FIXED_TOLERANCE
}

/// What `auto` achieved in one run.
struct Found {
    is_found: bool,
    is_gentle: bool,
    is_gentle_later: bool,
}

fn auto(capacity: f64, burst_seconds: f64, start: f64, seconds: u64) -> Found {
    let happened = Simulation::run(capacity, burst_seconds, Rate::Auto { start }, 1.0, seconds);
    let share = |from: u64| rate(&happened[from as usize..(from + WINDOW) as usize]) / capacity;
    let found = (0..FOUND_WITHIN).find(|&from| rate(&happened[from as usize..=from as usize]) >= SHARE * capacity);
    let (search, later) = happened.split_at(FOUND_WITHIN as usize);
    let last = share(FOUND_WITHIN - WINDOW);
    print!("{capacity:>7} {burst_seconds:>5} s {start:>7} ");
    (0..FOUND_WITHIN / WINDOW).for_each(|window| print!(" {:>5.0}%", share(window * WINDOW) * 100.0));
    match found {
        Some(second) => print!(" {:>6} s", second + 1),
        None => print!("   never"),
    }
    let later_share = rate(later) / capacity;
    let percent = |seconds| 100.0 * throttled(seconds);
    println!(" {:>9.2}% {:>8.1}% {:>9.2}%", percent(search), later_share * 100.0, percent(later));
    Found {
        is_found: last >= SHARE && later_share >= SHARE,
        is_gentle: throttled(search) < MOST_THROTTLED,
        is_gentle_later: throttled(later) < MOST_THROTTLED,
    }
}

/// Prints a claim's verdict and passes it on.
fn verdict(claim: &str, holds: bool) -> bool {
    println!("{} {claim}", if holds { "holds: " } else { "FAILS: " });
    holds
}

fn autos(burst_seconds: &[f64]) -> [bool; 3] {
    let mut all = [true; 3];
    for &burst in burst_seconds {
        for capacity in TABLES {
            for start in [capacity / 4.0, 500.0] {
                let found = auto(capacity, burst, start, AUTO_SECONDS);
                all[0] &= found.is_found;
                all[1] &= found.is_gentle;
                all[2] &= found.is_gentle_later;
            }
        }
    }
    all
}

fn main() -> ExitCode {
    let is_test = std::env::args().any(|argument| argument == "--test");
    println!("fixed rates\n     asked  estimates     achieved      off");
    if is_test {
        return if fixed(1000.0, 0.8, 10) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let mut is_held = true;
    for asked in [0.5, 10.0, 1_000.0, 4_000.0, 40_000.0] {
        for estimate in [1.0, 0.8, 1.25] {
            // A batch of about 50 units must be a small part of what is measured.
            is_held &= fixed(asked, estimate, if asked < 100.0 { 60_000 } else { 60 });
        }
    }
    let header = "  table burst   start  0-5 s  -10 s  -15 s  -20 s  -25 s  -30 s  95% at throttled    later throttled";
    println!("\nauto: share of the capacity in windows of {WINDOW} s, then the minute after\n{header}");
    let claimed = autos(&[1.0, 5.0]);
    println!("\nfor information: almost no burst, and the five minutes that DynamoDB may have saved up\n{header}");
    autos(&[0.2, 300.0]);
    println!();
    let verdicts = [
        verdict("fixed rates are held within 2 %", is_held),
        verdict("auto gives 95 % of the capacity from the 25th second on", claimed[0]),
        verdict("auto has under 1 % of requests throttled in the first 30 s", claimed[1]),
        verdict("auto has under 1 % of requests throttled afterwards", claimed[2]),
    ];
    if verdicts.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
