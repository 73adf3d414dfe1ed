//! Reading a journal, also while another process writes it.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::directory::RunDirectory;
use super::file::{from_sqlite, glance, now_ms, open};
use super::schema::{Identity, RunStatus};
use crate::checkpoint::{ShardState, ShardView, TailView, Totals};
use crate::error::Result;
use crate::event::DeadLetterGroup;
use crate::stream::Position;

/// A run as its journal shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    /// What the run is bound to.
    pub identity: Identity,
    /// The status on record.
    pub status: RunStatus,
    /// Whether a process holds the run's lock.
    pub is_locked: bool,
    /// Time since the journal was last written.
    pub heartbeat_age: Duration,
    /// Segments of the run.
    pub segments: u32,
    /// Segments that are done.
    pub segments_done: u32,
    /// The source's estimate of its items when the run began.
    pub items_estimated: u64,
    /// Counters.
    pub totals: Totals,
    /// Every shard that the run has taken up.
    pub shards: Vec<ShardState>,
    /// The tail when the journal was last written; `None` without one.
    pub tail: Option<TailView>,
    /// Time since the tail was written.
    pub tail_age: Duration,
    /// Dead letters by reason.
    pub dead_letters: Vec<DeadLetterGroup>,
}

impl RunView {
    /// Reads the journal in `directory` and writes nothing.
    pub fn load(directory: &RunDirectory) -> Result<Self> {
        let path = directory.journal();
        let connection = open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Self::read(directory, &connection).map_err(|error| from_sqlite(&path, error))
    }

    /// As [`load`](Self::load), without reading the whole file to see that it is undamaged: for looking again and again.
    pub fn glance(directory: &RunDirectory) -> Result<Self> {
        let path = directory.journal();
        let connection = glance(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Self::read(directory, &connection).map_err(|error| from_sqlite(&path, error))
    }

    /// Shards that are neither read nor followed by a child that is: something may still come of them.
    pub fn shards_waiting(&self, tail: &TailView) -> usize {
        let is_read = |id: &Arc<str>| tail.shards.iter().any(|shard| shard.id == *id);
        let has_child = |id: &Arc<str>| self.shards.iter().any(|shard| shard.parent.as_ref() == Some(id));
        let waits = |shard: &&ShardState| if shard.ended { !has_child(&shard.id) } else { !is_read(&shard.id) };
        self.shards.iter().filter(waits).count()
    }

    fn read(directory: &RunDirectory, connection: &Connection) -> rusqlite::Result<Self> {
        // One transaction, so that all figures are of the same commit.
        let transaction = connection.unchecked_transaction()?;
        let number = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
        let count = |sql: &str| number(sql).map(|value| u64::try_from(value).unwrap_or(0));
        let written_ms: Option<i64> =
            transaction.query_row("SELECT written_ms FROM tail", [], |row| row.get(0)).optional()?;
        Ok(Self {
            identity: identity(&transaction)?,
            status: status(&transaction)?,
            is_locked: directory.is_locked(),
            heartbeat_age: heartbeat_age(&transaction)?,
            segments: count("SELECT segments FROM run")? as u32,
            segments_done: count("SELECT count(*) FROM segment WHERE done")? as u32,
            items_estimated: count("SELECT items_estimated FROM run")?,
            totals: totals(&transaction)?,
            dead_letters: dead_letters(&transaction)?,
            shards: shards(&transaction)?,
            tail: tail(&transaction)?,
            tail_age: age(written_ms.unwrap_or(0)),
        })
    }
}

pub(super) fn identity(connection: &Connection) -> rusqlite::Result<Identity> {
    let mut statement = connection.prepare("SELECT name, value FROM identity ORDER BY place")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect::<rusqlite::Result<_>>().map(Identity)
}

pub(super) fn status(connection: &Connection) -> rusqlite::Result<RunStatus> {
    let name: String = connection.query_row("SELECT status FROM run", [], |row| row.get(0))?;
    RunStatus::from_name(&name).ok_or(rusqlite::Error::InvalidQuery)
}

pub(super) fn totals(connection: &Connection) -> rusqlite::Result<Totals> {
    let columns = "items_read, items_written, items_superseded, changes_applied, read_units, write_units";
    connection.query_row(&format!("SELECT {columns} FROM run"), [], |row| {
        Ok(Totals {
            items_read: row.get(0)?,
            items_written: row.get(1)?,
            items_superseded: row.get(2)?,
            changes_applied: row.get(3)?,
            read_units: row.get(4)?,
            write_units: row.get(5)?,
        })
    })
}

pub(super) fn heartbeat_age(connection: &Connection) -> rusqlite::Result<Duration> {
    connection.query_row("SELECT heartbeat_ms FROM run", [], |row| row.get(0)).map(age)
}

fn age(since_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(now_ms() - since_ms).unwrap_or(0))
}

pub(super) fn shards(connection: &Connection) -> rusqlite::Result<Vec<ShardState>> {
    let mut statement =
        connection.prepare("SELECT id, parent, position, place, read_until_ms, ended FROM shard ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        let place: Option<String> = row.get(3)?;
        let place = place.unwrap_or_default();
        let position = match row.get_ref(2)?.as_str()? {
            "since" => Position::Since(place.parse().map_err(|_| rusqlite::Error::InvalidQuery)?),
            "horizon" => Position::Horizon,
            _ => Position::After(place.into()),
        };
        Ok(ShardState {
            id: row.get(0)?,
            parent: row.get(1)?,
            position,
            read_until_ms: row.get(4)?,
            ended: row.get(5)?,
        })
    })?;
    rows.collect()
}

fn tail(connection: &Connection) -> rusqlite::Result<Option<TailView>> {
    let whole = connection.query_row("SELECT changes_waiting, is_settling, now_ms, newest_ms FROM tail", [], |row| {
        let (changes_waiting, is_settling, now_ms, newest_ms) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(TailView { shards: Vec::new(), changes_waiting, is_settling, now_ms, newest_ms })
    });
    let Some(tail) = whole.optional()? else { return Ok(None) };
    let mut statement =
        connection.prepare("SELECT id, lag_ms, quiet_ms, quiet_polls, marker FROM tail_shard ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        Ok(ShardView {
            id: row.get(0)?,
            lag_ms: row.get(1)?,
            quiet_ms: row.get(2)?,
            quiet_polls: row.get(3)?,
            marker: row.get(4)?,
        })
    })?;
    Ok(Some(TailView { shards: rows.collect::<rusqlite::Result<_>>()?, ..tail }))
}

pub(super) fn dead_letters(connection: &Connection) -> rusqlite::Result<Vec<DeadLetterGroup>> {
    let mut statement = connection
        .prepare("SELECT reason, count(*) AS n, min(key) FROM dead_letter GROUP BY reason ORDER BY n DESC, reason")?;
    let rows = statement.query_map([], |row| {
        Ok(DeadLetterGroup { reason: row.get(0)?, count: row.get(1)?, example_key: row.get(2)? })
    })?;
    rows.collect()
}
