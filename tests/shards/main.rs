//! The engine on streams with many shards, which no emulator has.
//!
//! The source and the destination are tables of an emulator behind real HTTP, read and written by the real adapters under
//! live writes. Between the engine and the source's one shard stands a shim ([`forest`], [`shim`]) that deals the changes
//! out to virtual shards, which roll, split, come late, are missing from listings, expire, throttle and forget. A run
//! ([`trial`]) is crashed some times by dropping its runtime and resumed; then both tables must hold the same.
//!
//! `RUNS=1000 cargo test --test shards` plays more, `SEED=42` one, `SOAK_MINUTES=30 cargo test --test shards soak --
//! --ignored --nocapture` as many as fit. A seed fixes every choice but the machine's own timing.

mod forest;
mod shim;
mod support;
mod trial;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{panic, thread};

use forest::KINDS;
use support::dynoxide::Dynoxide;
use trial::{Account, Ending};

/// Runs of the test suite, and how many of the others that end in a gap.
const RUNS: u64 = 210;
const GAPS: u64 = 20;
/// Runs at the same time: they mostly wait.
const LANES: usize = 10;

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays seeds as long as `next` gives one; panics with the seeds that failed.
fn play(next: impl Fn() -> Option<u64> + Sync, ending: Ending) -> Account {
    let (sum, failed) = (Mutex::new(Account::default()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let emulator = Dynoxide::start();
                while let Some(seed) = next() {
                    match panic::catch_unwind(|| trial::play(seed, ending, &emulator.endpoint())) {
                        Ok(account) => sum.lock().expect("not poisoned").add(account),
                        Err(_) => failed.lock().expect("not poisoned").push(seed),
                    }
                }
            });
        }
    });
    let (sum, failed) = (sum.into_inner().expect("not poisoned"), failed.into_inner().expect("not poisoned"));
    println!("{sum}");
    assert!(failed.is_empty(), "failed: {}", failed.iter().map(|seed| format!("SEED={seed} ")).collect::<String>());
    sum
}

/// Seeds one after another: so many, or the one that SEED names.
fn seeds(first: u64, count: u64) -> impl Fn() -> Option<u64> + Sync {
    let (first, count) = setting("SEED").map_or((first, count), |seed| (seed, 1));
    let next = AtomicU64::new(first);
    move || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < first + count)
}

#[test]
fn whatever_the_shards_do_and_whenever_it_crashes_nothing_is_lost_extra_or_stale() {
    let count = setting("RUNS").unwrap_or(RUNS);
    let sum = play(seeds(0, count), Ending::Equal);
    if sum.runs >= RUNS {
        assert!(sum.crashes >= 300, "{sum}");
        let missing: Vec<_> = KINDS.iter().filter(|kind| !sum.faults.contains_key(*kind)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?}\n{sum}");
    }
}

#[test]
fn changes_that_a_shard_has_forgotten_end_the_run_with_a_gap() {
    let sum = play(seeds(1_000_000, GAPS), Ending::Gap);
    assert_eq!(sum.gaps, sum.runs, "{sum}");
}

#[test]
#[ignore = "takes as long as SOAK_MINUTES says"]
fn soak() {
    let until = Instant::now() + Duration::from_secs_f64(60.0 * setting("SOAK_MINUTES").unwrap_or(1.0));
    let next = AtomicU64::new(setting("SEED").unwrap_or_else(rand::random::<u32>).into());
    println!("beginning with SEED={}", next.load(Ordering::Relaxed));
    play(|| (Instant::now() < until).then(|| next.fetch_add(1, Ordering::Relaxed)), Ending::Equal);
}
