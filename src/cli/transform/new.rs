//! `tableferry transform new`: writes a transform to begin with.

use std::fs::OpenOptions;
use std::io::Write;

use crate::cli::args::TransformNewArgs;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::EXIT_DONE;
use crate::report::to_stdout;

const RECIPE: &str = r#"description = "Cases call their status by its new name"

# A step changes the items that its condition selects; the others pass untouched.
[[step]]
when = 'begins_with(pk, "case|") AND status = "General Docket"'
update = 'SET status = "Docket" REMOVE oldStatus'

# `tableferry transform test` gives the item to the steps and compares.
[[case]]
given = { pk = "case|101-20", sk = "case|101-20", status = "General Docket", oldStatus = "New" }
expect = { pk = "case|101-20", sk = "case|101-20", status = "Docket" }

[[case]]
name = "other items are left alone"
given = { pk = "user|1", sk = "user|1", status = "General Docket" }
expect = { pk = "user|1", sk = "user|1", status = "General Docket" }
"#;

const SCRIPT: &str = r#"export const description = 'Cases call their status by its new name';

// In DynamoDB's condition language: items that it does not select pass untouched.
export const when = 'begins_with(pk, "case|") AND status = "General Docket"';

type Case = { status: string; oldStatus?: string };

export const migrateItems = (items: Case[]) =>
  items.map(({ oldStatus, ...item }) => ({ ...item, status: 'Docket' }));

// `tableferry transform test` gives the item to the script and compares.
const key = { pk: 'case|101-20', sk: 'case|101-20' };

export const cases = [
  { given: { ...key, status: 'General Docket', oldStatus: 'New' }, expect: { ...key, status: 'Docket' } },
  { name: 'other items are left alone', given: { ...key, status: 'Closed' }, expect: { ...key, status: 'Closed' } },
];
"#;

/// Runs the command; the exit code, unless it fails.
pub fn new(args: &TransformNewArgs) -> Result<u8> {
    let name = &args.name;
    let is_fine = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if name.is_empty() || !name.chars().all(is_fine) {
        let message = format!("`{name}` cannot name a transform");
        return Err(Error::new(ErrorKind::Usage, message).hint("use letters, digits, `-` and `_`: rename-status"));
    }
    let number = super::numbers(&args.transforms)?.into_iter().max().unwrap_or(0) + 1;
    let (extension, text) = if args.script { ("ts", SCRIPT) } else { ("toml", RECIPE) };
    let path = args.transforms.join(format!("{number:04}-{name}.{extension}"));
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Io, format!("{}: {error}", path.display()))
            .hint("name another directory with --transforms")
    };
    std::fs::create_dir_all(&args.transforms).map_err(failed)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    to_stdout(&format!(
        "{}\nchange it, then: tableferry transform test --transforms {}\n",
        path.display(),
        args.transforms.display()
    ));
    Ok(EXIT_DONE)
}
