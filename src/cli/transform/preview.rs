//! `tableferry transform preview`: items before and after.

use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::cli::args::TransformPreviewArgs;
use crate::cli::chain;
use crate::engine::apply::try_out;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{KeySchema, RawItem};
use crate::policy::EXIT_DONE;
use crate::report::{
    Fate, PreviewCounts, Previewed, differences, is_coloured, preview_html, preview_summary, previewed_text, shown,
    to_stdout,
};

/// Runs the command; the exit code, unless it fails.
pub async fn preview(args: &TransformPreviewArgs) -> Result<u8> {
    let found = super::items::items(&args.items).await?;
    let chain = chain::load(&args.transforms, &found.schema, &found.table)?;
    let occasion = found.occasion();
    let mut counts = PreviewCounts { origin: found.origin.clone(), ..PreviewCounts::default() };
    let mut kept = Vec::new();
    for item in &found.items {
        let fate = fate(item, try_out(&chain, item, &occasion));
        match &fate {
            None => counts.unchanged += 1,
            Some(Fate::Dropped) => counts.dropped += 1,
            Some(Fate::Refused(_)) => counts.refused += 1,
            Some(Fate::Changed(_, further)) => {
                counts.changed += 1;
                counts.added += further.len();
            }
        }
        kept.extend(fate.filter(|_| kept.len() < args.show).map(|fate| previewed(item, fate, &found.schema)));
    }
    found.check_answered()?;
    counts.lookups = found.asked();
    match &args.html {
        None => {
            kept.iter().for_each(|previewed| to_stdout(&previewed_text(previewed, is_coloured())));
            to_stdout(&format!("\n{}\n", preview_summary(&counts, kept.len())));
        }
        Some(path) => {
            write(path, &preview_html(&counts, &kept))?;
            to_stdout(&format!("{}\n{}\n", path.display(), preview_summary(&counts, kept.len())));
        }
    }
    Ok(EXIT_DONE)
}

fn previewed(item: &RawItem, fate: Fate, schema: &KeySchema) -> Previewed {
    Previewed { key: item.key_json(schema), fate }
}

/// `None` when the item stays as it is.
fn fate(item: &RawItem, outcome: std::result::Result<Vec<RawItem>, String>) -> Option<Fate> {
    let outputs = match outcome {
        Ok(outputs) => outputs,
        Err(reason) => return Some(Fate::Refused(reason)),
    };
    if matches!(outputs.as_slice(), [output] if output.json() == item.json()) {
        return None;
    }
    let first = outputs.iter().position(|output| output.key() == item.key()).unwrap_or(0);
    let Some(own) = outputs.get(first) else { return Some(Fate::Dropped) };
    let others = outputs.iter().enumerate().filter(|(at, _)| *at != first);
    Some(Fate::Changed(differences(item, own), others.map(|(_, output)| shown(output.json())).collect()))
}

/// Nobody else may read the file: it holds items.
fn write(path: &Path, page: &str) -> Result<()> {
    let written = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        // Also one that was there before.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(page.as_bytes())
    };
    written().map_err(|error| {
        Error::new(ErrorKind::Io, format!("{}: {error}", path.display())).hint("name another file with --html")
    })
}
