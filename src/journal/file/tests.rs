use super::*;
use crate::checkpoint::{Claim, ShardView};
use crate::journal::RunView;

fn identity() -> Identity {
    Identity(vec![("source table".into(), "a".into()), ("segments".into(), "4".into())])
}

fn fresh() -> (tempfile::TempDir, RunDirectory) {
    let state = tempfile::tempdir().expect("a temporary directory");
    let directory = RunDirectory::new(state.path(), "run");
    directory.create().expect("created");
    (state, directory)
}

fn letter_of(key: &str, place: Place) -> DeadLetter {
    DeadLetter { key: format!("{{\"pk\":{{\"S\":\"{key}\"}}}}"), reason: "too large".into(), place }
}

fn letter(segment: u32, page: u64) -> LetterChange {
    LetterChange::Add(letter_of(&format!("{segment}-{page}"), Place::Page { segment, page }))
}

fn shard(id: &str, parent: Option<&str>, position: Position) -> ShardState {
    ShardState { id: id.into(), parent: parent.map(Into::into), position, read_until_ms: 17, ended: false }
}

fn at(segment: u32, pages: u64) -> SegmentState {
    let cursor = Some(Cursor(Bytes::from_static(b"{}")));
    SegmentState { segment, cursor, pages, done: false }
}

#[tokio::test]
async fn a_reopened_journal_continues_where_the_last_commit_left() {
    let (_state, directory) = fresh();
    let totals = Totals {
        items_read: 7,
        items_written: 6,
        items_superseded: 1,
        changes_applied: 9,
        read_units: 1.5,
        write_units: 2.0,
    };
    {
        let journal = Journal::create(&directory, &identity(), 4, 100).expect("created");
        journal.load().await.expect("loaded");
        let done = SegmentState { done: true, ..at(2, 1) };
        let letters = vec![letter(0, 2), letter(0, 3)];
        let commit = Commit { segments: vec![at(0, 3), done], letters, totals, ..Commit::default() };
        journal.commit(commit).await.expect("committed");
    }
    let journal = Journal::open(&directory).expect("opened");
    assert_eq!(journal.identity().await, Ok(identity()));
    let state = journal.load().await.expect("loaded");
    // Page 3 of segment 0 was not passed: it is read again, and with it its dead letter.
    let left = letter_of("0-2", Place::Page { segment: 0, page: 2 });
    let dead_letters = [(left.key, left.reason)].into();
    assert_eq!(state, RunState { segments: 4, segments_done: 1, dead_letters, totals, ..RunState::default() });
    let mut leased = Vec::new();
    while let Some(segment) = journal.lease().await.expect("leased") {
        leased.push(segment);
    }
    assert_eq!(leased, [at(0, 3), SegmentState::fresh(1), SegmentState::fresh(3)]);
}

#[tokio::test]
async fn shards_come_back_with_their_positions() {
    let (_state, directory) = fresh();
    let mut shards = vec![
        shard("a", None, Position::Since(1_700_000_000_123)),
        shard("b", Some("a"), Position::Horizon),
        shard("c", Some("a"), Position::After("000000000123".into())),
    ];
    {
        let journal = Journal::create(&directory, &identity(), 4, 0).expect("created");
        journal.commit(Commit { shards: shards.clone(), ..Commit::default() }).await.expect("committed");
        shards[0] = ShardState { position: Position::After("7".into()), ended: true, ..shards[0].clone() };
        journal.commit(Commit { shards: vec![shards[0].clone()], ..Commit::default() }).await.expect("committed");
    }
    let journal = Journal::open(&directory).expect("opened");
    assert_eq!(journal.load().await.expect("loaded").shards, shards);
}

#[tokio::test]
async fn dead_letters_come_and_go_in_the_order_of_the_changes() {
    let (_state, directory) = fresh();
    let journal = Journal::create(&directory, &identity(), 4, 0).expect("created");
    let of_change = letter_of("k", Place::Change { shard: "s".into(), sequence: "9".into() });
    let (add, clear) = (LetterChange::Add(of_change.clone()), LetterChange::Clear(of_change.key.clone()));
    for (letters, left) in [
        (vec![add.clone(), clear.clone()], vec![]),
        (vec![add.clone(), clear.clone(), add.clone()], vec![of_change.key.clone()]),
        (vec![add], vec![of_change.key.clone()]),
        (vec![clear], vec![]),
    ] {
        journal.commit(Commit { letters, ..Commit::default() }).await.expect("committed");
        let found: Vec<String> = journal.load().await.expect("loaded").dead_letters.into_keys().collect();
        assert_eq!(found, left);
    }
}

#[tokio::test]
async fn claims_survive_a_reopening() {
    let (_state, directory) = fresh();
    let claim = |source: &str, destination: &str| Claim { source: source.into(), destination: destination.into() };
    let (one, two, three) = (claim("a", "x"), claim("b", "x"), claim("a", "y"));
    {
        let journal = Journal::create(&directory, &identity(), 4, 0).expect("created");
        journal.commit_claims(vec![one.clone(), two.clone(), one.clone()], vec![]).await.expect("committed");
        journal.commit_claims(vec![three.clone()], vec![two, claim("never", "there")]).await.expect("committed");
    }
    let journal = Journal::open(&directory).expect("opened");
    assert_eq!(journal.load().await.expect("loaded").claims, [one, three]);
}

#[tokio::test]
async fn the_tail_is_replaced_by_each_commit() {
    let (_state, directory) = fresh();
    let journal = Journal::create(&directory, &identity(), 4, 0).expect("created");
    let view = |id: &str, quiet_ms: Option<u64>| {
        let marker = quiet_ms.map(|_| "m".to_owned());
        ShardView { id: id.into(), lag_ms: 5, quiet_ms, quiet_polls: 3, marker }
    };
    let tail = |shards, newest_ms| TailView { shards, changes_waiting: 4, is_settling: true, now_ms: 99, newest_ms };
    let tails = [
        Some(tail(vec![view("a", Some(7)), view("b", None)], Some(98))),
        Some(TailView { is_settling: false, ..tail(vec![view("c", None)], None) }),
        None,
    ];
    for tail in tails {
        journal.commit(Commit { tail: tail.clone(), ..Commit::default() }).await.expect("committed");
        assert_eq!(RunView::glance(&directory).expect("a view").tail, tail);
    }
}

#[tokio::test]
async fn a_shard_that_ended_without_a_child_or_is_not_read_is_waited_for() {
    let (_state, directory) = fresh();
    let journal = Journal::create(&directory, &identity(), 4, 0).expect("created");
    let ended = ShardState { ended: true, ..shard("a", None, Position::Horizon) };
    journal.commit(Commit { shards: vec![ended], ..Commit::default() }).await.expect("committed");
    let mut tail = TailView::default();
    assert_eq!(RunView::glance(&directory).expect("a view").shards_waiting(&tail), 1, "no child yet");
    let child = shard("b", Some("a"), Position::Horizon);
    journal.commit(Commit { shards: vec![child], ..Commit::default() }).await.expect("committed");
    assert_eq!(RunView::glance(&directory).expect("a view").shards_waiting(&tail), 1, "the child is not read");
    tail.shards.push(ShardView { id: "b".into(), ..ShardView::default() });
    assert_eq!(RunView::glance(&directory).expect("a view").shards_waiting(&tail), 0);
}

#[tokio::test]
async fn a_journal_can_be_looked_at_while_it_is_written() {
    let (_state, directory) = fresh();
    let lock = directory.lock().expect("locked");
    let journal = Journal::create(&directory, &identity(), 4, 100).expect("created");
    journal.load().await.expect("loaded");
    let commit = Commit { segments: vec![at(0, 1)], letters: vec![letter(0, 0)], ..Commit::default() };
    journal.commit(commit).await.expect("committed");
    let view = RunView::load(&directory).expect("a view");
    assert!(view.is_locked);
    assert_eq!((view.segments, view.segments_done, view.items_estimated), (4, 0, 100));
    assert_eq!(view.dead_letters[0].count, 1);
    drop(lock);
    assert!(!RunView::load(&directory).expect("a view").is_locked);
}

#[test]
fn a_second_process_is_told_that_the_run_is_taken() {
    let (_state, directory) = fresh();
    let _lock = directory.lock().expect("locked");
    let error = directory.lock().expect_err("taken");
    assert!(error.message().contains("another process"), "{error}");
}

#[test]
fn a_journal_cut_anywhere_is_refused() {
    let (_state, directory) = fresh();
    drop(Journal::create(&directory, &identity(), 500, 0).expect("created"));
    let whole = fs::read(directory.journal()).expect("read");
    for length in [0, 1, 50, 100, 4096, whole.len() / 2, whole.len() - 4096] {
        fs::write(directory.journal(), &whole[..length]).expect("cut");
        let error = Journal::open(&directory).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Journal, "cut to {length}");
        assert!(error.remedy().is_some(), "cut to {length}");
    }
    fs::write(directory.journal(), &whole).expect("put back");
    Journal::open(&directory).expect("whole again");
}

#[test]
fn a_newer_format_is_refused_with_its_number() {
    let (_state, directory) = fresh();
    drop(Journal::create(&directory, &identity(), 4, 0).expect("created"));
    let connection = Connection::open(directory.journal()).expect("opened");
    connection.pragma_update(None, "user_version", FORMAT + 1).expect("raised");
    drop(connection);
    let error = Journal::open(&directory).expect_err("refused");
    assert!(error.message().contains(&format!("format {}", FORMAT + 1)), "{error}");
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_the_journal_stays_at_its_last_commit() {
    let (_state, directory) = fresh();
    let journal = Journal::create(&directory, &identity(), 4, 0).expect("created");
    journal.load().await.expect("loaded");
    {
        let inner = journal.shared.lock().expect("not poisoned");
        let pages: u32 = inner.connection.pragma_query_value(None, "page_count", |row| row.get(0)).expect("a count");
        inner.connection.pragma_update(None, "max_page_count", pages).expect("limited");
    }
    let letters = (0..5000).map(|page| letter(0, page)).collect();
    let commit = Commit { segments: vec![at(0, 5000)], letters, ..Commit::default() };
    let error = journal.commit(commit).await.expect_err("full");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("disk is full")), "{error}");
    assert_eq!(RunView::load(&directory).expect("a view").dead_letters, []);
}

#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_state, directory) = fresh();
    let _lock = directory.lock().expect("locked");
    let _journal = Journal::create(&directory, &identity(), 4, 0).expect("created");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(directory.path()), 0o700);
    for entry in fs::read_dir(directory.path()).expect("listed").flatten() {
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
    }
}

#[test]
fn differences_are_named() {
    let changed = Identity(vec![("source table".into(), "a".into()), ("segments".into(), "8".into())]);
    assert_eq!(identity().differences(&changed), ["segments: was 4, is 8"]);
    assert_eq!(identity().differences(&identity()), Vec::<String>::new());
}
