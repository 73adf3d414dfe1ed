//! The journal's format and what a run is bound to.

use rusqlite::Connection;

/// Marks an SQLite file as a journal of tableferry: "tfry".
pub const APPLICATION_ID: i32 = 0x7466_7279;
/// Grows with every change of the tables below.
pub const FORMAT: i32 = 2;

/// Creates the tables in an empty file.
pub fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {FORMAT};
         CREATE TABLE identity (name TEXT PRIMARY KEY, value TEXT NOT NULL, place INTEGER NOT NULL) STRICT;
         CREATE TABLE run (
             id INTEGER PRIMARY KEY CHECK (id = 1),
             segments INTEGER NOT NULL,
             items_estimated INTEGER NOT NULL,
             status TEXT NOT NULL,
             begun_ms INTEGER NOT NULL,
             heartbeat_ms INTEGER NOT NULL,
             items_read INTEGER NOT NULL DEFAULT 0,
             items_written INTEGER NOT NULL DEFAULT 0,
             items_superseded INTEGER NOT NULL DEFAULT 0,
             changes_applied INTEGER NOT NULL DEFAULT 0,
             read_units REAL NOT NULL DEFAULT 0,
             write_units REAL NOT NULL DEFAULT 0
         ) STRICT;
         CREATE TABLE segment (
             segment INTEGER PRIMARY KEY,
             cursor BLOB,
             pages INTEGER NOT NULL DEFAULT 0,
             done INTEGER NOT NULL DEFAULT 0
         ) STRICT;
         CREATE TABLE dead_letter (
             key TEXT PRIMARY KEY,
             reason TEXT NOT NULL,
             segment INTEGER,
             page INTEGER,
             shard TEXT,
             sequence TEXT,
             found_ms INTEGER NOT NULL,
             CHECK ((segment IS NULL) = (page IS NULL) AND (shard IS NULL) = (sequence IS NULL)
                    AND (segment IS NULL) <> (shard IS NULL))
         ) STRICT;
         CREATE TABLE shard (
             id TEXT PRIMARY KEY,
             parent TEXT,
             position TEXT NOT NULL CHECK (position IN ('since', 'horizon', 'after')),
             place TEXT,
             read_until_ms INTEGER NOT NULL,
             ended INTEGER NOT NULL DEFAULT 0
         ) STRICT;
         CREATE TABLE claim (
             source TEXT NOT NULL,
             destination TEXT NOT NULL,
             PRIMARY KEY (source, destination)
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE tail (
             id INTEGER PRIMARY KEY CHECK (id = 1),
             changes_waiting INTEGER NOT NULL,
             is_settling INTEGER NOT NULL,
             now_ms INTEGER NOT NULL,
             newest_ms INTEGER,
             written_ms INTEGER NOT NULL
         ) STRICT;
         CREATE TABLE tail_shard (
             id TEXT PRIMARY KEY,
             lag_ms INTEGER NOT NULL,
             quiet_ms INTEGER,
             quiet_polls INTEGER NOT NULL,
             marker TEXT
         ) STRICT;"
    ))
}

/// What must be the same when a run is resumed, as named values in the order an operator reads them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity(pub Vec<(String, String)>);

impl Identity {
    /// Where `other` differs: `source table: was a, is b`.
    pub fn differences(&self, other: &Identity) -> Vec<String> {
        let lookup = |identity: &Identity, name: &str| {
            let found = identity.0.iter().find(|(other, _)| other == name);
            found.map_or("nothing".to_owned(), |(_, value)| value.clone())
        };
        let mut names: Vec<&String> = self.0.iter().map(|(name, _)| name).collect();
        names.extend(other.0.iter().map(|(name, _)| name).filter(|name| !self.0.iter().any(|(own, _)| own == *name)));
        let differing = names.into_iter().filter(|name| lookup(self, name) != lookup(other, name));
        differing.map(|name| format!("{name}: was {}, is {}", lookup(self, name), lookup(other, name))).collect()
    }
}

/// What the journal says of the run; a `Running` whose lock is free was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// A process works on it, or was killed while it did.
    Running,
    /// Stopped on request.
    Interrupted,
    /// Stopped by an error.
    Failed,
    /// Everything was copied or is a dead letter; there is no tail.
    Done,
    /// The copy is done; the tail goes on when the run is resumed.
    Copied,
    /// And the tail was close to the present.
    CaughtUp,
    /// The stream has forgotten changes that were not read: the run cannot be resumed.
    Gap,
}

impl RunStatus {
    /// As stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::Done => "done",
            Self::Copied => "copied",
            Self::CaughtUp => "caught-up",
            Self::Gap => "gap",
        }
    }

    /// The status stored under that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Running, Self::Interrupted, Self::Failed, Self::Done, Self::Copied, Self::CaughtUp, Self::Gap];
        all.into_iter().find(|status| status.name() == name)
    }
}
