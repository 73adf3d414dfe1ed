//! A walk over JSON that remembers nothing: it finds where things begin and end and counts DynamoDB's sizes on the way.
//!
//! Strings are crossed with `memchr`, so a page is walked at memory speed. The walk checks the structure completely
//! (a page cut short or damaged is found), but leaves numbers and base64 as they are.

use std::borrow::Cow;
use std::fmt;

/// Deepest nesting of JSON walked through. DynamoDB's 32 levels of lists and maps are twice as many of JSON, types
/// included; the rest is margin, not a licence.
const MAX_DEPTH: u32 = 128;

/// Bytes that DynamoDB adds to a list or map, and to each element of one.
const CONTAINER_BYTES: usize = 3;
const ELEMENT_BYTES: usize = 1;

/// Where the JSON is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Byte offset.
    pub at: usize,
    /// What should be there.
    pub expected: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} at byte {}", self.expected, self.at)
    }
}

impl std::error::Error for Fault {}

/// A JSON string as written, without its quotes.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Text<'a> {
    pub(super) fn new(raw: &'a [u8], escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// As it is written, escapes and all.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether it has escapes.
    pub fn is_escaped(&self) -> bool {
        self.escaped
    }

    /// Whether it spells `name`.
    pub fn is(&self, name: &str) -> bool {
        if self.escaped { self.decoded() == name.as_bytes() } else { self.raw == name.as_bytes() }
    }

    /// Length in UTF-8 bytes once escapes are decoded.
    pub fn bytes(&self) -> usize {
        if self.escaped { decoded_bytes(self.raw) } else { self.raw.len() }
    }

    /// The text with escapes decoded; lone surrogates become the replacement character.
    pub fn decoded(&self) -> Cow<'a, [u8]> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        Cow::Owned(decode(self.raw))
    }
}

/// Length of the decoded text, without decoding it.
fn decoded_bytes(raw: &[u8]) -> usize {
    let mut bytes = raw.len();
    let mut at = 0;
    while let Some(offset) = memchr::memchr(b'\\', &raw[at..]) {
        at += offset;
        if raw.get(at + 1) != Some(&b'u') {
            bytes -= 1;
            at += 2;
            continue;
        }
        let digits = raw.get(at + 2..at + 6).and_then(|hex| std::str::from_utf8(hex).ok());
        let unit = digits.and_then(|hex| u16::from_str_radix(hex, 16).ok()).unwrap_or(0xfffd);
        // Six bytes of text; half of a surrogate pair is half of four bytes.
        bytes -= 6 - match unit {
            0..0x80 => 1,
            0x80..0x800 | 0xd800..0xe000 => 2,
            _ => 3,
        };
        at += 6;
    }
    bytes
}

fn decode(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut units: Vec<u16> = Vec::new();
    let mut at = 0;
    let flush = |units: &mut Vec<u16>, out: &mut Vec<u8>| {
        for character in char::decode_utf16(units.drain(..)) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    };
    while at < raw.len() {
        if raw[at] == b'\\' && raw.get(at + 1) == Some(&b'u') {
            let digits = raw.get(at + 2..at + 6).and_then(|hex| std::str::from_utf8(hex).ok());
            units.push(digits.and_then(|hex| u16::from_str_radix(hex, 16).ok()).unwrap_or(0xfffd));
            at += 6;
            continue;
        }
        flush(&mut units, &mut out);
        if raw[at] == b'\\' {
            out.push(match raw.get(at + 1) {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'r') => b'\r',
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(&other) => other,
                None => b'\\',
            });
            at += 2;
        } else {
            out.push(raw[at]);
            at += 1;
        }
    }
    flush(&mut units, &mut out);
    out
}

/// Walks through a buffer of JSON from front to back.
#[derive(Debug)]
pub struct Walker<'a> {
    buffer: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> Walker<'a> {
    /// Stands before the first byte.
    pub fn new(buffer: &'a [u8]) -> Self {
        Self { buffer, at: 0, depth: 0 }
    }

    /// Byte offset of what comes next.
    pub fn position(&self) -> usize {
        self.at
    }

    /// A fault at this place.
    pub fn fault(&self, expected: &'static str) -> Fault {
        Fault { at: self.at, expected }
    }

    /// Checks that nothing but white space is left.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.space();
        if self.at == self.buffer.len() { Ok(()) } else { Err(self.fault("the end")) }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.buffer.get(self.at) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Option<u8> {
        match self.buffer.get(self.at) {
            Some(b' ' | b'\n' | b'\r' | b'\t') => {
                self.space();
                self.buffer.get(self.at).copied()
            }
            other => other.copied(),
        }
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fault(expected))
        }
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault("at most 32 levels of nesting"));
        }
        Ok(())
    }

    /// Crosses a string.
    pub fn text(&mut self) -> Result<Text<'a>, Fault> {
        self.take(b'"', "a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            match memchr::memchr2(b'"', b'\\', rest) {
                Some(offset) if rest[offset] == b'"' => {
                    let raw = &self.buffer[start..self.at + offset];
                    self.at += offset + 1;
                    return Ok(Text { raw, escaped });
                }
                Some(offset) => {
                    escaped = true;
                    self.at += offset + 2;
                }
                None => {
                    self.at = self.buffer.len();
                    return Err(self.fault("the end of a string"));
                }
            }
        }
    }

    /// Crosses an object; `member` is called behind each name and colon and must cross the value.
    pub fn object(&mut self, mut member: impl FnMut(&mut Self, Text<'a>) -> Result<(), Fault>) -> Result<(), Fault> {
        self.take(b'{', "an object")?;
        self.deeper()?;
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let name = self.text()?;
                self.take(b':', "a colon")?;
                self.peek();
                member(self, name)?;
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => break self.at += 1,
                    _ => return Err(self.fault("a comma or the end of an object")),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Crosses an array; `element` must cross each element.
    pub fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        self.take(b'[', "an array")?;
        self.deeper()?;
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                self.peek();
                element(self)?;
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b']') => break self.at += 1,
                    _ => return Err(self.fault("a comma or the end of an array")),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Crosses any JSON value.
    pub fn skip(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{') => self.object(|walker, _| walker.skip()),
            Some(b'[') => self.array(Self::skip),
            Some(b'"') => self.text().map(drop),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'-' | b'0'..=b'9') => {
                while let Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') = self.buffer.get(self.at) {
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(self.fault("a value")),
        }
    }

    /// Crosses an array of strings; the sum of what `measure` says of each.
    fn set(&mut self, measure: impl Fn(Text<'a>) -> usize) -> Result<usize, Fault> {
        let mut bytes = 0;
        self.array(|walker| {
            bytes += measure(walker.text()?);
            Ok(())
        })?;
        Ok(bytes)
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), Fault> {
        if self.buffer[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.fault("true, false or null"))
        }
    }

    /// Crosses `true` or `false`.
    pub fn boolean(&mut self) -> Result<bool, Fault> {
        let value = self.peek() == Some(b't');
        self.word(if value { b"true" } else { b"false" })?;
        Ok(value)
    }

    /// Crosses one attribute value (`{"S":"..."}`), adds its size to `bytes` and returns its type name.
    pub fn attribute_value(&mut self, bytes: &mut usize) -> Result<&'a [u8], Fault> {
        self.take(b'{', "an attribute value")?;
        let kind = self.text()?.raw;
        self.take(b':', "a colon")?;
        match kind {
            b"S" => *bytes += self.text()?.bytes(),
            b"N" => *bytes += number_bytes(self.text()?.raw),
            b"B" => *bytes += binary_bytes(self.text()?.raw),
            b"BOOL" | b"NULL" => {
                *bytes += 1;
                self.boolean()?;
            }
            b"SS" => *bytes += self.set(|element| element.bytes())?,
            b"NS" => *bytes += self.set(|element| number_bytes(element.raw))?,
            b"BS" => *bytes += self.set(|element| binary_bytes(element.raw))?,
            b"L" => {
                *bytes += CONTAINER_BYTES;
                self.array(|walker| {
                    *bytes += ELEMENT_BYTES;
                    walker.attribute_value(bytes).map(drop)
                })?;
            }
            b"M" => {
                *bytes += CONTAINER_BYTES;
                self.object(|walker, name| {
                    *bytes += ELEMENT_BYTES + name.bytes();
                    walker.attribute_value(bytes).map(drop)
                })?;
            }
            _ => return Err(self.fault("one of the types S N B BOOL NULL L M SS NS BS")),
        }
        self.take(b'}', "the end of an attribute value")?;
        Ok(kind)
    }
}

/// About one byte for two significant digits, and one more (two if negative).
fn number_bytes(text: &[u8]) -> usize {
    let mantissa = text.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    let digits = mantissa.iter().filter(|byte| byte.is_ascii_digit());
    let leading = digits.clone().take_while(|byte| **byte == b'0').count();
    let trailing = digits.clone().rev().take_while(|byte| **byte == b'0').count();
    let significant = digits.count().saturating_sub(leading + trailing);
    significant.div_ceil(2) + 1 + usize::from(text.first() == Some(&b'-'))
}

fn binary_bytes(base64: &[u8]) -> usize {
    let padding = base64.iter().rev().take_while(|byte| **byte == b'=').count();
    (base64.len() - padding) * 3 / 4
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_decoded_and_measured_like_any_json(text in any::<String>(), escape_all in any::<bool>()) {
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let quoted = match escape_all {
                true => format!("\"{escaped}\""),
                false => serde_json::Value::from(text.as_str()).to_string(),
            };
            let mut walker = Walker::new(quoted.as_bytes());
            let found = walker.text().expect("a string");
            prop_assert!(found.decoded().as_ref() == text.as_bytes());
            prop_assert_eq!(found.bytes(), text.len());
            prop_assert!(found.is(&text));
        }
    }
}
