//! Which transforms of a directory are new, and which were applied by an earlier migration.

use std::path::Path;

use crate::cli::chain::{self, Link};
use crate::cli::preflight::Connections;
use crate::config::RunSpec;
use crate::dynamodb::Table;
use crate::dynamodb::applied::{Record, in_deploy_table, in_main_table};
use crate::error::Result;
use crate::transform::Chain;

/// The transforms of a directory.
#[derive(Default)]
pub struct Transforms {
    /// All of them, in order, with the record of those that were applied.
    pub all: Vec<(Link, Option<Record>)>,
}

impl Transforms {
    /// Loads the transforms that the run names, for the items of `source`, and looks up which were applied: in the deploy
    /// table if there is one, and in the source itself.
    pub async fn load(spec: &RunSpec, connections: &Connections, source: &Table) -> Result<Self> {
        let Some(directory) = &spec.transforms else { return Ok(Self::default()) };
        let links = chain::links(directory, &source.schema, &source.name)?;
        let records = records(spec.deploy_table.as_deref(), connections, source, directory).await?;
        let applied = |link: &Link| {
            let name = stem(link.transform.name());
            records.iter().find(|record| stem(&record.file) == name).cloned()
        };
        let all = links.into_iter().map(|link| {
            let record = applied(&link);
            (link, record)
        });
        Ok(Self { all: all.collect() })
    }

    /// Those that were applied, with their records.
    pub fn applied(&self) -> impl Iterator<Item = (&str, &Record)> {
        self.all.iter().filter_map(|(link, record)| Some((link.transform.name(), record.as_ref()?)))
    }

    /// Those that were not.
    pub fn chain(&self) -> Chain {
        let new = self.all.iter().filter(|(_, record)| record.is_none());
        Chain::new(new.map(|(link, _)| link.transform.clone()).collect())
    }

    /// Whether there are transforms and none of them is new.
    pub fn is_nothing_new(&self) -> bool {
        !self.all.is_empty() && self.all.iter().all(|(_, record)| record.is_some())
    }
}

async fn records(
    deploy_table: Option<&str>,
    connections: &Connections,
    source: &Table,
    directory: &Path,
) -> Result<Vec<Record>> {
    let client = &connections.source.control;
    let mut records = in_main_table(client, &source.name, &source.schema).await?;
    if let Some(name) = deploy_table {
        let table = Table::describe(client, name).await.map_err(|error| {
            error.context("deploy table").hint("correct `table` under [deploy] in the configuration file")
        })?;
        let names: Vec<String> = chain::files(directory)?.iter().flat_map(|path| names(path)).collect();
        records.extend(in_deploy_table(client, name, &table.schema, &names).await?);
    }
    Ok(records)
}

/// What a transform may be called in a record: it may have been written in another language then.
fn names(path: &Path) -> Vec<String> {
    let stem = stem(&path.file_name().unwrap_or_default().to_string_lossy()).to_owned();
    let named = |extension: &str| format!("{stem}.{extension}");
    ["toml", "ts", "js", "mjs"].map(named).into_iter().chain([stem.clone()]).collect()
}

/// The name without what says in which language it is written.
fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transform_is_known_by_its_name_whatever_language_it_was_written_in() {
        for (file, name) in
            [("0001-a.ts", "0001-a"), ("0001-a.old.js", "0001-a.old"), ("0001-a", "0001-a"), ("0001-a.toml", "0001-a")]
        {
            assert_eq!(stem(file), name);
        }
        assert_eq!(
            names(Path::new("moves/0001-a.old.ts")),
            ["0001-a.old.toml", "0001-a.old.ts", "0001-a.old.js", "0001-a.old.mjs", "0001-a.old"]
        );
    }

    #[test]
    fn without_transforms_everything_is_to_be_moved() {
        assert!(!Transforms::default().is_nothing_new());
    }
}
