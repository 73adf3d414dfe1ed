//! Reads updates, and refuses what DynamoDB refuses whatever the item.

use crate::expression::error::ExpressionError;
use crate::expression::parse::Parser;
use crate::expression::path::Clash;
use crate::expression::value::value;
use crate::item::{Kind, Value};

use super::{Action, Effect};

type Parsed<T> = Result<T, ExpressionError>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clause {
    Set,
    Remove,
    Add,
    Delete,
}

impl Clause {
    const ALL: [Self; 4] = [Self::Set, Self::Remove, Self::Add, Self::Delete];

    fn word(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Remove => "REMOVE",
            Self::Add => "ADD",
            Self::Delete => "DELETE",
        }
    }
}

pub(super) fn update(text: &str) -> Parsed<Vec<Action>> {
    let mut parser = Parser::update(text)?;
    let mut actions: Vec<Action> = Vec::new();
    let mut seen = Vec::new();
    loop {
        let place = parser.here();
        let Some(clause) = Clause::ALL.into_iter().find(|clause| parser.take_word(clause.word())) else {
            break;
        };
        if seen.contains(&clause) {
            return Err(parser
                .error(place, format!("{} is there already: once is enough", clause.word()))
                .hint("separate what it does by commas"));
        }
        seen.push(clause);
        loop {
            let place = parser.here();
            let action = action(&mut parser, clause)?;
            for other in &actions {
                if let Some(clash) = action.path.clash(&other.path) {
                    return Err(clashing(&parser, place, &action, other, clash));
                }
            }
            actions.push(action);
            if !parser.take_sign(",") {
                break;
            }
        }
    }
    parser.end(if actions.is_empty() {
        "SET, REMOVE, ADD or DELETE"
    } else {
        "a comma, SET, REMOVE, ADD, DELETE or the end"
    })?;
    match actions.is_empty() {
        true => Err(parser.expected("SET, REMOVE, ADD or DELETE")),
        false => Ok(actions),
    }
}

fn clashing(parser: &Parser<'_>, place: usize, action: &Action, other: &Action, clash: Clash) -> ExpressionError {
    let (one, two) = (&other.path, &action.path);
    parser.error_at(
        place,
        match clash {
            Clash::Overlap => format!("the paths {one} and {two} overlap: only one of them can be updated"),
            Clash::Conflict => format!("the paths {one} and {two} take the same value for a map and for a list"),
        },
    )
}

fn action(parser: &mut Parser<'_>, clause: Clause) -> Parsed<Action> {
    let place = parser.here();
    let path = parser.path()?;
    let span = parser.span(place);
    let effect = match clause {
        Clause::Set => {
            parser.expect_sign("=")?;
            Effect::Set(value(parser)?)
        }
        Clause::Remove => Effect::Remove,
        Clause::Add => Effect::Add(literal(parser, "a number or a set", |kind| kind == Kind::N || kind.is_set())?),
        Clause::Delete => Effect::Delete(literal(parser, "a set", Kind::is_set)?),
    };
    Ok(Action { path, effect, span })
}

fn literal(parser: &mut Parser<'_>, what: &str, fits: fn(Kind) -> bool) -> Parsed<Value> {
    let place = parser.here();
    match parser.take_literal()? {
        Some(value) if fits(value.kind()) => Ok(value),
        Some(value) => Err(parser.error(place, format!("expected {what}, not a value of type {}", value.kind()))),
        None => Err(parser.expected(&format!("{what}, written in place"))),
    }
}
