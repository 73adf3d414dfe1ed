//! Does the limiter hold a rate, and does `auto` find one? Simulated on paused time, with the real limiter.
//!
//! The table throttles as DynamoDB does: a token bucket that refills at its capacity and saves up some seconds of unused
//! capacity; a batch for which there are not enough tokens comes back with some of its items unprocessed, and with none
//! left as a throttle.
//!
//! `cargo bench --bench rates`; exits with 1 when a claim of the README fails.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tableferry::engine::in_flight::InFlight;
use tableferry::engine::limiter::Limiter;
use tableferry::units::{Rate, Side};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Time for one BatchWriteItem.
const LATENCY: Duration = Duration::from_millis(10);
/// Items in a batch.
const BATCH: usize = 25;
/// Time in which `auto` has to find the capacity.
const SEARCH: f64 = 30.0;

struct Table {
    capacity: f64,
    saved_seconds: f64,
    state: Mutex<State>,
    begun: Instant,
}

struct State {
    tokens: f64,
    refilled: Instant,
    /// Requests and throttled requests, and units, by second.
    seconds: Vec<Second>,
    random: StdRng,
}

#[derive(Clone, Copy, Default)]
struct Second {
    requests: u64,
    throttled: u64,
    units: f64,
}

impl Table {
    fn new(capacity: f64, saved_seconds: f64) -> Self {
        let state = State {
            tokens: capacity * saved_seconds,
            refilled: Instant::now(),
            seconds: Vec::new(),
            random: StdRng::seed_from_u64(1),
        };
        Self { capacity, saved_seconds, state: Mutex::new(state), begun: Instant::now() }
    }

    /// Answers a batch of items of these units: those left unprocessed, and the units consumed.
    fn write(&self, batch: Vec<f64>) -> (Vec<f64>, f64) {
        let mut state = self.state.lock().expect("not poisoned");
        let now = Instant::now();
        let gained = (now - state.refilled).as_secs_f64() * self.capacity;
        state.tokens = (state.tokens + gained).min(self.capacity * self.saved_seconds);
        state.refilled = now;
        let mut left = Vec::new();
        let mut consumed = 0.0;
        for units in batch {
            if state.tokens >= units {
                state.tokens -= units;
                consumed += units;
            } else {
                left.push(units);
            }
        }
        let second = (now - self.begun).as_secs() as usize;
        if state.seconds.len() <= second {
            state.seconds.resize(second + 1, Second::default());
        }
        let entry = &mut state.seconds[second];
        entry.requests += 1;
        entry.throttled += u64::from(!left.is_empty());
        entry.units += consumed;
        (left, consumed)
    }

    /// Full jitter from the table's own seed, so that every run of this bench is the same run.
    fn random_share(&self) -> f64 {
        self.state.lock().expect("not poisoned").random.random()
    }

    fn batch(&self) -> Vec<f64> {
        let mut state = self.state.lock().expect("not poisoned");
        (0..BATCH).map(|_| f64::from(state.random.random_range(1..=3))).collect()
    }
}

/// Writes as the engine's writer does, for that many seconds; the table's account of it.
async fn drive(table: Arc<Table>, rate: Rate, seconds: u64) -> Vec<Second> {
    let limiter = Arc::new(Limiter::new(Side::Write, rate));
    let in_flight = Arc::new(InFlight::new(8, 128));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut deliveries = JoinSet::new();
    while Instant::now() < end {
        let batch = table.batch();
        let permit = in_flight.acquire().await;
        limiter.acquire(batch.iter().sum()).await;
        let (table, limiter, in_flight) = (table.clone(), limiter.clone(), in_flight.clone());
        deliveries.spawn(async move {
            let _permit = permit;
            let mut batch = batch;
            let mut bound = 0.05;
            loop {
                tokio::time::sleep(LATENCY).await;
                let asked: f64 = batch.iter().sum();
                let (left, consumed) = table.write(batch);
                limiter.settle(asked, consumed);
                if left.is_empty() {
                    return in_flight.success();
                }
                limiter.throttled();
                in_flight.congested();
                let pause = bound * table.random_share();
                tokio::time::sleep(Duration::from_secs_f64(pause)).await;
                bound = f64::min(bound * 2.0, 10.0);
                batch = left;
                limiter.acquire(batch.iter().sum()).await;
            }
        });
        while deliveries.try_join_next().is_some() {}
    }
    deliveries.shutdown().await;
    let seconds = &mut table.state.lock().expect("not poisoned").seconds;
    std::mem::take(seconds)
}

fn simulate(capacity: f64, saved_seconds: f64, rate: Rate, seconds: u64) -> Vec<Second> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        // One task drives, so a paused clock moves on whenever everything sleeps.
        drive(Arc::new(Table::new(capacity, saved_seconds)), rate, seconds).await
    })
}

fn total(seconds: &[Second]) -> Second {
    seconds.iter().fold(Second::default(), |sum, second| Second {
        requests: sum.requests + second.requests,
        throttled: sum.throttled + second.throttled,
        units: sum.units + second.units,
    })
}

fn throttled_percent(seconds: &[Second]) -> f64 {
    let sum = total(seconds);
    100.0 * sum.throttled as f64 / sum.requests.max(1) as f64
}

fn main() -> ExitCode {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let tables: &[f64] = if is_test { &[1000.0] } else { &[1000.0, 4000.0, 40_000.0] };
    let mut claims = Vec::new();

    println!("fixed rates: 60 simulated seconds against a table that never throttles");
    println!("{:>12} {:>12} {:>8}", "asked wcu/s", "got wcu/s", "off %");
    for rate in tables {
        let seconds = simulate(1e9, 1.0, Rate::Fixed(*rate), 60);
        let got = total(&seconds[..60.min(seconds.len())]).units / 60.0;
        let off = 100.0 * (got / rate - 1.0);
        println!("{rate:>12.0} {got:>12.1} {off:>8.2}");
        claims.push((format!("a fixed rate of {rate} is held within 2 %"), off.abs() <= 2.0));
    }

    println!(
        "\nauto: share of the capacity in each 5 s, in %; saved = seconds of unused capacity that the table saves up"
    );
    println!(
        "{:>8} {:>6} {:>8} | {:>5} {:>5} {:>5} {:>5} {:>5} {:>5} | {:>9} {:>9} {:>10} {:>10}",
        "wcu",
        "saved",
        "start",
        "5 s",
        "10 s",
        "15 s",
        "20 s",
        "25 s",
        "30 s",
        "95 % at",
        "60-120 s",
        "thr. 30 s",
        "thr. 120 s"
    );
    for capacity in tables {
        let saved: &[f64] = if is_test { &[1.0] } else { &[1.0, 5.0, 300.0] };
        for saved in saved {
            for start in [capacity * 0.25, 500.0] {
                let seconds = simulate(*capacity, *saved, Rate::Auto { start }, 120);
                let share = |from: usize, to: usize| {
                    let part = seconds.get(from..to.min(seconds.len())).unwrap_or_default();
                    100.0 * total(part).units / (capacity * (to - from) as f64)
                };
                let found = (0..115).find(|second| share(*second, second + 5) >= 95.0).map(|second| second as f64);
                let early = throttled_percent(&seconds[..30.min(seconds.len())]);
                let windows: Vec<String> = (0..6).map(|at| format!("{:>5.1}", share(at * 5, at * 5 + 5))).collect();
                println!(
                    "{capacity:>8.0} {saved:>6.0} {start:>8.0} | {} | {:>9} {:>9.1} {:>10.2} {:>10.2}",
                    windows.join(" "),
                    found.map_or("never".to_owned(), |second| format!("{second:.0} s")),
                    share(60, 120),
                    early,
                    throttled_percent(&seconds),
                );
                // A table with 300 s saved up gives more than its capacity for minutes: nothing to find in 30 s.
                if *saved <= 5.0 {
                    let name = format!("auto from {start:.0} on {capacity:.0} wcu, {saved:.0} s saved");
                    claims.push((
                        format!("{name}: 95 % within 30 s"),
                        found.is_some_and(|second| second <= SEARCH - 5.0),
                    ));
                    claims.push((format!("{name}: under 1 % throttled"), early < 1.0));
                    claims.push((format!("{name}: keeps 95 %"), share(60, 120) >= 95.0));
                }
            }
        }
    }

    let failed: Vec<&String> = claims.iter().filter(|(_, holds)| !holds).map(|(claim, _)| claim).collect();
    println!("\n{} of {} claims hold", claims.len() - failed.len(), claims.len());
    for claim in &failed {
        println!("does not hold: {claim}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
