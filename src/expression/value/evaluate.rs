//! Works out the value of a formula for an item.

use std::borrow::Cow;

use crate::expression::function::Function;
use crate::expression::path::Path;
use crate::item::{Attribute, Decimal, Number, Value};

use super::{Formula, Source};

/// A value that is in the item already, as it stands there, or one of our own.
pub(in crate::expression) enum Taken<'a> {
    There(Attribute<'a>),
    Own(Value),
}

impl Taken<'_> {
    pub(in crate::expression) fn into_value(self) -> Result<Value, String> {
        match self {
            Self::There(attribute) => value_of(attribute),
            Self::Own(value) => Ok(value),
        }
    }
}

fn value_of(attribute: Attribute<'_>) -> Result<Value, String> {
    attribute.to_value().map_err(|fault| format!("an attribute is not what its type says: expected {}", fault.expected))
}

fn find<'a>(path: &Path, source: &'a impl Source) -> Result<Attribute<'a>, String> {
    source.at(path).ok_or_else(|| format!("the item has no {path}"))
}

pub(in crate::expression) fn evaluate<'a>(formula: &'a Formula, source: &'a impl Source) -> Result<Taken<'a>, String> {
    let own = |value| Ok(Taken::Own(value));
    match formula {
        Formula::Literal(value) => Ok(Taken::There(Attribute::Value(value))),
        Formula::Path(path) => find(path, source).map(Taken::There),
        Formula::IfNotExists(path, otherwise) => match source.at(path) {
            // DynamoDB looks at both operands, whichever it takes.
            Some(found) => evaluate(otherwise, source).map(|_| Taken::There(found)),
            None => evaluate(otherwise, source),
        },
        Formula::Sum(left, right) => {
            let (left, right) = (number(left, source)?, number(right, source)?);
            own(left.plus(right).map_err(|fault| fault.to_string())?.into())
        }
        Formula::Difference(left, right) => {
            let (left, right) = (number(left, source)?, number(right, source)?);
            own(left.minus(right).map_err(|fault| fault.to_string())?.into())
        }
        Formula::ListAppend(left, right) => {
            let (mut list, right) = (list(left, source)?, list(right, source)?);
            list.extend(right);
            own(Value::L(list))
        }
        Formula::Call(function, arguments) => call(*function, arguments, source).map(Taken::Own),
    }
}

fn number(formula: &Formula, source: &impl Source) -> Result<Decimal, String> {
    match evaluate(formula, source)?.into_value()? {
        Value::N(number) => Ok(number.value()),
        value => Err(format!("{} is of type {}, not a number", described(formula), value.kind())),
    }
}

fn list(formula: &Formula, source: &impl Source) -> Result<Vec<Value>, String> {
    match evaluate(formula, source)?.into_value()? {
        Value::L(list) => Ok(list),
        value => Err(format!("{} is of type {}, not a list", described(formula), value.kind())),
    }
}

/// The text of a string, or of a number as DynamoDB returns it.
pub(in crate::expression) fn string(formula: &Formula, source: &impl Source) -> Result<String, String> {
    match evaluate(formula, source)?.into_value()? {
        Value::S(text) => Ok(text),
        Value::N(number) => Ok(number.value().to_string()),
        value => Err(format!("{} is of type {}, neither a text nor a number", described(formula), value.kind())),
    }
}

fn described(formula: &Formula) -> Cow<'static, str> {
    match formula {
        Formula::Path(path) => path.to_string().into(),
        Formula::IfNotExists(path, _) => format!("{path} or its substitute").into(),
        _ => "a value".into(),
    }
}

fn call(function: Function, arguments: &[Formula], source: &impl Source) -> Result<Value, String> {
    let text = |index: usize| string(&arguments[index], source);
    Ok(Value::S(match function {
        Function::Upper => text(0)?.to_uppercase(),
        Function::Lower => text(0)?.to_lowercase(),
        Function::Trim => text(0)?.trim().to_owned(),
        Function::Text => text(0)?,
        Function::Number => {
            let text = text(0)?;
            let number: Number = text.trim().parse().map_err(|fault| format!("{text:?}: {fault}"))?;
            return Ok(number.value().into());
        }
        Function::Replace => {
            let (whole, from, to) = (text(0)?, text(1)?, text(2)?);
            if from.is_empty() {
                return Err("replace: the text to replace is empty".to_owned());
            }
            whole.replace(&from, &to)
        }
        Function::Split => {
            let (whole, separator, index) = (text(0)?, text(1)?, number(&arguments[2], source)?);
            split(&whole, &separator, &index.to_string())?.to_owned()
        }
        Function::Join => {
            let parts = arguments[1..].iter().map(|part| string(part, source)).collect::<Result<Vec<_>, _>>()?;
            parts.join(&text(0)?)
        }
        other => return Err(format!("{} gives no text", other.name())),
    }))
}

/// The part with that index, counted from 0, or from -1 at the end.
fn split<'t>(whole: &'t str, separator: &str, index: &str) -> Result<&'t str, String> {
    if separator.is_empty() {
        return Err("split: the separator is empty".to_owned());
    }
    let index: i32 = index.parse().map_err(|_| format!("split: {index} is not an index"))?;
    let part = match usize::try_from(index) {
        Ok(index) => whole.split(separator).nth(index),
        Err(_) => whole.rsplit(separator).nth(index.unsigned_abs() as usize - 1),
    };
    part.ok_or_else(|| format!("{whole:?} split at {separator:?} has no part {index}"))
}
