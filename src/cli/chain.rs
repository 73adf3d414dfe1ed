//! The transforms of a directory, in the order of their numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::item::KeySchema;
use crate::recipe::{Case, Recipe};
use crate::transform::{Chain, Transform};

/// Every transform is called so.
const NAMES: &str = "call it NNNN-name.toml: a number of at least four digits, then a name";

/// One transform of a directory.
pub struct Link {
    /// What it does.
    pub transform: Arc<dyn Transform>,
    /// Its examples.
    pub cases: Vec<Case>,
}

/// All transforms of the directory as one, for items with keys of `schema`; without a directory there are none.
///
/// # Errors
///
/// [`ErrorKind::Usage`] and [`ErrorKind::Io`] with file, place and remedy.
pub fn load(directory: Option<&Path>, schema: &KeySchema) -> Result<Chain> {
    let links = directory.map(|directory| links(directory, schema)).transpose()?.unwrap_or_default();
    Ok(Chain::new(links.into_iter().map(|link| link.transform).collect()))
}

/// All transforms of the directory, in their order.
pub fn links(directory: &Path, schema: &KeySchema) -> Result<Vec<Link>> {
    let files = files(directory)?;
    if files.is_empty() {
        let message = format!("there is no transform in {}", directory.display());
        return Err(Error::new(ErrorKind::Usage, message).hint(NAMES));
    }
    let link = |path: &PathBuf| {
        let recipe = Recipe::load(path, schema)?;
        Ok(Link { cases: recipe.cases().to_vec(), transform: Arc::new(recipe) })
    };
    files.iter().map(link).collect()
}

/// The files of the transforms, in their order.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| {
        let message = format!("transforms directory {}: {error}", directory.display());
        Error::new(ErrorKind::Io, message).hint("name a directory with --transforms")
    };
    let mut numbered: BTreeMap<u64, PathBuf> = BTreeMap::new();
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    for path in paths {
        if !path.is_file() || path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let Some(number) = number(&path) else {
            let message = format!("{} has no number", path.display());
            return Err(Error::new(ErrorKind::Usage, message).hint(NAMES));
        };
        if let Some(other) = numbered.insert(number, path.clone()) {
            let message = format!("{} and {} have the same number", other.display(), path.display());
            return Err(Error::new(ErrorKind::Usage, message).hint("give one of them another: the order depends on it"));
        }
    }
    Ok(numbered.into_values().collect())
}

/// The number that its name begins with.
pub fn number(path: &Path) -> Option<u64> {
    let (digits, name) = path.file_stem()?.to_str()?.split_once('-')?;
    let is_fine = digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty();
    is_fine.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{KeyAttribute, KeyKind};

    const DROP: &str = "[[step]]\nwhen = 'pk = \"gone\"'\ndrop = true";

    fn load_files(files: &[(&str, &str)]) -> Result<Vec<String>> {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).expect("is written");
        }
        let schema = KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None };
        let chain = load(Some(directory.path()), &schema)?;
        Ok(chain.links().iter().map(|link| link.name().to_owned()).collect())
    }

    #[test]
    fn transforms_run_in_the_order_of_their_numbers() {
        let files = [("0010-b.toml", DROP), ("0002-z.toml", DROP), ("00100-a.toml", DROP), ("README.md", "not one")];
        assert_eq!(load_files(&files).expect("valid"), ["0002-z.toml", "0010-b.toml", "00100-a.toml"]);
    }

    #[test]
    fn a_wrong_directory_is_refused() {
        for (files, message) in [
            (&[("0001-a.toml", DROP), ("00001-b.toml", DROP)][..], "have the same number"),
            (&[("drop.toml", DROP)], "drop.toml has no number"),
            (&[("01-drop.toml", DROP)], "01-drop.toml has no number"),
            (&[("0001-a.toml", "stpe = []")], "0001-a.toml: TOML parse error at line 1"),
            (&[], "no transform in"),
        ] {
            let error = load_files(files).expect_err(message);
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.remedy().is_some());
        }
        let schema = KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None };
        assert_eq!(load(Some(Path::new("/nowhere")), &schema).map(drop).expect_err("missing").kind(), ErrorKind::Io);
    }
}
