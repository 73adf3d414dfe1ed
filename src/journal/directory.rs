//! The directory of a run and its lock.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// Looking at a lock takes it for an instant, so whoever wants to hold it tries this often, ...
const LOCK_ATTEMPTS: u32 = 10;
/// ... this far apart.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Where a run keeps its files: `<state>/<run>`.
#[derive(Debug, Clone)]
pub struct RunDirectory {
    path: PathBuf,
}

/// Held for as long as this process works on the run; the system releases it however the process ends.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunDirectory {
    /// The directory of `run`, which need not exist.
    pub fn new(state: &Path, run: &str) -> Self {
        Self { path: state.join(run) }
    }

    /// Makes the directory, open to its owner alone; refuses one that others can write to.
    pub fn create(&self) -> Result<()> {
        let created = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        created.map_err(|error| failed("creating", &self.path, &error))?;
        let metadata = fs::metadata(&self.path).map_err(|error| failed("looking at", &self.path, &error))?;
        if metadata.permissions().mode() & 0o022 != 0 {
            let message = format!("{} can be written by others", self.path.display());
            return Err(Error::new(ErrorKind::Journal, message).hint("chmod 700 it, or choose another --state"));
        }
        Ok(())
    }

    /// Takes the run for this process.
    pub fn lock(&self) -> Result<RunLock> {
        let path = self.path.join("lock");
        let file = self.open_private(&path).map_err(|error| failed("opening", &path, &error))?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let message = format!("another process is working on this run ({} is locked)", path.display());
                    return Err(Error::new(ErrorKind::Journal, message).hint(
                        "see `tableferry status`; wait for it, or stop it with Ctrl-C, or give this run another --run",
                    ));
                }
                Err(TryLockError::Error(error)) => return Err(failed("locking", &path, &error)),
            }
        }
        Ok(RunLock { _file: file })
    }

    /// Whether a process holds the lock at this moment.
    pub fn is_locked(&self) -> bool {
        let file = File::open(self.path.join("lock"));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Path of the journal.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal.sqlite")
    }

    /// Path of the log.
    pub fn log(&self) -> PathBuf {
        self.path.join("run.log")
    }

    /// Keeps how the run was last started.
    pub fn keep_spec(&self, text: &str) -> Result<()> {
        let path = self.path.join("run.json");
        let new = path.with_extension("json.new");
        let written = self.open_private(&new).and_then(|mut file| {
            file.set_len(0)?;
            file.write_all(text.as_bytes())
        });
        written.and_then(|()| fs::rename(&new, &path)).map_err(|error| failed("writing", &path, &error))
    }

    /// How the run was last started.
    pub fn spec(&self) -> Result<String> {
        let path = self.path.join("run.json");
        fs::read_to_string(&path).map_err(|error| failed("reading", &path, &error))
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the journal, so that the run begins again; the log stays.
    pub fn remove_journal(&self) -> Result<()> {
        for suffix in ["", "-wal", "-shm", ".new"] {
            let mut path = self.journal().into_os_string();
            path.push(suffix);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("removing", Path::new(&path), &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Opens a file for reading and writing that only its owner can read, creating it if need be.
    pub fn open_private(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
    }
}

/// The runs under a state directory, in the order of their names.
pub fn list_runs(state: &Path) -> Vec<String> {
    let entries = fs::read_dir(state).into_iter().flatten().flatten();
    let runs = entries.filter(|entry| entry.path().join("journal.sqlite").exists());
    let mut names: Vec<String> = runs.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

pub(super) fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Journal, format!("{doing} {}: {error}", path.display()))
        .hint("check the directory's owner, its permissions and the space left, or choose another --state")
}
