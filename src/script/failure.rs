//! What can go wrong in a call, and how it is said.

use std::fmt;

use rquickjs::{Ctx, Type, Value};

use super::incoming::Fault;
use super::mistake::Place;
use super::outgoing::Flaw;
use super::watch::shortened;

/// Why a call gave no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The script refuses the item, or gave something that is none.
    Refused { reason: String, place: Option<FilePlace> },
    /// A limit was reached: the context is not to be used again.
    Spent(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { reason, place: Some(place) } => write!(f, "{reason} ({place})"),
            Self::Refused { reason, place: None } | Self::Spent(reason) => f.write_str(reason),
        }
    }
}

/// A place in one of the script's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilePlace {
    pub file: String,
    pub place: Place,
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.place.line, self.place.column)
    }
}

/// What stops a call.
pub(super) enum Trouble {
    Reason(String),
    Engine(rquickjs::Error),
}

impl From<rquickjs::Error> for Trouble {
    fn from(error: rquickjs::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(expected) => Self::Reason(format!("the item is damaged: expected {expected}")),
            Fault::Engine(error) => Self::Engine(error),
        }
    }
}

impl From<Flaw> for Trouble {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Value { path, reason } => Self::Reason(Flaw::describe(&path, &reason)),
            Flaw::Engine(error) => Self::Engine(error),
        }
    }
}

/// A thrown value, for people.
pub(super) struct Thrown {
    pub text: String,
    pub stack: Option<String>,
}

pub(super) fn thrown<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Thrown {
    if let Some(error) = value.as_exception() {
        let name = error.get::<_, Option<String>>("name").ok().flatten().unwrap_or_else(|| "Error".to_owned());
        let message = error.message().unwrap_or_default();
        let text = if message.is_empty() { name } else { format!("{name}: {message}") };
        return Thrown { text, stack: error.stack() };
    }
    let shown = match ctx.json_stringify(value.clone()) {
        Ok(Some(json)) => json.to_string().unwrap_or_default(),
        _ => name_of(value).to_owned(),
    };
    // Showing it may have thrown once more.
    drop(ctx.catch());
    Thrown { text: format!("it threw {}, which is not an Error", shortened(&shown)), stack: None }
}

/// What it is, with its article.
pub(super) fn name_of(value: &Value<'_>) -> &'static str {
    match value.type_of() {
        Type::Undefined | Type::Uninitialized => "undefined",
        Type::Null => "null",
        Type::Bool => "a boolean",
        Type::Int | Type::Float => "a number",
        Type::String => "a text",
        Type::Symbol => "a symbol",
        Type::Function | Type::Constructor => "a function",
        Type::BigInt => "a BigInt",
        Type::Promise => "a Promise",
        Type::Exception => "an Error",
        _ => "an object",
    }
}
