//! Every fault that concerns the stream, between the binary and the emulator, while applications write: afterwards nothing
//! is lost, extra or stale.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::fault::Fault;
use crate::support::ferry::{Ferry, STARTED};
use crate::support::plan::{self, Plan};
use crate::support::proxy::Proxy;
use crate::support::table::Table;
use crate::support::writers::{Load, Writers};

/// The binary waits this long for an answer, in seconds; late landings land after that.
const TIMEOUT: &str = "1";
const LATE: Fault = Fault::LateLanding(Duration::from_millis(1_300));
const SLOW: Fault = Fault::Slow(Duration::from_millis(200));
/// Migrations at the same time; they mostly wait.
const LANES: usize = 6;

/// Faults that a request to the stream survives.
const FAULTS: [Fault; 18] = [
    Fault::Refused,
    Fault::ResetBefore,
    Fault::LostAck,
    SLOW,
    Fault::Hang,
    Fault::TruncatedBody,
    Fault::ShortJson,
    Fault::Garbage,
    Fault::Html,
    Fault::BadGateway,
    Fault::BadChecksum,
    Fault::ServerError,
    Fault::Unavailable,
    Fault::ThroughputExceeded,
    Fault::Throttled,
    Fault::TooManyReaders,
    Fault::ExpiredIterator,
    Fault::EmptyRecords,
];

/// Those that reading and writing items survives.
const ITEM_FAULTS: [Fault; 12] = [
    Fault::LostAck,
    SLOW,
    LATE,
    Fault::Duplicate,
    Fault::TruncatedBody,
    Fault::ServerError,
    Fault::Unavailable,
    Fault::ThroughputExceeded,
    Fault::Throttled,
    Fault::PartialUnprocessed,
    Fault::AllUnprocessed,
    Fault::EmptyPage,
];

/// The data path of a migration.
const OPERATIONS: &[&str] = &["Scan", "BatchWriteItem", "GetRecords", "GetShardIterator"];

/// Migrates a table under live writes with both sides behind a proxy, compares, and returns the faults injected.
#[track_caller]
fn migrate_through(plan: Plan, writes: u64, seed: u64) -> BTreeMap<&'static str, u64> {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    source.seed(300, seed);
    source.enable_stream();
    let proxy = Proxy::start(&emulator.endpoint(), plan::pass());
    let (from, to) = (source.at(&proxy.endpoint()), destination.at(&proxy.endpoint()));
    let ferry = Ferry::new();
    let unlimited = ["--read-rate", "unlimited", "--write-rate", "unlimited"];
    let more = [&["--request-timeout", TIMEOUT, "--segments", "8"], &unlimited[..]].concat();
    let load = Load { seed, threads: 2, rate: 100.0, total: Some(writes), keys: 400 };
    let writers = Writers::start(&source, load);
    let mut running = ferry.start_migration(&from, &to, &more);
    // Preflight is not spoiled: what fails there ends the run before it begins.
    assert!(running.wait_for_output(STARTED), "{}", running.stderr());
    proxy.follow(plan);
    writers.finish();
    let quiet = ["--quiet-period", "2", "--timeout", "60"];
    ferry.drain(&quiet).assert_code(0);
    assert!(!running.has_ended(), "{}", running.stderr());
    assert_equal(&source.contents(), &destination.contents());
    proxy.injected()
}

/// One request in three of an operation meets the fault; all faults, some at a time.
fn survive(operation: &'static str, least: u64) {
    let faults = Mutex::new(FAULTS.iter().filter(|fault| fault.concerns(operation)).copied().collect::<Vec<_>>());
    let next = || faults.lock().expect("no lane broke off").pop();
    thread::scope(|scope| {
        for lane in 0..LANES {
            let next = &next;
            scope.spawn(move || {
                while let Some(fault) = next() {
                    let injected = migrate_through(plan::every(operation, 3, fault), 150, lane as u64);
                    let injected = injected.get(fault.name()).copied().unwrap_or(0);
                    println!("{operation}: {injected} x {}, nothing lost", fault.name());
                    assert!(injected >= least, "{fault:?} met {operation} {injected} times");
                }
            });
        }
    });
}

#[test]
fn reading_the_stream_survives_every_fault() {
    survive("GetRecords", 2);
}

#[test]
fn a_storm_of_all_faults_under_live_writes_loses_nothing() {
    let totals = Mutex::new(BTreeMap::<&str, u64>::new());
    thread::scope(|scope| {
        for seed in 1..=LANES as u64 {
            let totals = &totals;
            scope.spawn(move || {
                println!("SEED={seed}");
                let faults = [FAULTS.as_slice(), &ITEM_FAULTS].concat();
                let injected = migrate_through(plan::random_among(OPERATIONS, seed, 0.25, faults), 600, seed);
                let mut totals = totals.lock().expect("no lane broke off");
                injected.into_iter().for_each(|(name, count)| *totals.entry(name).or_default() += count);
            });
        }
    });
    let totals = totals.into_inner().expect("no lane broke off");
    println!("injected under live writes, nothing lost: {totals:#?}");
    assert!(totals.len() >= 22 && totals.values().sum::<u64>() >= 200, "{totals:?}");
}

/// Every iterator expires, again and again: each time the stream is read on from the last change that was read.
#[test]
fn iterators_that_expire_all_the_time_slow_the_tail_and_lose_nothing() {
    let injected = migrate_through(plan::every("GetRecords", 2, Fault::ExpiredIterator), 300, 7);
    println!("injected, nothing lost: {injected:?}");
}

#[test]
fn listing_and_opening_shards_survive_passing_failures() {
    thread::scope(|scope| {
        for operation in ["DescribeStream", "GetShardIterator"] {
            for fault in [Fault::TooManyReaders, Fault::Unavailable, Fault::ResetBefore, Fault::Throttled] {
                scope.spawn(move || resume_into(operation, fault));
            }
        }
    });
}

/// A run is resumed with the fault there from the first request on.
fn resume_into(operation: &'static str, fault: Fault) {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    source.seed(100, 101);
    source.enable_stream();
    let proxy = Proxy::start(&emulator.endpoint(), plan::pass());
    let far = source.at(&proxy.endpoint());
    let ferry = Ferry::new();
    ferry.migrate(&far, &destination, &["--until", "copied"]).assert_code(0);
    source.put_all(&crate::support::seed::items(&source.keys, 50, 100, 102));
    thread::sleep(Duration::from_millis(2_500));
    proxy.follow(plan::next(operation, 2, fault));
    ferry.migrate(&far, &destination, &["--until", "caught-up"]).assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
    assert_eq!(proxy.injected()[fault.name()], 2, "{operation} {fault:?}");
}
