//! Every fault that concerns Scan and BatchWriteItem, between the binary and the emulator: afterwards nothing is lost,
//! extra or stale.

use std::time::Duration;

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::fault::Fault;
use crate::support::ferry::Ferry;
use crate::support::plan::{self, Plan};
use crate::support::proxy::Proxy;
use crate::support::table::Table;

/// The binary waits this long for an answer, in seconds; late landings land after that.
const TIMEOUT: &str = "1";
/// After the binary has sent the request again.
const LATE: Fault = Fault::LateLanding(Duration::from_millis(1_300));
const SLOW: Fault = Fault::Slow(Duration::from_millis(200));

/// Without limits: throttles that come at random say nothing about a capacity that `auto` could find.
const UNLIMITED: [&str; 4] = ["--read-rate", "unlimited", "--write-rate", "unlimited"];

/// Faults that cost no time-out.
const QUICK: [Fault; 19] = [
    Fault::Refused,
    Fault::ResetBefore,
    Fault::LostAck,
    SLOW,
    Fault::Duplicate,
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
    Fault::ExpiredToken,
    Fault::PartialUnprocessed,
    Fault::AllUnprocessed,
    Fault::EmptyPage,
];

/// Copies `items` items with both sides behind a proxy, compares, and returns the proxy for its counts.
#[track_caller]
fn copy_through(plan: Plan, items: usize, more: &[&str]) -> Proxy {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    source.seed(items, 31);
    let proxy = Proxy::start(&emulator.endpoint(), plan);
    let (from, to) = (source.at(&proxy.endpoint()), destination.at(&proxy.endpoint()));
    // The look whether the destination is empty is a Scan too, and what fails there ends the run before it begins.
    let more = [&["--request-timeout", TIMEOUT, "--into-nonempty"], more].concat();
    Ferry::new().copy(&from, &to, &more).assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
    proxy
}

fn segments(count: &str) -> Vec<&str> {
    [&["--segments", count], &UNLIMITED[..]].concat()
}

/// Every third request of an operation meets the fault.
#[track_caller]
fn survive(operation: &'static str, faults: &[Fault]) {
    for fault in faults.iter().filter(|fault| fault.concerns(operation)) {
        let proxy = copy_through(plan::every(operation, 3, *fault), 600, &segments("12"));
        let injected = proxy.injected().get(fault.name()).copied().unwrap_or(0);
        println!("{operation}: {injected} x {}, nothing lost", fault.name());
        assert!(injected >= 4, "{fault:?} met {operation} {injected} times");
    }
}

#[test]
fn scans_survive_every_quick_fault() {
    survive("Scan", &QUICK);
}

#[test]
fn batch_writes_survive_every_quick_fault() {
    survive("BatchWriteItem", &QUICK);
}

#[test]
fn requests_without_an_answer_are_sent_again() {
    for operation in ["Scan", "BatchWriteItem"] {
        survive(operation, &[Fault::Hang, LATE]);
    }
}

#[test]
fn a_storm_of_all_faults_loses_nothing() {
    let mut totals = std::collections::BTreeMap::<&str, u64>::new();
    for seed in 1..=4 {
        println!("SEED={seed}");
        let proxy = copy_through(plan::random(seed, 0.4, QUICK.to_vec()), 4_000, &segments("100"));
        for (name, count) in proxy.injected() {
            *totals.entry(name).or_default() += count;
        }
    }
    println!("injected, nothing lost: {totals:#?}");
    assert_eq!(totals.len(), QUICK.len(), "every kind was injected: {totals:?}");
    assert!(totals.values().sum::<u64>() >= 400, "{totals:?}");
}

#[test]
fn a_storm_with_late_landings_loses_nothing() {
    let faults = [QUICK.as_slice(), &[LATE, Fault::Hang]].concat();
    let proxy = copy_through(plan::random(7, 0.3, faults), 1_500, &segments("40"));
    println!("injected, nothing lost: {:#?}", proxy.injected());
}

#[test]
fn preflight_survives_a_passing_failure() {
    copy_through(plan::first("DescribeTable", 1, Fault::Unavailable), 50, &[]);
}

#[test]
fn an_automatic_rate_recovers_from_a_burst_of_throttles() {
    for (operation, fault) in [
        ("BatchWriteItem", Fault::PartialUnprocessed),
        ("BatchWriteItem", Fault::ThroughputExceeded),
        ("Scan", Fault::ThroughputExceeded),
    ] {
        let proxy = copy_through(plan::first(operation, 20, fault), 600, &[]);
        assert_eq!(proxy.injected()[fault.name()], 20);
    }
}
