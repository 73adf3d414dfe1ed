//! Texts and values made from an item: keys, ids of documents, names.

use crate::item::{Attributes, RawItem, Value};

use super::error::ExpressionError;
use super::lookup::{Lookup, Names};
use super::parse::Parser;
use super::value::{Formula, Source, evaluate, string, value};

/// A value worked out from an item, as SET does it: `join("|", "case", lower(docketNumber))`.
#[derive(Debug, Clone)]
pub struct ValueExpression {
    formula: Formula,
    names: Names,
}

impl ValueExpression {
    /// Reads a value, a path or a function of them.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut names = Vec::new();
        let formula = formula(text, &mut names)?;
        Ok(Self { formula, names: names.into() })
    }

    /// The value for `item`; an error if an attribute is missing or of the wrong type.
    pub fn evaluate(&self, item: &RawItem) -> Result<Value, String> {
        evaluate(&self.formula, &Lookup::new(item, &self.names))?.into_value()
    }

    /// The value for an item that is being changed.
    pub fn evaluate_changed(&self, attributes: &Attributes) -> Result<Value, String> {
        evaluate(&self.formula, attributes)?.into_value()
    }
}

/// A text with values in braces: `{pk}_{sk}`, `user|{lower(email)}`. Two braces stand for one: `{{`.
#[derive(Debug, Clone)]
pub struct Template {
    parts: Vec<Part>,
    names: Names,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Formula(Formula),
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut parts = Vec::new();
        let mut names = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(next) = text[at..].chars().next() {
            let rest = &text[at + next.len_utf8()..];
            if matches!(next, '{' | '}') && rest.starts_with(next) {
                plain.push(next);
                at += 2;
                continue;
            }
            match next {
                '{' => {
                    let start = at + 1;
                    let Some(end) = closing_brace(rest) else {
                        return Err(ExpressionError::new(text, at, at + 1, "this brace is never closed")
                            .hint("write {{ for a brace in the text"));
                    };
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    let formula = formula(&rest[..end], &mut names).map_err(|error| error.inside(text, start))?;
                    parts.push(Part::Formula(formula));
                    at = start + end + 1;
                }
                '}' => {
                    return Err(ExpressionError::new(text, at, at + 1, "this brace was never opened")
                        .hint("write }} for a brace in the text"));
                }
                other => {
                    plain.push(other);
                    at += other.len_utf8();
                }
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts, names: names.into() })
    }

    /// The text for `item`; an error if an attribute is missing or is neither a text nor a number.
    pub fn render(&self, item: &RawItem) -> Result<String, String> {
        self.render_from(&Lookup::new(item, &self.names))
    }

    /// The text for an item that is being changed.
    pub fn render_changed(&self, attributes: &Attributes) -> Result<String, String> {
        self.render_from(attributes)
    }

    fn render_from(&self, source: &impl Source) -> Result<String, String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Formula(formula) => out.push_str(&string(formula, source)?),
            }
        }
        Ok(out)
    }
}

fn formula(text: &str, names: &mut Vec<Box<str>>) -> Result<Formula, ExpressionError> {
    let mut parser = Parser::value(text, std::mem::take(names))?;
    let formula = value(&mut parser)?;
    parser.end("the end of the value")?;
    *names = parser.into_names();
    Ok(formula)
}

/// Where the brace that is open closes, with quotes and braces within it passed over.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0usize;
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (Some('"' | '\''), '\\') => drop(characters.next()),
            (Some(mark), _) if mark == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(character),
            (None, '{') => open += 1,
            (None, '}') if open == 0 => return Some(at),
            (None, '}') => open -= 1,
            _ => {}
        }
    }
    None
}
