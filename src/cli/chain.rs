//! The transforms of a directory, in the order of their numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::item::{KeySchema, RawItem};
use crate::recipe::{Expected, Recipe};
use crate::script::{Script, ScriptCase};
use crate::transform::{Chain, Transform};

/// Every transform is called so.
const NAMES: &str = "call it NNNN-name.toml, .ts, .js or .mjs: a number of at least four digits, then a name";
/// Transforms are told apart from what they import, and from anything else, by how their names end.
const RECIPE: &str = "toml";
const SCRIPTS: [&str; 3] = ["ts", "js", "mjs"];

/// One transform of a directory.
pub struct Link {
    /// What it does.
    pub transform: Arc<dyn Transform>,
    /// Its examples.
    pub cases: Vec<Case>,
}

/// An example of a transform.
pub struct Case {
    /// What it is called, and its line where that is known.
    pub place: String,
    /// The item.
    pub given: RawItem,
    /// What comes of it, in any order; or a part of the reason why it is refused.
    pub expected: std::result::Result<Vec<RawItem>, String>,
    /// The items that may be looked up.
    pub table: Vec<RawItem>,
}

/// All transforms of the directory as one, for items of the table `table` with keys of `schema`.
///
/// # Errors
///
/// [`ErrorKind::Usage`] and [`ErrorKind::Io`] with file, place and remedy.
pub fn load(directory: &Path, schema: &KeySchema, table: &str) -> Result<Chain> {
    let links = links(directory, schema, table)?;
    Ok(Chain::new(links.into_iter().map(|link| link.transform).collect()))
}

/// All transforms of the directory, in their order.
pub fn links(directory: &Path, schema: &KeySchema, table: &str) -> Result<Vec<Link>> {
    let files = files(directory)?;
    if files.is_empty() {
        let message = format!("there is no transform in {}", directory.display());
        return Err(Error::new(ErrorKind::Usage, message).hint(NAMES));
    }
    let link = |path: &PathBuf| match extension(path) {
        RECIPE => recipe(path, schema),
        _ => script(directory, path, schema, table),
    };
    files.iter().map(link).collect()
}

fn recipe(path: &Path, schema: &KeySchema) -> Result<Link> {
    let recipe = Recipe::load(path, schema)?;
    let case = |case: &crate::recipe::Case| Case {
        place: format!("line {}, {}", case.line, case.name),
        given: case.given.clone(),
        expected: match &case.expected {
            Expected::Items(items) => Ok(items.clone()),
            Expected::Refusal(part) => Err(part.clone()),
        },
        table: Vec::new(),
    };
    Ok(Link { cases: recipe.cases().iter().map(case).collect(), transform: Arc::new(recipe) })
}

fn script(directory: &Path, path: &Path, schema: &KeySchema, table: &str) -> Result<Link> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let script = Script::load(directory, &file, schema, table).map_err(|error| match error.remedy() {
        Some(_) => error,
        None => error.hint("mend the script; `tableferry transform test` tries it"),
    })?;
    let case = |case: &ScriptCase| Case {
        place: case.name.clone(),
        given: case.given.clone(),
        expected: case.expected.clone(),
        table: case.table.clone(),
    };
    let cases = script.cases().iter().map(case).collect();
    Ok(Link { cases, transform: Arc::new(script) })
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
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
        let is_script = SCRIPTS.contains(&extension(&path));
        if !path.is_file() || !(is_script || extension(&path) == RECIPE) {
            continue;
        }
        let Some(number) = number(&path) else {
            if is_script {
                // Something that others import.
                continue;
            }
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
        let chain = load(directory.path(), &schema, "source")?;
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
        assert_eq!(
            load(Path::new("/nowhere"), &schema, "source").map(drop).expect_err("missing").kind(),
            ErrorKind::Io
        );
    }
}
