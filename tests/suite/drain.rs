//! `drain`: whether everything of a frozen source has arrived.

use std::thread;
use std::time::Duration;

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::fault::Fault;
use crate::support::ferry::Ferry;
use crate::support::proxy::Proxy;
use crate::support::table::Table;
use crate::support::writers::{Load, Writers};
use crate::support::{local, plan};

/// A migration whose copy is done and that goes on, under live writes.
struct Live {
    ferry: Ferry,
    source: Table,
    destination: Table,
    writers: Writers,
}

const LOAD: Load = Load { seed: 81, threads: 2, rate: 80.0, total: None, keys: 400 };
const QUICKLY: [&str; 4] = ["--quiet-period", "1", "--timeout", "60"];
/// Not enough to tell writers from a remainder.
const IMPATIENTLY: [&str; 4] = ["--quiet-period", "2", "--timeout", "4"];
/// Enough.
const PATIENTLY: [&str; 4] = ["--quiet-period", "5", "--timeout", "60"];

impl Live {
    fn new(endpoint: &str) -> Self {
        let (source, destination) = (Table::create(endpoint, "source"), Table::create(endpoint, "destination"));
        source.seed(300, 82);
        source.enable_stream();
        let writers = Writers::start(&source, LOAD);
        Self { ferry: Ferry::new(), source, destination, writers }
    }

    fn copy(&self) {
        self.ferry.migrate(&self.source, &self.destination, &["--until", "copied"]).assert_code(0);
    }
}

#[test]
fn a_source_that_is_written_to_is_not_drained_and_then_it_is() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let live = Live::new(endpoint);
        let mut running = live.ferry.start_migration(&live.source, &live.destination, &[]);
        running.wait_until_copied();
        live.ferry.drain(&PATIENTLY).assert_told(3, &["still written"]);
        assert!(!running.has_ended(), "asking disturbs nothing: {}", running.stderr());

        live.writers.stop();
        live.ferry.drain(&QUICKLY).assert_code(0);
        assert_equal(&live.source.contents(), &live.destination.contents());
        assert!(!running.has_ended(), "nor does the answer: {}", running.stderr());
        // Silence from before the question proves nothing: what was written just then may still be on its way.
        thread::sleep(Duration::from_secs(3));
        let again = live.ferry.drain(&["--quiet-period", "3", "--timeout", "60"]);
        assert!(again.assert_code(0).took >= Duration::from_secs(3), "{:?}", again.took);
        running.interrupt();
        running.end().assert_code(4);
    }
}

#[test]
fn a_drain_reads_the_stream_itself_when_no_run_does() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let live = Live::new(endpoint);
        live.copy();
        let written = live.writers.written();
        live.writers.wait_for(written + 80);
        live.ferry.drain(&IMPATIENTLY).assert_told(3, &["silent"]);
        live.writers.stop();
        live.ferry.drain(&QUICKLY).assert_code(0);
        assert_equal(&live.source.contents(), &live.destination.contents());
        // And again, with nothing left to do.
        live.ferry.drain(&QUICKLY).assert_code(0);
    }
}

#[test]
fn a_drain_after_a_kill_applies_what_was_under_way() {
    let emulator = Dynoxide::start();
    let live = Live::new(&emulator.endpoint());
    let more = ["--request-timeout", "1"];
    let mut running = live.ferry.start_migration(&live.source, &live.destination, &more);
    running.wait_until_copied();
    assert!(running.kill());
    live.writers.stop();
    live.ferry.drain(&QUICKLY).assert_code(0);
    assert_equal(&live.source.contents(), &live.destination.contents());
}

#[test]
fn a_copy_that_is_not_finished_is_not_drained() {
    let emulator = Dynoxide::start();
    let live = Live::new(&emulator.endpoint());
    live.writers.stop();
    let slow = ["--write-rate", "30wcu", "--request-timeout", "1"];
    let mut running = live.ferry.start_migration(&live.source, &live.destination, &slow);
    running.wait_for_progress("items", |event| event["items_written"].as_u64() > Some(0));
    live.ferry.drain(&IMPATIENTLY).assert_told(3, &["copy"]);
    running.kill();
    live.ferry.drain(&IMPATIENTLY).assert_told(3, &["copy"]);
}

#[test]
fn markers_prove_it_and_leave_nothing_behind() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        for is_running in [false, true] {
            let live = Live::new(endpoint);
            live.copy();
            let running = is_running.then(|| live.ferry.start_migration(&live.source, &live.destination, &[]));
            live.writers.stop();
            let expected = live.source.contents();
            live.ferry.drain(&[&["--markers"], &QUICKLY[..]].concat()).assert_code(0);
            assert_equal(&expected, &live.source.contents());
            assert_equal(&expected, &live.destination.contents());
            if let Some(running) = running {
                running.interrupt();
                running.end().assert_code(4);
            }
            // The markers' own changes go through the stream and are dropped.
            live.ferry.drain(&QUICKLY).assert_code(0);
            assert_equal(&expected, &live.destination.contents());
        }
    }
}

#[test]
fn a_drain_without_a_run_is_refused() {
    let emulator = Dynoxide::start();
    let live = Live::new(&emulator.endpoint());
    let ended = live.ferry.drain(&QUICKLY);
    ended.assert_code_among(&[2, 13]);
    ended.assert_says(&["run", "hint: "]);
    assert_eq!(live.destination.count(), 0);
}

#[test]
fn a_drain_does_not_take_a_stream_that_does_not_answer_for_a_silent_one() {
    let emulator = Dynoxide::start();
    let mut live = Live::new(&emulator.endpoint());
    let proxy = Proxy::start(&emulator.endpoint(), plan::pass());
    let near = live.source.clone();
    live.source = near.at(&proxy.endpoint());
    live.copy();
    live.writers.stop();
    proxy.follow(plan::first("GetRecords", u64::MAX, Fault::Unavailable));
    let ended = live.ferry.drain(&IMPATIENTLY);
    ended.assert_code_among(&[3, 12]);
    assert!(ended.took < Duration::from_secs(30), "{:?}", ended.took);
    proxy.follow(plan::pass());
    live.ferry.drain(&QUICKLY).assert_code(0);
    assert_equal(&near.contents(), &live.destination.contents());
}

#[test]
fn a_drain_says_as_json_whether_and_why_not() {
    let emulator = Dynoxide::start();
    let live = Live::new(&emulator.endpoint());
    live.copy();
    let not_ready = live.ferry.drain(&[&["--json"], &IMPATIENTLY[..]].concat());
    let answer = not_ready.assert_code(3).events().pop().expect("it answers");
    assert!(answer["drained"] == false && answer["reasons"][0].is_string(), "{answer}");
    live.writers.stop();
    let ready = live.ferry.drain(&[&["--json"], &QUICKLY[..]].concat());
    let answer = ready.assert_code(0).events().pop().expect("it answers");
    assert!(answer["drained"] == true && answer["reasons"] == serde_json::json!([]), "{answer}");
}
