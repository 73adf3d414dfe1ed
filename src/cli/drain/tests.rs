use super::*;
use crate::event::DeadLetterGroup;
use crate::journal::{Identity, RunStatus};

const QUIET: Duration = Duration::from_secs(5);
const TOKEN: &str = "0123456789abcdef";

/// Silent for longer than needed, with a marker.
fn shard(id: &str) -> ShardView {
    ShardView {
        id: id.into(),
        lag_ms: 0,
        quiet_ms: Some(6_000),
        quiet_polls: POLLS,
        marker: Some(format!("{TOKEN}|7")),
    }
}

/// A run that is drained.
fn view() -> RunView {
    let tail = TailView { shards: vec![shard("a"), shard("b")], now_ms: 100_000, ..TailView::default() };
    RunView {
        identity: Identity(Vec::new()),
        status: RunStatus::Running,
        is_locked: true,
        heartbeat_age: Duration::ZERO,
        segments: 4,
        segments_done: 4,
        items_estimated: 0,
        totals: Default::default(),
        shards: Vec::new(),
        tail: Some(tail),
        tail_age: Duration::from_secs(1),
        dead_letters: Vec::new(),
    }
}

fn directory() -> RunDirectory {
    RunDirectory::new(std::path::Path::new("nowhere"), "run")
}

/// Begun that many seconds ago.
fn watch(directory: &RunDirectory, seconds: u64) -> Watch<'_> {
    let begun = Instant::now() - Duration::from_secs(seconds);
    Watch { begun, ..Watch::new(directory, QUIET, Duration::from_secs(60)) }
}

fn tail(view: &mut RunView) -> &mut TailView {
    view.tail.as_mut().expect("a tail")
}

#[test]
fn one_reason_is_enough_against_it() {
    type Spoil = fn(&mut RunView);
    let spoiled: [(Spoil, &str); 9] = [
        (|view| view.segments_done = 3, "the copy is not done: 3 of 4"),
        (|view| view.is_locked = false, "no process follows"),
        (|view| view.tail = None, "no process follows"),
        (|view| view.tail_age = STALE, "no process follows"),
        (|view| tail(view).changes_waiting = 1, "1 changes are read and not yet applied"),
        (|view| tail(view).is_settling = true, "not every shard"),
        (|view| tail(view).shards.clear(), "not every shard"),
        (
            |view| {
                let group = DeadLetterGroup { reason: "x".to_owned(), count: 2, example_key: String::new() };
                view.dead_letters.push(group);
            },
            "2 items are dead letters",
        ),
        (
            |view| {
                let (id, position) = (Arc::from("c"), crate::stream::Position::Horizon);
                let state =
                    crate::checkpoint::ShardState { id, parent: None, position, read_until_ms: 0, ended: false };
                view.shards.push(state);
            },
            "not every shard",
        ),
    ];
    let directory = directory();
    for token in [None, Some(TOKEN)] {
        let reasons = |view: &RunView| watch(&directory, 20).reasons(view, token);
        assert_eq!(reasons(&view()), [""; 0]);
        for (spoil, reason) in &spoiled {
            let mut view = view();
            spoil(&mut view);
            let found = reasons(&view);
            assert!(found.len() == 1 && found[0].contains(reason), "{reason}: {found:?}");
        }
        // What is on record from before the question says nothing.
        let mut early = watch(&directory, 6);
        let mut view = RunView { tail_age: Duration::from_secs(7), ..view() };
        let found = early.reasons(&view, token);
        assert!(found.len() == 1 && found[0].contains("no process follows"), "{found:?}");
        tail(&mut view).now_ms = 1;
        assert_eq!((early.still_written(&view, token.is_some()), early.begun_ms), (None, None));
    }
}

#[test]
fn every_shard_has_to_be_silent_in_many_reads_since_the_question() {
    let directory = directory();
    let with = |change: fn(&mut ShardView)| {
        let mut view = view();
        change(&mut tail(&mut view).shards[1]);
        watch(&directory, 20).reasons(&view, None)
    };
    let one = "1 of 2 shards have not been silent for 5 s";
    for found in [
        with(|shard| shard.quiet_ms = Some(4_999)),
        with(|shard| shard.quiet_ms = None),
        with(|shard| shard.quiet_polls = POLLS - 1),
    ] {
        assert!(found.len() == 1 && found[0].starts_with(one), "{found:?}");
    }
    assert_eq!(with(|shard| shard.marker = None), [""; 0]);
    // However silent they were before: what was written just before may still be on its way.
    let found = watch(&directory, 4).reasons(&view(), None);
    assert!(found.len() == 1 && found[0].starts_with("2 of 2"), "{found:?}");
}

#[test]
fn every_shard_has_to_deliver_a_marker_of_this_command() {
    let directory = directory();
    let with = |change: fn(&mut ShardView)| {
        let mut view = view();
        change(&mut tail(&mut view).shards[0]);
        watch(&directory, 2).reasons(&view, Some(TOKEN))
    };
    for found in [with(|shard| shard.marker = None), with(|shard| shard.marker = Some("fedcba9876543210|7".to_owned()))]
    {
        assert!(found.len() == 1 && found[0].starts_with("1 of 2 shards have not delivered"), "{found:?}");
    }
    assert_eq!(with(|shard| (shard.quiet_ms, shard.quiet_polls) = (None, 0)), [""; 0]);
}

#[test]
fn a_change_that_was_made_after_the_question_says_that_somebody_writes() {
    let directory = directory();
    for has_markers in [false, true] {
        let mut watch = watch(&directory, 20);
        for (newest_ms, is_told) in
            [(None, false), (Some(99_000), false), (Some(102_000), false), (Some(103_000), true)]
        {
            let mut view = view();
            tail(&mut view).newest_ms = newest_ms;
            // The question was asked at the first look.
            tail(&mut view).now_ms += i64::from(newest_ms.is_some()) * 5_000;
            assert_eq!(watch.still_written(&view, has_markers).is_some(), is_told, "{newest_ms:?}");
        }
    }
}

#[test]
fn changes_after_silence_say_that_somebody_writes() {
    let directory = directory();
    for (quiet_ms, has_markers, is_told) in
        [(Some(2_000), false, true), (Some(1_999), false, false), (None, false, false), (Some(2_000), true, false)]
    {
        let mut watch = watch(&directory, 20);
        let mut view = view();
        tail(&mut view).shards[0].quiet_ms = quiet_ms;
        assert_eq!(watch.still_written(&view, has_markers), None);
        view.totals.changes_applied += 3;
        assert_eq!(watch.still_written(&view, has_markers).is_some(), is_told, "{quiet_ms:?}");
    }
}

/// What was written just before the question is read after it, however long the shards have been silent by then.
#[test]
fn changes_that_were_on_their_way_already_do_not_say_that_somebody_writes() {
    let directory = directory();
    let mut watch = watch(&directory, 1);
    let mut view = RunView { tail_age: Duration::ZERO, ..view() };
    assert_eq!(watch.still_written(&view, false), None);
    view.totals.changes_applied += 2;
    assert_eq!(watch.still_written(&view, false), None);
}
