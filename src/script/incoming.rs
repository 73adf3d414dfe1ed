//! From DynamoDB's JSON to plain JavaScript values, as the AWS document client gives them.

use rquickjs::function::Function;
use rquickjs::object::Property;
use rquickjs::{Array, Atom, Ctx, Object, String as JsString, TypedArray, Value};

use super::handles::Handles;
use super::number;
use crate::item::{Kind, Text, decode_base64, elements, members, text, typed};

/// Names that an assignment would not make an attribute of.
const SPECIAL_NAME: &str = "__proto__";

/// A value as it was handed to the script, beside the bytes it was made from.
#[derive(Debug)]
pub(super) struct Given<'js, 'a> {
    pub value: Value<'js>,
    /// The attribute value in DynamoDB's JSON.
    pub json: &'a [u8],
    pub parts: Parts<'js, 'a>,
}

/// What a list or map consists of.
#[derive(Debug)]
pub(super) enum Parts<'js, 'a> {
    None,
    List(Vec<Given<'js, 'a>>),
    Map(Vec<Member<'js, 'a>>),
}

#[derive(Debug)]
pub(super) struct Member<'js, 'a> {
    pub name: Atom<'js>,
    /// As written, with its quotes.
    pub written: &'a [u8],
    pub given: Given<'js, 'a>,
}

/// Why a value cannot be handed over.
pub(super) enum Fault {
    /// Not DynamoDB's JSON.
    Malformed(&'static str),
    /// The engine failed.
    Engine(rquickjs::Error),
}

impl From<rquickjs::Error> for Fault {
    fn from(error: rquickjs::Error) -> Self {
        Self::Engine(error)
    }
}

/// Makes values in one context.
pub(super) struct Incoming<'h, 'js> {
    ctx: Ctx<'js>,
    handles: &'h Handles<'h, 'js>,
}

impl<'h, 'js> Incoming<'h, 'js> {
    pub fn new(ctx: &Ctx<'js>, handles: &'h Handles<'h, 'js>) -> Self {
        Self { ctx: ctx.clone(), handles }
    }

    /// An item: an object with its attributes.
    pub fn item<'a>(&self, json: &'a [u8]) -> Result<Given<'js, 'a>, Fault> {
        self.map(json, json)
    }

    /// An object of the members of `map`, a JSON object.
    fn map<'a>(&self, json: &'a [u8], map: &'a [u8]) -> Result<Given<'js, 'a>, Fault> {
        let object = Object::new(self.ctx.clone())?;
        let mut list = Vec::with_capacity(8);
        for member in members(map) {
            let decoded = member.name.decoded();
            let name = utf8(&decoded)?;
            let atom = Atom::from_str(self.ctx.clone(), name)?;
            let given = self.value(member.value)?;
            if name == SPECIAL_NAME {
                let property = Property::from(given.value.clone()).writable().enumerable().configurable();
                object.prop(atom.clone(), property)?;
            } else {
                object.set(atom.clone(), given.value.clone())?;
            }
            let raw = member.name.raw().len() + 2;
            let written = &map[member.start..member.start + raw];
            list.push(Member { name: atom, written, given });
        }
        Ok(Given { value: object.into_value(), json, parts: Parts::Map(list) })
    }

    fn value<'a>(&self, json: &'a [u8]) -> Result<Given<'js, 'a>, Fault> {
        let ctx = || self.ctx.clone();
        let (kind, inner) = typed(json).ok_or(Fault::Malformed("an attribute value"))?;
        let value = match kind {
            Kind::S => self.string(string(inner)?)?,
            Kind::N => self.number(string(inner)?)?,
            Kind::B => self.binary(string(inner)?)?,
            Kind::Bool => Value::new_bool(ctx(), inner.starts_with(b"t")),
            Kind::Null => Value::new_null(ctx()),
            Kind::Ss => self.set(inner, |text| self.string(text))?,
            Kind::Ns => self.set(inner, |text| self.number(text))?,
            Kind::Bs => self.set(inner, |text| self.binary(text))?,
            Kind::M => return self.map(json, inner),
            Kind::L => {
                let array = Array::new(ctx())?;
                let mut list = Vec::new();
                for (index, element) in elements(inner).enumerate() {
                    let given = self.value(element)?;
                    array.set(index, given.value.clone())?;
                    list.push(given);
                }
                return Ok(Given { value: array.into_value(), json, parts: Parts::List(list) });
            }
        };
        Ok(Given { value, json, parts: Parts::None })
    }

    fn string(&self, text: Text<'_>) -> Result<Value<'js>, Fault> {
        let decoded = text.decoded();
        Ok(JsString::from_str(self.ctx.clone(), utf8(&decoded)?)?.into_value())
    }

    fn number(&self, text: Text<'_>) -> Result<Value<'js>, Fault> {
        let decoded = text.decoded();
        let digits = utf8(&decoded)?;
        match number::double(digits) {
            Some(value) => Ok(Value::new_number(self.ctx.clone(), value)),
            None => Ok(self.handles.function(Handles::MAKE_NUMBER)?.call((digits,))?),
        }
    }

    fn binary(&self, text: Text<'_>) -> Result<Value<'js>, Fault> {
        let bytes = decode_base64(&text.decoded()).ok_or(Fault::Malformed("base64"))?;
        Ok(TypedArray::<u8>::new_copy(self.ctx.clone(), bytes)?.into_value())
    }

    fn set<'a>(
        &self,
        json: &'a [u8],
        element: impl Fn(Text<'a>) -> Result<Value<'js>, Fault>,
    ) -> Result<Value<'js>, Fault> {
        let array = Array::new(self.ctx.clone())?;
        for (index, part) in elements(json).enumerate() {
            array.set(index, element(string(part)?)?)?;
        }
        let make: Function<'js> = self.handles.function(Handles::MAKE_SET)?;
        Ok(make.call((array,))?)
    }
}

fn string(json: &[u8]) -> Result<Text<'_>, Fault> {
    text(json).ok_or(Fault::Malformed("a string"))
}

fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Malformed("text in UTF-8"))
}
