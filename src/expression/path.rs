//! Document paths: `orders[2].total`.

use std::fmt;

use crate::item::{Kind, Value, elements, members, typed};

/// Where a value stands in an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// The top-level attribute.
    pub(super) name: Box<str>,
    /// Its number among the names of the expression.
    pub(super) slot: usize,
    /// The way down from there.
    pub(super) steps: Vec<Step>,
}

/// One step down into a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// An element of a list.
    Index(usize),
    /// A member of a map.
    Name(Box<str>),
}

/// Why two paths cannot be updated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    /// One leads to, or into, the other.
    Overlap,
    /// They part at a value that one takes for a map and the other for a list.
    Conflict,
}

impl Path {
    /// Whether the two cannot be in one update.
    pub(super) fn clash(&self, other: &Self) -> Option<Clash> {
        if self.name != other.name {
            return None;
        }
        for (mine, its) in self.steps.iter().zip(&other.steps) {
            match (mine, its) {
                (Step::Index(_), Step::Name(_)) | (Step::Name(_), Step::Index(_)) => return Some(Clash::Conflict),
                _ if mine != its => return None,
                _ => {}
            }
        }
        Some(Clash::Overlap)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(&self.name, f)?;
        for step in &self.steps {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Name(name) => {
                    f.write_str(".")?;
                    write_name(name, f)?;
                }
            }
        }
        Ok(())
    }
}

fn write_name(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if is_plain { f.write_str(name) } else { write!(f, "`{name}`") }
}

/// Walks `steps` down from an attribute value in DynamoDB's JSON.
pub(super) fn descend_raw<'a>(mut json: &'a [u8], steps: &[Step]) -> Option<&'a [u8]> {
    for step in steps {
        json = match (typed(json)?, step) {
            ((Kind::M, held), Step::Name(name)) => members(held).find(|member| member.name.is(name))?.value,
            ((Kind::L, held), Step::Index(index)) => elements(held).nth(*index)?,
            _ => return None,
        };
    }
    Some(json)
}

/// Walks `steps` down from a value.
pub(super) fn descend<'a>(mut value: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    for step in steps {
        value = match (value, step) {
            (Value::M(map), Step::Name(name)) => map.get(&**name)?,
            (Value::L(list), Step::Index(index)) => list.get(*index)?,
            _ => return None,
        };
    }
    Some(value)
}

/// Walks `steps` down from a value, to change it.
pub(super) fn descend_mut<'a>(mut value: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    for step in steps {
        value = match (value, step) {
            (Value::M(map), Step::Name(name)) => map.get_mut(&**name)?,
            (Value::L(list), Step::Index(index)) => list.get_mut(*index)?,
            _ => return None,
        };
    }
    Some(value)
}
