//! The real `tableferry` binary, in an environment that holds nothing of the machine's own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::table::Table;
use super::{ACCESS_KEY, REGION, wait_for};

/// The event that begins a copy.
pub const STARTED: &str = r#""event":"started""#;

/// No run of a test takes this long; one that does hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// A home and working directory in which the binary is run as often as a test likes.
pub struct Ferry {
    directory: TempDir,
    outputs: TempDir,
    environment: BTreeMap<String, String>,
    runs: AtomicU32,
}

impl Ferry {
    /// An empty directory, test credentials and a region.
    pub fn new() -> Self {
        let environment = [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        Self {
            directory: TempDir::new().expect("a temporary directory"),
            outputs: TempDir::new().expect("a temporary directory"),
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            runs: AtomicU32::new(0),
        }
    }

    /// With another environment variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without an environment variable.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// The working directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file into the working directory.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("the working directory is writable");
    }

    /// The only journal in the default state directory.
    pub fn journal(&self) -> PathBuf {
        let runs = fs::read_dir(self.path().join(".tableferry")).expect("a run has left its state");
        let mut journals = runs.map(|run| run.expect("an entry").path().join("journal.sqlite")).filter(|f| f.exists());
        let journal = journals.next().expect("a run has left a journal");
        assert_eq!(journals.next(), None, "there is one run");
        journal
    }

    /// Runs to the end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// Copies a table to which nobody writes, to the end: `run --no-tail` with both names and endpoints, and `more`.
    #[track_caller]
    pub fn copy(&self, source: &Table, destination: &Table, more: &[&str]) -> Ended {
        self.start_copy(source, destination, more).end()
    }

    /// Begins to copy a table to which nobody writes.
    pub fn start_copy(&self, source: &Table, destination: &Table, more: &[&str]) -> Running {
        self.start_on("run", source, destination, &[&["--no-tail"], more].concat())
    }

    /// Migrates a table to an end: `run` with both names and endpoints, and `more`, which must name the end.
    #[track_caller]
    pub fn migrate(&self, source: &Table, destination: &Table, more: &[&str]) -> Ended {
        self.start_migration(source, destination, more).end()
    }

    /// Begins to migrate a table, telling events; goes on after the copy.
    pub fn start_migration(&self, source: &Table, destination: &Table, more: &[&str]) -> Running {
        self.start_on("run", source, destination, &[&["--json"], more].concat())
    }

    /// Asks whether everything of the frozen source has arrived: `drain` of the only run there is.
    #[track_caller]
    pub fn drain(&self, more: &[&str]) -> Ended {
        self.start_drain(more).end()
    }

    /// Begins to ask.
    pub fn start_drain(&self, more: &[&str]) -> Running {
        self.start(&[&["drain"], more].concat())
    }

    /// What `status --json` says, or `None` while there is no run to speak of.
    pub fn status(&self) -> Option<serde_json::Value> {
        let ended = self.run(&["status", "--json"]);
        ended.status.success().then(|| serde_json::from_str(&ended.stdout).expect("status is JSON"))
    }

    fn start_on(&self, command: &str, source: &Table, destination: &Table, more: &[&str]) -> Running {
        let arguments = arguments(command, source, destination, more);
        self.start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Copies so slowly that there is time to interrupt, and interrupts.
    #[track_caller]
    pub fn interrupt_copy(&self, source: &Table, destination: &Table, more: &[&str]) -> Ended {
        let running = self.start_slow_copy(source, destination, more);
        running.interrupt();
        running.end()
    }

    /// Copies so slowly that there is time to kill, and kills.
    #[track_caller]
    pub fn kill_copy(&self, source: &Table, destination: &Table, more: &[&str]) {
        let running = self.start_slow_copy(source, destination, more);
        assert!(running.kill(), "it was still copying");
    }

    /// Copies slowly and returns when the first items have arrived.
    #[track_caller]
    fn start_slow_copy(&self, source: &Table, destination: &Table, more: &[&str]) -> Running {
        let more = [&["--json", "--write-rate", "150wcu"], more].concat();
        let mut running = self.start_copy(source, destination, &more);
        assert!(running.wait_for_output(STARTED), "it begins to copy:\n{}", running.stderr());
        let arrived = || (destination.count() > 0 || running.has_ended()).then_some(());
        wait_for(LIMIT, arrived).expect("items arrive");
        running
    }

    /// Starts and returns at once.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_command(Command::new(env!("CARGO_BIN_EXE_tableferry")), arguments)
    }

    /// Starts where no file can grow beyond some size: writing more fails, as on a full disk.
    pub fn start_with_file_limit(&self, kilobytes: u32, source: &Table, destination: &Table) -> Running {
        let arguments = arguments("run", source, destination, &["--no-tail"]);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let mut command = Command::new("bash");
        // The signal that comes with the failed write is ignored, so that the program sees the error. What it says goes
        // through a pipe, which has no size.
        let script = r#"set -o pipefail; (trap "" XFSZ; ulimit -f "$1"; shift; exec "$@") 2>&1 | cat >&2"#;
        command.args(["-c", script, "limit", &kilobytes.to_string(), env!("CARGO_BIN_EXE_tableferry")]);
        self.start_command(command, &arguments)
    }

    /// Starts with nobody at the other end of stdout and stderr, as behind `| head` or in a terminal that was closed.
    pub fn start_unheard(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new("bash");
        // Both go into a pipe whose reader has left.
        let script = r#"exec 3> >(:); sleep 0.2; exec "$@" >&3 2>&3"#;
        command.args(["-c", script, "unheard", env!("CARGO_BIN_EXE_tableferry")]);
        self.start_command(command, arguments)
    }

    fn start_command(&self, mut command: Command, arguments: &[&str]) -> Running {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let stdout = self.outputs.path().join(format!("stdout-{number}"));
        let stderr = self.outputs.path().join(format!("stderr-{number}"));
        let child = command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .envs(&self.environment)
            .env("HOME", self.path())
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).expect("an output file"))
            .stderr(File::create(&stderr).expect("an output file"))
            .spawn()
            .expect("the binary starts");
        Running { child, stdout, stderr, command: arguments.join(" "), begun: Instant::now() }
    }
}

fn arguments(command: &str, source: &Table, destination: &Table, more: &[&str]) -> Vec<String> {
    let (from, to) = (source.endpoint(), destination.endpoint());
    let sides = [command, "--source", &source.name, "--destination", &destination.name];
    let endpoints = ["--source-endpoint-url", &from, "--destination-endpoint-url", &to];
    [&sides, &endpoints[..], more].concat().into_iter().map(str::to_owned).collect()
}

/// A process that may still run. Dropping it kills it.
pub struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    command: String,
    begun: Instant,
}

impl Running {
    /// What it has written to stdout so far.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stdout).unwrap_or_default()).into_owned()
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// Waits until stdout contains `text`; false if the process ended without writing it.
    #[track_caller]
    pub fn wait_for_output(&mut self, text: &str) -> bool {
        let found = wait_for(LIMIT, || match self.stdout().contains(text) {
            true => Some(true),
            false if self.has_ended() => Some(self.stdout().contains(text)),
            false => None,
        });
        found.unwrap_or_else(|| panic!("`{}` never says `{text}`: {}{}", self.command, self.stdout(), self.stderr()))
    }

    /// The last complete event of this name so far.
    pub fn last_event(&self, name: &str) -> Option<serde_json::Value> {
        let stdout = self.stdout();
        let events = stdout.lines().rev().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        events.into_iter().find(|event| event["event"] == name)
    }

    /// Waits until a progress event is as wished; panics if none comes or the process ends before.
    #[track_caller]
    pub fn wait_for_progress(&mut self, wish: &str, is_met: impl Fn(&serde_json::Value) -> bool) {
        let met = wait_for(LIMIT, || match self.last_event("progress").is_some_and(|event| is_met(&event)) {
            true => Some(true),
            false => self.has_ended().then_some(false),
        });
        assert_eq!(met, Some(true), "`{}`: no progress to {wish}: {}{}", self.command, self.stdout(), self.stderr());
    }

    /// Waits until every segment is copied.
    #[track_caller]
    pub fn wait_until_copied(&mut self) {
        let is_copied =
            |event: &serde_json::Value| event["segments"] != 0 && event["segments_done"] == event["segments"];
        self.wait_for_progress("the end of the copy", is_copied);
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Sends SIGKILL and waits for the end. True if the process had still been running.
    pub fn kill(mut self) -> bool {
        let running = !self.has_ended();
        self.child.kill().expect("the process can be killed");
        let status = self.child.wait().expect("the process can be waited for");
        running && status.code().is_none()
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        let status = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "the process can be interrupted");
    }

    /// Waits for the end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let status = wait_for(LIMIT, || self.child.try_wait().ok().flatten());
        let status = status.unwrap_or_else(|| {
            panic!("`{}` does not end in {LIMIT:?}: {}{}", self.command, self.stdout(), self.stderr())
        });
        Ended {
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
            command: self.command.clone(),
            took: self.begun.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    status: ExitStatus,
    /// Everything it wrote to stdout.
    pub stdout: String,
    /// Everything it wrote to stderr.
    pub stderr: String,
    command: String,
    /// From start to end.
    pub took: Duration,
}

impl Ended {
    /// Panics with all output unless the exit code is this one.
    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        let last: Vec<_> = self.stdout.lines().rev().take(3).collect();
        assert_eq!(self.status.code(), Some(code), "`{}`:\n{}\n{}", self.command, last.join("\n"), self.stderr);
        self
    }

    /// Panics with all output unless the exit code is one of these; returns which.
    #[track_caller]
    pub fn assert_code_among(&self, codes: &[i32]) -> i32 {
        let code = self.status.code().unwrap_or(-1);
        assert!(codes.contains(&code), "`{}` ends with {code}:\n{}\n{}", self.command, self.stdout, self.stderr);
        code
    }

    /// Panics unless it ended with `code` and says each of these somewhere.
    #[track_caller]
    pub fn assert_told(&self, code: i32, words: &[&str]) -> &Self {
        self.assert_code(code);
        for word in words {
            let is_said = self.stdout.contains(word) || self.stderr.contains(word);
            assert!(is_said, "`{}` does not say `{word}`:\n{}\n{}", self.command, self.stdout, self.stderr);
        }
        self
    }

    /// Panics unless stderr says each of these.
    #[track_caller]
    pub fn assert_says(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.stderr.contains(word), "`{}` does not say `{word}`:\n{}", self.command, self.stderr);
        }
        self
    }

    /// Panics unless it ended with `code` and an error that names each of `names` and ends in what to do.
    #[track_caller]
    pub fn assert_refused(&self, code: i32, names: &[&str]) -> &Self {
        self.assert_code(code).assert_says(names).assert_says(&["hint: "]);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// The objects on stdout, one a line.
    #[track_caller]
    pub fn events(&self) -> Vec<serde_json::Value> {
        let event =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("`{line}` is not JSON: {error}"));
        self.stdout.lines().map(event).collect()
    }

    /// The last event of this name.
    #[track_caller]
    pub fn event(&self, name: &str) -> serde_json::Value {
        let event = self.events().into_iter().rfind(|event| event["event"] == name);
        event.unwrap_or_else(|| panic!("no event `{name}`:\n{}\n{}", self.stdout, self.stderr))
    }
}
