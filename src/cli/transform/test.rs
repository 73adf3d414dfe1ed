//! `tableferry transform test`: runs the cases of all transforms, and checks what becomes of a sample of items.

use std::sync::{Arc, Mutex, PoisonError};

use super::check;
use super::items::items;
use crate::cli::args::TransformTestArgs;
use crate::cli::chain::{self, Case, Link};
use crate::engine::apply::try_out;
use crate::error::Result;
use crate::item::{KeySchema, RawItem};
use crate::memory::LookupTable;
use crate::policy::{EXIT_DIFFERENCES, EXIT_DONE};
use crate::report::{difference_lines, differences, is_coloured, to_stdout};
use crate::transform::Occasion;

/// What the table of a case is called.
const TABLE: &str = "source";

/// Runs the command; the exit code, unless it fails.
pub async fn test(args: &TransformTestArgs) -> Result<u8> {
    let sample = match args.items.table.is_some() || !args.check.is_empty() {
        true => Some(items(&args.items).await?),
        false => None,
    };
    let schema = match (&args.items.table, &sample) {
        (Some(_), Some(sample)) => sample.schema.clone(),
        _ => super::schema(&args.keys)?,
    };
    let links = chain::links(&args.transforms, &schema, TABLE)?;
    let (mut run, mut failed) = (0, 0);
    for link in &links {
        let failures: Vec<String> =
            link.cases.iter().filter_map(|case| check_case(link, case, &schema).err()).collect();
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
    let mut is_sample_fine = true;
    if let Some(sample) = &sample {
        let links = chain::links(&args.transforms, &sample.schema, &sample.table)?;
        let (report, is_fine) = check::check(&links, sample, &args.check);
        sample.check_answered()?;
        to_stdout(&format!("\n{report}"));
        is_sample_fine = is_fine;
    }
    if failed > 0 {
        to_stdout(&format!("\n{failed} of {run} cases failed\n"));
    }
    Ok(if failed == 0 && is_sample_fine { EXIT_DONE } else { EXIT_DIFFERENCES })
}

/// The error shows what came otherwise.
fn check_case(link: &Link, case: &Case, schema: &KeySchema) -> std::result::Result<(), String> {
    let table = LookupTable::new(TABLE, schema.clone(), case.table.clone());
    let console = Arc::new(Mutex::new(Vec::new()));
    let occasion = Occasion {
        lookup: Some(Arc::new(table)),
        is_afresh: true,
        console: Some(console.clone()),
        ..Occasion::default()
    };
    let outcome = try_out(&*link.transform, &case.given, &occasion);
    let wrong = match (&case.expected, outcome) {
        (Err(part), Err(reason)) if reason.contains(part) => return Ok(()),
        (Err(part), Err(reason)) => format!("it is refused, but not because of `{part}`:\n    {reason}\n"),
        (Err(_), Ok(outputs)) => {
            let keys: Vec<String> = outputs.iter().map(|item| item.key_json(schema)).collect();
            format!("it should be refused, and is not; it becomes [{}]\n", keys.join(", "))
        }
        (Ok(_), Err(reason)) => format!("it is refused:\n    {reason}\n"),
        (Ok(expected), Ok(outputs)) => match compared(expected, &outputs, schema) {
            text if text.is_empty() => return Ok(()),
            text => format!("- is expected, + is what came\n{text}"),
        },
    };
    let lines = console.lock().unwrap_or_else(PoisonError::into_inner);
    let printed: String = lines.iter().map(|line| format!("    console: {line}\n")).collect();
    Err(format!("  {}: {wrong}{printed}", case.place))
}

/// Items are told apart by their keys; their order does not count.
fn compared(expected: &[RawItem], found: &[RawItem], schema: &KeySchema) -> String {
    let mut text = String::new();
    for item in expected {
        let key = item.key_json(schema);
        match found.iter().find(|other| other.key() == item.key()) {
            None => text.push_str(&format!("    {key} is expected and did not come\n")),
            Some(other) => {
                let lines = difference_lines(&differences(item, other), is_coloured());
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
