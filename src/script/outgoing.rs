//! From JavaScript values back to DynamoDB's JSON.
//!
//! What is equal to what was handed to the script is written with the bytes it was made from, at every depth: a number
//! keeps its spelling, a text its escapes, a set its order.

use rquickjs::{Array, Atom, Coerced, FromJs, Object, String as JsString, Value};

use super::handles::Handles;
use super::incoming::{Given, Member, Parts};
use super::number;
use crate::item::{self, Kind, text, typed};

/// An attribute's value is on the first level.
const MAX_LEVELS: usize = 32;
/// 400 KB, should each byte of it be written as an escape of six or as a small list element.
const MAX_JSON_BYTES: usize = 16 << 20;

/// Why a value cannot be written.
pub(super) enum Flaw {
    /// What is wrong, and the names and indexes that lead there, innermost first.
    Value { path: Vec<String>, reason: String },
    /// The engine failed, or a getter or proxy of the script did.
    Engine(rquickjs::Error),
}

impl Flaw {
    fn new(reason: impl Into<String>) -> Self {
        Self::Value { path: Vec::new(), reason: reason.into() }
    }

    fn inside(self, name: impl FnOnce() -> String) -> Self {
        match self {
            Self::Value { mut path, reason } => {
                path.push(name());
                Self::Value { path, reason }
            }
            other => other,
        }
    }

    /// `filters.max: NaN is not a number that DynamoDB stores`.
    pub fn describe(path: &[String], reason: &str) -> String {
        let place: String = path.iter().rev().map(String::as_str).collect();
        match place.strip_prefix('.') {
            Some(place) => format!("{place}: {reason}"),
            None => reason.to_owned(),
        }
    }
}

impl From<rquickjs::Error> for Flaw {
    fn from(error: rquickjs::Error) -> Self {
        match error {
            rquickjs::Error::Utf8(_) => Self::new("this text has half of a surrogate pair, which UTF-8 cannot write"),
            other => Self::Engine(other),
        }
    }
}

/// Writes values of one context.
pub(super) struct Outgoing<'h, 'js> {
    handles: &'h Handles<'h, 'js>,
    plain: Value<'js>,
    /// The objects that the value at hand is inside of.
    around: Vec<Value<'js>>,
    out: Vec<u8>,
}

/// An item that came out of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The one that went in.
    Same,
    /// As DynamoDB's JSON.
    Json(Vec<u8>),
}

impl<'h, 'js> Outgoing<'h, 'js> {
    pub fn new(handles: &'h Handles<'h, 'js>) -> Result<Self, rquickjs::Error> {
        Ok(Self { handles, plain: handles.value(Handles::PLAIN_PROTOTYPE)?, around: Vec::new(), out: Vec::new() })
    }

    /// An item, compared with the one that was given.
    pub fn item(&mut self, value: &Value<'js>, given: Option<&Given<'js, '_>>) -> Result<Written, Flaw> {
        self.out.clear();
        self.around.clear();
        let object = self.plain_object(value)?;
        let Some(object) = object else { return Err(Flaw::new("an item is an object of attributes")) };
        let members = given.map_or(&[][..], |given| match &given.parts {
            Parts::Map(members) => members,
            _ => &[],
        });
        let is_same = self.members(&object, members)?;
        if is_same && given.is_some() {
            return Ok(Written::Same);
        }
        Ok(Written::Json(std::mem::take(&mut self.out)))
    }

    /// One value in DynamoDB's JSON.
    pub fn value(&mut self, value: &Value<'js>) -> Result<Vec<u8>, Flaw> {
        self.out.clear();
        self.around.clear();
        self.write(value, None)?;
        Ok(std::mem::take(&mut self.out))
    }

    /// The object, if it is one that becomes a map.
    fn plain_object(&self, value: &Value<'js>) -> Result<Option<Object<'js>>, Flaw> {
        let Some(object) = value.as_object() else { return Ok(None) };
        if value.is_array() || value.is_function() {
            return Ok(None);
        }
        let is_plain = object.get_prototype().is_some_and(|prototype| *prototype.as_value() == self.plain);
        if is_plain && !value.is_proxy() {
            return Ok(Some(object.clone()));
        }
        Ok(matches!(self.described(value)?, Described::Map).then(|| object.clone()))
    }

    /// Writes a value; whether it is equal to what was given, and written with its bytes.
    fn write(&mut self, value: &Value<'js>, given: Option<&Given<'js, '_>>) -> Result<bool, Flaw> {
        if self.out.len() > MAX_JSON_BYTES {
            return Err(Flaw::new("the item is larger than the 400 KB that DynamoDB stores"));
        }
        if value.is_object() {
            return self.write_object(value, given);
        }
        if let Some(given) = given
            && given.value == *value
        {
            self.out.extend_from_slice(given.json);
            return Ok(true);
        }
        let start = self.out.len();
        if let Some(text) = value.as_string() {
            let text = text.to_string()?;
            if same_text(given, &text) {
                return Ok(self.reuse(start, given));
            }
            self.out.extend_from_slice(b"{\"S\":");
            self.quoted(&text);
        } else if let Some(number) = value.as_number() {
            let digits = number::written(number).map_err(Flaw::new)?;
            return self.write_number(&digits, given);
        } else if let Some(flag) = value.as_bool() {
            self.out.extend_from_slice(if flag { b"{\"BOOL\":true" } else { b"{\"BOOL\":false" });
        } else if value.is_null() {
            self.out.extend_from_slice(b"{\"NULL\":true");
        } else if value.is_big_int() {
            let digits = Coerced::<String>::from_js(value.ctx(), value.clone())?.0;
            return self.write_number(&digits, given);
        } else if value.is_undefined() {
            return Err(Flaw::new("undefined is no value that DynamoDB stores: write null, or leave the element out"));
        } else {
            return Err(Flaw::new(format!("{} is no value that DynamoDB stores", self.described(value)?.name())));
        }
        self.out.push(b'}');
        Ok(false)
    }

    fn write_number(&mut self, digits: &str, given: Option<&Given<'js, '_>>) -> Result<bool, Flaw> {
        let number = number::stored(digits).map_err(Flaw::new)?;
        let before = given.and_then(|given| match typed(given.json)? {
            (Kind::N, inner) => item::Decimal::parse(&text(inner)?.decoded()).ok(),
            _ => None,
        });
        if before == Some(number) {
            return Ok(self.reuse(self.out.len(), given));
        }
        self.out.extend_from_slice(b"{\"N\":\"");
        self.out.extend_from_slice(digits.as_bytes());
        self.out.extend_from_slice(b"\"}");
        Ok(false)
    }

    fn write_object(&mut self, value: &Value<'js>, given: Option<&Given<'js, '_>>) -> Result<bool, Flaw> {
        if self.around.contains(value) {
            return Err(Flaw::new("the value contains itself"));
        }
        if self.around.len() > MAX_LEVELS {
            return Err(Flaw::new(format!("values are nested at most {MAX_LEVELS} levels deep")));
        }
        let start = self.out.len();
        self.around.push(value.clone());
        let is_same = if let Some(array) = value.as_array() {
            self.out.extend_from_slice(b"{\"L\":");
            let parts = given.map_or(&Parts::None, |given| &given.parts);
            self.elements(array, parts)? && matches!(parts, Parts::List(_))
        } else if let Some(object) = self.plain_object(value)? {
            self.out.extend_from_slice(b"{\"M\":");
            let members = match given.map(|given| &given.parts) {
                Some(Parts::Map(members)) => Some(members.as_slice()),
                _ => None,
            };
            self.members(&object, members.unwrap_or_default())? && members.is_some()
        } else {
            self.around.pop();
            return self.write_special(value, given);
        };
        self.around.pop();
        self.out.push(b'}');
        if is_same { Ok(self.reuse(start, given)) } else { Ok(false) }
    }

    /// Writes a list's array; whether all elements are those that were given.
    fn elements(&mut self, array: &Array<'js>, parts: &Parts<'js, '_>) -> Result<bool, Flaw> {
        let given = match parts {
            Parts::List(given) => given.as_slice(),
            _ => &[],
        };
        let mut is_same = array.len() == given.len();
        self.out.push(b'[');
        for index in 0..array.len() {
            if index > 0 {
                self.out.push(b',');
            }
            let element: Value<'js> = array.get(index)?;
            let same = self.write(&element, given.get(index)).map_err(|flaw| flaw.inside(|| format!("[{index}]")))?;
            is_same &= same;
        }
        self.out.push(b']');
        Ok(is_same)
    }

    /// Writes a JSON object; whether all members are those that were given.
    fn members(&mut self, object: &Object<'js>, given: &[Member<'js, '_>]) -> Result<bool, Flaw> {
        let (mut is_same, mut count, mut expected) = (true, 0, 0);
        self.out.push(b'{');
        for entry in object.props::<Atom<'js>, Value<'js>>() {
            let (name, value) = entry?;
            if value.is_undefined() {
                continue;
            }
            // Attributes mostly stay in their order.
            let position = match given.get(expected) {
                Some(member) if member.name == name => Some(expected),
                _ => given.iter().position(|member| member.name == name),
            };
            if count > 0 {
                self.out.push(b',');
            }
            let before = position.map(|position| &given[position]);
            match before {
                Some(member) => self.out.extend_from_slice(member.written),
                None => {
                    let name = name.to_js_string()?.to_string()?;
                    self.quoted(&name);
                }
            }
            self.out.push(b':');
            let same = self.write(&value, before.map(|member| &member.given)).map_err(|flaw| {
                flaw.inside(|| {
                    format!(".{}", name.to_js_string().and_then(|name| name.to_string()).unwrap_or_default())
                })
            })?;
            is_same &= same;
            count += 1;
            expected = position.map_or(expected, |position| position + 1);
        }
        self.out.push(b'}');
        Ok(is_same && count == given.len())
    }

    /// Sets, binary, and numbers that keep their digits.
    fn write_special(&mut self, value: &Value<'js>, given: Option<&Given<'js, '_>>) -> Result<bool, Flaw> {
        let start = self.out.len();
        match self.described(value)? {
            Described::Number(digits) => return self.write_number(&digits, given),
            Described::Bytes(base64) => {
                self.out.extend_from_slice(b"{\"B\":\"");
                self.out.extend_from_slice(base64.as_bytes());
                self.out.extend_from_slice(b"\"}");
            }
            Described::Set(array) => self.write_set(&array)?,
            Described::Map => return Err(Flaw::new("an object that changes while it is read")),
            Described::Other(name) => return Err(Flaw::new(format!("{name} is no value that DynamoDB stores"))),
        }
        // By value: base64 and sets have more than one spelling.
        let is_same = given.is_some_and(|given| {
            let before = item::Value::parse(given.json);
            before.is_ok() && before == item::Value::parse(&self.out[start..])
        });
        if is_same { Ok(self.reuse(start, given)) } else { Ok(false) }
    }

    fn write_set(&mut self, array: &Array<'js>) -> Result<(), Flaw> {
        let start = self.out.len();
        let mut kind = None;
        for element in array.iter::<Value<'js>>() {
            let at = self.out.len();
            self.out.push(b',');
            self.write(&element?, None).map_err(|flaw| flaw.inside(|| "<element of the set>".to_owned()))?;
            let Some((found, inner)) = typed(&self.out[at + 1..]) else { continue };
            let (found, inner) = (found, inner.to_vec());
            if !matches!(found, Kind::S | Kind::N | Kind::B) || kind.is_some_and(|kind| kind != found) {
                return Err(Flaw::new("the elements of a set are all texts, all numbers or all Uint8Arrays"));
            }
            kind = Some(found);
            self.out.truncate(at + 1);
            self.out.extend_from_slice(&inner);
        }
        let name = match kind {
            Some(Kind::S) => "SS",
            Some(Kind::N) => "NS",
            Some(_) => "BS",
            None => return Err(Flaw::new("DynamoDB stores no empty set: remove the attribute instead")),
        };
        // The first comma makes room for the bracket.
        self.out[start] = b'[';
        self.out.splice(start..start, format!("{{\"{name}\":").into_bytes());
        self.out.extend_from_slice(b"]}");
        Ok(())
    }

    /// Writes what was given in place of what stands behind `start`.
    fn reuse(&mut self, start: usize, given: Option<&Given<'js, '_>>) -> bool {
        let Some(given) = given else { return false };
        self.out.truncate(start);
        self.out.extend_from_slice(given.json);
        true
    }

    fn quoted(&mut self, text: &str) {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut self.out, text);
    }

    fn described(&self, value: &Value<'js>) -> Result<Described<'js>, Flaw> {
        let pair: Array<'js> = self.handles.function(Handles::DESCRIBE)?.call((value.clone(),))?;
        let kind: String = pair.get(0)?;
        Ok(match kind.as_str() {
            "map" => Described::Map,
            "number" => Described::Number(pair.get(1)?),
            "bytes" => Described::Bytes(pair.get(1)?),
            "set" => Described::Set(pair.get(1)?),
            _ => Described::Other(pair.get::<JsString<'js>>(1)?.to_string()?),
        })
    }
}

fn same_text(given: Option<&Given<'_, '_>>, text: &str) -> bool {
    let before = given.and_then(|given| typed(given.json));
    matches!(before, Some((Kind::S, inner)) if item::text(inner).is_some_and(|before| before.is(text)))
}

/// What an object is to DynamoDB.
enum Described<'js> {
    Map,
    Number(String),
    /// Base64.
    Bytes(String),
    /// The elements.
    Set(Array<'js>),
    /// With its article.
    Other(String),
}

impl Described<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Other(name) => name,
            _ => "this",
        }
    }
}
