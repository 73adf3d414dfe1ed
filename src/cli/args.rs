//! The command line, described. What the flags mean together is decided in [`crate::config`].

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Exit codes are an interface: scripts read them.
const EXIT_CODES: &str = "\
Exit codes:
  0   done
  2   wrong usage: command line, environment or configuration file
  3   not ready: `drain` found the source still written to, or something not applied
  4   interrupted; the same command resumes
  5   done, but some items could not be written (dead letters)
  6   differences were found: a case of a transform failed, or a rule was broken
  7   no migration is needed: every transform was applied by an earlier one
  10  credentials or region missing or refused
  11  a table or stream is missing or does not fit
  12  the endpoint does not answer, or not as DynamoDB
  13  the run's journal is locked, damaged or cannot be written
  14  the run was begun with another source, destination, stream, segment count or transforms
  15  more dead letters than allowed
  16  local files
  17  a fault in tableferry itself
  18  the stream has forgotten changes that were not read, or soon will
  19  a transform gives different results for the same item";

/// Moves a live DynamoDB table into another one while the application keeps writing.
///
/// The source is read in segments, in parallel, while its stream is followed: changes made meanwhile reach the destination
/// in their order, and no older item overwrites a newer one. Items arrive byte for byte, within the capacity that you allow.
/// A journal under .tableferry records what the destination has acknowledged: stop or kill a run and give the same command
/// again, and it goes on from there. Items that cannot be written are kept as dead letters with key and reason.
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
    /// Copy a table and follow its changes; the same command resumes a run that was stopped or killed
    Run(Box<RunArgs>),
    /// After the writers have stopped: prove that every change has arrived
    Drain(DrainArgs),
    /// Show what `run` would do with the same flags, and whether a migration is needed (exit code 7: no); writes nothing
    Plan(Box<RunArgs>),
    /// Show where a run stands, also while it goes on
    Status(StatusArgs),
    /// Write transforms and try them
    Transform(TransformArgs),
    /// Show the main job on an embedded DynamoDB with live writers: copy, kill, resume, drain, compare; needs no account
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
    /// Eventually consistent reads: half the read capacity; the copy begins a minute later, when what they may miss is in
    /// the stream
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
    /// Directory of transforms, which every item and every change passes in the order of their numbers
    #[arg(long, value_name = "DIR")]
    pub transforms: Option<PathBuf>,
    /// Table beside the source that records which transforms earlier migrations have applied; those are skipped. Records
    /// among the source's own items count always
    #[arg(long, value_name = "TABLE")]
    pub deploy_table: Option<String>,
    /// Migrate although every transform was applied by an earlier migration
    #[arg(long)]
    pub force: bool,
    /// Do not follow the source's stream: for a source to which nobody writes
    #[arg(long, conflicts_with = "stream_arn")]
    pub no_tail: bool,
    /// Stream to follow [env: STREAM_ARN] [default: the source's latest]
    #[arg(long, value_name = "ARN")]
    pub stream_arn: Option<String>,
    /// End by itself: when the copy is done, or when also the changes made meanwhile have arrived [default: go on until
    /// stopped]
    #[arg(long, value_enum, value_name = "STATE")]
    pub until: Option<UntilArg>,
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

/// `--until`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum UntilArg {
    /// Every item of the source was copied
    Copied,
    /// And every change made until then
    CaughtUp,
}

/// `tableferry drain`
///
/// Give it after the application has stopped writing to the source, also while `run` still goes on in another terminal. It
/// ends with 0 when every shard of the stream has been read to its end or has been silent for the quiet period, and everything
/// is applied; with 3 and the reason when that is not so.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct DrainArgs {
    /// Name of the run; not needed when there is only one
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// Directory that keeps the runs
    #[arg(long, value_name = "DIR", default_value = ".tableferry")]
    pub state: PathBuf,
    /// How long every shard must be silent, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub quiet_period: u64,
    /// Instead of waiting for silence, write marker items to the source until every shard has delivered one. Their partition
    /// key begins with `tableferry-marker|`; they are never copied, and deleted afterwards
    #[arg(long)]
    pub markers: bool,
    /// Answer "not ready" after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
    /// The answer as one JSON object
    #[arg(long)]
    pub json: bool,
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

/// `tableferry transform`
#[derive(Debug, clap::Args)]
pub struct TransformArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TransformCommand,
}

/// The commands of `tableferry transform`.
#[derive(Debug, Subcommand)]
pub enum TransformCommand {
    /// Write a recipe or a script with a case, numbered behind the others
    New(TransformNewArgs),
    /// Run the cases of all transforms, and hold a sample of items against rules; exit code 6 when one fails
    Test(TransformTestArgs),
    /// Show what becomes of items: attributes that go, change and come
    Preview(TransformPreviewArgs),
    /// Time the transforms, each and all of them together
    Bench(TransformBenchArgs),
}

/// The items that transforms are tried on.
#[derive(Debug, clap::Args)]
pub struct ItemArgs {
    /// Take them from this table instead of making them up; it is only read
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// Endpoint of the table instead of the region's own; http:// only on loopback
    #[arg(long, value_name = "URL", requires = "table")]
    pub endpoint_url: Option<String>,
    /// Region of the table
    #[arg(long, requires = "table")]
    pub region: Option<String>,
    /// Profile of the AWS configuration files
    #[arg(long, requires = "table")]
    pub profile: Option<String>,
    /// How many, at the most
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub items: u32,
    /// Seed of made up items
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
}

/// `tableferry transform preview`
#[derive(Debug, clap::Args)]
pub struct TransformPreviewArgs {
    /// Directory of the transforms
    #[arg(long, value_name = "DIR", default_value = "transforms")]
    pub transforms: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub items: ItemArgs,
    /// Show this many of the items that do not stay as they are
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub show: usize,
    /// Write them as a page for a browser into this file; it holds items, so only you may read it
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `tableferry transform bench`
#[derive(Debug, clap::Args)]
pub struct TransformBenchArgs {
    /// Directory of the transforms
    #[arg(long, value_name = "DIR", default_value = "transforms")]
    pub transforms: PathBuf,
    /// Time the transforms of another directory too, by turns with these
    #[arg(long, value_name = "DIR")]
    pub compare: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub items: ItemArgs,
    /// Passes over all items, of which the best counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `tableferry transform new`
#[derive(Debug, clap::Args)]
pub struct TransformNewArgs {
    /// Its name: letters, digits, `-` and `_`
    pub name: String,
    /// Write a script in TypeScript instead of a recipe
    #[arg(long)]
    pub script: bool,
    /// Directory of the transforms
    #[arg(long, value_name = "DIR", default_value = "transforms")]
    pub transforms: PathBuf,
}

/// `tableferry transform test`
#[derive(Debug, clap::Args)]
pub struct TransformTestArgs {
    /// Directory of the transforms
    #[arg(long, value_name = "DIR", default_value = "transforms")]
    pub transforms: PathBuf,
    /// Primary key of the cases' items: names and types (S, N, B) of partition key and sort key; that of --table, if it is
    /// given
    #[arg(long, value_name = "KEYS", default_value = "pk:S,sk:S", conflicts_with = "table")]
    pub keys: String,
    /// Also hold what becomes of many items, of a table or made up ones, against these rules
    #[arg(long, value_enum, value_name = "RULES", value_delimiter = ',', num_args = 0.., default_missing_values = ["lost", "twice", "refused", "unstable"])]
    pub check: Vec<CheckArg>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub items: ItemArgs,
}

/// `--check`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CheckArg {
    /// Only transforms that say so drop items: recipes with `drop`, scripts with `export const drops = true`
    Lost,
    /// No two items come out with the same key
    Twice,
    /// No item is refused: it throws no error, keeps its key, stays under 400 KB and is one that DynamoDB takes
    Refused,
    /// An item comes out the same when it is transformed again
    Unstable,
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
    /// Writes a second that the imagined application makes all the while
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=5000))]
    pub writes: u32,
    /// Keep the run's journal and log
    #[arg(long)]
    pub keep: bool,
}
