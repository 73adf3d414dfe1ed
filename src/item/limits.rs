//! DynamoDB's limits on an item: what it would refuse to store.

use std::fmt;

use super::decimal::{Decimal, NotANumber};
use super::value::{BASE64, Kind};
use super::walk::{Fault, Text, Walker};
use super::{KeySchema, RawItem};

const MAX_ITEM_BYTES: u64 = 400 * 1024;
/// An attribute's value is on the first level.
const MAX_LEVELS: u32 = 32;
const MAX_NAME_BYTES: usize = 65_535;
const MAX_PARTITION_KEY_BYTES: usize = 2_048;
const MAX_SORT_KEY_BYTES: usize = 1_024;

/// A rule of DynamoDB that an item breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// An item has at most 400 KB.
    ItemSize {
        /// What it has.
        bytes: u64,
    },
    /// Values are nested at most 32 levels deep.
    Nesting,
    /// A set has at least one element.
    EmptySet,
    /// A name has 1 to 65,535 bytes.
    Name,
    /// A key attribute is not empty.
    EmptyKey,
    /// A partition key has at most 2,048 bytes, a sort key 1,024.
    KeySize {
        /// What it has.
        bytes: usize,
        /// What it may have.
        at_most: usize,
    },
    /// A number that is none, or has too many digits, or is out of range.
    Number(NotANumber),
    /// Binary is written in base64.
    Base64,
    /// An element occurs once in a set.
    Duplicate,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ItemSize { bytes } => write!(f, "an item has at most {MAX_ITEM_BYTES} bytes, this one has {bytes}"),
            Self::Nesting => write!(f, "values are nested at most {MAX_LEVELS} levels deep"),
            Self::EmptySet => f.write_str("a set must not be empty"),
            Self::Name => write!(f, "a name has 1 to {MAX_NAME_BYTES} bytes"),
            Self::EmptyKey => f.write_str("a key attribute must not be empty"),
            Self::KeySize { bytes, at_most } => {
                write!(f, "this key attribute has at most {at_most} bytes, here it has {bytes}")
            }
            Self::Number(fault) => fault.fmt(f),
            Self::Base64 => f.write_str("binary has to be base64"),
            Self::Duplicate => f.write_str("an element occurs only once in a set"),
        }
    }
}

/// A limit, and the attribute that breaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenLimit {
    /// The top-level attribute; `None` when it is the item as a whole.
    pub attribute: Option<String>,
    /// The rule.
    pub limit: Limit,
}

impl fmt::Display for BrokenLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.attribute {
            Some(name) => write!(f, "attribute {name}: {}", self.limit),
            None => self.limit.fmt(f),
        }
    }
}

impl std::error::Error for BrokenLimit {}

impl RawItem {
    /// Checks what DynamoDB checks before it stores an item, as far as it can be told without the table's indexes.
    pub fn check_limits(&self, schema: &KeySchema) -> Result<(), BrokenLimit> {
        let broken = |attribute: Option<&str>, limit| BrokenLimit { attribute: attribute.map(str::to_owned), limit };
        if self.bytes() > MAX_ITEM_BYTES {
            return Err(broken(None, Limit::ItemSize { bytes: self.bytes() }));
        }
        let mut keys = vec![(schema.partition.name(), self.partition_value(), MAX_PARTITION_KEY_BYTES)];
        if let (Some(attribute), Some(value)) = (&schema.sort, self.sort_value()) {
            keys.push((attribute.name(), value, MAX_SORT_KEY_BYTES));
        }
        for (name, value, at_most) in keys {
            let mut bytes = 0;
            let kind = Walker::new(value).attribute_value(&mut bytes).unwrap_or_default();
            if bytes == 0 {
                return Err(broken(Some(name), Limit::EmptyKey));
            }
            if kind != b"N" && bytes > at_most {
                return Err(broken(Some(name), Limit::KeySize { bytes, at_most }));
            }
        }
        self.check_values()
    }

    fn check_values(&self) -> Result<(), BrokenLimit> {
        let mut broken = None;
        let walked = Walker::new(self.json()).object(|walker, name| {
            let mut check = Check { broken: None };
            let walked = check.name(name, walker).and_then(|()| check.value(walker, 1));
            if walked.is_err() {
                let limit = check.broken.unwrap_or(Limit::Nesting);
                broken =
                    Some(BrokenLimit { attribute: Some(String::from_utf8_lossy(&name.decoded()).into_owned()), limit });
            }
            walked
        });
        match (walked, broken) {
            (Err(_), Some(broken)) => Err(broken),
            // The item was sound when it was read.
            _ => Ok(()),
        }
    }
}

/// One attribute's walk; stops at the first broken limit by a fault.
struct Check {
    broken: Option<Limit>,
}

impl Check {
    fn stop(&mut self, limit: Limit, walker: &Walker<'_>) -> Result<(), Fault> {
        self.broken = Some(limit);
        Err(walker.fault("a value within DynamoDB's limits"))
    }

    fn name(&mut self, name: Text<'_>, walker: &Walker<'_>) -> Result<(), Fault> {
        match name.bytes() {
            1..=MAX_NAME_BYTES => Ok(()),
            _ => self.stop(Limit::Name, walker),
        }
    }

    fn value(&mut self, walker: &mut Walker<'_>, level: u32) -> Result<(), Fault> {
        if level > MAX_LEVELS {
            return self.stop(Limit::Nesting, walker);
        }
        walker.object(|walker, kind| match Kind::from_name(kind.raw()) {
            Some(Kind::N) => {
                let text = walker.text()?;
                self.number(text, walker)
            }
            Some(Kind::B) => {
                let text = walker.text()?;
                self.binary(text, walker)
            }
            Some(Kind::L) => walker.array(|walker| self.value(walker, level + 1)),
            Some(Kind::M) => walker.object(|walker, name| {
                self.name(name, walker)?;
                self.value(walker, level + 1)
            }),
            Some(kind) if kind.is_set() => self.set(walker, kind),
            _ => walker.skip(),
        })
    }

    fn set(&mut self, walker: &mut Walker<'_>, kind: Kind) -> Result<(), Fault> {
        let mut elements = 0;
        let mut different = std::collections::HashSet::new();
        walker.array(|walker| {
            let text = walker.text()?;
            elements += 1;
            let element = match kind {
                Kind::Ns => {
                    self.number(text, walker)?;
                    let value = Decimal::parse(&text.decoded()).unwrap_or(Decimal::ZERO);
                    value.to_string().into_bytes().into()
                }
                Kind::Bs => {
                    self.binary(text, walker)?;
                    text.decoded()
                }
                _ => text.decoded(),
            };
            different.insert(element);
            Ok(())
        })?;
        if elements == 0 {
            self.stop(Limit::EmptySet, walker)
        } else if different.len() < elements {
            self.stop(Limit::Duplicate, walker)
        } else {
            Ok(())
        }
    }

    fn number(&mut self, text: Text<'_>, walker: &Walker<'_>) -> Result<(), Fault> {
        match Decimal::parse(&text.decoded()) {
            Ok(_) => Ok(()),
            Err(fault) => self.stop(Limit::Number(fault), walker),
        }
    }

    fn binary(&mut self, text: Text<'_>, walker: &Walker<'_>) -> Result<(), Fault> {
        use base64::Engine;
        match BASE64.decode(&*text.decoded()) {
            Ok(_) => Ok(()),
            Err(_) => self.stop(Limit::Base64, walker),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{KeyAttribute, KeyKind};
    use super::*;

    fn check(json: &str) -> Result<(), BrokenLimit> {
        let schema = KeySchema {
            partition: KeyAttribute::new("pk", KeyKind::String),
            sort: Some(KeyAttribute::new("sk", KeyKind::Binary)),
        };
        RawItem::parse(Bytes::copy_from_slice(json.as_bytes()), &schema).expect("sound").check_limits(&schema)
    }

    fn with(value: &str) -> Result<(), BrokenLimit> {
        check(&format!(r#"{{"pk":{{"S":"k"}},"sk":{{"B":"AA=="}},"a":{value}}}"#))
    }

    #[test]
    fn each_broken_limit_names_its_rule_and_attribute() {
        for (value, limit) in [
            (r#"{"SS":[]}"#, Limit::EmptySet),
            (r#"{"L":[{"M":{"x":{"NS":[]}}}]}"#, Limit::EmptySet),
            (r#"{"SS":["a","b","\u0061"]}"#, Limit::Duplicate),
            (r#"{"NS":["1","1.0"]}"#, Limit::Duplicate),
            (r#"{"BS":["AQ==","AA==","AQ=="]}"#, Limit::Duplicate),
            (r#"{"BS":["AQ"]}"#, Limit::Base64),
            (r#"{"M":{"":{"S":"x"}}}"#, Limit::Name),
            (r#"{"N":"1e126"}"#, Limit::Number(NotANumber::TooLarge)),
            (r#"{"L":[{"N":"1e-131"}]}"#, Limit::Number(NotANumber::TooSmall)),
            (r#"{"N":"123456789012345678901234567890123456789"}"#, Limit::Number(NotANumber::TooPrecise)),
            (r#"{"N":""}"#, Limit::Number(NotANumber::Malformed)),
            (r#"{"B":"AA"}"#, Limit::Base64),
        ] {
            assert_eq!(with(value), Err(BrokenLimit { attribute: Some("a".to_owned()), limit }), "{value}");
        }
        for value in [r#"{"S":""}"#, r#"{"B":""}"#, r#"{"SS":[""]}"#, r#"{"L":[]}"#, r#"{"N":"9.99e125"}"#] {
            assert_eq!(with(value), Ok(()), "{value}");
        }
    }

    #[test]
    fn values_are_nested_thirty_two_levels_deep_and_no_deeper() {
        let nested = |depth: usize| format!("{}{{\"N\":\"1\"}}{}", "{\"L\":[".repeat(depth), "]}".repeat(depth));
        assert_eq!(with(&nested(31)), Ok(()));
        assert_eq!(with(&nested(31).replace(r#"{"N":"1"}"#, r#"{"M":{}}"#)), Ok(()));
        assert_eq!(with(&nested(32)).map_err(|broken| broken.limit), Err(Limit::Nesting));
    }

    #[test]
    fn keys_and_items_have_their_size() {
        let item = |partition: &str, sort: &str, text: usize| {
            let text = "x".repeat(text);
            check(&format!(r#"{{"pk":{{"S":"{partition}"}},"sk":{{"B":"{sort}"}},"a":{{"S":"{text}"}}}}"#))
        };
        let limit = |result: Result<(), BrokenLimit>| result.expect_err("broken").limit;
        assert_eq!(limit(item("", "AA==", 1)), Limit::EmptyKey);
        assert_eq!(limit(item("k", "", 1)), Limit::EmptyKey);
        assert_eq!(item(&"k".repeat(2_048), "AA==", 1), Ok(()));
        assert_eq!(limit(item(&"k".repeat(2_049), "AA==", 1)), Limit::KeySize { bytes: 2_049, at_most: 2_048 });
        let sort = |last: &str| format!("{}{last}", "AAAA".repeat(341));
        assert_eq!(item("k", &sort("AA=="), 1), Ok(()));
        assert_eq!(limit(item("k", &sort("AAA="), 1)), Limit::KeySize { bytes: 1_025, at_most: 1_024 });
        // pk + k, sk + one byte, a
        assert_eq!(item("k", "AA==", 409_600 - 3 - 3 - 1), Ok(()));
        let broken = item("k", "AA==", 409_600 - 3 - 3).expect_err("too large");
        assert_eq!(broken.limit, Limit::ItemSize { bytes: 409_601 });
        assert_eq!(broken.to_string(), "an item has at most 409600 bytes, this one has 409601");
    }
}
