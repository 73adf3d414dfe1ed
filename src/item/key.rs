//! Key schemas and keys in canonical form.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::walk::{Fault, Walker};

/// The three types that a key attribute may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `S`
    String,
    /// `N`
    Number,
    /// `B`
    Binary,
}

impl KeyKind {
    /// DynamoDB's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "S",
            Self::Number => "N",
            Self::Binary => "B",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::String, Self::Number, Self::Binary].into_iter().find(|kind| kind.name() == name)
    }
}

/// Name and type of one key attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAttribute {
    name: String,
    kind: KeyKind,
}

impl KeyAttribute {
    /// An attribute of that name and type.
    pub fn new(name: impl Into<String>, kind: KeyKind) -> Self {
        Self { name: name.into(), kind }
    }

    /// The attribute's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The attribute's type.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(super) fn check(&self, found: &[u8], walker: &Walker<'_>) -> Result<(), Fault> {
        if found == self.kind.name().as_bytes() {
            Ok(())
        } else {
            Err(walker.fault("a key attribute of the type in the key schema"))
        }
    }
}

impl fmt::Display for KeyAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.kind.name())
    }
}

/// The primary key of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySchema {
    /// The HASH attribute.
    pub partition: KeyAttribute,
    /// The RANGE attribute, if the table has one.
    pub sort: Option<KeyAttribute>,
}

impl fmt::Display for KeySchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition key {}", self.partition)?;
        match &self.sort {
            Some(sort) => write!(f, ", sort key {sort}"),
            None => Ok(()),
        }
    }
}

/// A key's values in canonical form: equal keys are equal bytes, however DynamoDB spelled them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    partition: Vec<u8>,
    sort: Option<Vec<u8>>,
}

impl Key {
    /// Before every other.
    pub fn least() -> Self {
        Self { partition: Vec::new(), sort: None }
    }

    /// From attribute values as DynamoDB writes them, such as `{"S":"case|1"}`.
    pub fn new(partition: &[u8], sort: Option<&[u8]>) -> Self {
        Self { partition: canonical(partition).into_owned(), sort: sort.map(|value| canonical(value).into_owned()) }
    }
}

pub(super) fn hash(partition: &[u8], sort: Option<&[u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    canonical(partition).hash(&mut hasher);
    sort.map(canonical).hash(&mut hasher);
    hasher.finish()
}

/// An attribute value with its one spelling. A string without escapes and a binary are their own canonical form.
fn canonical(value: &[u8]) -> Cow<'_, [u8]> {
    let is_number = value.starts_with(b"{\"N\"");
    if !is_number && value.starts_with(b"{\"") && memchr::memchr(b'\\', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut walker = Walker::new(value);
    let mut form = Vec::with_capacity(value.len());
    let walked = walker.object(|walker, name| {
        let text = walker.text()?;
        form.extend_from_slice(b"{\"");
        form.extend_from_slice(&name.decoded());
        form.extend_from_slice(b"\":\"");
        if name.is("N") {
            form.extend_from_slice(&canonical_number(&text.decoded()));
        } else {
            form.extend_from_slice(&text.decoded());
        }
        form.extend_from_slice(b"\"}");
        Ok(())
    });
    match walked {
        Ok(()) => Cow::Owned(form),
        Err(_) => Cow::Borrowed(value),
    }
}

/// `-12.50e3` and `-12500` both become `-125e2`; zero is `0`.
fn canonical_number(text: &[u8]) -> Vec<u8> {
    let negative = text.first() == Some(&b'-');
    let mut parts = text.splitn(2, |byte| matches!(byte, b'e' | b'E'));
    let mantissa = parts.next().unwrap_or_default();
    let written: i64 = parts.next().and_then(|exponent| std::str::from_utf8(exponent).ok()?.parse().ok()).unwrap_or(0);
    let fraction = match mantissa.iter().position(|byte| *byte == b'.') {
        Some(point) => mantissa.len() - point - 1,
        None => 0,
    };
    let digits: Vec<u8> = mantissa.iter().copied().filter(u8::is_ascii_digit).collect();
    let first = digits.iter().position(|digit| *digit != b'0');
    let last = digits.iter().rposition(|digit| *digit != b'0');
    let (Some(first), Some(last)) = (first, last) else {
        return b"0".to_vec();
    };
    let exponent = written - fraction as i64 + (digits.len() - 1 - last) as i64;
    let sign = if negative { "-" } else { "" };
    let significant = String::from_utf8_lossy(&digits[first..=last]);
    format!("{sign}{significant}e{exponent}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_one_form() {
        for (text, form) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("1", "1e0"),
            ("1.0", "1e0"),
            ("-12.50e3", "-125e2"),
            ("-12500", "-125e2"),
            ("0.001", "1e-3"),
            ("1E-3", "1e-3"),
            ("+5", "5e0"),
        ] {
            assert_eq!(canonical_number(text.as_bytes()), form.as_bytes(), "{text}");
        }
    }
}
