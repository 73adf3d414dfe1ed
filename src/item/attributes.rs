//! The attributes of an item, to be changed one by one.
//!
//! Reading the list finds where each attribute stands and parses none. An attribute is parsed when it is asked for by
//! [`Attributes::value_mut`], and what nobody touches is written back byte for byte, in its place.

use std::ops::Range;

use bytes::Bytes;

use super::members::members;
use super::value::{Value, write_text};
use super::walk::{Fault, Text};
use super::{KeySchema, RawItem};

/// The top-level attributes of an item, in their order.
#[derive(Debug, Clone)]
pub struct Attributes {
    json: Bytes,
    entries: Vec<Entry>,
    changed: bool,
}

#[derive(Debug, Clone)]
struct Entry {
    name: Name,
    value: Stored,
}

#[derive(Debug, Clone)]
enum Name {
    /// As written in the item, with its quotes.
    Source(Range<u32>),
    Given(Box<str>),
}

#[derive(Debug, Clone)]
enum Stored {
    Source(Range<u32>),
    Raw(Bytes),
    Value(Box<Value>),
}

/// What an attribute holds.
#[derive(Debug, Clone, Copy)]
pub enum Attribute<'a> {
    /// DynamoDB's JSON, as it was sent.
    Raw(&'a [u8]),
    /// Parsed or set anew.
    Value(&'a Value),
}

impl Attribute<'_> {
    /// The value, parsed if it is not yet.
    pub fn to_value(self) -> Result<Value, Fault> {
        match self {
            Self::Raw(json) => Value::parse(json),
            Self::Value(value) => Ok(value.clone()),
        }
    }
}

impl From<&RawItem> for Attributes {
    fn from(item: &RawItem) -> Self {
        let json = item.json.clone();
        let span = |start: usize, bytes: usize| start as u32..(start + bytes) as u32;
        let entries = members(&json).map(|member| Entry {
            name: Name::Source(span(member.start, member.name.raw().len() + 2)),
            value: Stored::Source(span(member.value_start, member.value.len())),
        });
        // A common item has some dozens of attributes.
        let mut list = Vec::with_capacity(32);
        list.extend(entries);
        Self { entries: list, json, changed: false }
    }
}

impl Attributes {
    /// None at all.
    pub fn new() -> Self {
        Self { json: Bytes::new(), entries: Vec::new(), changed: true }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The attributes' names, in their order.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.entries.iter().map(|entry| match &entry.name {
            Name::Source(span) => String::from_utf8_lossy(&self.source_name(span).decoded()).into_owned(),
            Name::Given(name) => name.to_string(),
        })
    }

    /// What the attribute of that name holds.
    pub fn get(&self, name: &str) -> Option<Attribute<'_>> {
        let entry = &self.entries[self.position(name)?];
        Some(match &entry.value {
            Stored::Source(span) => Attribute::Raw(self.slice(span)),
            Stored::Raw(json) => Attribute::Raw(json),
            Stored::Value(value) => Attribute::Value(value),
        })
    }

    /// Whether there is an attribute of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// The attribute's value, to be changed in place; parses it first. A fault if it holds a number or a binary value
    /// that DynamoDB would not store.
    pub fn value_mut(&mut self, name: &str) -> Result<Option<&mut Value>, Fault> {
        let Some(position) = self.position(name) else { return Ok(None) };
        let parsed = match &self.entries[position].value {
            Stored::Source(span) => Some(Value::parse(self.slice(span))?),
            Stored::Raw(json) => Some(Value::parse(json)?),
            Stored::Value(_) => None,
        };
        self.changed = true;
        let stored = &mut self.entries[position].value;
        if let Some(value) = parsed {
            *stored = Stored::Value(Box::new(value));
        }
        match stored {
            Stored::Value(value) => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    /// Sets an attribute: in its place if it is there, else behind the others.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.store(name, Stored::Value(Box::new(value.into())));
    }

    /// Sets an attribute to a value in DynamoDB's JSON, which is not parsed and has to be sound: a part of an item.
    pub fn set_raw(&mut self, name: &str, json: Bytes) {
        self.store(name, Stored::Raw(json));
    }

    /// Removes an attribute; whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let Some(position) = self.position(name) else { return false };
        self.entries.remove(position);
        self.changed = true;
        true
    }

    /// A part of this item as bytes of their own, without copying where `part` is a part of the item as it was read.
    pub fn share(&self, part: &[u8]) -> Bytes {
        let (whole, range) = (self.json.as_ptr_range(), part.as_ptr_range());
        if whole.start <= range.start && range.end <= whole.end {
            self.json.slice_ref(part)
        } else {
            Bytes::copy_from_slice(part)
        }
    }

    /// The item that the attributes make up.
    pub fn to_item(&self, schema: &KeySchema) -> Result<RawItem, Fault> {
        let json = if self.changed { Bytes::from(self.json()) } else { self.json.clone() };
        RawItem::parse(json, schema)
    }

    /// The item as DynamoDB's JSON.
    pub fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.json.len() + 128);
        out.push(b'{');
        for entry in &self.entries {
            if out.len() > 1 {
                out.push(b',');
            }
            match &entry.name {
                Name::Source(span) => out.extend_from_slice(self.slice(span)),
                Name::Given(name) => write_text(name, &mut out),
            }
            out.push(b':');
            match &entry.value {
                Stored::Source(span) => out.extend_from_slice(self.slice(span)),
                Stored::Raw(json) => out.extend_from_slice(json),
                Stored::Value(value) => value.write(&mut out),
            }
        }
        out.push(b'}');
        out
    }

    fn store(&mut self, name: &str, value: Stored) {
        self.changed = true;
        match self.position(name) {
            Some(position) => self.entries[position].value = value,
            None => self.entries.push(Entry { name: Name::Given(name.into()), value }),
        }
    }

    fn slice(&self, span: &Range<u32>) -> &[u8] {
        &self.json[span.start as usize..span.end as usize]
    }

    fn source_name(&self, span: &Range<u32>) -> Text<'_> {
        let raw = &self.json[span.start as usize + 1..span.end as usize - 1];
        Text::new(raw, memchr::memchr(b'\\', raw).is_some())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| match &entry.name {
            Name::Source(span) => self.source_name(span).is(name),
            Name::Given(given) => **given == *name,
        })
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{KeyAttribute, KeyKind};
    use super::*;

    fn schema() -> KeySchema {
        KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None }
    }

    fn attributes(json: &str) -> Attributes {
        let item = RawItem::parse(Bytes::copy_from_slice(json.as_bytes()), &schema()).expect("valid");
        Attributes::from(&item)
    }

    fn text(attributes: &Attributes) -> String {
        let item = attributes.to_item(&schema()).expect("an item");
        String::from_utf8(item.json().to_vec()).expect("UTF-8")
    }

    #[test]
    fn untouched_attributes_keep_their_bytes_and_place() {
        let json =
            r#"{"a":{"N":"1.00"}, "pk":{"S":"\u00e9\/"},"b\u0062":{"SS":["z","a"]} ,"c":{"M":{ "x":{"N":"1e2"}}}}"#;
        let mut list = attributes(json);
        assert_eq!(list.names().collect::<Vec<_>>(), ["a", "pk", "bb", "c"]);
        assert_eq!(text(&list), json, "nothing changed");
        list.set("new", "x\"y");
        assert!(list.remove("a"));
        assert!(!list.remove("a"));
        list.set("bb", Value::Null);
        assert_eq!(
            text(&list),
            r#"{"pk":{"S":"\u00e9\/"},"b\u0062":{"NULL":true},"c":{"M":{ "x":{"N":"1e2"}}},"new":{"S":"x\"y"}}"#
        );
    }

    #[test]
    fn what_is_changed_in_place_is_written_anew_with_its_numbers_as_they_were() {
        let mut list = attributes(r#"{"pk":{"S":"k"},"c":{"M":{ "x":{"N":"1e2"}}}}"#);
        let Ok(Some(Value::M(map))) = list.value_mut("c") else { panic!("a map") };
        map.insert("y".to_owned(), Value::Bool(true));
        assert!(matches!(list.value_mut("nothing"), Ok(None)));
        assert_eq!(text(&list), r#"{"pk":{"S":"k"},"c":{"M":{"x":{"N":"1e2"},"y":{"BOOL":true}}}}"#);
        assert!(matches!(list.get("c"), Some(Attribute::Value(Value::M(_)))));
    }

    #[test]
    fn raw_values_are_shared_not_copied() {
        let mut list = attributes(r#"{"pk":{"S":"k"},"a":{"N":"1.0"}}"#);
        let Some(Attribute::Raw(raw)) = list.get("a") else { panic!("raw") };
        let shared = list.share(raw);
        assert_eq!(shared.as_ptr(), raw.as_ptr());
        list.set_raw("b", shared);
        assert_eq!(text(&list), r#"{"pk":{"S":"k"},"a":{"N":"1.0"},"b":{"N":"1.0"}}"#);
        assert_eq!(list.share(b"{\"N\":\"2\"}"), "{\"N\":\"2\"}");
    }

    #[test]
    fn an_item_without_its_key_or_with_a_key_of_another_type_is_refused() {
        let mut list = attributes(r#"{"pk":{"S":"k"}}"#);
        list.set("pk", Value::Bool(true));
        assert!(list.to_item(&schema()).is_err());
        list.remove("pk");
        assert!(list.to_item(&schema()).is_err());
        list.set("pk", "again");
        assert_eq!(text(&list), r#"{"pk":{"S":"again"}}"#);
    }
}
