//! One expression in two notations: ours with names and values in place, DynamoDB's with placeholders.

use serde_json::{Map, Value};

/// An expression.
#[derive(Debug, Default, Clone)]
pub struct Expression {
    pub ours: String,
    pub theirs: String,
    names: Map<String, Value>,
    values: Map<String, Value>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Name(String),
    Index(usize),
}

impl Expression {
    /// What is the same in both.
    pub fn plain(&mut self, text: &str) -> &mut Self {
        self.ours += text;
        self.theirs += text;
        self
    }

    /// A path; `style` chooses among the ways to write names that are not plain words.
    pub fn path(&mut self, path: &[Step], style: usize) -> &mut Self {
        for (at, step) in path.iter().enumerate() {
            match step {
                Step::Index(index) => drop(self.plain(&format!("[{index}]"))),
                Step::Name(name) => {
                    if at > 0 {
                        self.plain(".");
                    }
                    self.name(name, at > 0, style);
                }
            }
        }
        self
    }

    fn name(&mut self, name: &str, is_behind_dot: bool, style: usize) {
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && (is_behind_dot || !["SET", "null", "not", "delete"].contains(&name));
        if is_plain && !style.is_multiple_of(3) {
            self.ours += name;
        } else if is_behind_dot && style.is_multiple_of(2) {
            self.ours += &quoted(name);
        } else {
            self.ours += &format!("`{name}`");
        }
        let known = self.names.iter().find(|(_, known)| **known == *name).map(|(placeholder, _)| placeholder.clone());
        let placeholder = known.unwrap_or_else(|| format!("#n{}", self.names.len()));
        self.theirs += &placeholder;
        self.names.insert(placeholder, name.into());
    }

    /// A value in DynamoDB's JSON.
    pub fn value(&mut self, value: &Value) -> &mut Self {
        self.ours += &literal(value);
        let placeholder = format!(":v{}", self.values.len());
        self.theirs += &placeholder;
        self.values.insert(placeholder, value.clone());
        self
    }

    /// From DynamoDB's notation with plain names and with values from `values`: each a placeholder, a literal of ours,
    /// and DynamoDB's JSON.
    pub fn of(theirs: &str, values: &[(&str, &str, &str)]) -> Self {
        let mut expression = Self { theirs: theirs.to_owned(), ..Self::default() };
        let mut rest = theirs;
        while let Some(at) = rest.find(':') {
            expression.ours += &rest[..at];
            let length =
                rest[at + 1..].find(|c: char| !c.is_ascii_alphanumeric()).map_or(rest.len() - at, |end| end + 1);
            let placeholder = &rest[at..at + length];
            let (_, ours, json) = values.iter().find(|value| value.0 == placeholder).expect("a known placeholder");
            expression.ours += ours;
            let value = serde_json::from_str(json).expect("JSON");
            expression.values.insert(placeholder.to_owned(), value);
            rest = &rest[at + length..];
        }
        expression.ours += rest;
        expression
    }

    /// Completes a request.
    pub fn add_to(&self, body: &mut Value) {
        for (name, map) in [("ExpressionAttributeNames", &self.names), ("ExpressionAttributeValues", &self.values)] {
            if !map.is_empty() {
                body[name] = map.clone().into();
            }
        }
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A value of DynamoDB's JSON as a literal of ours.
fn literal(value: &Value) -> String {
    let (kind, value) = value.as_object().and_then(|typed| typed.iter().next()).expect("an attribute value");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let joined = |list: &Value, each: &dyn Fn(&Value) -> String| {
        list.as_array().expect("an array").iter().map(each).collect::<Vec<_>>().join(", ")
    };
    let binary = |value: &Value| format!("b64\"{}\"", text(value));
    match kind.as_str() {
        "S" => quoted(&text(value)),
        "N" => text(value),
        "B" => binary(value),
        "BOOL" => value.to_string(),
        "NULL" => "null".to_owned(),
        "L" => format!("[{}]", joined(value, &literal)),
        "M" => {
            let members = value.as_object().expect("a map").iter();
            let members: Vec<_> =
                members.map(|(name, value)| format!("{}: {}", quoted(name), literal(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        "SS" => format!("<<{}>>", joined(value, &|value| quoted(&text(value)))),
        "NS" => format!("<<{}>>", joined(value, &text)),
        "BS" => format!("<<{}>>", joined(value, &binary)),
        other => panic!("no type {other}"),
    }
}
