//! `tableferry transform`: writes transforms and tries them.

mod bench;
mod check;
mod items;
mod new;
mod preview;
mod test;

use std::path::Path;

use crate::cli::args::{TransformArgs, TransformCommand};
use crate::error::{Error, ErrorKind, Result};
use crate::item::{KeyAttribute, KeyKind, KeySchema};

/// Runs the command; the exit code, unless it fails.
pub async fn transform(args: &TransformArgs) -> Result<u8> {
    match &args.command {
        TransformCommand::New(args) => new::new(args),
        TransformCommand::Test(args) => test::test(args).await,
        TransformCommand::Preview(args) => preview::preview(args).await,
        TransformCommand::Bench(args) => bench::bench(args).await,
    }
}

/// Primary key of the table that the items are for, as `pk:S,sk:S`.
fn schema(text: &str) -> Result<KeySchema> {
    let wrong = || {
        Error::new(ErrorKind::Usage, format!("--keys {text}: this is no primary key"))
            .hint("give name and type (S, N or B) of the partition key, and of the sort key if there is one: pk:S,sk:S")
    };
    let mut attributes = text.split(',').map(|part| {
        let (name, kind) = part.split_once(':').filter(|(name, _)| !name.is_empty())?;
        Some(KeyAttribute::new(name, KeyKind::from_name(kind)?))
    });
    let partition = attributes.next().flatten().ok_or_else(wrong)?;
    let sort = attributes.next().map(|sort| sort.ok_or_else(wrong)).transpose()?;
    match attributes.next() {
        None => Ok(KeySchema { partition, sort }),
        Some(_) => Err(wrong()),
    }
}

/// A directory without transforms is no error here: the first one is about to be written.
fn numbers(directory: &Path) -> Result<Vec<u64>> {
    match directory.exists() {
        true => Ok(super::chain::files(directory)?.iter().filter_map(|path| super::chain::number(path)).collect()),
        false => Ok(Vec::new()),
    }
}
