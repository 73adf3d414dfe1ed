//! Reads conditions, and refuses what DynamoDB refuses whatever the item.

use std::cmp::Ordering;

use crate::expression::compare::Seen;
use crate::expression::error::ExpressionError;
use crate::expression::function::{self, Function};
use crate::expression::parse::Parser;
use crate::expression::token::Kind as Token;
use crate::item::{Decimal, Kind, Value};

use super::{Comparator, Node, Operand};

const MAX_IN: usize = 100;

type Parsed<T> = Result<T, ExpressionError>;

pub(super) fn condition(text: &str) -> Parsed<(Node, Vec<Box<str>>)> {
    let mut parser = Parser::condition(text)?;
    let root = any(&mut parser)?;
    parser.end("AND, OR or the end")?;
    Ok((root, parser.into_names()))
}

fn any(parser: &mut Parser<'_>) -> Parsed<Node> {
    parser.enter()?;
    let node = chain(parser, "OR", |parser| chain(parser, "AND", not, Node::All), Node::Any)?;
    parser.leave();
    Ok(node)
}

/// One `part`, or several with `word` between them.
fn chain(
    parser: &mut Parser<'_>,
    word: &str,
    part: fn(&mut Parser<'_>) -> Parsed<Node>,
    join: fn(Vec<Node>) -> Node,
) -> Parsed<Node> {
    let first = part(parser)?;
    if !parser.is_word(word) {
        return Ok(first);
    }
    let mut parts = vec![first];
    while parser.take_word(word) {
        parts.push(part(parser)?);
    }
    Ok(join(parts))
}

fn not(parser: &mut Parser<'_>) -> Parsed<Node> {
    if !parser.take_word("NOT") {
        return test(parser);
    }
    parser.enter()?;
    let node = Node::Not(Box::new(not(parser)?));
    parser.leave();
    Ok(node)
}

fn test(parser: &mut Parser<'_>) -> Parsed<Node> {
    if parser.is_sign("(") {
        // Around an operand, as in `(a) = 1`, or around a condition.
        let place = parser.here();
        if let Some(left) = parser.attempt(operand, is_comparison) {
            return comparison(parser, place, left);
        }
        parser.advance();
        let node = any(parser)?;
        parser.expect_sign(")")?;
        return Ok(node);
    }
    let place = parser.here();
    if let Some(name) = parser.take_call() {
        match function::find(parser, place, &name, Function::is_for_conditions)? {
            Function::Size => parser.back(place),
            function => return call(parser, place, function),
        }
    }
    let left = operand(parser)?;
    if !is_comparison(parser) {
        let error = parser.expected("a comparison");
        return Err(error.hint("a condition is a comparison such as a = 1, or a function such as attribute_exists(a)"));
    }
    comparison(parser, place, left)
}

fn is_comparison(parser: &Parser<'_>) -> bool {
    comparator(parser).is_some() || parser.is_word("BETWEEN") || parser.is_word("IN")
}

fn comparator(parser: &Parser<'_>) -> Option<Comparator> {
    let Token::Sign(sign) = parser.peek() else { return None };
    Some(match *sign {
        "=" => Comparator::Equal,
        "<>" => Comparator::NotEqual,
        "<" => Comparator::Less,
        "<=" => Comparator::LessOrEqual,
        ">" => Comparator::Greater,
        ">=" => Comparator::GreaterOrEqual,
        _ => return None,
    })
}

fn comparison(parser: &mut Parser<'_>, place: usize, left: Operand) -> Parsed<Node> {
    if parser.take_word("BETWEEN") {
        let from = operand(parser)?;
        if !parser.take_word("AND") {
            return Err(parser.expected("AND and the upper bound"));
        }
        let to = operand(parser)?;
        return between(parser, place, left, from, to);
    }
    if parser.take_word("IN") {
        return is_in(parser, place, left);
    }
    let comparator = comparator(parser).ok_or_else(|| parser.expected("a comparison"))?;
    parser.advance();
    let right = operand(parser)?;
    distinct(parser, place, &left, &[&right])?;
    if !matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
        ordered(parser, place, &[&left, &right])?;
    }
    Ok(Node::Compare(comparator, left, right))
}

fn between(parser: &Parser<'_>, place: usize, value: Operand, from: Operand, to: Operand) -> Parsed<Node> {
    distinct(parser, place, &value, &[&from, &to])?;
    ordered(parser, place, &[&value, &from, &to])?;
    if let (Operand::Literal(from), Operand::Literal(to)) = (&from, &to) {
        match Seen::Value(from).order(Seen::Value(to)) {
            Ok(Some(Ordering::Greater)) => return Err(parser.error(place, "the lower bound is above the upper one")),
            Ok(None) => return Err(parser.error(place, "the two bounds have to be of one type")),
            _ => {}
        }
    }
    Ok(Node::Between { value, from, to })
}

fn is_in(parser: &mut Parser<'_>, place: usize, value: Operand) -> Parsed<Node> {
    parser.expect_sign("(")?;
    let mut list = Vec::new();
    loop {
        list.push(operand(parser)?);
        if !parser.take_sign(",") {
            break;
        }
    }
    parser.expect_sign(")")?;
    if list.len() > MAX_IN {
        return Err(parser.error(place, format!("IN takes at most {MAX_IN} values, here are {}", list.len())));
    }
    distinct(parser, place, &value, &list.iter().collect::<Vec<_>>())?;
    Ok(Node::In(value, list))
}

/// A function that is a condition by itself, from behind its opening parenthesis.
fn call(parser: &mut Parser<'_>, place: usize, function: Function) -> Parsed<Node> {
    let node = match function {
        Function::AttributeExists => Node::Exists(parser.path_argument()?),
        Function::AttributeNotExists => Node::Not(Box::new(Node::Exists(parser.path_argument()?))),
        Function::AttributeType => {
            let value = operand(parser)?;
            comma(parser, function)?;
            let name_place = parser.here();
            let name = parser.take_literal()?;
            let kind = match &name {
                Some(Value::S(name)) => Kind::from_name(name.as_bytes()),
                _ => None,
            };
            let names = Kind::ALL.map(Kind::name).join(" ");
            match kind {
                Some(kind) => Node::IsType(value, kind),
                None => return Err(parser.error(name_place, format!("expected a type in quotes, one of {names}"))),
            }
        }
        _ => {
            let left = operand(parser)?;
            comma(parser, function)?;
            let right = operand(parser)?;
            distinct(parser, place, &left, &[&right])?;
            if function == Function::Contains {
                Node::Contains(left, right)
            } else {
                for operand in [&left, &right] {
                    if !matches!(kind(operand), None | Some(Kind::S | Kind::B)) {
                        return Err(parser.error(place, "begins_with takes texts or binary values"));
                    }
                }
                Node::BeginsWith(left, right)
            }
        }
    };
    if parser.is_sign(",") {
        return Err(parser.expected(&format!("`)`: {}", function.usage())));
    }
    parser.expect_sign(")")?;
    if is_comparison(parser) {
        return Err(
            parser.error(place, format!("{} is a condition by itself, not a value to compare", function.name()))
        );
    }
    Ok(node)
}

fn comma(parser: &mut Parser<'_>, function: Function) -> Parsed<()> {
    match parser.take_sign(",") {
        true => Ok(()),
        false => Err(parser.expected(&format!("a comma: {}", function.usage()))),
    }
}

fn operand(parser: &mut Parser<'_>) -> Parsed<Operand> {
    if parser.is_sign("(") {
        parser.enter()?;
        parser.advance();
        let inner = operand(parser)?;
        parser.expect_sign(")")?;
        parser.leave();
        return Ok(inner);
    }
    let place = parser.here();
    if let Some(name) = parser.take_call() {
        return match function::find(parser, place, &name, Function::is_for_conditions)? {
            Function::Size => size(parser),
            function => Err(parser.error(place, format!("{} is a condition by itself, not a value", function.name()))),
        };
    }
    if let Some(value) = parser.take_literal()? {
        return Ok(Operand::Literal(value));
    }
    match parser.take_path()? {
        Some(path) => Ok(Operand::Path(path)),
        None => Err(parser.expected("an attribute or a value")),
    }
}

fn size(parser: &mut Parser<'_>) -> Parsed<Operand> {
    let place = parser.here();
    let operand = match parser.take_literal()? {
        Some(value) => match Seen::Value(&value).size() {
            Ok(Some(size)) => Operand::Literal(Decimal::from(size).into()),
            _ => return Err(parser.error(place, format!("a value of type {} has no size", value.kind()))),
        },
        None => Operand::Size(parser.path_argument()?),
    };
    parser.expect_sign(")")?;
    Ok(operand)
}

/// The type of an operand, as far as it is known without an item.
fn kind(operand: &Operand) -> Option<Kind> {
    match operand {
        Operand::Literal(value) => Some(value.kind()),
        Operand::Size(_) => Some(Kind::N),
        Operand::Path(_) => None,
    }
}

fn ordered(parser: &Parser<'_>, place: usize, operands: &[&Operand]) -> Parsed<()> {
    match operands.iter().find_map(|operand| kind(operand).filter(|kind| !matches!(kind, Kind::S | Kind::N | Kind::B)))
    {
        Some(kind) => Err(parser.error(place, format!("values of type {kind} have no order"))),
        None => Ok(()),
    }
}

/// DynamoDB refuses to compare an attribute with itself.
fn distinct(parser: &Parser<'_>, place: usize, first: &Operand, others: &[&Operand]) -> Parsed<()> {
    let Operand::Path(first) = first else { return Ok(()) };
    if others.iter().any(|other| matches!(other, Operand::Path(path) if path == first)) {
        return Err(parser.error(place, format!("{first} is compared with itself")));
    }
    Ok(())
}
