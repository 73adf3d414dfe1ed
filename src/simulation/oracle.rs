//! What the destination and the dead letters must be, told from the frozen source alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::items::{is_poison, name, schema};
use super::transforms::Shaper;
use crate::checkpoint::DeadLetter;
use crate::item::{Key, RawItem};
use crate::transform::{Occasion, Transform};

/// What is as it must not be. Empty is good.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    pub lost: Vec<String>,
    pub extra: Vec<String>,
    pub stale: Vec<String>,
    pub letters_missing: Vec<String>,
    pub letters_extra: Vec<String>,
}

impl Differences {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, extra, stale, letters_missing, letters_extra } = self;
        let parts = [
            ("lost", lost),
            ("extra", extra),
            ("stale", stale),
            ("dead letters missing", letters_missing),
            ("dead letters extra", letters_extra),
        ];
        for (what, names) in parts.iter().filter(|(_, names)| !names.is_empty()) {
            write!(f, "{} {what}: {}; ", names.len(), names.join(" "))?;
        }
        Ok(())
    }
}

/// Compares the destination with what the transform makes of the source.
///
/// Of an item that the transform or the destination refuses nothing may stand there, no earlier form either.
pub fn compare(
    source: &BTreeMap<String, RawItem>,
    shaper: &Shaper,
    destination: &BTreeMap<String, RawItem>,
    letters: &[DeadLetter],
) -> Differences {
    // Of several items that want a key, the first has it.
    let mut wanted: BTreeMap<String, BTreeMap<Key, (String, RawItem)>> = BTreeMap::new();
    let mut letters_expected: BTreeSet<String> = BTreeSet::new();
    for item in source.values() {
        let mut outputs = Vec::new();
        let is_refused = shaper.apply(item.clone(), &Occasion::default(), &mut outputs).is_err();
        if is_refused || outputs.iter().any(is_poison) {
            letters_expected.insert(item.key_json(&schema()));
            continue;
        }
        for output in outputs {
            let who = (item.key_json(&schema()), output.clone());
            wanted.entry(name(&output).to_owned()).or_default().insert(item.key(), who);
        }
    }
    let mut expected: BTreeMap<String, RawItem> = BTreeMap::new();
    for (key, items) in wanted {
        let mut items = items.into_values();
        expected.extend(items.next().map(|(_, output)| (key, output)));
        letters_expected.extend(items.map(|(loser, _)| loser));
    }
    let mut differences = Differences::default();
    for (key, item) in &expected {
        match destination.get(key) {
            None => differences.lost.push(key.clone()),
            Some(found) if found.json() != item.json() => differences.stale.push(key.clone()),
            Some(_) => {}
        }
    }
    let is_extra = |key: &&String| !expected.contains_key(*key);
    differences.extra = destination.keys().filter(is_extra).cloned().collect();
    let found: BTreeSet<String> = letters.iter().map(|letter| letter.key.clone()).collect();
    differences.letters_missing = letters_expected.difference(&found).cloned().collect();
    differences.letters_extra = found.difference(&letters_expected).cloned().collect();
    differences
}
