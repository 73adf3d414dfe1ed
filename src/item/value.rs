//! One attribute value, parsed.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use indexmap::{IndexMap, IndexSet};

use super::decimal::{Decimal, NotANumber};
use super::walk::{Fault, Walker};

/// Base64 as DynamoDB reads it: padded; what the unused bits of the last digit say does not matter.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Decodes the text of a binary value.
pub fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// DynamoDB's ten data types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// String.
    S,
    /// Number.
    N,
    /// Binary.
    B,
    /// Boolean.
    Bool,
    /// Null.
    Null,
    /// List.
    L,
    /// Map.
    M,
    /// String set.
    Ss,
    /// Number set.
    Ns,
    /// Binary set.
    Bs,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] =
        [Self::S, Self::N, Self::B, Self::Bool, Self::Null, Self::L, Self::M, Self::Ss, Self::Ns, Self::Bs];

    /// DynamoDB's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
            Self::Bool => "BOOL",
            Self::Null => "NULL",
            Self::L => "L",
            Self::M => "M",
            Self::Ss => "SS",
            Self::Ns => "NS",
            Self::Bs => "BS",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"S" => Some(Self::S),
            b"N" => Some(Self::N),
            b"B" => Some(Self::B),
            b"BOOL" => Some(Self::Bool),
            b"NULL" => Some(Self::Null),
            b"L" => Some(Self::L),
            b"M" => Some(Self::M),
            b"SS" => Some(Self::Ss),
            b"NS" => Some(Self::Ns),
            b"BS" => Some(Self::Bs),
            _ => None,
        }
    }

    /// Whether it is one of the three set types.
    pub fn is_set(self) -> bool {
        matches!(self, Self::Ss | Self::Ns | Self::Bs)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A number with the spelling it came in; equal to every other spelling of the same number.
#[derive(Debug, Clone)]
pub struct Number {
    text: Box<str>,
    value: Decimal,
}

impl Number {
    /// Its exact value.
    pub fn value(&self) -> Decimal {
        self.value
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<Decimal> for Number {
    fn from(value: Decimal) -> Self {
        Self { text: value.to_string().into(), value }
    }
}

impl FromStr for Number {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        Ok(Self { text: text.into(), value: Decimal::parse(text.as_bytes())? })
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

/// An attribute value. Equal as DynamoDB has it: numbers by value, sets and maps without order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// String.
    S(String),
    /// Number.
    N(Number),
    /// Binary.
    B(Vec<u8>),
    /// Boolean.
    Bool(bool),
    /// Null.
    Null,
    /// List.
    L(Vec<Value>),
    /// Map.
    M(IndexMap<String, Value>),
    /// String set.
    Ss(IndexSet<String>),
    /// Number set.
    Ns(IndexSet<Number>),
    /// Binary set.
    Bs(IndexSet<Vec<u8>>),
}

impl Value {
    /// Reads one attribute value that fills `json`, such as `{"N":"12.50"}`.
    pub fn parse(json: &[u8]) -> Result<Self, Fault> {
        let mut walker = Walker::new(json);
        let value = Self::walk(&mut walker)?;
        walker.end()?;
        Ok(value)
    }

    fn walk(walker: &mut Walker<'_>) -> Result<Self, Fault> {
        let mut value = None;
        walker.object(|walker, name| {
            value = Some(match Kind::from_name(&name.decoded()) {
                Some(Kind::S) => Self::S(string(walker)?),
                Some(Kind::N) => Self::N(number(walker)?),
                Some(Kind::B) => Self::B(binary(walker)?),
                Some(Kind::Bool) => Self::Bool(walker.boolean()?),
                Some(Kind::Null) => {
                    walker.boolean()?;
                    Self::Null
                }
                Some(Kind::L) => {
                    let mut list = Vec::new();
                    walker.array(|walker| {
                        list.push(Self::walk(walker)?);
                        Ok(())
                    })?;
                    Self::L(list)
                }
                Some(Kind::M) => {
                    let mut map = IndexMap::new();
                    walker.object(|walker, name| {
                        let name = utf8(&name.decoded(), walker)?;
                        map.insert(name, Self::walk(walker)?);
                        Ok(())
                    })?;
                    Self::M(map)
                }
                Some(Kind::Ss) => Self::Ss(set(walker, string)?),
                Some(Kind::Ns) => Self::Ns(set(walker, number)?),
                Some(Kind::Bs) => Self::Bs(set(walker, binary)?),
                None => return Err(walker.fault("one of the types S N B BOOL NULL L M SS NS BS")),
            });
            Ok(())
        })?;
        value.ok_or_else(|| walker.fault("an attribute value"))
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::S(_) => Kind::S,
            Self::N(_) => Kind::N,
            Self::B(_) => Kind::B,
            Self::Bool(_) => Kind::Bool,
            Self::Null => Kind::Null,
            Self::L(_) => Kind::L,
            Self::M(_) => Kind::M,
            Self::Ss(_) => Kind::Ss,
            Self::Ns(_) => Kind::Ns,
            Self::Bs(_) => Kind::Bs,
        }
    }

    /// Appends it in DynamoDB's JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(self.kind().name().as_bytes());
        out.extend_from_slice(b"\":");
        match self {
            Self::S(text) => write_text(text, out),
            Self::N(number) => write_text(number.text(), out),
            Self::B(bytes) => write_binary(bytes, out),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Bool(true) | Self::Null => out.extend_from_slice(b"true"),
            Self::L(list) => write_array(list, out, |value, out| value.write(out)),
            Self::M(map) => {
                out.push(b'{');
                for (index, (name, value)) in map.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_text(name, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
            Self::Ss(set) => write_array(set, out, |text, out| write_text(text, out)),
            Self::Ns(set) => write_array(set, out, |number, out| write_text(number.text(), out)),
            Self::Bs(set) => write_array(set, out, |bytes, out| write_binary(bytes, out)),
        }
        out.push(b'}');
    }
}

/// As DynamoDB's JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut json = Vec::new();
        self.write(&mut json);
        f.write_str(&String::from_utf8_lossy(&json))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::S(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::S(text)
    }
}

impl From<Decimal> for Value {
    fn from(number: Decimal) -> Self {
        Self::N(number.into())
    }
}

fn utf8(bytes: &[u8], walker: &Walker<'_>) -> Result<String, Fault> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(walker.fault("text in UTF-8")),
    }
}

fn string(walker: &mut Walker<'_>) -> Result<String, Fault> {
    let text = walker.text()?;
    utf8(&text.decoded(), walker)
}

fn number(walker: &mut Walker<'_>) -> Result<Number, Fault> {
    string(walker)?.parse().map_err(|_| walker.fault("a number that DynamoDB stores"))
}

fn binary(walker: &mut Walker<'_>) -> Result<Vec<u8>, Fault> {
    let text = walker.text()?;
    BASE64.decode(&*text.decoded()).map_err(|_| walker.fault("base64"))
}

fn set<T: Hash + Eq>(
    walker: &mut Walker<'_>,
    element: impl Fn(&mut Walker<'_>) -> Result<T, Fault>,
) -> Result<IndexSet<T>, Fault> {
    let mut set = IndexSet::new();
    walker.array(|walker| {
        set.insert(element(walker)?);
        Ok(())
    })?;
    Ok(set)
}

fn write_array<'v, T: 'v>(
    elements: impl IntoIterator<Item = &'v T>,
    out: &mut Vec<u8>,
    write: impl Fn(&T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (index, element) in elements.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(element, out);
    }
    out.push(b']');
}

fn write_binary(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(BASE64.encode(bytes).as_bytes());
    out.push(b'"');
}

/// Appends a JSON string: quotes, backslashes and control characters are escaped, nothing else is.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_is_written_as_it_was_read() {
        for json in [
            r#"{"S":"é\"\\\n\u0001"}"#,
            r#"{"N":"1.50E+3"}"#,
            r#"{"B":"AAEC"}"#,
            r#"{"BOOL":false}"#,
            r#"{"NULL":true}"#,
            r#"{"L":[]}"#,
            r#"{"M":{}}"#,
            r#"{"L":[{"N":"1"},{"M":{"b":{"S":""},"a":{"L":[{"NULL":true}]}}}]}"#,
            r#"{"SS":["b","a"]}"#,
            r#"{"NS":["2.0","1"]}"#,
            r#"{"BS":["AA==","AAE="]}"#,
        ] {
            let value = Value::parse(json.as_bytes()).unwrap_or_else(|fault| panic!("{json}: {fault}"));
            assert_eq!(value.to_string(), json);
        }
    }

    #[test]
    fn equality_ignores_spelling_and_order() {
        let value = |json: &str| Value::parse(json.as_bytes()).expect("valid");
        assert_eq!(value(r#"{"N":"1.50"}"#), value(r#"{"N":"15e-1"}"#));
        assert_eq!(value(r#"{"NS":["1.0","2"]}"#), value(r#"{"NS":["2","1"]}"#));
        assert_eq!(value(r#"{"SS":["a","b"]}"#), value(r#"{"SS":["b","a"]}"#));
        assert_eq!(value(r#"{"M":{"a":{"N":"1"},"b":{"N":"2"}}}"#), value(r#"{"M":{"b":{"N":"2"},"a":{"N":"1.0"}}}"#));
        assert_ne!(value(r#"{"L":[{"N":"1"},{"N":"2"}]}"#), value(r#"{"L":[{"N":"2"},{"N":"1"}]}"#));
        assert_ne!(value(r#"{"S":"1"}"#), value(r#"{"N":"1"}"#));
        assert_ne!(value(r#"{"SS":["a"]}"#), value(r#"{"BS":["aaaa"]}"#));
    }

    #[test]
    fn what_is_no_value_is_a_fault() {
        for json in [
            "",
            "{}",
            r#"{"X":"1"}"#,
            r#"{"N":"one"}"#,
            r#"{"N":"1e400"}"#,
            r#"{"B":"AA"}"#,
            r#"{"B":"A A="}"#,
            r#"{"S":1}"#,
            r#"{"BOOL":"true"}"#,
            r#"{"S":"a"} "#.trim_end_matches([' ', '}']),
            r#"{"L":[{"S":"a"}"#,
        ] {
            assert!(Value::parse(json.as_bytes()).is_err(), "{json}");
        }
        assert!(Value::parse(b"{\"S\":\"\xff\"}").is_err());
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>()) {
            let mut json = Vec::new();
            Value::S(text.clone()).write(&mut json);
            prop_assert_eq!(Value::parse(&json), Ok(Value::S(text)));
        }
    }
}
