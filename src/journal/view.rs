//! Reading a journal, also while another process writes it.

use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::directory::RunDirectory;
use super::file::{from_sqlite, now_ms, open};
use super::schema::{Identity, RunStatus};
use crate::checkpoint::Totals;
use crate::error::Result;
use crate::event::DeadLetterGroup;

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

    fn read(directory: &RunDirectory, connection: &Connection) -> rusqlite::Result<Self> {
        // One transaction, so that all figures are of the same commit.
        let transaction = connection.unchecked_transaction()?;
        let number = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
        let count = |sql: &str| number(sql).map(|value| u64::try_from(value).unwrap_or(0));
        let age = now_ms() - number("SELECT heartbeat_ms FROM run")?;
        Ok(Self {
            identity: identity(&transaction)?,
            status: status(&transaction)?,
            is_locked: directory.is_locked(),
            heartbeat_age: Duration::from_millis(u64::try_from(age).unwrap_or(0)),
            segments: count("SELECT segments FROM run")? as u32,
            segments_done: count("SELECT count(*) FROM segment WHERE done")? as u32,
            items_estimated: count("SELECT items_estimated FROM run")?,
            totals: totals(&transaction)?,
            dead_letters: dead_letters(&transaction)?,
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
    connection.query_row("SELECT items_read, items_written, read_units, write_units FROM run", [], |row| {
        Ok(Totals {
            items_read: row.get(0)?,
            items_written: row.get(1)?,
            read_units: row.get(2)?,
            write_units: row.get(3)?,
        })
    })
}

pub(super) fn dead_letters(connection: &Connection) -> rusqlite::Result<Vec<DeadLetterGroup>> {
    let mut statement = connection
        .prepare("SELECT reason, count(*) AS n, min(key) FROM dead_letter GROUP BY reason ORDER BY n DESC, reason")?;
    let rows = statement.query_map([], |row| {
        Ok(DeadLetterGroup { reason: row.get(0)?, count: row.get(1)?, example_key: row.get(2)? })
    })?;
    rows.collect()
}
