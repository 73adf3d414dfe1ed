//! Examples of a transform: an item, and what comes of it.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::item::{KeySchema, Kind, RawItem};

/// An example.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is called, `case 3` for instance.
    pub name: String,
    /// Where it begins in its file, counted from 1.
    pub line: usize,
    /// The item.
    pub given: RawItem,
    /// What comes of it.
    pub expected: Expected,
}

/// What comes of an item.
#[derive(Debug, Clone)]
pub enum Expected {
    /// These, in any order; none when it is dropped.
    Items(Vec<RawItem>),
    /// It is refused, and the reason contains this.
    Refusal(String),
}

/// An item as a person writes it: plain values, or DynamoDB's JSON, or either of them as text in JSON.
pub fn item(written: &Value, schema: &KeySchema) -> Result<RawItem, String> {
    let parsed;
    let written = match written {
        Value::String(text) => {
            parsed = serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}"))?;
            &parsed
        }
        other => other,
    };
    let Value::Object(attributes) = written else { return Err("an item is a table of attributes".to_owned()) };
    let is_typed = !attributes.is_empty() && attributes.values().all(is_typed);
    let item: Map<String, Value> = match is_typed {
        true => attributes.clone(),
        false => attributes.iter().map(|(name, value)| (name.clone(), typed(value))).collect(),
    };
    let json = Bytes::from(Value::Object(item).to_string());
    let item = RawItem::parse(json, schema).map_err(|fault| format!("this is no item of the table: {fault}"))?;
    item.check_limits(schema).map_err(|broken| broken.to_string())?;
    Ok(item)
}

/// One member, called as one of DynamoDB's types.
fn is_typed(value: &Value) -> bool {
    let Value::Object(members) = value else { return false };
    members.len() == 1 && members.keys().all(|name| Kind::from_name(name.as_bytes()).is_some())
}

fn typed(value: &Value) -> Value {
    let (kind, value) = match value {
        Value::Null => (Kind::Null, Value::Bool(true)),
        Value::Bool(_) => (Kind::Bool, value.clone()),
        Value::Number(number) => (Kind::N, Value::String(number.to_string())),
        Value::String(_) => (Kind::S, value.clone()),
        Value::Array(elements) => (Kind::L, elements.iter().map(typed).collect()),
        Value::Object(members) => {
            (Kind::M, Value::Object(members.iter().map(|(name, value)| (name.clone(), typed(value))).collect()))
        }
    };
    Value::Object(Map::from_iter([(kind.name().to_owned(), value)]))
}
