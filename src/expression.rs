//! DynamoDB's condition and update expressions, evaluated over raw items, with the values written in place.
//!
//! [`Condition`] is a ConditionExpression, [`Update`] an UpdateExpression; [`Template`] and [`ValueExpression`] make
//! texts and values from an item. Each is parsed once, may be used by many threads at once, and says of every item what
//! DynamoDB would: the same verdict, the same item, an error where DynamoDB gives one.
//!
//! # Names and values
//!
//! DynamoDB keeps names and values apart from the expression (`#n = :v`). Here both are written where they belong, and
//! one rule tells them apart: **quotes make a value, backticks make a name**.
//!
//! | written | is |
//! |---|---|
//! | `status`, `a.b[2].c` | a path; DynamoDB's reserved words are names like any other |
//! | `` `odd name` ``, `` a.`odd.name` `` | a name that is not a plain word (letters, digits, `_`) |
//! | `a.b[2]."odd name"` | the same: behind a dot only a name can stand, so quotes make a name there |
//! | `"text"`, `'text'` | a string, with JSON's escapes (`\"`, `\'`, `\\`, `\n`, `\u00e9`) |
//! | `12`, `-1.5e3` | a number of up to 38 digits |
//! | `true`, `false`, `null` | booleans and null |
//! | `[1, "a", null]`, `{a: 1, "b c": [2]}` | a list, a map |
//! | `<<"a", "b">>`, `<<1, 2>>` | a set of strings, numbers or binary |
//! | `b64"AAEC"` | binary, in base64 |
//!
//! Attributes that are called like a word of the language (`AND OR NOT BETWEEN IN` in conditions, `SET REMOVE ADD
//! DELETE` in updates, `true false null` in both) need backticks where a path begins. A name before a parenthesis is a
//! function's.
//!
//! # Conditions
//!
//! ```text
//! begins_with(pk, "case|") AND (attribute_exists(orderForOds) OR NOT status IN ("new", "closed"))
//! ```
//!
//! `= <> < <= > >=`, `x BETWEEN a AND b`, `x IN (a, b, ...)` with up to 100 values, `AND`, `OR`, `NOT`, parentheses,
//! `attribute_exists(path)`, `attribute_not_exists(path)`, `attribute_type(path, "S")`, `begins_with(path, start)`,
//! `contains(path, part)`, `size(path)`. `NOT` binds more tightly than `AND`, `AND` more than `OR`; words may be in any
//! case, functions are in lower case.
//!
//! Values of different types are never equal and have no order. What is missing is equal to nothing, so `none <> 1`
//! holds.
//! The size of a text is counted in UTF-16, as DynamoDB Local counts it.
//!
//! # Updates
//!
//! ```text
//! SET total = price + 5, tags[9] = "new", seen = if_not_exists(seen, 0)
//! REMOVE old, list[1]
//! ADD count 1
//! DELETE roles <<"editor">>
//! ```
//!
//! `SET path = value`, where a value is a path, a literal, a sum or difference of two, `if_not_exists(path, value)` or
//! `list_append(list, list)`; `REMOVE path`; `ADD path number-or-set`; `DELETE path set`. Each word occurs once. All
//! operands are the item's as it was before the update. An index beyond the end of a list appends. Sums are exact: one
//! that needs more than 38 digits is an error, as in DynamoDB.
//!
//! Beyond DynamoDB, and in values of updates and in templates only: `upper(text)`, `lower(text)`, `trim(text)`,
//! `split(text, separator, index)` (from 0, or from -1 at the end), `join(separator, text, ...)`,
//! `replace(text, from, to)`, `text(number)`, `number(text)`. They take texts and numbers. DynamoDB would not accept an
//! UpdateExpression with them.
//!
//! # What DynamoDB refuses and this module does not
//!
//! Redundant parentheses, reserved words, names that begin with `_`, paths into a key attribute, more than 4 KB or 300
//! operators. The other way round, this module refuses nesting of more than 32 parentheses.

mod compare;
mod condition;
mod error;
mod function;
mod lookup;
mod parse;
mod path;
mod template;
mod token;
mod update;
mod value;

pub use condition::Condition;
pub use error::ExpressionError;
pub use template::{Template, ValueExpression};
pub use update::Update;

#[cfg(test)]
mod tests;
