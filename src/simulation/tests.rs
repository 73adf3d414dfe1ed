//! Many histories, and what they add up to.
//!
//! `SEEDS=100000 cargo test --lib simulation` tries more than the usual number and `SEED=42` runs one; `tests/soak` goes on
//! from a random seed until its time is over. `SEED=42 STORY=k7` prints what became of one key.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::history::{Account, Failure, run};
use super::oracle::{Differences, compare};
use super::profile::Profile;
use super::transforms::{Kind, Shaper};
use super::world::{Tally, World};
use crate::checkpoint::{DeadLetter, Place};
use crate::transform::{Occasion, Transform};

/// Histories a run of the test suite tries.
const SEEDS: u64 = 20_000;
const THREADS: usize = 2;
/// Every so many histories are run twice, to see that a seed makes one history and not several.
const TWICE: u64 = 100;

pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A history, with a panic counted as a failure.
pub fn try_history(seed: u64, profile: Profile) -> Result<Account, Failure> {
    catch_unwind(AssertUnwindSafe(|| run(seed, profile))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("for an unknown reason");
        Err(Failure::Broken(format!("panicked: {text}")))
    })
}

/// Runs seeds on all threads until the end of `seeds` or of the time; the first failure ends it.
fn run_all(draw: fn(u64) -> Profile, seeds: std::ops::Range<u64>, until: Option<Instant>) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let has_failed = AtomicBool::new(false);
    let sum = Mutex::new((Tally::new(), Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let is_over = seed >= seeds.end || until.is_some_and(|until| Instant::now() >= until);
            if is_over || has_failed.load(Ordering::Relaxed) {
                return;
            }
            let mut result = try_history(seed, draw(seed));
            if let Ok(first) = &result
                && seed.is_multiple_of(TWICE)
            {
                let second = try_history(seed, draw(seed)).map(|account| account.trace);
                if second.as_ref().ok() != Some(&first.trace) {
                    result = Err(Failure::Broken("the same seed made another history".to_owned()));
                }
            }
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(account) => {
                    for (what, times) in account.tally {
                        *sum.0.entry(what).or_default() += times;
                    }
                }
                Err(failure) => {
                    has_failed.store(true, Ordering::Relaxed);
                    sum.1.push(format!("SEED={seed}: {failure}"));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    let (tally, failures) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(
        failures.is_empty(),
        "{}\nrun one alone with SEED=<number> cargo test --lib and the name of this test",
        failures.join("\n")
    );
    tally
}

fn print(tally: &Tally, took: Duration) {
    println!("{took:.1?}:");
    for (what, times) in tally {
        println!("{times:>10} {what}");
    }
    println!("0 lost, 0 extra, 0 stale");
}

#[test]
fn whatever_fails_and_whenever_it_dies_the_destination_becomes_what_the_source_is() {
    let begun = Instant::now();
    let tally = match setting("SEED") {
        Some(seed) => {
            println!("{:#?}", Profile::draw(seed));
            run_all(Profile::draw, seed..seed + 1, None)
        }
        None => run_all(Profile::draw, 0..setting("SEEDS").unwrap_or(SEEDS), None),
    };
    print(&tally, begun.elapsed());
    let histories = tally.get("histories").copied().unwrap_or(0);
    if histories >= 10_000 {
        for what in ["crashes", "drains", "shards rolled", "dead letters", "pauses of hours"] {
            assert!(tally.contains_key(what), "no history had {what}");
        }
        // Trimming has a test of its own.
        let is_rare = |what: &str, times: u64| what.contains(": ") && times < 200 && what != "stream: position trimmed";
        let rare: Vec<_> = tally.iter().filter(|(what, times)| is_rare(what, **times)).collect();
        assert!(rare.is_empty(), "hardly injected: {rare:?}");
    }
}

#[test]
fn what_the_stream_forgets_before_it_is_read_ends_in_a_gap_and_never_in_success() {
    let begun = Instant::now();
    let seeds = match setting("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..SEEDS / 10,
    };
    let tally = run_all(Profile::forgetful, seeds.clone(), None);
    print(&tally, begun.elapsed());
    let gaps = tally.get("gaps found").copied().unwrap_or(0);
    assert!(gaps >= 200 || seeds.end - seeds.start < 1000, "only {gaps} histories had a gap");
}

#[test]
#[ignore = "takes as long as SOAK_MINUTES says"]
fn soak() {
    let begun = Instant::now();
    let until = begun + Duration::from_secs(60 * setting("SOAK_MINUTES").unwrap_or(1));
    let first = setting("SEED").unwrap_or_else(|| fastrand::u64(0..1 << 40));
    println!("beginning with SEED={first}");
    print(&run_all(Profile::draw, first..u64::MAX, Some(until)), begun.elapsed());
}

/// A frozen world whose destination and dead letters are filled by hand, as they must be.
async fn filled_by_hand() -> (std::sync::Arc<World>, Shaper, Vec<DeadLetter>) {
    let mut profile = Profile::draw(1);
    (profile.keys, profile.filled, profile.earlier_changes, profile.poison) = (60, 1.0, 200, 0.1);
    let shaper = Shaper { kind: Kind::Derived, refuses: true };
    let world = World::new(1, profile);
    let mut letters = Vec::new();
    let source = world.with(|state| state.table.items());
    for item in source.values() {
        let mut outputs = Vec::new();
        let is_refused = shaper.apply(item.clone(), &Occasion::default(), &mut outputs).is_err();
        if is_refused || outputs.iter().any(super::items::is_poison) {
            let key = item.key_json(&super::items::schema());
            letters.push(DeadLetter { key, reason: String::new(), place: Place::Page { segment: 0, page: 0 } });
            continue;
        }
        for output in outputs {
            world.with(|state| state.destination.items.insert(super::items::name(&output).to_owned(), output));
        }
    }
    (world, shaper, letters)
}

#[tokio::test(start_paused = true)]
async fn the_oracle_sees_every_single_difference() {
    let (world, shaper, letters) = filled_by_hand().await;
    let (source, good) = world.with(|state| (state.table.items(), state.destination.items.clone()));
    assert!(good.len() > 20 && letters.len() > 5);
    assert_eq!(compare(&source, &shaper, &good, &letters), Differences::default());
    let (first, item) = good.first_key_value().expect("not empty");
    let (last, other) = good.last_key_value().expect("not empty");

    let mut lost = good.clone();
    lost.remove(first);
    assert_eq!(compare(&source, &shaper, &lost, &letters).lost, std::slice::from_ref(first));
    let mut extra = good.clone();
    extra.insert("k0#9".to_owned(), item.clone());
    assert_eq!(compare(&source, &shaper, &extra, &letters).extra, ["k0#9"]);
    let mut stale = good.clone();
    stale.insert(last.clone(), super::items::Version::new(3, 0, 0, false).raw);
    assert_ne!(other.json(), stale[last].json());
    assert_eq!(compare(&source, &shaper, &stale, &letters).stale, std::slice::from_ref(last));
    assert_eq!(compare(&source, &shaper, &good, &letters[1..]).letters_missing, std::slice::from_ref(&letters[0].key));
    let mut more = letters.clone();
    more.push(DeadLetter { key: "another".to_owned(), ..letters[0].clone() });
    assert_eq!(compare(&source, &shaper, &good, &more).letters_extra, ["another"]);
}
