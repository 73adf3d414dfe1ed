//! Examples that a script carries: items, and what comes of them.

use rquickjs::{Array, Object, Value};

use super::exports::text;
use super::failure::{Trouble, name_of};
use super::handles::Handles;
use super::lookups;
use super::outgoing::{Outgoing, Written};
use crate::item::{KeySchema, RawItem};

/// An example.
#[derive(Debug, Clone)]
pub struct ScriptCase {
    /// What it is called, `case 3` for instance.
    pub name: String,
    /// The item.
    pub given: RawItem,
    /// What comes of it, in any order; or a part of the reason why it is refused.
    pub expected: Result<Vec<RawItem>, String>,
    /// The items that the script may look up.
    pub table: Vec<RawItem>,
}

/// Reads `export const cases = [{ name, given, expect, fails, table }]`.
pub(super) fn read<'js>(
    found: &Object<'js>,
    handles: &Handles<'_, 'js>,
    schema: &KeySchema,
) -> Result<Vec<ScriptCase>, Trouble> {
    const NAMES: [&str; 5] = ["name", "given", "expect", "fails", "table"];
    let listed: Value<'js> = found.get("cases")?;
    if listed.is_undefined() {
        return Ok(Vec::new());
    }
    let Some(list) = listed.as_array() else {
        return Err(Trouble::Reason(format!("its `cases` is {}, not an array", name_of(&listed))));
    };
    let mut cases = Vec::new();
    for (index, written) in list.iter::<Value<'js>>().enumerate() {
        let written = written?;
        let place = format!("case {}", index + 1);
        let wrong = |reason: String| Trouble::Reason(format!("{place}: {reason}"));
        let Some(written) = written.as_object() else { return Err(wrong("a case is an object".to_owned())) };
        for name in written.keys::<String>() {
            let name = name?;
            if !NAMES.contains(&name.as_str()) {
                return Err(wrong(format!("{name:?} is none of {}", NAMES.join(", "))));
            }
        }
        let mut outgoing = Outgoing::new(handles)?;
        let mut item = |value: &Value<'js>, what: &str| match outgoing.item(value, None).map_err(Trouble::from) {
            Ok(Written::Json(json)) => lookups::item(json, schema).map_err(|reason| wrong(format!("{what}: {reason}"))),
            Ok(Written::Same) => Err(wrong(format!("{what}: an item without attributes"))),
            Err(Trouble::Reason(reason)) => Err(wrong(format!("{what}: {reason}"))),
            Err(other) => Err(other),
        };
        let given = item(&written.get("given")?, "given")?;
        let mut items = |name: &str| -> Result<Vec<RawItem>, Trouble> {
            let value: Value<'js> = written.get(name)?;
            match value.as_array() {
                Some(array) => all(array, |value| item(value, name)),
                None if value.is_undefined() => Ok(Vec::new()),
                None => Ok(vec![item(&value, name)?]),
            }
        };
        let expected = match text(written, "fails")? {
            Some(_) if written.contains_key("expect")? => {
                return Err(wrong("it has both `expect` and `fails`".to_owned()));
            }
            Some(reason) => Err(reason),
            None if !written.contains_key("expect")? => {
                return Err(wrong("it says neither what to `expect` nor how it `fails`".to_owned()));
            }
            None => Ok(items("expect")?),
        };
        let table = items("table")?;
        let name = text(written, "name")?.unwrap_or(place);
        cases.push(ScriptCase { name, given, expected, table });
    }
    Ok(cases)
}

fn all<'js>(
    array: &Array<'js>,
    mut item: impl FnMut(&Value<'js>) -> Result<RawItem, Trouble>,
) -> Result<Vec<RawItem>, Trouble> {
    array.iter::<Value<'js>>().map(|value| item(&value?)).collect()
}
