//! What survives a kill: an SQLite file of its own for each run.
//!
//! A run's directory (0700) holds `journal.sqlite`, `lock` and the log (0600 each). The journal is item data: cursors and
//! dead letters contain keys. It is always an under-estimate of what is at the destination, so continuing from it, even
//! from an older copy, loses nothing.

mod directory;
mod file;
mod schema;
mod view;

pub use directory::{RunDirectory, RunLock, list_runs};
pub use file::Journal;
pub use schema::{Identity, RunStatus};
pub use view::RunView;
