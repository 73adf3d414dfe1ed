//! `tableferry transform test`: runs the cases of all transforms.

use std::sync::Arc;

use crate::cli::args::TransformTestArgs;
use crate::cli::chain::{self, Case, Link};
use crate::error::Result;
use crate::item::{KeySchema, RawItem};
use crate::memory::LookupTable;
use crate::policy::{EXIT_DIFFERENCES, EXIT_DONE};
use crate::report::{differences, is_coloured, to_stdout};
use crate::transform::Occasion;

/// What the table of a case is called.
const TABLE: &str = "source";

/// Runs the command; the exit code, unless it fails.
pub fn test(args: &TransformTestArgs) -> Result<u8> {
    let schema = super::schema(&args.keys)?;
    let (mut run, mut failed) = (0, 0);
    for link in chain::links(&args.transforms, &schema, TABLE)? {
        let failures: Vec<String> = link.cases.iter().filter_map(|case| check(&link, case, &schema).err()).collect();
        let (cases, wrong) = (link.cases.len(), failures.len());
        let verdict = match (cases, wrong) {
            (0, _) => "no case".to_owned(),
            (1, 0) => "1 case passed".to_owned(),
            (_, 0) => format!("{cases} cases passed"),
            _ => format!("{wrong} of {cases} cases FAILED"),
        };
        to_stdout(&format!("{}: {verdict}\n", link.transform.name()));
        failures.iter().for_each(|failure| to_stdout(failure));
        (run, failed) = (run + cases, failed + wrong);
    }
    if failed > 0 {
        to_stdout(&format!("\n{failed} of {run} cases failed\n"));
        return Ok(EXIT_DIFFERENCES);
    }
    Ok(EXIT_DONE)
}

/// The error shows what came otherwise.
fn check(link: &Link, case: &Case, schema: &KeySchema) -> std::result::Result<(), String> {
    let headline = format!("  {}: ", case.place);
    let mut outputs = Vec::new();
    let table = Arc::new(LookupTable::new(TABLE, schema.clone(), case.table.clone()));
    let occasion = Occasion { lookup: Some(table), is_afresh: true };
    let done = link.transform.apply(case.given.clone(), &occasion, &mut outputs);
    match (&case.expected, done) {
        (Err(part), Err(reason)) if reason.contains(part) => Ok(()),
        (Err(part), Err(reason)) => {
            Err(format!("{headline}it is refused, but not because of `{part}`:\n    {reason}\n"))
        }
        (Err(_), Ok(())) => {
            let keys: Vec<String> = outputs.iter().map(|item| item.key_json(schema)).collect();
            Err(format!("{headline}it should be refused, and is not; it becomes [{}]\n", keys.join(", ")))
        }
        (Ok(_), Err(reason)) => Err(format!("{headline}it is refused:\n    {reason}\n")),
        (Ok(expected), Ok(())) => match compared(expected, &outputs, schema) {
            text if text.is_empty() => Ok(()),
            text => Err(format!("{headline}- is expected, + is what came\n{text}")),
        },
    }
}

/// Items are told apart by their keys; their order does not count.
fn compared(expected: &[RawItem], found: &[RawItem], schema: &KeySchema) -> String {
    let mut text = String::new();
    for item in expected {
        let key = item.key_json(schema);
        match found.iter().find(|other| other.key() == item.key()) {
            None => text.push_str(&format!("    {key} is expected and did not come\n")),
            Some(other) => {
                let lines = differences(item, other, is_coloured());
                if !lines.is_empty() {
                    text.push_str(&format!("    {key}\n{lines}"));
                }
            }
        }
    }
    for item in found.iter().filter(|item| !expected.iter().any(|other| other.key() == item.key())) {
        text.push_str(&format!("    {} came and is not expected\n", item.key_json(schema)));
    }
    if text.is_empty() && expected.len() != found.len() {
        text = format!("    {} items are expected and {} came\n", expected.len(), found.len());
    }
    text
}
