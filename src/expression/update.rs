//! Updates: what DynamoDB takes as an UpdateExpression, with the values in place.

mod apply;
mod parse;

use crate::item::{Attributes, KeySchema, RawItem, Value};

use super::error::ExpressionError;
use super::path::Path;
use super::value::Formula;

/// A change to items, parsed once and applied often.
///
/// ```
/// use bytes::Bytes;
/// use tableferry::expression::Update;
/// use tableferry::item::{Attributes, KeyAttribute, KeyKind, KeySchema, RawItem};
///
/// let update = Update::parse("SET orderForCds = orderForOds REMOVE orderForOds")?;
/// let keys = KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None };
/// let item = RawItem::parse(Bytes::from(r#"{"pk":{"S":"case|1"},"orderForOds":{"N":"7"}}"#), &keys)?;
/// let mut attributes = Attributes::from(&item);
/// update.apply(&mut attributes, &keys)?;
/// assert_eq!(attributes.to_item(&keys)?.json(), br#"{"pk":{"S":"case|1"},"orderForCds":{"N":"7"}}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Update {
    text: Box<str>,
    actions: Vec<Action>,
    changes_keys: bool,
}

#[derive(Debug, Clone)]
struct Action {
    path: Path,
    effect: Effect,
    /// The path's bytes in the text.
    span: (usize, usize),
}

#[derive(Debug, Clone)]
enum Effect {
    Set(Formula),
    Remove,
    Add(Value),
    Delete(Value),
}

impl Update {
    /// Reads an update. It refuses to change key attributes, as DynamoDB does.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        Ok(Self { text: text.into(), actions: parse::update(text)?, changes_keys: false })
    }

    /// The same update, allowed to change key attributes. Not DynamoDB's: there, an item with another key is another
    /// item.
    #[must_use]
    pub fn changing_keys(mut self) -> Self {
        self.changes_keys = true;
        self
    }

    /// Says early, and with the place, whether the update changes key attributes and may not.
    pub fn check_keys(&self, schema: &KeySchema) -> Result<(), ExpressionError> {
        match self.forbidden(schema) {
            None => Ok(()),
            Some(action) => {
                let (start, end) = action.span;
                Err(ExpressionError::new(&self.text, start, end, key_message(&action.path)))
            }
        }
    }

    /// The top-level attributes that the update may change.
    pub fn changes(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().map(|action| &*action.path.name)
    }

    /// Applies the update. All operands are the item's as it was before. On an error, which says what DynamoDB would
    /// have refused, nothing is changed.
    ///
    /// Limits on items are not checked here: see [`RawItem::check_limits`].
    pub fn apply(&self, attributes: &mut Attributes, schema: &KeySchema) -> Result<(), String> {
        match self.forbidden(schema) {
            Some(action) => Err(key_message(&action.path)),
            None => apply::apply(&self.actions, attributes),
        }
    }

    /// [`Update::apply`] for an item, with DynamoDB's limits checked.
    pub fn apply_to(&self, item: &RawItem, schema: &KeySchema) -> Result<RawItem, String> {
        let mut attributes = Attributes::from(item);
        self.apply(&mut attributes, schema)?;
        let item = attributes.to_item(schema).map_err(|fault| fault.to_string())?;
        item.check_limits(schema).map_err(|broken| broken.to_string())?;
        Ok(item)
    }

    fn forbidden(&self, schema: &KeySchema) -> Option<&Action> {
        let is_key = |name: &str| {
            name == schema.partition.name() || schema.sort.as_ref().is_some_and(|sort| name == sort.name())
        };
        self.actions.iter().find(|action| !self.changes_keys && is_key(&action.path.name))
    }
}

fn key_message(path: &Path) -> String {
    format!("{path} is part of the key, which an update does not change")
}
