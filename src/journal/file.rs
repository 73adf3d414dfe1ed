//! The journal as the engine's checkpoint.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::future::BoxFuture;
use rusqlite::types::Null;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, params};

use super::directory::{RunDirectory, failed};
use super::schema::{self, APPLICATION_ID, FORMAT, Identity, RunStatus};
use super::view;
use crate::checkpoint::{
    Checkpoint, Claim, Commit, DeadLetter, LetterChange, Place, RunState, SegmentState, ShardState, TailView, Totals,
    handout_order,
};
use crate::error::{Error, ErrorKind, Result};
use crate::event::DeadLetterGroup;
use crate::source::Cursor;
use crate::stream::Position;

/// How long a statement waits for a reader in another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// An open journal. All of its work runs on Tokio's blocking threads, one statement batch at a time.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    queue: Option<VecDeque<SegmentState>>,
}

impl Journal {
    /// Begins a run: a journal appears complete or not at all. The caller holds the run's lock.
    pub fn create(directory: &RunDirectory, identity: &Identity, segments: u32, items_estimated: u64) -> Result<Self> {
        let path = directory.journal();
        let new = path.with_extension("sqlite.new");
        directory.remove_journal()?;
        directory.open_private(&new).map_err(|error| failed("creating", &new, &error))?;
        fill(&new, identity, segments, items_estimated).map_err(|error| from_sqlite(&new, error))?;
        let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
        sync(&new).map_err(|error| failed("writing", &new, &error))?;
        fs::rename(&new, &path).map_err(|error| failed("creating", &path, &error))?;
        sync(directory.path()).map_err(|error| failed("writing", directory.path(), &error))?;
        Self::open(directory)
    }

    /// Opens the journal of an earlier process and checks that it is whole. The caller holds the run's lock.
    pub fn open(directory: &RunDirectory) -> Result<Self> {
        let path = directory.journal();
        let connection = open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
        connection.execute_batch(pragmas).map_err(|error| from_sqlite(&path, error))?;
        Ok(Self { shared: Arc::new(Mutex::new(Inner { connection, queue: None })) })
    }

    /// What the run was begun with.
    pub async fn identity(&self) -> Result<Identity> {
        self.with(|inner| view::identity(&inner.connection)).await
    }

    /// Records what has become of the run.
    pub async fn set_status(&self, status: RunStatus) -> Result<()> {
        self.with(move |inner| {
            inner
                .connection
                .execute("UPDATE run SET status = ?1, heartbeat_ms = ?2", params![status.name(), now_ms()])
                .map(drop)
        })
        .await
    }

    /// The status on record.
    pub async fn status(&self) -> Result<RunStatus> {
        self.with(|inner| view::status(&inner.connection)).await
    }

    /// Time since the journal was last written.
    pub async fn heartbeat_age(&self) -> Result<Duration> {
        self.with(|inner| view::heartbeat_age(&inner.connection)).await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inner) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = self.shared.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut inner = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let path = inner.connection.path().unwrap_or_default().to_owned();
            work(&mut inner).map_err(|error| from_sqlite(Path::new(&path), error))
        });
        done.await.map_err(|error| Error::new(ErrorKind::Internal, format!("journal task: {error}")))?
    }
}

impl Checkpoint for Journal {
    fn load(&self) -> BoxFuture<'_, Result<RunState>> {
        Box::pin(self.with(|inner| {
            let connection = &inner.connection;
            connection.execute(
                "DELETE FROM dead_letter WHERE page >= (SELECT pages FROM segment s WHERE s.segment = dead_letter.segment)",
                [],
            )?;
            let segments: u32 = connection.query_row("SELECT segments FROM run", [], |row| row.get(0))?;
            let mut unfinished = vec![None; segments as usize];
            let mut statement = connection.prepare("SELECT segment, cursor, pages FROM segment WHERE NOT done")?;
            let mut rows = statement.query([])?;
            let mut left = 0;
            while let Some(row) = rows.next()? {
                let segment: u32 = row.get(0)?;
                let cursor: Option<Vec<u8>> = row.get(1)?;
                let state = SegmentState {
                    segment,
                    cursor: cursor.map(|key| Cursor(Bytes::from(key))),
                    pages: row.get(2)?,
                    done: false,
                };
                if let Some(place) = unfinished.get_mut(segment as usize) {
                    *place = Some(state);
                    left += 1;
                }
            }
            let order = handout_order(segments);
            inner.queue = Some(order.into_iter().filter_map(|at| unfinished[at as usize].take()).collect());
            let mut letters = connection.prepare("SELECT key, reason FROM dead_letter")?;
            Ok(RunState {
                segments,
                segments_done: segments - left,
                dead_letters: letters.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?,
                totals: view::totals(connection)?,
                shards: view::shards(connection)?,
                claims: claims(connection)?,
            })
        }))
    }

    fn lease(&self) -> BoxFuture<'_, Result<Option<SegmentState>>> {
        let mut inner = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match &mut inner.queue {
            Some(queue) => Ok(queue.pop_front()),
            None => Err(Error::new(ErrorKind::Internal, "a segment was asked for before the journal was loaded")),
        };
        Box::pin(std::future::ready(next))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.with(move |inner| {
            let transaction = inner.connection.transaction()?;
            {
                commit_letters(&transaction, &commit.letters)?;
                commit_shards(&transaction, &commit.shards)?;
                commit_tail(&transaction, commit.tail.as_ref())?;
                let mut segment = transaction
                    .prepare_cached("UPDATE segment SET cursor = ?2, pages = ?3, done = ?4 WHERE segment = ?1")?;
                for state in &commit.segments {
                    let cursor = state.cursor.as_ref().map(|Cursor(key)| key.as_ref());
                    segment.execute(params![state.segment, cursor, state.pages, state.done])?;
                }
            }
            let Totals { items_read, items_written, items_superseded, changes_applied, read_units, write_units } =
                commit.totals;
            transaction.execute(
                "UPDATE run SET heartbeat_ms = ?1, items_read = ?2, items_written = ?3, items_superseded = ?4,
                     changes_applied = ?5, read_units = ?6, write_units = ?7",
                params![
                    now_ms(),
                    items_read,
                    items_written,
                    items_superseded,
                    changes_applied,
                    read_units,
                    write_units
                ],
            )?;
            transaction.commit()
        }))
    }

    fn commit_claims(&self, added: Vec<Claim>, removed: Vec<Claim>) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.with(move |inner| {
            let transaction = inner.connection.transaction()?;
            {
                let mut add = transaction.prepare_cached("INSERT OR IGNORE INTO claim VALUES (?1, ?2)")?;
                for Claim { source, destination } in &added {
                    add.execute([source, destination])?;
                }
                let mut remove =
                    transaction.prepare_cached("DELETE FROM claim WHERE source = ?1 AND destination = ?2")?;
                for Claim { source, destination } in &removed {
                    remove.execute([source, destination])?;
                }
            }
            transaction.commit()
        }))
    }

    fn dead_letters(&self) -> BoxFuture<'_, Result<Vec<DeadLetterGroup>>> {
        Box::pin(self.with(|inner| view::dead_letters(&inner.connection)))
    }
}

fn claims(connection: &Connection) -> rusqlite::Result<Vec<Claim>> {
    let mut statement = connection.prepare("SELECT source, destination FROM claim")?;
    let claim = |row: &rusqlite::Row<'_>| Ok(Claim { source: row.get(0)?, destination: row.get(1)? });
    statement.query_map([], claim)?.collect()
}

fn commit_letters(transaction: &Transaction<'_>, letters: &[LetterChange]) -> rusqlite::Result<()> {
    let mut add = transaction.prepare_cached(
        "INSERT OR REPLACE INTO dead_letter (key, reason, segment, page, shard, sequence, found_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut clear = transaction.prepare_cached("DELETE FROM dead_letter WHERE key = ?1")?;
    for change in letters {
        match change {
            LetterChange::Add(DeadLetter { key, reason, place: Place::Page { segment, page } }) => {
                add.execute(params![key, reason, segment, page, Null, Null, now_ms()])?
            }
            LetterChange::Add(DeadLetter { key, reason, place: Place::Change { shard, sequence } }) => {
                add.execute(params![key, reason, Null, Null, shard, sequence, now_ms()])?
            }
            LetterChange::Clear(key) => clear.execute([key])?,
        };
    }
    Ok(())
}

fn commit_shards(transaction: &Transaction<'_>, shards: &[ShardState]) -> rusqlite::Result<()> {
    let mut shard = transaction.prepare_cached(
        "INSERT OR REPLACE INTO shard (id, parent, position, place, read_until_ms, ended)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for state in shards {
        let (position, place) = match &state.position {
            Position::Since(ms) => ("since", Some(ms.to_string())),
            Position::Horizon => ("horizon", None),
            Position::After(sequence) => ("after", Some(sequence.to_string())),
        };
        shard.execute(params![state.id, state.parent, position, place, state.read_until_ms, state.ended])?;
    }
    Ok(())
}

/// The tail's view is replaced as a whole.
fn commit_tail(transaction: &Transaction<'_>, tail: Option<&TailView>) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM tail_shard")?.execute([])?;
    transaction.prepare_cached("DELETE FROM tail")?.execute([])?;
    let Some(tail) = tail else { return Ok(()) };
    transaction.prepare_cached("INSERT INTO tail VALUES (1, ?1, ?2, ?3, ?4, ?5)")?.execute(params![
        tail.changes_waiting,
        tail.is_settling,
        tail.now_ms,
        tail.newest_ms,
        now_ms()
    ])?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO tail_shard (id, lag_ms, quiet_ms, quiet_polls, marker) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for shard in &tail.shards {
        insert.execute(params![shard.id, shard.lag_ms, shard.quiet_ms, shard.quiet_polls, shard.marker])?;
    }
    Ok(())
}

fn fill(path: &Path, identity: &Identity, segments: u32, items_estimated: u64) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    let transaction = connection.transaction()?;
    schema::create(&transaction)?;
    for (place, (name, value)) in identity.0.iter().enumerate() {
        transaction.execute("INSERT INTO identity VALUES (?1, ?2, ?3)", params![name, value, place])?;
    }
    transaction.execute(
        "INSERT INTO run (id, segments, items_estimated, status, begun_ms, heartbeat_ms) VALUES (1, ?1, ?2, ?3, ?4, ?4)",
        params![segments, items_estimated, RunStatus::Running.name(), now_ms()],
    )?;
    let mut insert = transaction.prepare("INSERT INTO segment (segment) VALUES (?1)")?;
    for segment in 0..segments {
        insert.execute([segment])?;
    }
    drop(insert);
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

/// Opens an existing journal and checks that it is one, of this format and undamaged.
pub(super) fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = glance(path, flags)?;
    check_whole(path, &connection)?;
    Ok(connection)
}

/// Opens an existing journal and checks that it is one of this format, no more.
pub(super) fn glance(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let length = fs::metadata(path).map_err(|error| failed("opening", path, &error))?.len();
    if length == 0 {
        return Err(damaged(path, "is empty: it was truncated"));
    }
    let sqlite = |error| from_sqlite(path, error);
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(sqlite)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if pragma("application_id").map_err(sqlite)? != APPLICATION_ID {
        return Err(damaged(path, "is not a journal of tableferry"));
    }
    let format = pragma("user_version").map_err(sqlite)?;
    if format != FORMAT {
        let message = format!("the journal {} has format {format}; this program reads format {FORMAT}", path.display());
        return Err(Error::new(ErrorKind::Journal, message).hint("use the version of tableferry that began the run"));
    }
    Ok(connection)
}

/// Reads the whole file to see that it is undamaged.
fn check_whole(path: &Path, connection: &Connection) -> Result<()> {
    let check = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match check.map_err(|error| from_sqlite(path, error))?.as_str() {
        "ok" => Ok(()),
        fault => Err(damaged(path, &format!("is damaged ({fault})"))),
    }
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Journal, format!("the journal {} {what}", path.display())).hint(
        "put back a copy of it, or begin again with --restart --into-nonempty (items already copied are written again)",
    )
}

pub(super) fn from_sqlite(path: &Path, error: rusqlite::Error) -> Error {
    let message = format!("the journal {}: {error}", path.display());
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full: make room and run the same command again",
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "the file is damaged: put back a copy of it, or begin again with --restart --into-nonempty"
        }
        Some(ErrorCode::SystemIoFailure) => "the disk failed or is full: mend it and run the same command again",
        _ => "check the file's owner, its permissions and the space left",
    };
    Error::new(ErrorKind::Journal, message).hint(hint)
}

pub(super) fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
