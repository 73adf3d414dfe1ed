//! The commands: one file each, and where their results become exit codes.

mod applied;
pub mod args;
mod chain;
mod demo;
mod drain;
mod log;
mod markers;
mod plan;
mod preflight;
mod run;
mod signals;
mod status;
mod transform;

use std::process::ExitCode;

use clap::Parser;

use crate::error::{Error, ErrorKind, Result};
use crate::event::End;
use crate::policy::{EXIT_DEAD_LETTERS, EXIT_DONE, EXIT_INTERRUPTED, exit_code};
use crate::report::to_stderr;
use args::{Args, Command};

/// Parses the command line, does what it says and turns the result into an exit code.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Error::new(ErrorKind::Io, format!("starting threads: {error}"))),
    };
    let result = runtime.block_on(async {
        match args.command {
            Command::Run(args) => run::run(*args).await,
            Command::Drain(args) => drain::drain(&args).await,
            Command::Plan(args) => plan::plan(*args).await,
            Command::Status(args) => status::status(&args),
            Command::Transform(args) => transform::transform(&args).await,
            Command::Demo(args) => demo::demo(&args).await,
        }
    });
    // What is still blocked, an fsync for instance, must not hold up the exit.
    runtime.shutdown_background();
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(&error),
    }
}

fn fail(error: &Error) -> ExitCode {
    to_stderr(&format!("error: {error}"));
    ExitCode::from(exit_code(error.kind()))
}

/// The exit code of a copy that ended without an error.
fn code(end: End, dead_letters: u64) -> Result<u8> {
    Ok(match end {
        End::Done if dead_letters > 0 => EXIT_DEAD_LETTERS,
        End::Done => EXIT_DONE,
        End::Interrupted => EXIT_INTERRUPTED,
        End::Failed => return Err(Error::new(ErrorKind::Internal, "the run failed without an error")),
    })
}
