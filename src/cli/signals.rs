//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second leaves at once.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::engine::Shutdown;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::EXIT_INTERRUPTED;

/// Listens for the life of the process.
pub fn listen(shutdown: Arc<Shutdown>) -> Result<()> {
    let failed = |error: std::io::Error| Error::new(ErrorKind::Io, format!("listening for signals: {error}"));
    let mut interrupts = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminations = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::spawn(async move {
        for count in 0.. {
            tokio::select! {
                _ = interrupts.recv() => {}
                _ = terminations.recv() => {}
            }
            if count == 0 {
                shutdown.drain();
            } else {
                // Like a kill: the journal is whole at every instant.
                std::process::exit(EXIT_INTERRUPTED.into());
            }
        }
    });
    Ok(())
}
