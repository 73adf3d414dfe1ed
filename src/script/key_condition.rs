//! `KeyConditionExpression`: an equation for the partition key, and a range for the sort key.

use crate::item::{KeyAttribute, KeySchema, Kind, Value};
use crate::lookup::SortRange;

/// What stands for `#name` and `:value`.
pub(super) struct Substitutes {
    pub names: Vec<(String, String)>,
    pub values: Vec<(String, Value)>,
}

/// The partition key's value and the range of sort keys that `text` asks for.
pub(super) fn parse(text: &str, substitutes: &Substitutes, schema: &KeySchema) -> Result<(Value, SortRange), String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, substitutes };
    let mut partition = None;
    let mut sort = None;
    loop {
        let (name, range) = parser.condition()?;
        if name == schema.partition.name() {
            let SortRange::Equal(value) = range else {
                return Err(format!("the partition key {name} is compared with = only"));
            };
            check(&value, &schema.partition)?;
            if partition.replace(value).is_some() {
                return Err(format!("{name} occurs twice"));
            }
        } else if let Some(attribute) = schema.sort.as_ref().filter(|attribute| attribute.name() == name) {
            for value in values(&range) {
                check(value, attribute)?;
            }
            if sort.replace(range).is_some() {
                return Err(format!("{name} occurs twice"));
            }
        } else {
            return Err(format!("{name} is not a key attribute of the table; filter the items in the script"));
        }
        match parser.next() {
            None => break,
            Some(word) if word.eq_ignore_ascii_case("and") => {}
            Some(other) => return Err(format!("expected AND, found {other}")),
        }
    }
    let partition =
        partition.ok_or_else(|| format!("a value for the partition key {} is missing", schema.partition))?;
    Ok((partition, sort.unwrap_or(SortRange::All)))
}

fn values(range: &SortRange) -> Vec<&Value> {
    match range {
        SortRange::All => Vec::new(),
        SortRange::Between(low, high) => vec![low, high],
        SortRange::Equal(value)
        | SortRange::Less(value)
        | SortRange::AtMost(value)
        | SortRange::Greater(value)
        | SortRange::AtLeast(value)
        | SortRange::BeginsWith(value) => vec![value],
    }
}

fn check(value: &Value, attribute: &KeyAttribute) -> Result<(), String> {
    if value.kind().name() == attribute.kind().name() {
        return Ok(());
    }
    Err(format!("{} is compared with a value of type {}", attribute, value.kind()))
}

/// Words, `#names`, `:values` and signs.
fn tokens(text: &str) -> Result<Vec<&str>, String> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '#' | ':' | '-' | '.');
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '(' | ')' | ',' | '=' => 1,
            '<' | '>' if rest[1..].starts_with('=') => 2,
            '<' | '>' => 1,
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => return Err(format!("unexpected {first:?}")),
        };
        tokens.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
    substitutes: &'a Substitutes,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let token = self.tokens.get(self.at).copied();
        self.at += 1;
        token
    }

    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).copied()
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        match self.next() {
            Some(token) if token.eq_ignore_ascii_case(sign) => Ok(()),
            other => Err(format!("expected {sign}, found {}", other.unwrap_or("the end"))),
        }
    }

    /// A condition in parentheses or without.
    fn condition(&mut self) -> Result<(String, SortRange), String> {
        if self.peek() == Some("(") {
            self.at += 1;
            let inner = self.condition()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.peek().is_some_and(|word| word == "begins_with") && self.tokens.get(self.at + 1) == Some(&"(") {
            self.at += 2;
            let name = self.name()?;
            self.expect(",")?;
            let value = self.value()?;
            self.expect(")")?;
            if value.kind() == Kind::N {
                return Err("begins_with takes texts and binary".to_owned());
            }
            return Ok((name, SortRange::BeginsWith(value)));
        }
        let name = self.name()?;
        let range = match self.next() {
            Some("=") => SortRange::Equal(self.value()?),
            Some("<") => SortRange::Less(self.value()?),
            Some("<=") => SortRange::AtMost(self.value()?),
            Some(">") => SortRange::Greater(self.value()?),
            Some(">=") => SortRange::AtLeast(self.value()?),
            Some(word) if word.eq_ignore_ascii_case("between") => {
                let low = self.value()?;
                self.expect("AND")?;
                SortRange::Between(low, self.value()?)
            }
            other => return Err(format!("expected a comparison of {name}, found {}", other.unwrap_or("the end"))),
        };
        Ok((name, range))
    }

    fn name(&mut self) -> Result<String, String> {
        match self.next() {
            Some(name) if name.starts_with('#') => {
                let found = self.substitutes.names.iter().find(|(key, _)| key == name);
                let found = found.map(|(_, value)| value.clone());
                found.ok_or_else(|| format!("{name} is not in ExpressionAttributeNames"))
            }
            Some(name) if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => Ok(name.to_owned()),
            other => Err(format!("expected a name, found {}", other.unwrap_or("the end"))),
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.next() {
            Some(name) if name.starts_with(':') => {
                let found = self.substitutes.values.iter().find(|(key, _)| key == name);
                let found = found.map(|(_, value)| value.clone());
                found.ok_or_else(|| format!("{name} is not in ExpressionAttributeValues"))
            }
            other => Err(format!("expected a :value, found {}", other.unwrap_or("the end"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::KeyKind;

    fn parsed(text: &str) -> Result<(Value, SortRange), String> {
        let schema = KeySchema {
            partition: KeyAttribute::new("pk", KeyKind::String),
            sort: Some(KeyAttribute::new("sk", KeyKind::String)),
        };
        let substitutes = Substitutes {
            names: vec![("#pk".to_owned(), "pk".to_owned()), ("#sk".to_owned(), "sk".to_owned())],
            values: vec![
                (":a".to_owned(), Value::from("a")),
                (":b".to_owned(), Value::from("b")),
                (":null".to_owned(), Value::Null),
            ],
        };
        parse(text, &substitutes, &schema)
    }

    #[test]
    fn what_dynamodb_understands() {
        let value = |text: &str| Value::from(text);
        for (text, range) in [
            ("pk = :a", SortRange::All),
            ("#pk=:a and begins_with(#sk, :b)", SortRange::BeginsWith(value("b"))),
            ("begins_with ( sk , :b ) AND ( #pk = :a )", SortRange::BeginsWith(value("b"))),
            ("#pk = :a AND #sk BETWEEN :a AND :b", SortRange::Between(value("a"), value("b"))),
            ("sk<=:b AND pk=:a", SortRange::AtMost(value("b"))),
            ("pk=:a AND sk<:b", SortRange::Less(value("b"))),
            ("pk=:a AND sk>:b", SortRange::Greater(value("b"))),
            ("pk=:a AND sk>=:b", SortRange::AtLeast(value("b"))),
            ("pk=:a AND sk = :b", SortRange::Equal(value("b"))),
        ] {
            assert_eq!(parsed(text), Ok((value("a"), range)), "{text}");
        }
    }

    #[test]
    fn what_it_does_not() {
        for (text, part) in [
            ("", "expected a name"),
            ("sk = :a", "partition key"),
            ("pk > :a", "with = only"),
            ("pk = :a OR sk = :b", "expected AND"),
            ("pk = :a AND x = :b", "filter the items"),
            ("pk = :a AND pk = :b", "twice"),
            ("pk = :c", "ExpressionAttributeValues"),
            ("#x = :a", "ExpressionAttributeNames"),
            ("pk = :null", "type NULL"),
            ("pk = 'a'", "unexpected"),
            ("pk = :a AND", "expected a name"),
            ("(pk = :a", "expected )"),
            ("pk <> :a", "expected a :value"),
        ] {
            assert!(parsed(text).is_err_and(|reason| reason.contains(part)), "{text}: {:?}", parsed(text));
        }
    }
}
