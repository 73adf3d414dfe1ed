//! kill -9 at random moments, then the same command again: nothing is lost, extra or stale.

use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::contents::{Contents, assert_equal};
use crate::support::dynoxide::Dynoxide;
use crate::support::ferry::{Ferry, STARTED};
use crate::support::local;
use crate::support::table::Table;

/// How the copies of one test are killed.
struct Scenario {
    /// Fixes every random choice but the machine's own timing.
    seed: u64,
    /// Copies, each into a new table.
    runs: u64,
    /// Kills of each.
    kills: u64,
    /// Stretches the copy so that kills land inside it.
    write_rate: &'static str,
    /// The longest time from the copy's begin to a kill.
    longest: Duration,
}

/// What was done.
#[derive(Debug, Default)]
struct Tally {
    kills: u64,
    /// Kills that left some items at the destination and others not.
    within: u64,
}

impl Scenario {
    /// Copies, kills, resumes and compares as often as told.
    fn play(&self, source: &Table) -> Tally {
        let expected = source.contents();
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut tally = Tally::default();
        for run in 0..self.runs {
            println!("SEED={} run {run}", self.seed);
            self.play_once(source, &expected, &mut rng, &mut tally);
        }
        println!("{} kills, {} of them within the copy; 0 lost, 0 extra, 0 stale", tally.kills, tally.within);
        assert_eq!(tally.kills, self.runs * self.kills, "every kill met a running process");
        assert!(tally.within * 2 >= tally.kills, "too few kills landed within the copy: {tally:?}");
        tally
    }

    fn play_once(&self, source: &Table, expected: &Contents, rng: &mut StdRng, tally: &mut Tally) {
        let keys: Vec<_> = source.keys.iter().map(|key| (key.name.as_str(), key.kind.as_str())).collect();
        let destination = Table::create_keyed(&source.endpoint(), "destination", &keys);
        let ferry = Ferry::new();
        let rate = ["--json", "--write-rate", self.write_rate];
        for _ in 0..self.kills {
            let mut running = ferry.start_copy(source, &destination, &rate);
            if rng.random_bool(0.15) {
                // Anywhere in start-up: preflight, creating or opening the journal.
                thread::sleep(Duration::from_millis(rng.random_range(0..120)));
            } else {
                assert!(running.wait_for_output(STARTED), "{}", running.stderr());
                thread::sleep(rng.random_range(Duration::ZERO..self.longest));
            }
            tally.kills += u64::from(running.kill());
            tally.within += u64::from((1..expected.len()).contains(&destination.count()));
        }
        ferry.copy(source, &destination, &["--json"]).assert_code(0);
        assert_equal(expected, &destination.contents());
    }
}

fn play_on_dynoxide(seed: u64) {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    source.seed(2_500, seed);
    let longest = Duration::from_millis(900);
    Scenario { seed, runs: 10, kills: 2, write_rate: "1000wcu", longest }.play(&source);
}

#[test]
fn twenty_kills_lose_nothing() {
    play_on_dynoxide(51);
}

#[test]
fn twenty_other_kills_lose_nothing() {
    play_on_dynoxide(52);
}

#[test]
fn kills_of_a_copy_of_20_000_items_on_dynamodb_local_lose_nothing() {
    let source = Table::create(local::endpoint(), "source");
    source.seed(20_000, 53);
    let longest = Duration::from_millis(2_500);
    Scenario { seed: 53, runs: 2, kills: 4, write_rate: "2500wcu", longest }.play(&source);
}
