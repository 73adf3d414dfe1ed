//! The oracle: what a table holds, in a form in which equal items are equal text, and how two tables differ.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Differences of each kind that a failure prints.
const EXAMPLES: usize = 3;
/// Longest part of an item that a failure prints.
const EXAMPLE_LENGTH: usize = 300;

/// Items by key, both in canonical text.
pub type Contents = BTreeMap<String, String>;

/// How a destination differs from what it should hold, as keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Expected and not there.
    pub lost: Vec<String>,
    /// There and not expected.
    pub extra: Vec<String>,
    /// There with other attributes than expected.
    pub stale: Vec<String>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.lost.is_empty() && self.extra.is_empty() && self.stale.is_empty()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, keys) in [("lost", &self.lost), ("extra", &self.extra), ("stale", &self.stale)] {
            writeln!(f, "{} {name}", keys.len())?;
            for key in keys.iter().take(EXAMPLES) {
                writeln!(f, "    {}", shortened(key))?;
            }
        }
        Ok(())
    }
}

/// Compares what a table holds with what it should hold.
pub fn compare(expected: &Contents, actual: &Contents) -> Difference {
    let mut difference = Difference::default();
    for (key, item) in expected {
        match actual.get(key) {
            None => difference.lost.push(key.clone()),
            Some(other) if other != item => difference.stale.push(key.clone()),
            Some(_) => {}
        }
    }
    difference.extra = actual.keys().filter(|key| !expected.contains_key(*key)).cloned().collect();
    difference
}

/// Panics with the first differences unless both hold the same.
#[track_caller]
pub fn assert_equal(expected: &Contents, actual: &Contents) {
    let difference = compare(expected, actual);
    if let Some(key) = difference.stale.first() {
        let (one, other) = (&expected[key], &actual[key]);
        let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
        let from = (0..=same.saturating_sub(30)).rev().find(|at| one.is_char_boundary(*at)).unwrap_or(0);
        eprintln!("expected from byte {from} {}\nfound {}", shortened(&one[from..]), shortened(&other[from..]));
    }
    assert!(difference.is_none(), "of {} items:\n{difference}", expected.len());
}

/// An item or value of DynamoDB JSON as text: members in order of their names, sets in order of their members,
/// everything else, numbers too, exactly as the server wrote it.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_map(value, &mut text);
    text
}

fn write_map(map: &Value, text: &mut String) {
    let map = map.as_object().expect("an item is an object");
    let mut names: Vec<_> = map.keys().collect();
    names.sort();
    text.push('{');
    for name in names {
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        write_value(&map[name], text);
        text.push(',');
    }
    text.push('}');
}

fn write_value(value: &Value, text: &mut String) {
    let typed = value.as_object().expect("an attribute value is an object");
    let (kind, value) = typed.iter().next().expect("an attribute value has a type");
    assert_eq!(typed.len(), 1, "an attribute value has one type: {value}");
    text.push_str(kind);
    text.push(' ');
    match (kind.as_str(), value) {
        ("M", map) => write_map(map, text),
        ("L", Value::Array(list)) => {
            text.push('[');
            for value in list {
                write_value(value, text);
                text.push(',');
            }
            text.push(']');
        }
        ("SS" | "NS" | "BS", Value::Array(set)) => {
            let mut members: Vec<_> = set.iter().map(Value::to_string).collect();
            members.sort();
            text.push_str(&members.join(","));
        }
        (_, scalar) => text.push_str(&scalar.to_string()),
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= EXAMPLE_LENGTH {
        return text.to_owned();
    }
    text.chars().take(EXAMPLE_LENGTH).chain("...".chars()).collect()
}
