//! What DynamoDB's operators and functions say of two values.
//!
//! Values are looked at where they stand: texts, numbers and binary are compared without being built anew, lists and
//! maps are parsed.

use std::borrow::Cow;
use std::cmp::Ordering;

use memchr::memmem;

use crate::item::{Decimal, Fault, Kind, Value, decode_base64, elements, members, text, typed};

/// A value, wherever it stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seen<'a> {
    /// In an item: its type, all of its JSON, and the JSON of what it holds.
    Raw { kind: Kind, json: &'a [u8], held: &'a [u8] },
    /// In an expression, or parsed.
    Value(&'a Value),
    /// What `size` says.
    Size(u64),
}

pub(super) type Looked<T> = Result<T, Fault>;

fn unsound(expected: &'static str) -> Fault {
    Fault { at: 0, expected }
}

impl<'a> Seen<'a> {
    pub(super) fn raw(json: &'a [u8]) -> Looked<Self> {
        let (kind, held) = typed(json).ok_or_else(|| unsound("an attribute value"))?;
        Ok(Self::Raw { kind, json, held })
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Raw { kind, .. } => *kind,
            Self::Value(value) => value.kind(),
            Self::Size(_) => Kind::N,
        }
    }

    /// The text of a string.
    fn text(&self) -> Looked<Option<Cow<'a, [u8]>>> {
        match *self {
            Self::Raw { kind: Kind::S, held, .. } => raw_text(held).map(Some),
            Self::Value(Value::S(text)) => Ok(Some(Cow::Borrowed(text.as_bytes()))),
            _ => Ok(None),
        }
    }

    fn number(&self) -> Looked<Option<Decimal>> {
        match *self {
            Self::Raw { kind: Kind::N, held, .. } => raw_number(held).map(Some),
            Self::Value(Value::N(number)) => Ok(Some(number.value())),
            Self::Size(size) => Ok(Some(Decimal::from(size))),
            _ => Ok(None),
        }
    }

    fn binary(&self) -> Looked<Option<Cow<'a, [u8]>>> {
        match *self {
            Self::Raw { kind: Kind::B, held, .. } => raw_binary(held).map(|bytes| Some(Cow::Owned(bytes))),
            Self::Value(Value::B(bytes)) => Ok(Some(Cow::Borrowed(bytes))),
            _ => Ok(None),
        }
    }

    fn to_value(self) -> Looked<Cow<'a, Value>> {
        match self {
            Self::Raw { json, .. } => Value::parse(json).map(Cow::Owned),
            Self::Value(value) => Ok(Cow::Borrowed(value)),
            Self::Size(size) => Ok(Cow::Owned(Decimal::from(size).into())),
        }
    }

    /// `=`
    pub(super) fn equals(self, other: Self) -> Looked<bool> {
        if self.kind() != other.kind() {
            return Ok(false);
        }
        match self.kind() {
            Kind::S => Ok(self.text()? == other.text()?),
            Kind::N => Ok(self.number()? == other.number()?),
            Kind::B => Ok(self.binary()? == other.binary()?),
            Kind::Null => Ok(true),
            _ => Ok(self.to_value()? == other.to_value()?),
        }
    }

    /// For `<` and its like: texts and binary are in the order of their bytes, numbers in theirs; everything else, and
    /// what is of two types, has none.
    pub(super) fn order(self, other: Self) -> Looked<Option<Ordering>> {
        if self.kind() != other.kind() {
            return Ok(None);
        }
        match self.kind() {
            Kind::S => Ok(self.text()?.partial_cmp(&other.text()?)),
            Kind::N => Ok(self.number()?.partial_cmp(&other.number()?)),
            Kind::B => Ok(self.binary()?.partial_cmp(&other.binary()?)),
            _ => Ok(None),
        }
    }

    pub(super) fn begins_with(self, start: Self) -> Looked<bool> {
        if let (Some(whole), Some(start)) = (self.text()?, start.text()?) {
            return Ok(whole.starts_with(&start));
        }
        match (self.binary()?, start.binary()?) {
            (Some(whole), Some(start)) => Ok(whole.starts_with(&start)),
            _ => Ok(false),
        }
    }

    /// A part of a text or binary value, an element of a set or list.
    pub(super) fn contains(self, part: Self) -> Looked<bool> {
        match (self.kind(), part.kind()) {
            (Kind::S, Kind::S) => match (self.text()?, part.text()?) {
                (Some(whole), Some(part)) => Ok(memmem::find(&whole, &part).is_some()),
                _ => Ok(false),
            },
            (Kind::B, Kind::B) => match (self.binary()?, part.binary()?) {
                (Some(whole), Some(part)) => Ok(memmem::find(&whole, &part).is_some()),
                _ => Ok(false),
            },
            (Kind::L, _) => self.any_element(|element| element.equals(part)),
            (Kind::Ss, Kind::S) => self.set_contains(part),
            (Kind::Ns, Kind::N) => self.set_contains(part),
            (Kind::Bs, Kind::B) => self.set_contains(part),
            _ => Ok(false),
        }
    }

    fn any_element(self, mut is_it: impl FnMut(Seen<'_>) -> Looked<bool>) -> Looked<bool> {
        match self {
            Self::Raw { held, .. } => {
                for element in elements(held) {
                    if is_it(Seen::raw(element)?)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Value(Value::L(list)) => {
                for element in list {
                    if is_it(Seen::Value(element))? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn set_contains(self, element: Self) -> Looked<bool> {
        let (text, number, binary) = (element.text()?, element.number()?, element.binary()?);
        let Self::Raw { held, .. } = self else {
            return Ok(match (self, element.to_value()?.as_ref()) {
                (Self::Value(Value::Ss(set)), Value::S(text)) => set.contains(text),
                (Self::Value(Value::Ns(set)), Value::N(number)) => set.contains(number),
                (Self::Value(Value::Bs(set)), Value::B(bytes)) => set.contains(bytes),
                _ => false,
            });
        };
        for mine in elements(held) {
            let is_it = match (&text, &number, &binary) {
                (Some(text), _, _) => raw_text(mine)? == *text,
                (_, Some(number), _) => raw_number(mine)? == *number,
                (_, _, Some(bytes)) => raw_binary(mine)? == **bytes,
                _ => false,
            };
            if is_it {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The length of a text, as DynamoDB Local counts it in UTF-16, the bytes of a binary value, the elements of
    /// everything that has some; nothing else has a size.
    pub(super) fn size(self) -> Looked<Option<u64>> {
        let size = match self.kind() {
            Kind::S => match self.text()? {
                Some(text) => utf16_units(&text),
                None => return Ok(None),
            },
            Kind::B => match self.binary()? {
                Some(bytes) => bytes.len(),
                None => return Ok(None),
            },
            Kind::N | Kind::Bool | Kind::Null => return Ok(None),
            kind => match self {
                Self::Raw { held, .. } if kind == Kind::M => members(held).count(),
                Self::Raw { held, .. } => elements(held).count(),
                Self::Value(Value::L(list)) => list.len(),
                Self::Value(Value::M(map)) => map.len(),
                Self::Value(Value::Ss(set)) => set.len(),
                Self::Value(Value::Ns(set)) => set.len(),
                Self::Value(Value::Bs(set)) => set.len(),
                _ => return Ok(None),
            },
        };
        Ok(Some(size as u64))
    }
}

/// One for each character of up to three bytes in UTF-8, two for the others.
fn utf16_units(text: &[u8]) -> usize {
    text.iter().map(|byte| usize::from(byte & 0xc0 != 0x80) + usize::from(*byte >= 0xf0)).sum()
}

fn raw_text(held: &[u8]) -> Looked<Cow<'_, [u8]>> {
    Ok(text(held).ok_or_else(|| unsound("a text"))?.decoded())
}

fn raw_number(held: &[u8]) -> Looked<Decimal> {
    Decimal::parse(&raw_text(held)?).map_err(|_| unsound("a number that DynamoDB stores"))
}

fn raw_binary(held: &[u8]) -> Looked<Vec<u8>> {
    decode_base64(&raw_text(held)?).ok_or_else(|| unsound("base64"))
}
