//! What a condition says of an item.

use std::cmp::Ordering;

use crate::expression::compare::{Looked, Seen};
use crate::expression::lookup::Lookup;

use super::{Comparator, Node, Operand};

pub(super) fn holds<'a>(node: &'a Node, item: &Lookup<'a>) -> Looked<bool> {
    match node {
        Node::All(nodes) => {
            for node in nodes {
                if !holds(node, item)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Node::Any(nodes) => {
            for node in nodes {
                if holds(node, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Node::Not(node) => Ok(!holds(node, item)?),
        Node::Exists(path) => Ok(item.get(path).is_some()),
        Node::IsType(operand, kind) => Ok(see(operand, item)?.is_some_and(|seen| seen.kind() == *kind)),
        Node::Compare(comparator, left, right) => match (see(left, item)?, see(right, item)?) {
            (Some(left), Some(right)) => compare(*comparator, left, right),
            // Nothing is equal to what is not there, not even what is not there either.
            _ => Ok(*comparator == Comparator::NotEqual),
        },
        Node::Between { value, from, to } => match (see(value, item)?, see(from, item)?, see(to, item)?) {
            (Some(value), Some(from), Some(to)) => {
                let is_above = from.order(value)?.is_some_and(Ordering::is_le);
                Ok(is_above && value.order(to)?.is_some_and(Ordering::is_le))
            }
            _ => Ok(false),
        },
        Node::In(value, list) => {
            let Some(value) = see(value, item)? else { return Ok(false) };
            for element in list {
                if let Some(element) = see(element, item)?
                    && value.equals(element)?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Node::BeginsWith(whole, start) => match (see(whole, item)?, see(start, item)?) {
            (Some(whole), Some(start)) => whole.begins_with(start),
            _ => Ok(false),
        },
        Node::Contains(whole, part) => match (see(whole, item)?, see(part, item)?) {
            (Some(whole), Some(part)) => whole.contains(part),
            _ => Ok(false),
        },
    }
}

fn compare(comparator: Comparator, left: Seen<'_>, right: Seen<'_>) -> Looked<bool> {
    let order = |fits: fn(Ordering) -> bool| Ok(left.order(right)?.is_some_and(fits));
    match comparator {
        Comparator::Equal => left.equals(right),
        Comparator::NotEqual => Ok(!left.equals(right)?),
        Comparator::Less => order(Ordering::is_lt),
        Comparator::LessOrEqual => order(Ordering::is_le),
        Comparator::Greater => order(Ordering::is_gt),
        Comparator::GreaterOrEqual => order(Ordering::is_ge),
    }
}

fn see<'a>(operand: &'a Operand, item: &Lookup<'a>) -> Looked<Option<Seen<'a>>> {
    match operand {
        Operand::Literal(value) => Ok(Some(Seen::Value(value))),
        Operand::Path(path) => item.get(path).map(Seen::raw).transpose(),
        Operand::Size(path) => match item.get(path) {
            Some(json) => Ok(Seen::raw(json)?.size()?.map(Seen::Size)),
            None => Ok(None),
        },
    }
}
