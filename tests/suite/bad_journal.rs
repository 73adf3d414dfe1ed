//! Journals that cannot be used, and runs that are no longer what they were.

use std::fs::{self, OpenOptions};

use rusqlite::Connection;

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::ferry::{Ferry, STARTED};
use crate::support::table::Table;

/// A run that was killed somewhere within its copy.
struct Killed {
    emulator: Dynoxide,
    ferry: Ferry,
    source: Table,
    destination: Table,
}

impl Killed {
    fn new() -> Self {
        let emulator = Dynoxide::start();
        let source = Table::create(&emulator.endpoint(), "source");
        let destination = Table::create(&emulator.endpoint(), "destination");
        source.seed(1_500, 95);
        let ferry = Ferry::new();
        ferry.kill_copy(&source, &destination, &["--segments", "9", "--run", "night"]);
        Self { emulator, ferry, source, destination }
    }

    /// Runs again with these flags; must fail like this and leave the destination alone.
    #[track_caller]
    fn refuse(&self, source: &Table, destination: &Table, more: &[&str], code: i32, names: &[&str]) {
        let before = self.destination.contents();
        let more = [&["--run", "night"], more].concat();
        self.ferry.copy(source, destination, &more).assert_refused(code, names);
        assert_equal(&before, &self.destination.contents());
    }

    #[track_caller]
    fn refuse_journal(&self, names: &[&str]) {
        self.refuse(&self.source, &self.destination, &[], 13, names);
    }

    /// What the run writes must be what the source holds.
    #[track_caller]
    fn finish(&self, more: &[&str]) {
        let more = [&["--run", "night"], more].concat();
        self.ferry.copy(&self.source, &self.destination, &more).assert_code(0);
        assert_equal(&self.source.contents(), &self.destination.contents());
    }
}

#[test]
fn a_journal_that_another_process_works_on_is_left_to_it() {
    let run = Killed::new();
    let slow = ["--run", "night", "--json", "--write-rate", "100wcu"];
    let mut running = run.ferry.start_copy(&run.source, &run.destination, &slow);
    assert!(running.wait_for_output(STARTED), "{}", running.stderr());
    let second = run.ferry.copy(&run.source, &run.destination, &["--run", "night"]);
    second.assert_refused(13, &["night", "another process"]);
    assert!(!running.has_ended(), "the first is not disturbed");
    running.kill();
    run.finish(&[]);
}

#[test]
fn a_truncated_journal_is_refused_and_restart_begins_again() {
    let run = Killed::new();
    let journal = run.ferry.journal();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", journal.display()));
    }
    let length = fs::metadata(&journal).expect("the journal is a file").len();
    for kept in [length / 2, 10, 0] {
        let file = OpenOptions::new().write(true).open(&journal).expect("the journal opens");
        file.set_len(kept).expect("the journal is cut");
        run.refuse_journal(&["journal", "night"]);
    }
    run.finish(&["--restart", "--into-nonempty"]);
}

#[test]
fn a_journal_that_is_something_else_is_refused() {
    let run = Killed::new();
    fs::write(run.ferry.journal(), "not a journal ".repeat(2_000)).expect("the journal is overwritten");
    run.refuse_journal(&["journal", "night"]);
}

#[test]
fn a_journal_of_a_newer_format_is_refused() {
    let run = Killed::new();
    let connection = Connection::open(run.ferry.journal()).expect("the journal opens");
    connection.pragma_update(None, "user_version", 999).expect("the format is raised");
    connection.close().expect("the journal closes");
    run.refuse_journal(&["999", "format"]);
}

#[test]
fn another_segment_count_is_refused() {
    let run = Killed::new();
    run.refuse(&run.source, &run.destination, &["--segments", "10"], 14, &["segments", "9", "10", "--restart"]);
    run.finish(&["--segments", "9"]);
}

#[test]
fn another_source_or_destination_is_refused() {
    let run = Killed::new();
    let other = Table::create(&run.emulator.endpoint(), "other");
    run.refuse(&other, &run.destination, &[], 14, &[&run.source.name, &other.name]);
    run.refuse(&run.source, &other, &[], 14, &[&run.destination.name, &other.name]);
    assert_eq!(other.count(), 0);
    run.finish(&[]);
}

#[test]
fn a_source_that_was_deleted_and_made_anew_is_another_source() {
    let run = Killed::new();
    let name = serde_json::json!({ "TableName": run.source.name });
    let created = run.source.describe();
    run.source.call("DeleteTable", &name);
    let request = serde_json::json!({ "TableName": run.source.name, "KeySchema": created["KeySchema"],
        "AttributeDefinitions": created["AttributeDefinitions"], "BillingMode": "PAY_PER_REQUEST" });
    run.source.call("CreateTable", &request);
    run.refuse(&run.source, &run.destination, &[], 14, &["source"]);
}

#[test]
fn a_restart_begins_again() {
    let run = Killed::new();
    run.finish(&["--restart", "--into-nonempty", "--segments", "3"]);
}

#[test]
fn a_full_disk_ends_the_run_which_resumes_when_there_is_room() {
    let emulator = Dynoxide::start();
    let mut ended_early = 0;
    for kilobytes in [0, 4, 40, 120] {
        let source = Table::create(&emulator.endpoint(), "source");
        let destination = Table::create(&emulator.endpoint(), "destination");
        source.seed(1_500, 96);
        let ferry = Ferry::new();
        let ended = ferry.start_with_file_limit(kilobytes, &source, &destination).end();
        // The last of the limits may be enough for the whole run.
        if ended.stderr.contains("hint: ") {
            ended.assert_refused(13, &[]);
            ended_early += 1;
        } else {
            ended.assert_code(0);
        }
        ferry.copy(&source, &destination, &["--into-nonempty"]).assert_code(0);
        assert_equal(&source.contents(), &destination.contents());
    }
    assert!(ended_early >= 2, "{ended_early} limits were met");
}

#[test]
fn a_state_directory_that_is_a_file_is_named() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    source.seed(30, 97);
    let ferry = Ferry::new();
    ferry.write("occupied", "a file");
    ferry.copy(&source, &destination, &["--state", "occupied"]).assert_refused(13, &["occupied"]);
    assert_eq!(destination.count(), 0);
}
