//! The command line, described. What the flags mean together is decided in [`crate::config`].

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Exit codes are an interface: scripts read them.
const EXIT_CODES: &str = "\
Exit codes:
  0   done
  2   wrong usage: command line, environment or configuration file
  4   interrupted; the same command resumes
  5   done, but some items could not be written (dead letters)
  10  credentials or region missing or refused
  11  a table is missing or does not fit
  12  the endpoint does not answer, or not as DynamoDB
  13  the run's journal is locked, damaged or cannot be written
  14  the run was begun with another source, destination, segment count or transforms
  15  more dead letters than allowed
  16  local files
  17  a fault in tableferry itself";

/// Copies a DynamoDB table into another one: fast, rate-limited, and resumable after a kill at any instant.
///
/// The source is read in segments, in parallel; its items reach the destination byte for byte, within the capacity that you
/// allow. A journal under .tableferry records what the destination has acknowledged: stop or kill a run and give the same
/// command again, and it goes on from there. Items that the destination refuses are kept as dead letters with key and
/// reason. The source must not change while it is copied.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Copy a table; the same command resumes a copy that was stopped or killed
    Run(Box<RunArgs>),
    /// Show where a run stands, also while it goes on
    Status(StatusArgs),
    /// Show the main job on an embedded DynamoDB: seed, copy, kill, resume, compare; needs no account
    Demo(DemoArgs),
}

/// `tableferry run`
#[derive(Debug, Default, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct RunArgs {
    /// Table to read, by name or ARN [env: SOURCE_TABLE]
    #[arg(long, value_name = "TABLE")]
    pub source: Option<String>,
    /// Table to write, by name or ARN [env: DESTINATION_TABLE]
    #[arg(long, value_name = "TABLE")]
    pub destination: Option<String>,
    /// Endpoint of both sides instead of the region's own; http:// only on loopback
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Endpoint of the source
    #[arg(long, value_name = "URL")]
    pub source_endpoint_url: Option<String>,
    /// Endpoint of the destination
    #[arg(long, value_name = "URL")]
    pub destination_endpoint_url: Option<String>,
    /// Region of both sides
    #[arg(long)]
    pub region: Option<String>,
    /// Region of the source
    #[arg(long, value_name = "REGION")]
    pub source_region: Option<String>,
    /// Region of the destination
    #[arg(long, value_name = "REGION")]
    pub destination_region: Option<String>,
    /// Profile of the AWS configuration files, for both sides
    #[arg(long)]
    pub profile: Option<String>,
    /// Profile of the source
    #[arg(long, value_name = "PROFILE")]
    pub source_profile: Option<String>,
    /// Profile of the destination
    #[arg(long, value_name = "PROFILE")]
    pub destination_profile: Option<String>,
    /// Configuration file [default: tableferry.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory that keeps the runs' journals and logs; they contain keys of items
    #[arg(long, value_name = "DIR", default_value = ".tableferry")]
    pub state: PathBuf,
    /// Name of the run [default: SOURCE-to-DESTINATION]
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// Create the destination like the source if it is missing: keys, indexes, billing, stream view, TTL, tags
    #[arg(long)]
    pub create_destination: bool,
    /// Write into a destination that holds items; what the source does not have stays there
    #[arg(long)]
    pub into_nonempty: bool,
    /// Parts that the source is read in; chosen from its size unless given, then fixed for the run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub segments: Option<u32>,
    /// Eventually consistent reads: half the read capacity, but writes of the last seconds may be missed; only for a table
    /// to which nobody writes
    #[arg(long)]
    pub eventual: bool,
    /// Read capacity to use a second: 12000rcu, 50% of the table's, auto or unlimited [default: auto]
    #[arg(long, value_name = "RATE")]
    pub read_rate: Option<String>,
    /// Write capacity to use a second: 4000wcu, 50% of the table's, auto or unlimited [default: auto]
    #[arg(long, value_name = "RATE")]
    pub write_rate: Option<String>,
    /// Stop when more items than this cannot be written
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub max_dead_letters: u64,
    /// Longest time for one attempt of one request, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub request_timeout: u64,
    /// Stop when nothing could be read, or nothing written, for this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub give_up_after: u64,
    /// Forget what was recorded of this run and begin again
    #[arg(long)]
    pub restart: bool,
    /// Events as JSON on stdout, one object a line
    #[arg(long)]
    pub json: bool,
    /// No progress, only the summary
    #[arg(long, conflicts_with = "json")]
    pub quiet: bool,
}

/// `tableferry status`
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Name of the run; not needed when there is only one
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// Directory that keeps the runs
    #[arg(long, value_name = "DIR", default_value = ".tableferry")]
    pub state: PathBuf,
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `tableferry demo`
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Items to copy
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub items: u32,
    /// Seed of the items; the same seed gives the same items
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// Keep the run's journal and log
    #[arg(long)]
    pub keep: bool,
}
