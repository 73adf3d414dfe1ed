//! Ctrl-C and resuming.

use std::time::{Duration, Instant};

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::fault::Fault;
use crate::support::ferry::{Ferry, STARTED};
use crate::support::proxy::Proxy;
use crate::support::table::Table;
use crate::support::{local, plan, wait_for};

/// A table that takes about ten seconds at the rate of an interrupted copy, and an empty one.
fn pair(endpoint: &str) -> (Table, Table) {
    let (source, destination) = (Table::create(endpoint, "source"), Table::create(endpoint, "destination"));
    source.seed(1_500, 41);
    (source, destination)
}

#[test]
fn an_interrupted_run_says_so_and_the_same_command_resumes_it() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = pair(endpoint);
        let ferry = Ferry::new();
        let interrupted = ferry.interrupt_copy(&source, &destination, &[]);
        interrupted.assert_code(4);
        assert_eq!(interrupted.event("finished")["end"], "interrupted");
        let so_far = destination.count();
        assert!((1..1_500).contains(&so_far), "{so_far} items arrived before the interruption");

        let resumed = ferry.copy(&source, &destination, &["--json"]);
        resumed.assert_code(0);
        assert_eq!(resumed.event("started")["resumed"], true);
        assert_eq!(resumed.event("finished")["progress"]["items_written"], 1_500);
        assert_equal(&source.contents(), &destination.contents());
    }
}

#[test]
fn a_resumed_run_keeps_its_segments() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator.endpoint());
    let ferry = Ferry::new();
    let interrupted = ferry.interrupt_copy(&source, &destination, &["--segments", "7"]);
    assert_eq!(interrupted.assert_code(4).event("started")["segments"], 7);
    let resumed = ferry.copy(&source, &destination, &["--json"]);
    assert_eq!(resumed.assert_code(0).event("started")["segments"], 7);
    assert_equal(&source.contents(), &destination.contents());
}

#[test]
fn a_second_interrupt_leaves_at_once_and_loses_nothing() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator.endpoint());
    let ferry = Ferry::new();
    // Writes are answered so late that draining takes longer than anybody waits.
    let proxy = Proxy::start(
        &emulator.endpoint(),
        plan::first("BatchWriteItem", u64::MAX, Fault::Slow(Duration::from_secs(30))),
    );
    let more = ["--json", "--request-timeout", "60"];
    let mut running = ferry.start_copy(&source, &destination.at(&proxy.endpoint()), &more);
    assert!(running.wait_for_output(STARTED), "{}", running.stderr());
    let sent = wait_for(Duration::from_secs(30), || (proxy.requests("BatchWriteItem") > 0).then_some(()));
    sent.expect("it writes");
    running.interrupt();
    assert!(running.wait_for_output("draining"), "{}", running.stderr());
    assert!(!running.has_ended(), "it waits for the answers");
    let begun = Instant::now();
    running.interrupt();
    running.end().assert_code(4);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(proxy);

    let resumed = ferry.copy(&source, &destination, &["--run", &run_name(&ferry)]);
    resumed.assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
}

/// The name of the only run there is.
fn run_name(ferry: &Ferry) -> String {
    let journal = ferry.journal();
    let directory = journal.parent().and_then(|directory| directory.file_name()).expect("a run has a directory");
    directory.to_string_lossy().into_owned()
}

#[test]
fn a_run_interrupted_again_and_again_comes_to_its_end() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator.endpoint());
    let ferry = Ferry::new();
    for _ in 0..4 {
        ferry.interrupt_copy(&source, &destination, &[]).assert_code(4);
    }
    ferry.copy(&source, &destination, &[]).assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
}
