//! Conditions: what DynamoDB takes as a ConditionExpression, with the values in place.

mod evaluate;
mod parse;

use crate::item::{Kind, RawItem, Value};

use super::error::ExpressionError;
use super::lookup::{Lookup, Names};
use super::path::Path;

/// A condition on items, parsed once and asked often.
///
/// ```
/// use bytes::Bytes;
/// use tableferry::expression::Condition;
/// use tableferry::item::{KeyAttribute, KeyKind, KeySchema, RawItem};
///
/// let condition = Condition::parse(r#"begins_with(pk, "case|") AND attribute_exists(orders[0])"#)?;
/// let keys = KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None };
/// let item = RawItem::parse(Bytes::from(r#"{"pk":{"S":"case|1"},"orders":{"L":[{"N":"7"}]}}"#), &keys)?;
/// assert!(condition.matches(&item)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Condition {
    root: Node,
    names: Names,
}

impl Condition {
    /// Reads a condition.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let (root, names) = parse::condition(text)?;
        Ok(Self { root, names: names.into() })
    }

    /// Whether the condition holds for `item`, exactly when DynamoDB says so. An error if the item holds a number or a
    /// binary value that is none, which DynamoDB never sends.
    pub fn matches(&self, item: &RawItem) -> Result<bool, String> {
        evaluate::holds(&self.root, &Lookup::new(item, &self.names))
            .map_err(|fault| format!("an attribute is not what its type says: expected {}", fault.expected))
    }
}

#[derive(Debug, Clone)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Compare(Comparator, Operand, Operand),
    Between { value: Operand, from: Operand, to: Operand },
    In(Operand, Vec<Operand>),
    Exists(Path),
    IsType(Operand, Kind),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone)]
enum Operand {
    Path(Path),
    Size(Path),
    Literal(Value),
}
