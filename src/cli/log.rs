//! The log of a run: a file in its directory, without item data.

use std::io::{Seek, SeekFrom};
use std::sync::Mutex;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::error::{Error, ErrorKind, Result};
use crate::journal::RunDirectory;

/// Appends what happens to the run's log. Only our own events: the SDK's could quote requests, and so items.
pub fn start(directory: &RunDirectory) -> Result<()> {
    let path = directory.log();
    let failed = |error: std::io::Error| Error::new(ErrorKind::Io, format!("opening {}: {error}", path.display()));
    let mut file = directory.open_private(&path).map_err(failed)?;
    file.seek(SeekFrom::End(0)).map_err(failed)?;
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Mutex::new(file));
    let own = Targets::new().with_target("tableferry", Level::INFO);
    // A second start in one process (tests) keeps the first log.
    let _ = tracing_subscriber::registry().with(lines).with(own).try_init();
    Ok(())
}
