use super::*;
use crate::checkpoint::DeadLetter;
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

fn letter(segment: u32, page: u64) -> DeadLetter {
    DeadLetter { key: format!("{{\"pk\":{{\"S\":\"{segment}-{page}\"}}}}"), reason: "too large".into(), segment, page }
}

fn at(segment: u32, pages: u64) -> SegmentState {
    let cursor = Some(Cursor(Bytes::from_static(b"{}")));
    SegmentState { segment, cursor, pages, done: false }
}

#[tokio::test]
async fn a_reopened_journal_continues_where_the_last_commit_left() {
    let (_state, directory) = fresh();
    let totals = Totals { items_read: 7, items_written: 6, read_units: 1.5, write_units: 2.0 };
    {
        let journal = Journal::create(&directory, &identity(), 4, 100).expect("created");
        journal.load().await.expect("loaded");
        let done = SegmentState { done: true, ..at(2, 1) };
        let commit = Commit { segments: vec![at(0, 3), done], dead_letters: vec![letter(0, 2), letter(0, 3)], totals };
        journal.commit(commit).await.expect("committed");
    }
    let journal = Journal::open(&directory).expect("opened");
    assert_eq!(journal.identity().await, Ok(identity()));
    let state = journal.load().await.expect("loaded");
    // Page 3 of segment 0 was not passed: it is read again, and with it its dead letter.
    assert_eq!(state, RunState { segments: 4, segments_done: 1, dead_letters: 1, totals });
    let mut leased = Vec::new();
    while let Some(segment) = journal.lease().await.expect("leased") {
        leased.push(segment);
    }
    assert_eq!(leased, [at(0, 3), SegmentState::fresh(1), SegmentState::fresh(3)]);
}

#[tokio::test]
async fn a_journal_can_be_looked_at_while_it_is_written() {
    let (_state, directory) = fresh();
    let lock = directory.lock().expect("locked");
    let journal = Journal::create(&directory, &identity(), 4, 100).expect("created");
    journal.load().await.expect("loaded");
    let commit = Commit { segments: vec![at(0, 1)], dead_letters: vec![letter(0, 0)], totals: Totals::default() };
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
    let dead_letters = (0..5000).map(|page| letter(0, page)).collect();
    let commit = Commit { segments: vec![at(0, 5000)], dead_letters, totals: Totals::default() };
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
