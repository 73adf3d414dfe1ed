//! A flag beats an environment variable beats the file beats the default.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::file::{ConfigFile, TableFile};
use crate::cli::args::{RunArgs, UntilArg};
use crate::dynamodb::endpoint::check_endpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::units::{RateSpec, Side};

/// Looks up an environment variable.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The environment of this process; an empty variable counts as not set.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// One side, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSpec {
    /// Name or ARN.
    pub table: String,
    /// Instead of the region's own endpoint.
    pub endpoint_url: Option<String>,
    /// Instead of the environment's or profile's.
    pub region: Option<String>,
    /// Instead of the environment's.
    pub profile: Option<String>,
}

/// What a page of the source reflects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consistency {
    /// Every write completed before it was requested.
    Strong,
    /// Possibly without the last seconds' writes.
    Eventual,
}

/// How the operator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// A bar on a terminal, lines elsewhere.
    Terminal,
    /// Events, one JSON object a line.
    Json,
    /// Only the summary.
    Quiet,
}

/// Which stream a run follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TailSpec {
    /// None: nobody writes to the source.
    Off,
    /// The source's latest.
    Latest,
    /// This one.
    Arn(String),
}

/// What ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UntilSpec {
    /// Without a tail the end of the copy, with one only a stop.
    Stopped,
    /// The end of the copy.
    Copied,
    /// The end of the copy, with the tail close to the present.
    CaughtUp,
}

/// A run, resolved. The run's directory keeps it, so that `drain` finds the tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Where to read.
    pub source: TableSpec,
    /// Where to write.
    pub destination: TableSpec,
    /// Create a missing destination.
    pub create_destination: bool,
    /// Accept a destination that holds items.
    pub into_nonempty: bool,
    /// Segments, if the operator chose.
    pub segments: Option<u32>,
    /// Stream to follow.
    pub tail: TailSpec,
    /// What ends it.
    pub until: UntilSpec,
    /// Kind of reads.
    pub consistency: Consistency,
    /// Read capacity.
    pub read_rate: RateSpec,
    /// Write capacity.
    pub write_rate: RateSpec,
    /// Directory of the transforms.
    #[serde(default)]
    pub transforms: Option<PathBuf>,
    /// Table with the records of transforms that were applied, beside the source.
    #[serde(default)]
    pub deploy_table: Option<String>,
    /// Migrate although every transform was applied.
    #[serde(default)]
    pub force: bool,
    /// Directory of all runs.
    pub state_dir: PathBuf,
    /// Name of this one.
    pub run: String,
    /// More dead letters end the run.
    pub max_dead_letters: u64,
    /// Time for one attempt.
    pub request_timeout: Duration,
    /// Time without any success that ends the run.
    pub give_up_after: Duration,
    /// Begin again.
    pub restart: bool,
    /// How the operator is told.
    pub output: Output,
}

impl RunSpec {
    /// For the run's directory.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// What a run's directory keeps.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            Error::new(ErrorKind::Journal, format!("the run's settings cannot be read: {error}"))
                .hint("give the run's `run` command once more; it writes them again")
        })
    }
}

/// File that is read when `--config` names none.
const DEFAULT_FILE: &str = "tableferry.toml";

/// Lays flags over the environment over the file over the defaults.
pub fn resolve(args: &RunArgs, environment: &Environment<'_>) -> Result<RunSpec> {
    let path = args.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
    let file = match args.config.is_some() || path.exists() {
        true => ConfigFile::load(path, environment)?,
        false => ConfigFile::default(),
    };
    let source = SideFlags {
        name: "source",
        variable: "SOURCE_TABLE",
        table: &args.source,
        endpoint_url: args.source_endpoint_url.as_ref().or(args.endpoint_url.as_ref()),
        region: args.source_region.as_ref().or(args.region.as_ref()),
        profile: args.source_profile.as_ref().or(args.profile.as_ref()),
    };
    let destination = SideFlags {
        name: "destination",
        variable: "DESTINATION_TABLE",
        table: &args.destination,
        endpoint_url: args.destination_endpoint_url.as_ref().or(args.endpoint_url.as_ref()),
        region: args.destination_region.as_ref().or(args.region.as_ref()),
        profile: args.destination_profile.as_ref().or(args.profile.as_ref()),
    };
    let source = source.resolve(&file.source, path, environment)?;
    let destination = destination.resolve(&file.destination, path, environment)?;
    if source == destination {
        let message = format!("source and destination are the same table ({})", source.table);
        return Err(Error::new(ErrorKind::TableUnfit, message).hint("name another table as --destination"));
    }
    let default_run = || format!("{}-to-{}", short_name(&source.table), short_name(&destination.table));
    let rate = |side, flag: &str, asked: &Option<String>, key: &str, written: &Option<String>| {
        let parse = |text: &String, place: &str| {
            let hint = format!("change {place}, or leave it out for auto");
            RateSpec::parse(side, text).map_err(|why| usage(&format!("{place}: {why}"), &hint))
        };
        match (asked, written) {
            (Some(text), _) => parse(text, flag),
            (None, Some(text)) => parse(text, &format!("`{key}` in {}", path.display())),
            (None, None) => Ok(RateSpec::Auto),
        }
    };
    let transforms = args.transforms.clone().or_else(|| file.transforms.dir.clone().map(PathBuf::from));
    let stream_arn = args.stream_arn.clone().or_else(|| environment("STREAM_ARN"));
    Ok(RunSpec {
        tail: match (args.no_tail, stream_arn) {
            (true, _) => TailSpec::Off,
            (false, Some(arn)) => TailSpec::Arn(arn),
            (false, None) => TailSpec::Latest,
        },
        until: match args.until {
            None => UntilSpec::Stopped,
            Some(UntilArg::Copied) => UntilSpec::Copied,
            Some(UntilArg::CaughtUp) => UntilSpec::CaughtUp,
        },
        create_destination: args.create_destination || file.destination.create.unwrap_or(false),
        into_nonempty: args.into_nonempty,
        segments: args.segments,
        consistency: if args.eventual { Consistency::Eventual } else { Consistency::Strong },
        read_rate: rate(Side::Read, "--read-rate", &args.read_rate, "rate.read", &file.rate.read)?,
        write_rate: rate(Side::Write, "--write-rate", &args.write_rate, "rate.write", &file.rate.write)?,
        transforms: transforms.map(absolute).transpose()?,
        deploy_table: args.deploy_table.clone().or(file.deploy.table),
        force: args.force,
        state_dir: args.state.clone(),
        run: checked_run(args.run.clone().unwrap_or_else(default_run))?,
        max_dead_letters: args.max_dead_letters,
        request_timeout: Duration::from_secs(args.request_timeout),
        give_up_after: Duration::from_secs(args.give_up_after),
        restart: args.restart,
        output: match (args.json, args.quiet) {
            (true, _) => Output::Json,
            (false, true) => Output::Quiet,
            (false, false) => Output::Terminal,
        },
        source,
        destination,
    })
}

struct SideFlags<'a> {
    name: &'static str,
    variable: &'static str,
    table: &'a Option<String>,
    endpoint_url: Option<&'a String>,
    region: Option<&'a String>,
    profile: Option<&'a String>,
}

impl SideFlags<'_> {
    fn resolve(&self, file: &TableFile, path: &Path, environment: &Environment<'_>) -> Result<TableSpec> {
        let Self { name, variable, .. } = self;
        let table = self.table.clone().or_else(|| environment(variable)).or_else(|| file.table.clone());
        let table = table.filter(|table| !table.is_empty()).ok_or_else(|| {
            let path = path.display();
            let hint = format!("give --{name}, or set {variable}, or write `table` under [{name}] in {path}");
            usage(&format!("no {name} table is named"), &hint)
        })?;
        let given = self.endpoint_url.cloned().or_else(|| file.endpoint_url.clone());
        let variables = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"];
        let endpoint_url = given.or_else(|| variables.into_iter().find_map(environment));
        if let Some(url) = &endpoint_url {
            check_endpoint(url).map_err(|error| error.context(name))?;
        }
        Ok(TableSpec {
            table,
            endpoint_url,
            region: self.region.cloned().or_else(|| file.region.clone()),
            profile: self.profile.cloned().or_else(|| file.profile.clone()),
        })
    }
}

/// The table's name, also of an ARN.
fn short_name(table: &str) -> &str {
    table.rsplit('/').next().unwrap_or(table)
}

/// For whoever reads it in another directory.
fn absolute(path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&path).map_err(|error| usage(&format!("{}: {error}", path.display()), "name a directory"))
}

fn checked_run(name: String) -> Result<String> {
    let is_fine = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if !name.is_empty() && name.len() <= 200 && name.chars().all(is_fine) && !name.starts_with('.') {
        return Ok(name);
    }
    Err(usage(&format!("`{name}` cannot name a run"), "use up to 200 letters, digits, `.`, `_` and `-`, as --run"))
}

fn usage(message: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Usage, message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> RunArgs {
        RunArgs { source: Some("a".into()), destination: Some("b".into()), ..RunArgs::default() }
    }

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn a_flag_beats_a_variable_beats_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("f.toml");
        std::fs::write(
            &path,
            "[source]\ntable='file-s'\nregion='eu-west-1'\n[destination]\ntable='file-d'\ncreate=true",
        )
        .expect("written");
        let environment = |name: &str| (name == "DESTINATION_TABLE").then(|| "env-d".to_owned());
        let spec = resolve(&RunArgs { config: Some(path.clone()), ..RunArgs::default() }, &environment).expect("valid");
        assert_eq!((spec.source.table.as_str(), spec.destination.table.as_str()), ("file-s", "env-d"));
        assert_eq!(spec.source.region.as_deref(), Some("eu-west-1"));
        assert!(spec.create_destination);
        assert_eq!(spec.run, "file-s-to-env-d");
        let spec = resolve(&RunArgs { config: Some(path), ..args() }, &environment).expect("valid");
        assert_eq!((spec.source.table.as_str(), spec.destination.table.as_str()), ("a", "b"));
    }

    #[test]
    fn clear_text_leaves_this_machine_never() {
        for (url, is_fine) in [
            ("http://localhost:8000", true),
            ("http://127.0.0.1:8000", true),
            ("http://[::1]:8000", true),
            ("https://dynamodb.us-east-1.amazonaws.com", true),
            ("http://10.0.0.5:8000", false),
            ("http://localhost.example.com", false),
            ("ftp://localhost", false),
            ("localhost:8000", false),
            ("https://user:secret@example.com", false),
            ("nonsense", false),
        ] {
            let spec = resolve(&RunArgs { endpoint_url: Some(url.into()), ..args() }, &nothing);
            assert_eq!(spec.is_ok(), is_fine, "{url}");
            let variable = |name: &str| (name == "AWS_ENDPOINT_URL_DYNAMODB").then(|| url.to_owned());
            assert_eq!(resolve(&args(), &variable).is_ok(), is_fine, "{url} from the environment");
        }
    }

    #[test]
    fn a_password_in_an_endpoint_is_refused_and_never_shown() {
        for url in
            ["https://user:secret@example.com", "https://user:secret@exa mple.com", "http:/u:secret@x", "x:secret@y"]
        {
            let error = resolve(&RunArgs { endpoint_url: Some(url.into()), ..args() }, &nothing).expect_err(url);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_bad_rate_is_named_where_it_was_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("f.toml");
        std::fs::write(&path, "[rate]\nread = 'fast'").expect("written");
        let with_file = RunArgs { config: Some(path.clone()), ..args() };
        let error = resolve(&with_file, &nothing).expect_err("refused");
        let place = format!("`rate.read` in {}", path.display());
        assert!(error.message().starts_with(&format!("{place}: `fast` is not a rate")), "{error}");
        assert_eq!(error.remedy(), Some(format!("change {place}, or leave it out for auto").as_str()));
        let error = resolve(&RunArgs { read_rate: Some("slow".into()), ..with_file }, &nothing).expect_err("refused");
        assert!(error.message().starts_with("--read-rate: `slow` is not a rate"), "{error}");
    }

    #[test]
    fn a_table_that_nobody_names_is_asked_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("f.toml");
        std::fs::write(&path, "").expect("written");
        let unnamed = RunArgs { source: None, config: Some(path.clone()), ..args() };
        let error = resolve(&unnamed, &nothing).expect_err("refused");
        assert_eq!(error.message(), "no source table is named");
        let hint = format!("give --source, or set SOURCE_TABLE, or write `table` under [source] in {}", path.display());
        assert_eq!(error.remedy(), Some(hint.as_str()));
    }

    #[test]
    fn a_table_named_by_its_arn_gives_the_run_its_short_name() {
        let arn = "arn:aws:dynamodb:us-east-1:123456789012:table/court".to_owned();
        let spec = resolve(&RunArgs { source: Some(arn.clone()), ..args() }, &nothing).expect("valid");
        assert_eq!((spec.source.table, spec.run.as_str()), (arn, "court-to-b"));
    }

    #[test]
    fn the_same_table_twice_is_refused() {
        let twice = RunArgs { destination: Some("a".into()), ..args() };
        assert_eq!(resolve(&twice, &nothing).expect_err("refused").kind(), ErrorKind::TableUnfit);
    }

    #[test]
    fn a_run_cannot_be_named_out_of_its_directory() {
        for name in ["../x", "a/b", "", ".hidden", "a b"] {
            assert!(resolve(&RunArgs { run: Some(name.into()), ..args() }, &nothing).is_err(), "{name}");
        }
    }
}
