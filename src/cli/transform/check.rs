//! Rules that what becomes of many items is held against: the mistakes that transforms are prone to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::items::Items;
use crate::cli::args::CheckArg;
use crate::cli::chain::Link;
use crate::engine::apply::try_out;
use crate::item::{Key, RawItem};
use crate::report::{differences, plain};
use crate::transform::{Occasion, Transform};

const ALL: [CheckArg; 4] = [CheckArg::Lost, CheckArg::Twice, CheckArg::Refused, CheckArg::Unstable];
/// Broken rules shown of each; the others are counted.
const SHOWN: usize = 5;

/// What breaks one rule.
struct Broken {
    rule: CheckArg,
    count: usize,
    examples: Vec<String>,
}

/// What is found in a sample.
struct Findings {
    broken: Vec<Broken>,
    written: usize,
    dropped: usize,
}

impl Findings {
    fn add(&mut self, rule: CheckArg, example: impl FnOnce() -> String) {
        let Some(broken) = self.broken.iter_mut().find(|broken| broken.rule == rule) else { return };
        broken.count += 1;
        if broken.examples.len() < SHOWN {
            broken.examples.push(example());
        }
    }
}

/// Transforms every item of the sample and holds what comes of it against `rules`, all if there are none. The text is for
/// people; the flag says whether all is well.
pub fn check(links: &[Link], sample: &Items, rules: &[CheckArg]) -> (String, bool) {
    let rules = if rules.is_empty() { &ALL[..] } else { rules };
    let broken = rules.iter().map(|rule| Broken { rule: *rule, count: 0, examples: Vec::new() }).collect();
    let mut findings = Findings { broken, written: 0, dropped: 0 };
    let mut sources: HashMap<Key, String> = HashMap::new();
    let occasion = sample.occasion();
    for item in &sample.items {
        let source = item.key_json(&sample.schema);
        let mut current = vec![item.clone()];
        for link in links {
            current = current
                .into_iter()
                .flat_map(|item| apply(&*link.transform, item, &source, &occasion, &mut findings))
                .collect();
        }
        findings.written += current.len();
        findings.dropped += usize::from(current.is_empty());
        for output in current {
            match sources.entry(output.key()) {
                Entry::Vacant(entry) => drop(entry.insert(source.clone())),
                Entry::Occupied(entry) => findings.add(CheckArg::Twice, || {
                    let key = output.key_json(&sample.schema);
                    format!("{key} comes of {} and of {source}", entry.get())
                }),
            }
        }
    }
    text(&findings, sample)
}

fn apply(
    transform: &dyn Transform,
    item: RawItem,
    source: &str,
    occasion: &Occasion,
    findings: &mut Findings,
) -> Vec<RawItem> {
    let outcome = try_out(transform, &item, occasion);
    if !transform.has_lookups() {
        let afresh = Occasion { is_afresh: true, ..Occasion::default() };
        if let Some(difference) = unstable(&outcome, &try_out(transform, &item, &afresh)) {
            findings.add(CheckArg::Unstable, || format!("{source}: {}: {difference}", transform.name()));
        }
    }
    match outcome {
        Ok(outputs) => {
            if outputs.is_empty() && !transform.drops() {
                findings.add(CheckArg::Lost, || format!("{source}: {} does not give it back", transform.name()));
            }
            outputs
        }
        Err(reason) => {
            findings.add(CheckArg::Refused, || format!("{source}: {}", plain(&reason)));
            Vec::new()
        }
    }
}

/// How a second result differs from the first.
fn unstable(
    one: &std::result::Result<Vec<RawItem>, String>,
    other: &std::result::Result<Vec<RawItem>, String>,
) -> Option<String> {
    match (one, other) {
        (Ok(one), Ok(other)) if one.len() != other.len() => {
            Some(format!("{} items come of it, then {}", one.len(), other.len()))
        }
        (Ok(one), Ok(other)) => {
            let (one, other) = one.iter().zip(other).find(|(one, other)| one.json() != other.json())?;
            let name = differences(one, other).into_iter().next().map(|difference| difference.name);
            Some(name.map_or("in another order".to_owned(), |name| format!("attribute {} is different", plain(&name))))
        }
        (Err(_), Err(_)) => None,
        (Ok(_), Err(_)) => Some("it is refused then".to_owned()),
        (Err(_), Ok(_)) => Some("it is not refused then".to_owned()),
    }
}

fn text(findings: &Findings, sample: &Items) -> (String, bool) {
    let Findings { broken, written, dropped } = findings;
    let mut text = format!("{}: {written} items come out; nothing comes of {dropped}\n", sample.origin);
    for Broken { rule, count, examples } in broken {
        let name = match rule {
            CheckArg::Lost => "lost",
            CheckArg::Twice => "twice",
            CheckArg::Refused => "refused",
            CheckArg::Unstable => "unstable",
        };
        let verdict = if *count == 0 { "none".to_owned() } else { format!("{count} FOUND") };
        text.push_str(&format!("  {name:<9} {verdict}\n"));
        examples.iter().for_each(|example| text.push_str(&format!("    {example}\n")));
        if *count > examples.len() {
            text.push_str(&format!("    and {} more\n", count - examples.len()));
        }
    }
    if broken.iter().any(|broken| broken.rule == CheckArg::Lost && broken.count > 0) {
        text.push_str("  a script that means to drop items says so: export const drops = true\n");
    }
    let is_fine = broken.iter().all(|broken| broken.count == 0);
    (text, is_fine)
}
