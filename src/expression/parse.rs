//! What conditions and updates have in common: paths, values, and the way through the tokens.

use indexmap::{IndexMap, IndexSet};

use crate::item::{Decimal, Number, Value};

use super::error::ExpressionError;
use super::path::{Path, Step};
use super::token::{Kind, Token, tokens};

/// Parentheses, NOTs and function calls within each other, or lists and maps of a value.
const MAX_DEPTH: usize = 32;

/// Words that are values or operators, in any case. A name like that is written in backticks, or behind a dot.
const CONDITION_WORDS: &[&str] = &["AND", "OR", "NOT", "BETWEEN", "IN", "TRUE", "FALSE", "NULL"];
const UPDATE_WORDS: &[&str] = &["SET", "REMOVE", "ADD", "DELETE", "TRUE", "FALSE", "NULL"];

pub(super) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    words: &'static [&'static str],
    names: Vec<Box<str>>,
}

type Parsed<T> = Result<T, ExpressionError>;

impl<'t> Parser<'t> {
    pub(super) fn condition(text: &'t str) -> Parsed<Self> {
        Self::new(text, CONDITION_WORDS, Vec::new())
    }

    pub(super) fn update(text: &'t str) -> Parsed<Self> {
        Self::new(text, UPDATE_WORDS, Vec::new())
    }

    /// For a value alone; `names` are those of the values beside it.
    pub(super) fn value(text: &'t str, names: Vec<Box<str>>) -> Parsed<Self> {
        Self::new(text, UPDATE_WORDS, names)
    }

    fn new(text: &'t str, words: &'static [&'static str], names: Vec<Box<str>>) -> Parsed<Self> {
        Ok(Self { text, tokens: tokens(text)?, at: 0, depth: 0, words, names })
    }

    /// The top-level attributes of all paths so far; a path's slot is its place here.
    pub(super) fn into_names(self) -> Vec<Box<str>> {
        self.names
    }

    /// The number of the next token, to name a place later.
    pub(super) fn here(&self) -> usize {
        self.at
    }

    /// Goes back to where [`Parser::here`] was.
    pub(super) fn back(&mut self, here: usize) {
        self.at = here;
    }

    /// What `parse` reads, if it can and `accept` likes how it goes on; else nothing happened.
    pub(super) fn attempt<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Parsed<T>,
        accept: impl FnOnce(&Self) -> bool,
    ) -> Option<T> {
        let (at, depth) = (self.at, self.depth);
        let parsed = parse(self).ok().filter(|_| accept(self));
        if parsed.is_none() {
            (self.at, self.depth) = (at, depth);
        }
        parsed
    }

    pub(super) fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn peek_behind(&self) -> &Kind {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].kind
    }

    pub(super) fn advance(&mut self) -> Kind {
        let kind = self.peek().clone();
        // The last token, the end, is never left.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        kind
    }

    /// An error about everything from token `from` up to here.
    pub(super) fn error(&self, from: usize, message: impl Into<String>) -> ExpressionError {
        let (start, end) = self.span(from);
        ExpressionError::new(self.text, start, end, message)
    }

    /// The bytes from token `place` up to here.
    pub(super) fn span(&self, place: usize) -> (usize, usize) {
        (self.tokens[place].start, self.tokens[self.at.max(place + 1) - 1].end)
    }

    /// An error about token `place` alone.
    pub(super) fn error_at(&self, place: usize, message: impl Into<String>) -> ExpressionError {
        let token = &self.tokens[place];
        ExpressionError::new(self.text, token.start, token.end, message)
    }

    /// An error about the next token.
    pub(super) fn expected(&self, what: &str) -> ExpressionError {
        let token = &self.tokens[self.at];
        let message = format!("expected {what}, found {}", token.kind.describe());
        let error = ExpressionError::new(self.text, token.start, token.end, message);
        match &token.kind {
            Kind::Word(word) if self.is_own_word(word) => {
                error.hint(format!("an attribute of that name is written `{word}`, in backticks"))
            }
            Kind::Name(_) | Kind::Word(_) | Kind::Text(_) if self.is_behind_minus() => {
                error.hint("a name with a hyphen is written in backticks")
            }
            _ => error,
        }
    }

    fn is_behind_minus(&self) -> bool {
        self.at > 0 && self.tokens[self.at - 1].kind == Kind::Sign("-")
    }

    /// Counts how deep things are within each other; paired with [`Parser::leave`].
    pub(super) fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        match self.depth > MAX_DEPTH {
            true => Err(self.error(self.at, format!("nested more than {MAX_DEPTH} levels deep"))),
            false => Ok(()),
        }
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Kind::Sign(found) if *found == sign)
    }

    /// Takes the sign if it is next.
    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Parsed<()> {
        match self.take_sign(sign) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{sign}`"))),
        }
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Kind::Word(found) if found.eq_ignore_ascii_case(word))
    }

    /// Takes the word, in any case, if it is next.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn end(&self, what: &str) -> Parsed<()> {
        match self.peek() {
            Kind::End => Ok(()),
            _ => Err(self.expected(what)),
        }
    }

    fn is_own_word(&self, word: &str) -> bool {
        self.words.iter().any(|own| own.eq_ignore_ascii_case(word))
    }

    /// The function's name and the parenthesis behind it, if a call is next.
    pub(super) fn take_call(&mut self) -> Option<String> {
        let Kind::Word(name) = self.peek() else { return None };
        if self.is_own_word(name) || *self.peek_behind() != Kind::Sign("(") {
            return None;
        }
        let name = name.clone();
        self.advance();
        self.advance();
        Some(name)
    }

    /// A path if a name is next.
    pub(super) fn take_path(&mut self) -> Parsed<Option<Path>> {
        let name = match self.peek() {
            Kind::Word(word) if !self.is_own_word(word) => word.clone(),
            Kind::Name(name) => name.clone(),
            _ => return Ok(None),
        };
        self.advance();
        let mut steps = Vec::new();
        loop {
            if self.take_sign(".") {
                // Behind a dot only a name can stand, so quotes are no value there.
                match self.peek().clone() {
                    Kind::Word(name) | Kind::Name(name) | Kind::Text(name) if !name.is_empty() => {
                        self.advance();
                        steps.push(Step::Name(name.into()));
                    }
                    _ => return Err(self.expected("a name behind the dot")),
                }
            } else if self.take_sign("[") {
                let place = self.here();
                let index = match self.advance() {
                    Kind::Number(digits) if digits == "0" || !digits.starts_with('0') => {
                        digits.parse().ok().filter(|index| *index <= i32::MAX as usize)
                    }
                    _ => None,
                };
                let Some(index) = index else {
                    return Err(self.error(place, "a list index is a whole number from 0 to 2147483647"));
                };
                self.expect_sign("]")?;
                steps.push(Step::Index(index));
            } else {
                break;
            }
        }
        let slot = self.slot(&name);
        Ok(Some(Path { name: name.into(), slot, steps }))
    }

    fn slot(&mut self, name: &str) -> usize {
        match self.names.iter().position(|known| **known == *name) {
            Some(slot) => slot,
            None => {
                self.names.push(name.into());
                self.names.len() - 1
            }
        }
    }

    /// A path that a function takes, which may be in parentheses.
    pub(super) fn path_argument(&mut self) -> Parsed<Path> {
        if !self.take_sign("(") {
            return self.path();
        }
        self.enter()?;
        let path = self.path_argument()?;
        self.expect_sign(")")?;
        self.leave();
        Ok(path)
    }

    pub(super) fn path(&mut self) -> Parsed<Path> {
        match self.take_path()? {
            Some(path) => Ok(path),
            None => {
                let error = self.expected("the path of an attribute");
                Err(match self.peek() {
                    Kind::Text(text) if !text.contains('`') => {
                        error.hint(format!("a name that is not a plain word is written `{text}`, in backticks"))
                    }
                    _ => error,
                })
            }
        }
    }

    /// A value if one is next.
    pub(super) fn take_literal(&mut self) -> Parsed<Option<Value>> {
        let value = match self.peek() {
            Kind::Text(text) => Value::S(text.clone()),
            Kind::Binary(bytes) => Value::B(bytes.clone()),
            Kind::Word(word) if word.eq_ignore_ascii_case("true") => Value::Bool(true),
            Kind::Word(word) if word.eq_ignore_ascii_case("false") => Value::Bool(false),
            Kind::Word(word) if word.eq_ignore_ascii_case("null") => Value::Null,
            Kind::Number(_) | Kind::Sign("-" | "+") => return self.number().map(Value::N).map(Some),
            Kind::Sign("[") => return self.nested(Self::list).map(Some),
            Kind::Sign("{") => return self.nested(Self::map).map(Some),
            Kind::Sign("<<") => return self.set().map(Some),
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(value))
    }

    fn nested(&mut self, parse: fn(&mut Self) -> Parsed<Value>) -> Parsed<Value> {
        self.enter()?;
        let value = parse(self)?;
        self.leave();
        Ok(value)
    }

    fn literal(&mut self, what: &str) -> Parsed<Value> {
        match self.take_literal()? {
            Some(value) => Ok(value),
            None => Err(self.expected(what)),
        }
    }

    fn number(&mut self) -> Parsed<Number> {
        let place = self.here();
        let is_negative = self.is_sign("-");
        if is_negative || self.is_sign("+") {
            self.advance();
        }
        let Kind::Number(digits) = self.peek().clone() else { return Err(self.expected("a number")) };
        self.advance();
        match Decimal::parse(digits.as_bytes()) {
            Ok(number) => Ok(Number::from(if is_negative { number.negated() } else { number })),
            Err(fault) => Err(self.error(place, fault.to_string())),
        }
    }

    fn list(&mut self) -> Parsed<Value> {
        self.advance();
        let mut list = Vec::new();
        if !self.take_sign("]") {
            loop {
                list.push(self.literal("a value")?);
                if !self.take_sign(",") {
                    break self.expect_sign("]")?;
                }
            }
        }
        Ok(Value::L(list))
    }

    fn map(&mut self) -> Parsed<Value> {
        self.advance();
        let mut map = IndexMap::new();
        if !self.take_sign("}") {
            loop {
                let place = self.here();
                let name = match self.peek().clone() {
                    Kind::Word(name) | Kind::Name(name) | Kind::Text(name) if !name.is_empty() => name,
                    _ => return Err(self.expected("a name")),
                };
                self.advance();
                if map.contains_key(&name) {
                    return Err(self.error(place, format!("{name} is in this map already")));
                }
                self.expect_sign(":")?;
                map.insert(name, self.literal("a value")?);
                if !self.take_sign(",") {
                    break self.expect_sign("}")?;
                }
            }
        }
        Ok(Value::M(map))
    }

    fn set(&mut self) -> Parsed<Value> {
        let place = self.here();
        self.advance();
        let mut elements = Vec::new();
        loop {
            elements.push(self.literal("an element: a set has at least one")?);
            if !self.take_sign(",") {
                break;
            }
        }
        self.expect_sign(">>")?;
        let count = elements.len();
        let set = match &elements[0] {
            Value::S(_) => collect(elements, |element| match element {
                Value::S(text) => Some(text),
                _ => None,
            })
            .map(|set| (set.len(), Value::Ss(set))),
            Value::N(_) => collect(elements, |element| match element {
                Value::N(number) => Some(number),
                _ => None,
            })
            .map(|set| (set.len(), Value::Ns(set))),
            Value::B(_) => collect(elements, |element| match element {
                Value::B(bytes) => Some(bytes),
                _ => None,
            })
            .map(|set| (set.len(), Value::Bs(set))),
            _ => None,
        };
        match set {
            Some((different, set)) if different == count => Ok(set),
            Some(_) => Err(self.error(place, "an element is in this set twice")),
            None => Err(self.error(place, "the elements of a set are texts, or numbers, or binary, all of one type")),
        }
    }
}

fn collect<T: std::hash::Hash + Eq>(elements: Vec<Value>, pick: fn(Value) -> Option<T>) -> Option<IndexSet<T>> {
    elements.into_iter().map(pick).collect()
}
