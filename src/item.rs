//! An item as the bytes that DynamoDB sent.
//!
//! [`RawItem`] is a slice of an answer, in DynamoDB's JSON (`{"pk":{"S":"case|1"},"total":{"N":"12.50"}}`), with its key
//! located and its size counted in the one walk that also finds where the item ends. Nothing else is parsed and nothing
//! is ever printed anew, so numbers of 38 digits, sets, binary and unusual escapes arrive byte for byte.

mod attributes;
mod decimal;
mod key;
mod limits;
mod members;
mod value;
mod walk;

use std::ops::Range;

use bytes::Bytes;

pub use attributes::{Attribute, Attributes};
pub use decimal::{Decimal, NotANumber};
pub use key::{Key, KeyAttribute, KeyKind, KeySchema};
pub use limits::{BrokenLimit, Limit};
pub use members::{Elements, Member, Members, elements, members, text, typed};
pub use value::{Kind, Number, Value, decode_base64};
pub use walk::{Fault, Text, Walker};

/// One item in DynamoDB's JSON. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct RawItem {
    json: Bytes,
    partition: Range<u32>,
    sort: Option<Range<u32>>,
    key_hash: u64,
    bytes: u32,
}

impl RawItem {
    /// Reads one item that fills `json`.
    pub fn parse(json: Bytes, schema: &KeySchema) -> Result<Self, Fault> {
        let buffer = json.clone();
        let mut walker = Walker::new(&buffer);
        let item = Self::walk(&json, &mut walker, schema)?;
        walker.end()?;
        Ok(item)
    }

    /// Reads the item that begins where `walker` stands; `buffer` is what the walker walks through.
    pub fn walk(buffer: &Bytes, walker: &mut Walker<'_>, schema: &KeySchema) -> Result<Self, Fault> {
        let start = walker.position();
        let mut partition = None;
        let mut sort = None;
        let mut bytes = 0usize;
        walker.object(|walker, name| {
            bytes += name.bytes();
            let from = walker.position() - start;
            let kind = walker.attribute_value(&mut bytes)?;
            let span = from as u32..(walker.position() - start) as u32;
            if name.is(schema.partition.name()) {
                schema.partition.check(kind, walker)?;
                partition = Some(span);
            } else if let Some(attribute) = &schema.sort
                && name.is(attribute.name())
            {
                attribute.check(kind, walker)?;
                sort = Some(span);
            }
            Ok(())
        })?;
        let json = buffer.slice(start..walker.position());
        let partition = partition.ok_or_else(|| walker.fault("an item with its partition key"))?;
        if schema.sort.is_some() && sort.is_none() {
            return Err(walker.fault("an item with its sort key"));
        }
        let mut item = Self { json, partition, sort, key_hash: 0, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) };
        item.key_hash = key::hash(item.partition_value(), item.sort_value());
        Ok(item)
    }

    /// The item as it was sent: one JSON object.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// DynamoDB's item size in bytes, on which units and the 400 KB limit are based: names and values, without the
    /// JSON around them. Numbers are counted as DynamoDB documents it, approximately.
    pub fn bytes(&self) -> u64 {
        u64::from(self.bytes)
    }

    /// The partition key's value, as `{"S":"..."}`.
    pub fn partition_value(&self) -> &[u8] {
        &self.json[self.partition.start as usize..self.partition.end as usize]
    }

    /// The sort key's value, if the table has one.
    pub fn sort_value(&self) -> Option<&[u8]> {
        let span = self.sort.as_ref()?;
        Some(&self.json[span.start as usize..span.end as usize])
    }

    /// The value of a key attribute, looked up by the attribute's name; `None` for every other attribute.
    ///
    /// Costs a comparison: the name stands right before a key's value. An item that is written with white space or
    /// escapes there has to be searched like for any attribute, and answers `None`.
    pub fn key_value(&self, name: &str) -> Option<&[u8]> {
        let named = |span: &Range<u32>| {
            let before = self.json[..span.start as usize].strip_suffix(b"\":")?.strip_suffix(name.as_bytes())?;
            let is_whole = matches!(before, [.., b'{' | b',', b'"']) && !name.contains('\\');
            is_whole.then(|| &self.json[span.start as usize..span.end as usize])
        };
        named(&self.partition).or_else(|| self.sort.as_ref().and_then(named))
    }

    /// The top-level attributes from one that is known to begin before byte `at`, without a search for the last such.
    pub fn members_before(&self, at: usize) -> Members<'_> {
        let ends = [Some(&self.partition), self.sort.as_ref()].into_iter().flatten().map(|span| span.end as usize);
        Members::from_offset(&self.json, ends.filter(|end| *end <= at).max().unwrap_or(0))
    }

    /// A hash of the key's value, the same for equal keys however they are spelled.
    pub fn key_hash(&self) -> u64 {
        self.key_hash
    }

    /// The key in canonical form, to compare and look up.
    pub fn key(&self) -> Key {
        Key::new(self.partition_value(), self.sort_value())
    }

    /// The key as DynamoDB JSON, for people.
    pub fn key_json(&self, schema: &KeySchema) -> String {
        let mut text = String::from("{");
        let values = [Some(self.partition_value()), self.sort_value()];
        let attributes = [Some(&schema.partition), schema.sort.as_ref()];
        for (attribute, value) in attributes.into_iter().flatten().zip(values.into_iter().flatten()) {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&serde_json::Value::from(attribute.name()).to_string());
            text.push(':');
            text.push_str(&String::from_utf8_lossy(value));
        }
        text.push('}');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> KeySchema {
        KeySchema {
            partition: KeyAttribute::new("pk", KeyKind::String),
            sort: Some(KeyAttribute::new("sk", KeyKind::Number)),
        }
    }

    fn item(json: &'static str) -> Result<RawItem, Fault> {
        RawItem::parse(Bytes::from_static(json.as_bytes()), &schema())
    }

    #[test]
    fn the_key_is_found_and_the_bytes_stay() {
        let json = r#"{"a":{"L":[{"M":{}},{"NULL":true}]},"sk":{"N":"1.0"},"pk":{"S":"x\"y"},"e":{"S":""}}"#;
        let item = item(json).expect("valid");
        assert_eq!(item.json(), json.as_bytes());
        assert_eq!(item.partition_value(), br#"{"S":"x\"y"}"#);
        assert_eq!(item.key_json(&schema()), r#"{"pk":{"S":"x\"y"},"sk":{"N":"1.0"}}"#);
    }

    #[test]
    fn equal_keys_are_equal_however_they_are_spelled() {
        let plain = item(r#"{"pk":{"S":"aé/"},"sk":{"N":"100"}}"#).expect("valid");
        let escaped = item(r#"{"sk":{"N":"1.00e2"},"pk":{"S":"a\u00e9\/"}}"#).expect("valid");
        let other = item(r#"{"pk":{"S":"aé/"},"sk":{"N":"10"}}"#).expect("valid");
        assert_eq!(plain.key(), escaped.key());
        assert_eq!(plain.key_hash(), escaped.key_hash());
        assert_ne!(plain.key(), other.key());
    }

    #[test]
    fn sizes_are_counted_as_dynamodb_documents_them() {
        // pk: 2 + 1, sk: 2 + (1 digit -> 1 byte + 1)
        let base = item(r#"{"pk":{"S":"k"},"sk":{"N":"1"}}"#).expect("valid").bytes();
        assert_eq!(base, 3 + 4);
        let with = |attribute: &str| {
            let json = format!(r#"{{"pk":{{"S":"k"}},"sk":{{"N":"1"}},"a":{attribute}}}"#);
            RawItem::parse(Bytes::from(json), &schema()).expect("valid").bytes() - base - 1
        };
        assert_eq!(with(r#"{"S":"\u00e9\n\ud83d\ude00"}"#), 2 + 1 + 4);
        assert_eq!(with(r#"{"B":"AAECAw=="}"#), 4);
        assert_eq!(with(r#"{"BOOL":true}"#), 1);
        assert_eq!(with(r#"{"NULL":true}"#), 1);
        assert_eq!(with(r#"{"SS":["ab","c"]}"#), 3);
        assert_eq!(with(r#"{"L":[{"S":"ab"},{"S":"c"}]}"#), 3 + 2 + 3);
        assert_eq!(with(r#"{"M":{"n":{"S":"ab"}}}"#), 3 + 1 + 1 + 2);
    }

    #[test]
    fn what_is_not_an_item_is_a_fault_with_its_place() {
        for json in [
            "",
            "{",
            "null",
            r#"{"pk":{"S":"k"}}"#,
            r#"{"pk":{"S":"k"},"sk":{"S":"1"}}"#,
            r#"{"pk":{"S":"k"},"sk":{"N":"1"},"a":{"X":"1"}}"#,
            r#"{"pk":{"S":"k"},"sk":{"N":"1"},"a":{"S":"1}"#,
            r#"{"pk":{"S":"k"},"sk":{"N":"1"}} x"#,
            r#"{"pk":{"S":"k"},"sk":{"N":"1"},"a":{"M":{"b":{"L":[{"S":"1"]}}}}"#,
        ] {
            assert!(item(json).is_err(), "{json}");
        }
        let deep = format!(
            r#"{{"pk":{{"S":"k"}},"sk":{{"N":"1"}},"a":{}{{"NULL":true}}{}}}"#,
            r#"{"L":["#.repeat(10_000),
            "]}".repeat(10_000)
        );
        assert!(RawItem::parse(Bytes::from(deep), &schema()).is_err());
    }
}
