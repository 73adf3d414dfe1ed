//! Reads the value that SET assigns.

use crate::expression::error::ExpressionError;
use crate::expression::function::{self, Function};
use crate::expression::parse::Parser;
use crate::item::{Kind, Value};

use super::Formula;

type Parsed<T> = Result<T, ExpressionError>;

/// An operand, or two with a sign between them; all of it may be in parentheses.
pub(in crate::expression) fn value(parser: &mut Parser<'_>) -> Parsed<Formula> {
    let place = parser.here();
    let left = operand(parser)?;
    let is_sum = parser.is_sign("+");
    if !is_sum && !parser.is_sign("-") {
        return Ok(left);
    }
    number(parser, place, &left)?;
    parser.advance();
    let right_place = parser.here();
    let right = operand(parser)?;
    number(parser, right_place, &right)?;
    if parser.is_sign("+") || parser.is_sign("-") {
        return Err(parser.expected("the end of the value: a sum has two operands"));
    }
    Ok(match is_sum {
        true => Formula::Sum(left.into(), right.into()),
        false => Formula::Difference(left.into(), right.into()),
    })
}

/// Refuses what can never be a number, and what DynamoDB does not allow beside a sign.
fn number(parser: &Parser<'_>, place: usize, operand: &Formula) -> Parsed<()> {
    match operand {
        Formula::Literal(Value::N(_)) | Formula::Path(_) | Formula::IfNotExists(..) | Formula::Call(..) => Ok(()),
        Formula::Literal(value) => {
            Err(parser.error(place, format!("expected a number, not a value of type {}", value.kind())))
        }
        Formula::Sum(..) | Formula::Difference(..) => {
            Err(parser.error(place, "a sum has two operands, and none is a sum"))
        }
        Formula::ListAppend(..) => Err(parser.error(place, "list_append gives a list, not a number")),
    }
}

fn operand(parser: &mut Parser<'_>) -> Parsed<Formula> {
    if parser.is_sign("(") {
        parser.enter()?;
        parser.advance();
        let inner = value(parser)?;
        parser.expect_sign(")")?;
        parser.leave();
        return Ok(inner);
    }
    let place = parser.here();
    if let Some(name) = parser.take_call() {
        let function = function::find(parser, place, &name, Function::is_for_values)?;
        parser.enter()?;
        let formula = call(parser, place, function)?;
        parser.leave();
        return Ok(formula);
    }
    if let Some(value) = parser.take_literal()? {
        return Ok(Formula::Literal(value));
    }
    match parser.take_path()? {
        Some(path) => Ok(Formula::Path(path)),
        None => Err(parser.expected("an attribute, a value or a function")),
    }
}

/// A function's arguments and the closing parenthesis.
fn call(parser: &mut Parser<'_>, place: usize, function: Function) -> Parsed<Formula> {
    let mut arguments = Vec::new();
    if !parser.is_sign(")") {
        loop {
            let place = parser.here();
            arguments.push((place, value(parser)?));
            if !parser.take_sign(",") {
                break;
            }
        }
    }
    parser.expect_sign(")")?;
    let fits = match function {
        Function::Join => arguments.len() >= 2,
        Function::Split | Function::Replace => arguments.len() == 3,
        Function::IfNotExists | Function::ListAppend => arguments.len() == 2,
        _ => arguments.len() == 1,
    };
    if !fits {
        return Err(parser.error(place, format!("wrong number of values: {}", function.usage())));
    }
    match function {
        Function::IfNotExists => if_not_exists(parser, place, arguments),
        Function::ListAppend => list_append(parser, arguments),
        _ => text_call(parser, place, function, arguments),
    }
}

fn if_not_exists(parser: &Parser<'_>, place: usize, arguments: Vec<(usize, Formula)>) -> Parsed<Formula> {
    let [(_, first), (second_place, second)] = pair(parser, place, arguments)?;
    let Formula::Path(path) = first else {
        return Err(parser.error(
            place,
            format!("the first operand is the path of an attribute: {}", Function::IfNotExists.usage()),
        ));
    };
    match second {
        Formula::Path(other) if other == path => {
            Err(parser.error(place, format!("where {path} does not exist, it is no substitute for itself")))
        }
        Formula::Sum(..) | Formula::Difference(..) | Formula::ListAppend(..) => {
            Err(parser.error_at(second_place, "an attribute, a value or another if_not_exists stands here"))
        }
        second => Ok(Formula::IfNotExists(path, second.into())),
    }
}

fn list_append(parser: &Parser<'_>, arguments: Vec<(usize, Formula)>) -> Parsed<Formula> {
    for (place, argument) in &arguments {
        match argument {
            Formula::Literal(Value::L(_)) | Formula::Path(_) | Formula::IfNotExists(..) => {}
            Formula::Call(..) => {
                return Err(parser.error_at(*place, "this function gives no list"));
            }
            Formula::Literal(value) => {
                return Err(parser.error_at(*place, format!("expected a list, not a value of type {}", value.kind())));
            }
            _ => return Err(parser.error_at(*place, "a list, an attribute or an if_not_exists stands here")),
        }
    }
    let [(_, first), (_, second)] = pair(parser, 0, arguments)?;
    Ok(Formula::ListAppend(first.into(), second.into()))
}

fn pair(parser: &Parser<'_>, place: usize, arguments: Vec<(usize, Formula)>) -> Parsed<[(usize, Formula); 2]> {
    arguments.try_into().map_err(|_| parser.error(place, "two values stand here"))
}

fn text_call(
    parser: &Parser<'_>,
    place: usize,
    function: Function,
    arguments: Vec<(usize, Formula)>,
) -> Parsed<Formula> {
    for (place, argument) in &arguments {
        match argument {
            Formula::Literal(value) if !matches!(value.kind(), Kind::S | Kind::N) => {
                return Err(parser.error_at(*place, format!("{} takes texts and numbers", function.usage())));
            }
            Formula::ListAppend(..) => return Err(parser.error_at(*place, "a list is no text")),
            _ => {}
        }
    }
    if let Function::Split | Function::Replace = function
        && let Formula::Literal(Value::S(text)) = &arguments[1].1
        && text.is_empty()
    {
        return Err(parser.error(place, format!("the second text is empty: {}", function.usage())));
    }
    Ok(Formula::Call(function, arguments.into_iter().map(|(_, argument)| argument).collect()))
}
