//! What an operator and a script see: configuration, events, status, files.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::ferry::{Ferry, STARTED};
use crate::support::table::Table;
use crate::support::wait_for;

fn pair(emulator: &Dynoxide, items: usize) -> (Table, Table) {
    let endpoint = emulator.endpoint();
    let (source, destination) = (Table::create(&endpoint, "source"), Table::create(&endpoint, "destination"));
    source.seed(items, 61);
    (source, destination)
}

#[test]
fn the_variables_of_the_old_runbook_name_the_tables() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator, 50);
    let ferry = Ferry::new()
        .with("SOURCE_TABLE", &source.name)
        .with("DESTINATION_TABLE", &destination.name)
        .with("AWS_ENDPOINT_URL_DYNAMODB", &emulator.endpoint());
    ferry.run(&["run", "--no-tail"]).assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
}

#[test]
fn the_file_names_the_tables_with_variables_and_a_flag_beats_it() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator, 50);
    let suffix = source.name.trim_start_matches("source");
    let ferry = Ferry::new().with("ENV", suffix);
    ferry.write(
        "tableferry.toml",
        &format!(
            "[source]\ntable = \"source${{ENV}}\"\nendpoint-url = \"{url}\"\n\n\
             [destination]\ntable = \"not-this-one\"\nendpoint-url = \"{url}\"\n",
            url = emulator.endpoint()
        ),
    );
    ferry.run(&["run", "--no-tail", "--destination", &destination.name]).assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
}

#[test]
fn json_events_are_one_object_a_line_from_started_to_finished() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator, 300);
    let ended = Ferry::new().copy(&source, &destination, &["--json"]);
    let events = ended.assert_code(0).events();
    assert_eq!(events.first().map(|event| &event["event"]), Some(&Value::from("started")));
    assert_eq!(events.last().map(|event| &event["event"]), Some(&Value::from("finished")));
    let (started, finished) = (ended.event("started"), ended.event("finished"));
    assert_eq!((&started["source"], &started["destination"]), (&source.name.into(), &destination.name.into()));
    assert_eq!(started["resumed"], false);
    assert_eq!(finished["end"], "done");
    for figure in ["items_read", "items_written"] {
        assert_eq!(finished["progress"][figure], 300, "{figure}");
    }
    assert!(finished["write_units"].as_f64().is_some_and(|units| units >= 300.0), "{finished}");
}

#[test]
fn a_plain_run_ends_in_a_summary_on_stdout_and_a_quiet_one_says_nothing_else() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator, 300);
    let ended = Ferry::new().copy(&source, &destination, &[]);
    assert!(ended.assert_code(0).stdout.contains("300"), "{}", ended.stdout);

    let destination = Table::create(&emulator.endpoint(), "destination");
    let ended = Ferry::new().copy(&source, &destination, &["--quiet"]);
    assert_eq!(ended.assert_code(0).stderr, "");
}

#[test]
fn status_tells_where_a_run_stands_while_it_goes_on_and_afterwards() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator, 1_500);
    let ferry = Ferry::new();
    let status = || -> Value {
        let ended = ferry.run(&["status", "--json"]);
        serde_json::from_str(&ended.assert_code(0).stdout).expect("status is JSON")
    };
    let mut running = ferry.start_copy(&source, &destination, &["--json", "--write-rate", "300wcu"]);
    assert!(running.wait_for_output(STARTED), "{}", running.stderr());
    wait_for(std::time::Duration::from_secs(30), || (destination.count() > 0).then_some(())).expect("items arrive");
    assert_eq!(status()["state"], "running");
    running.interrupt();
    running.end().assert_code(4);
    assert_eq!(status()["state"], "interrupted");
    ferry.copy(&source, &destination, &[]).assert_code(0);
    let done = status();
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(done["items_written"], 1_500, "{done}");
    assert_eq!(done["segments"], done["segments_done"], "{done}");
    assert!(ferry.run(&["status"]).assert_code(0).stdout.contains(&source.name));
}

#[test]
fn a_finished_run_is_not_begun_again_by_the_same_command() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator, 300);
    let ferry = Ferry::new();
    ferry.copy(&source, &destination, &[]).assert_code(0);
    let before = destination.contents();
    source.put(&serde_json::json!({ "pk": { "S": "later" }, "sk": { "S": "later" } }));
    ferry.copy(&source, &destination, &[]).assert_code(0);
    assert_equal(&before, &destination.contents());
}

#[test]
fn what_a_run_leaves_is_its_owners_alone_and_the_log_holds_no_items() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator, 300);
    source.put(&serde_json::json!({ "pk": { "S": "topsecret" }, "sk": { "S": "topsecret" } }));
    let ferry = Ferry::new();
    ferry.copy(&source, &destination, &[]).assert_code(0);
    let journal = ferry.journal();
    let directory = journal.parent().expect("a journal is in a directory");
    let mode = |path: &std::path::Path| path.metadata().expect("a file's mode").permissions().mode() & 0o777;
    assert_eq!(mode(directory), 0o700);
    for entry in directory.read_dir().expect("a directory").flatten() {
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            let log = std::fs::read_to_string(entry.path()).expect("the log is text");
            assert!(!log.contains("topsecret"), "{log}");
        }
    }
}

#[test]
fn a_run_that_nobody_listens_to_goes_on() {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator, 300);
    let ferry = Ferry::new();
    let endpoint = emulator.endpoint();
    let tables = ["--source", &source.name, "--destination", &destination.name, "--endpoint-url", &endpoint];
    ferry.start_unheard(&[&["run", "--no-tail"], &tables[..]].concat()).end().assert_code(0);
    ferry.start_unheard(&["status"]).end().assert_code(0);
    assert_equal(&source.contents(), &destination.contents());
}
