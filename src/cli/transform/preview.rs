//! `tableferry transform preview`: items before and after.

use crate::cli::args::TransformPreviewArgs;
use crate::cli::chain;
use crate::error::Result;
use crate::item::RawItem;
use crate::policy::EXIT_DONE;
use crate::report::{differences, is_coloured, to_stdout};
use crate::transform::Transform;

/// Runs the command; the exit code, unless it fails.
pub async fn preview(args: &TransformPreviewArgs) -> Result<u8> {
    let found = super::items::items(&args.items).await?;
    let chain = chain::load(&args.transforms, &found.schema, &found.table)?;
    let occasion = found.occasion();
    let (mut shown, mut changed, mut added, mut dropped, mut refused) = (0, 0, 0, 0, 0);
    for item in &found.items {
        let mut outputs = Vec::new();
        let done = chain.apply(item.clone(), &occasion, &mut outputs);
        let is_same = matches!(outputs.as_slice(), [output] if output.json() == item.json());
        if done.is_ok() && is_same {
            continue;
        }
        let key = item.key_json(&found.schema);
        let own = outputs.iter().position(|output| output.key() == item.key());
        let mut text = format!("{key}\n");
        match (done, own) {
            (Err(reason), _) => {
                refused += 1;
                text.push_str(&format!("    refused: {reason}\n"));
            }
            (Ok(()), _) if outputs.is_empty() => {
                dropped += 1;
                text.push_str("    dropped\n");
            }
            (Ok(()), own) => {
                changed += 1;
                added += outputs.len() - 1;
                let first = own.unwrap_or(0);
                text.push_str(&differences(item, &outputs[first], is_coloured()));
                let others = outputs.iter().enumerate().filter(|(at, _)| *at != first);
                others.for_each(|(_, output)| text.push_str(&further(output)));
            }
        }
        if shown < args.show {
            to_stdout(&text);
            shown += 1;
        }
    }
    let unchanged = found.items.len() - changed - dropped - refused;
    to_stdout(&format!(
        "\nof {}: {changed} changed, {unchanged} not, {added} added, {dropped} dropped, {refused} refused; {shown} shown\n",
        found.origin
    ));
    if let (asked @ 1.., sent) = found.asked() {
        to_stdout(&format!("{asked} look-ups, {sent} requests\n"));
    }
    Ok(EXIT_DONE)
}

fn further(output: &RawItem) -> String {
    let text: String = String::from_utf8_lossy(output.json()).chars().filter(|c| !c.is_control()).take(300).collect();
    format!("    and {text}\n")
}
