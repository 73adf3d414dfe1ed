//! Endpoints that refuse, hang or are something else: named, in bounded time, and nothing is written.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::fault::Fault;
use crate::support::ferry::{Ended, Ferry};
use crate::support::plan;
use crate::support::proxy::Proxy;
use crate::support::table::Table;

/// What preflight may take when nothing answers: three attempts of two calls, and some start-up.
const LIMIT: Duration = Duration::from_secs(25);

fn pair(emulator: &Dynoxide) -> (Table, Table) {
    let endpoint = emulator.endpoint();
    let (source, destination) = (Table::create(&endpoint, "source"), Table::create(&endpoint, "destination"));
    source.seed(300, 91);
    (source, destination)
}

/// Copies with each side in turn behind an endpoint where every request meets the fault.
#[track_caller]
fn refuse_each_side(fault: Fault, check: impl Fn(&Ended, &str)) {
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator);
    let proxy = Proxy::start(&emulator.endpoint(), plan::always(fault));
    let bad = proxy.endpoint();
    for (from, to, name) in
        [(&source.at(&bad), &destination, &source.name), (&source, &destination.at(&bad), &destination.name)]
    {
        let ended = Ferry::new().copy(from, to, &["--request-timeout", "1"]);
        ended.assert_refused(12, &[]);
        check(&ended, name);
        assert!(ended.took < LIMIT, "{:?}", ended.took);
        assert_eq!(destination.count(), 0);
    }
}

fn names_the_table(ended: &Ended, name: &str) {
    ended.assert_says(&[name]);
}

#[test]
fn an_endpoint_that_refuses_is_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
    let endpoint = format!("http://{}", listener.local_addr().expect("the listener has an address"));
    drop(listener);
    let emulator = Dynoxide::start();
    let (source, destination) = pair(&emulator);
    for (from, to) in [(&source.at(&endpoint), &destination), (&source, &destination.at(&endpoint))] {
        let ended = Ferry::new().copy(from, to, &[]);
        ended.assert_refused(12, &[]);
        assert!(ended.took < LIMIT, "{:?}", ended.took);
    }
    assert_eq!(destination.count(), 0);
}

#[test]
fn an_endpoint_that_resets_connections_is_given_up() {
    refuse_each_side(Fault::ResetBefore, names_the_table);
}

#[test]
fn an_endpoint_that_hangs_is_given_up() {
    refuse_each_side(Fault::Hang, |ended, name| {
        ended.assert_says(&[name, "--request-timeout"]);
    });
}

#[test]
fn an_endpoint_that_answers_web_pages_is_given_up() {
    refuse_each_side(Fault::Html, names_the_table);
    refuse_each_side(Fault::BadGateway, names_the_table);
}

#[test]
fn an_endpoint_that_answers_half_a_body_is_given_up() {
    refuse_each_side(Fault::TruncatedBody, names_the_table);
    refuse_each_side(Fault::ShortJson, names_the_table);
}

#[test]
fn an_endpoint_that_answers_garbage_is_given_up() {
    refuse_each_side(Fault::Garbage, names_the_table);
}

#[test]
fn an_endpoint_that_dies_within_the_copy_ends_the_run_which_resumes_when_it_is_back() {
    for operation in ["Scan", "BatchWriteItem"] {
        let emulator = Dynoxide::start();
        let (source, destination) = pair(&emulator);
        let proxy = Proxy::start(&emulator.endpoint(), dead_after_three(operation));
        let ferry = Ferry::new();
        let (from, to) = (source.at(&proxy.endpoint()), destination.at(&proxy.endpoint()));
        let ended = ferry.copy(&from, &to, &["--segments", "20", "--give-up-after", "3"]);
        ended.assert_refused(12, &[]);
        assert!(ended.took < Duration::from_secs(60), "{:?}", ended.took);
        proxy.follow(plan::pass());
        ferry.copy(&from, &to, &[]).assert_code(0);
        assert_equal(&source.contents(), &destination.contents());
    }
}

fn dead_after_three(operation: &'static str) -> plan::Plan {
    Box::new(move |call| (call.operation == operation && call.ordinal >= 3).then_some(Fault::ResetBefore))
}

#[test]
fn an_endpoint_of_a_profile_is_checked_like_any_other() {
    for profile in [
        "[profile far]\nregion = us-east-1\nendpoint_url = http://192.0.2.1:8000\n",
        "[profile far]\nregion = us-east-1\nservices = here\n[services here]\ndynamodb =\n  endpoint_url = http://192.0.2.1:8000\n",
    ] {
        let ferry = Ferry::new();
        ferry.write("aws-config", profile);
        let path = ferry.path().join("aws-config");
        let ferry = ferry.with("AWS_CONFIG_FILE", &path.to_string_lossy());
        let run = ferry.run(&["run", "--source", "a", "--destination", "b", "--profile", "far"]);
        run.assert_refused(2, &["http://192.0.2.1:8000", "loopback"]);
    }
}
