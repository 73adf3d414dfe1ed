//! How an item differs from another, attribute by attribute.

use std::fmt::Write as _;
use std::io::IsTerminal;

use super::words::plain;
use crate::item::{RawItem, Value, members};

/// Longest value that is shown in full.
const SHOWN: usize = 200;

/// Whether differences on stdout are coloured: on a terminal, unless `NO_COLOR` says otherwise.
pub fn is_coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// An attribute that is not in both items as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// What it was, as JSON of bearable length.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// What is different. Empty when both items are equal, numbers by value and sets without order.
pub fn differences(before: &RawItem, after: &RawItem) -> Vec<Difference> {
    let (old, new) = (attributes(before), attributes(after));
    let mut found = Vec::new();
    for (name, value) in &old {
        let other = new.iter().find(|(other, _)| other == name).map(|(_, other)| *other);
        if other.is_none_or(|other| !same(value, other)) {
            found.push(Difference { name: name.clone(), before: Some(shown(value)), after: other.map(shown) });
        }
    }
    for (name, value) in new.iter().filter(|(name, _)| !old.iter().any(|(other, _)| other == name)) {
        found.push(Difference { name: name.clone(), before: None, after: Some(shown(value)) });
    }
    found
}

/// Lines with what is different: `-` is what was, `+` what is.
pub fn difference_lines(differences: &[Difference], is_coloured: bool) -> String {
    let mut lines = String::new();
    for Difference { name, before, after } in differences {
        for (sign, colour, value) in [('-', 31, before), ('+', 32, after)] {
            let Some(value) = value else { continue };
            let (begin, end) = match is_coloured {
                true => (format!("\x1b[{colour}m"), "\x1b[0m"),
                false => (String::new(), ""),
            };
            let _ = writeln!(lines, "    {begin}{sign} {}: {value}{end}", plain(name));
        }
    }
    lines
}

fn attributes(item: &RawItem) -> Vec<(String, &[u8])> {
    let named = members(item.json()).map(|member| (member.name.decoded(), member.value));
    named.map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), value)).collect()
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one == other || matches!((Value::parse(one), Value::parse(other)), (Ok(one), Ok(other)) if one == other)
}

/// The value, cut when it is long, and without what would steer a terminal.
pub fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut shown: String = text.chars().take(SHOWN).filter(|character| !character.is_control()).collect();
    if text.chars().count() > SHOWN {
        let _ = write!(shown, "... ({} bytes)", value.len());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{KeyAttribute, KeyKind, KeySchema};

    fn item(json: &str) -> RawItem {
        let schema = KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None };
        RawItem::parse(bytes::Bytes::copy_from_slice(json.as_bytes()), &schema).expect("an item")
    }

    #[test]
    fn equal_values_are_no_difference_however_they_are_spelled() {
        let one =
            item(r#"{"pk":{"S":"a"},"n":{"N":"1.0"},"s":{"SS":["a","b"]},"m":{"M":{"x":{"N":"1"},"y":{"N":"2"}}}}"#);
        let other =
            item(r#"{"m":{"M":{"y":{"N":"2"},"x":{"N":"1"}}},"s":{"SS":["b","a"]},"n":{"N":"1"},"pk":{"S":"a"}}"#);
        assert_eq!(differences(&one, &other), []);
    }

    #[test]
    fn what_is_gone_changed_and_new_is_shown() {
        let one = item(r#"{"pk":{"S":"a"},"gone":{"N":"1"},"changed":{"S":"x"}}"#);
        let other = item(r#"{"pk":{"S":"a"},"changed":{"S":"y"},"new":{"BOOL":true}}"#);
        assert_eq!(
            difference_lines(&differences(&one, &other), false),
            "    - gone: {\"N\":\"1\"}\n    - changed: {\"S\":\"x\"}\n    + changed: {\"S\":\"y\"}\n    + new: {\"BOOL\":true}\n"
        );
        let coloured = difference_lines(&differences(&one, &other), true);
        assert!(coloured.contains("\x1b[31m- gone") && coloured.contains("\x1b[32m+ new"), "{coloured}");
    }

    #[test]
    fn a_long_value_is_cut() {
        let long = item(&format!(r#"{{"pk":{{"S":"a"}},"t":{{"S":"{}"}}}}"#, "x".repeat(5_000)));
        let text = difference_lines(&differences(&item(r#"{"pk":{"S":"a"}}"#), &long), false);
        assert!(text.len() < 400 && text.contains("(5008 bytes)"), "{text}");
    }
}
