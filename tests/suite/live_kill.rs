//! kill -9 at random moments while applications go on writing, then the same command again: in the end nothing is lost,
//! extra or stale.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::ferry::{Ferry, STARTED};
use crate::support::local;
use crate::support::table::Table;
use crate::support::writers::{Load, Writers};

/// The time for one request, in seconds. After a kill nothing is written for 1.5 times this.
const TIMEOUT: &str = "1";
const SETTLE: Duration = Duration::from_millis(1_500);
/// A source that nobody writes to must be quiet for so many seconds.
const QUIET: &str = "1";

/// Migrations that are killed, side by side.
struct Scenario {
    /// Fixes every random choice but the machine's own timing.
    seed: u64,
    /// Migrations at the same time, each of a table of its own.
    lanes: u64,
    /// Kills of each.
    kills: u64,
    /// Items at the start.
    items: usize,
    /// Items written or deleted per second and lane.
    writes: f64,
    /// Write capacity of a lane, by turns: with little of it kills land in the copy, with much in the tail.
    write_rates: &'static [&'static str],
}

/// What was done.
#[derive(Debug, Default)]
struct Tally {
    kills: u64,
    /// Kills before the copy was done.
    in_copy: u64,
    /// Kills after it.
    in_tail: u64,
    /// Kills before the first write of a process.
    while_settling: u64,
    changes_applied: u64,
    writes: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.in_copy += other.in_copy;
        self.in_tail += other.in_tail;
        self.while_settling += other.while_settling;
        self.changes_applied += other.changes_applied;
        for (kind, count) in other.writes {
            *self.writes.entry(kind).or_default() += count;
        }
    }
}

impl Scenario {
    /// Plays all lanes and returns what was done; panics when anything is lost, extra or stale.
    fn play(&self, endpoint: &str) -> Tally {
        println!("SEED={}", self.seed);
        let sum = Mutex::new(Tally::default());
        thread::scope(|scope| {
            let sum = &sum;
            for lane in 0..self.lanes {
                scope.spawn(move || sum.lock().expect("no lane broke off").add(self.play_lane(endpoint, lane)));
            }
        });
        let tally = sum.into_inner().expect("no lane broke off");
        println!("SEED={} {tally:?}; 0 lost, 0 extra, 0 stale", self.seed);
        assert_eq!(tally.kills, self.lanes * self.kills, "every kill met a running process");
        assert!(tally.changes_applied > self.lanes * self.kills, "the tail had work: {tally:?}");
        tally
    }

    fn play_lane(&self, endpoint: &str, lane: u64) -> Tally {
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_mul(1_000).wrapping_add(lane));
        let (source, destination) = (Table::create(endpoint, "source"), Table::create(endpoint, "destination"));
        source.seed(self.items, self.seed ^ lane);
        source.enable_stream();
        let keys = self.items + self.items / 5;
        let load = Load { seed: self.seed ^ lane, threads: 2, rate: self.writes, total: None, keys };
        let writers = Writers::start(&source, load);
        let ferry = Ferry::new();
        let rate = self.write_rates[lane as usize % self.write_rates.len()];
        let mut tally = Tally::default();
        for kill in 0..self.kills {
            // Of the later kills some wait for the end of the copy, so that enough of them land behind it.
            let is_late = kill * 2 >= self.kills;
            self.kill_once(&ferry, (&source, &destination), rate, is_late, &mut rng, &mut tally);
        }
        finish(&ferry, &source, &destination, writers, &mut rng, &mut tally);
        tally
    }

    fn kill_once(
        &self,
        ferry: &Ferry,
        (source, destination): (&Table, &Table),
        rate: &str,
        is_late: bool,
        rng: &mut StdRng,
        tally: &mut Tally,
    ) {
        let more = ["--request-timeout", TIMEOUT, "--write-rate", rate];
        let mut running = ferry.start_migration(source, destination, &more);
        match rng.random_range(0..20) {
            // Anywhere in start-up: preflight, start positions, creating or opening the journal.
            0..3 => thread::sleep(Duration::from_millis(rng.random_range(0..120))),
            // While it waits until requests of the process before have ended.
            3..7 => {
                assert!(running.wait_for_output(STARTED), "{}", running.stderr());
                thread::sleep(rng.random_range(Duration::ZERO..SETTLE));
                tally.while_settling += 1;
            }
            7..14 if is_late => {
                running.wait_until_copied();
                thread::sleep(rng.random_range(Duration::ZERO..Duration::from_millis(1_200)));
            }
            _ => {
                assert!(running.wait_for_output(STARTED), "{}", running.stderr());
                thread::sleep(SETTLE + rng.random_range(Duration::ZERO..Duration::from_millis(1_200)));
            }
        }
        tally.kills += u64::from(running.kill());
        match ferry.status() {
            Some(status) if status["segments_done"] == status["segments"] => tally.in_tail += 1,
            _ => tally.in_copy += 1,
        }
    }
}

/// Stops the writers at one of several moments, brings the migration to its end in one of several ways, and compares.
fn finish(ferry: &Ferry, source: &Table, destination: &Table, writers: Writers, rng: &mut StdRng, tally: &mut Tally) {
    let more = ["--request-timeout", TIMEOUT];
    let quiet = ["--quiet-period", QUIET, "--timeout", "60"];
    if rng.random_bool(0.5) {
        // Frozen while nothing runs.
        tally.writes = writers.stop();
        ferry.migrate(source, destination, &[&more[..], &["--until", "copied"]].concat()).assert_code(0);
        ferry.drain(&quiet).assert_code(0);
    } else {
        // Frozen while it runs.
        let mut running = ferry.start_migration(source, destination, &more);
        running.wait_until_copied();
        tally.writes = writers.stop();
        ferry.drain(&quiet).assert_code(0);
        assert!(!running.has_ended(), "drain leaves the run alone: {}", running.stderr());
        running.interrupt();
        running.end().assert_code(4);
    }
    assert_equal(&source.contents(), &destination.contents());
    let status = ferry.status().expect("there is a run");
    tally.changes_applied += status["tail"]["changes_applied"].as_u64().expect("changes are counted");
}

/// Forty kills on an emulator of their own.
fn play_on_dynoxide(seed: u64) {
    let emulator = Dynoxide::start();
    let write_rates = &["300wcu", "1500wcu", "600wcu", "unlimited"];
    let scenario = Scenario { seed, lanes: 4, kills: 10, items: 1_200, writes: 60.0, write_rates };
    let tally = scenario.play(&emulator.endpoint());
    assert!(tally.in_copy >= 8 && tally.in_tail >= 4, "kills landed on one side of the copy's end: {tally:?}");
}

#[test]
fn forty_kills_under_live_writes_lose_nothing() {
    play_on_dynoxide(61);
}

#[test]
fn forty_other_kills_under_live_writes_lose_nothing() {
    play_on_dynoxide(62);
}

#[test]
fn a_third_forty_kills_under_live_writes_lose_nothing() {
    play_on_dynoxide(63);
}

#[test]
fn kills_under_live_writes_on_dynamodb_local_lose_nothing() {
    let write_rates = &["400wcu", "unlimited", "800wcu"];
    let scenario = Scenario { seed: 64, lanes: 3, kills: 8, items: 1_500, writes: 40.0, write_rates };
    scenario.play(local::endpoint());
}

#[test]
fn a_drain_that_is_killed_can_be_asked_again() {
    let emulator = Dynoxide::start();
    let (source, destination) =
        (Table::create(&emulator.endpoint(), "source"), Table::create(&emulator.endpoint(), "destination"));
    source.seed(500, 65);
    source.enable_stream();
    let load = Load { seed: 65, threads: 2, rate: 150.0, total: Some(300), keys: 600 };
    let ferry = Ferry::new();
    let more = ["--request-timeout", TIMEOUT];
    ferry.migrate(&source, &destination, &[&more[..], &["--until", "copied"]].concat()).assert_code(0);
    // Nothing runs: the drain applies all of this itself.
    Writers::start(&source, load).finish();
    let quiet = ["--quiet-period", QUIET];
    for milliseconds in [30, 300, 900, 1_600] {
        let running = ferry.start_drain(&quiet);
        thread::sleep(Duration::from_millis(milliseconds));
        running.kill();
    }
    ferry.drain(&quiet).assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
}

/// `SOAK_MINUTES=30 cargo test --test suite live_kill::soak -- --ignored --nocapture`
#[test]
#[ignore = "takes as long as SOAK_MINUTES says"]
fn soak() {
    let minutes = std::env::var("SOAK_MINUTES").ok().and_then(|minutes| minutes.parse().ok()).unwrap_or(1.0);
    let until = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
    let mut seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u32>);
    let mut sum = Tally::default();
    while Instant::now() < until {
        let emulator = Dynoxide::start();
        let write_rates = &["300wcu", "1500wcu", "600wcu", "unlimited"];
        let scenario = Scenario { seed: seed.into(), lanes: 4, kills: 10, items: 1_200, writes: 60.0, write_rates };
        sum.add(scenario.play(&emulator.endpoint()));
        seed = seed.wrapping_add(1);
    }
    println!("kills under live writes, in all: {sum:?}; 0 lost, 0 extra, 0 stale");
}
