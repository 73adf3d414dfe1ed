//! The functions that expressions know, and where each may stand.

use super::error::ExpressionError;
use super::parse::Parser;

/// A function. What is not DynamoDB's is for values in updates and templates only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    AttributeExists,
    AttributeNotExists,
    AttributeType,
    BeginsWith,
    Contains,
    Size,
    IfNotExists,
    ListAppend,
    Upper,
    Lower,
    Trim,
    Split,
    Join,
    Replace,
    Text,
    Number,
}

impl Function {
    const ALL: [Self; 16] = [
        Self::AttributeExists,
        Self::AttributeNotExists,
        Self::AttributeType,
        Self::BeginsWith,
        Self::Contains,
        Self::Size,
        Self::IfNotExists,
        Self::ListAppend,
        Self::Upper,
        Self::Lower,
        Self::Trim,
        Self::Split,
        Self::Join,
        Self::Replace,
        Self::Text,
        Self::Number,
    ];

    /// How it is written, with what it takes.
    pub(super) fn usage(self) -> &'static str {
        match self {
            Self::AttributeExists => "attribute_exists(path)",
            Self::AttributeNotExists => "attribute_not_exists(path)",
            Self::AttributeType => "attribute_type(path, \"S\")",
            Self::BeginsWith => "begins_with(path, start)",
            Self::Contains => "contains(path, part)",
            Self::Size => "size(path)",
            Self::IfNotExists => "if_not_exists(path, value)",
            Self::ListAppend => "list_append(list, list)",
            Self::Upper => "upper(text)",
            Self::Lower => "lower(text)",
            Self::Trim => "trim(text)",
            Self::Split => "split(text, separator, index)",
            Self::Join => "join(separator, text, text, ...)",
            Self::Replace => "replace(text, from, to)",
            Self::Text => "text(number)",
            Self::Number => "number(text)",
        }
    }

    pub(super) fn name(self) -> &'static str {
        let usage = self.usage();
        usage.split_once('(').map_or(usage, |(name, _)| name)
    }

    pub(super) fn is_for_conditions(self) -> bool {
        matches!(
            self,
            Self::AttributeExists
                | Self::AttributeNotExists
                | Self::AttributeType
                | Self::BeginsWith
                | Self::Contains
                | Self::Size
        )
    }

    pub(super) fn is_for_values(self) -> bool {
        !self.is_for_conditions()
    }
}

/// The function that `name`, the token at `place`, calls, if it may stand here.
pub(super) fn find(
    parser: &Parser<'_>,
    place: usize,
    name: &str,
    may_stand_here: fn(Function) -> bool,
) -> Result<Function, ExpressionError> {
    let at_name = |message: String| parser.error_at(place, message);
    let known = || Function::ALL.into_iter().filter(|function| may_stand_here(*function));
    match Function::ALL.into_iter().find(|function| function.name() == name) {
        Some(function) if may_stand_here(function) => Ok(function),
        Some(function) if function.is_for_conditions() => {
            Err(at_name(format!("{name} is for conditions and gives no value to set")))
        }
        Some(_) => Err(at_name(format!("{name} is for the values of an update, not for conditions"))),
        None => {
            let error = at_name(format!("unknown function {name}"));
            let lower = name.to_lowercase();
            let nearest = known()
                .map(|function| (strsim::damerau_levenshtein(&lower, function.name()), function))
                .min_by_key(|(distance, _)| *distance);
            Err(match nearest {
                Some((distance, function)) if distance <= name.len().max(6) / 3 => {
                    error.hint(format!("write {}", function.usage()))
                }
                _ => error.hint(format!("there is {}", known().map(Function::name).collect::<Vec<_>>().join(", "))),
            })
        }
    }
}
