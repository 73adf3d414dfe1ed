//! What a script exports beside `migrateItems`.

use rquickjs::{Object, Value};

use super::cases::ScriptCase;
use super::failure::{Trouble, name_of};

/// Names more alike than this (Jaro-Winkler) are taken for a slip of the fingers.
const ALIKE: f64 = 0.85;

/// What a script says about itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Exports {
    pub when: Option<String>,
    pub description: Option<String>,
    pub keys: Option<String>,
    pub is_batch: bool,
    pub drops: bool,
    pub has_owner: bool,
    /// It has a parameter for the document client.
    pub has_lookups: bool,
    pub cases: Vec<ScriptCase>,
}

impl Exports {
    /// From the object of all that was found.
    pub fn read(found: &Object<'_>) -> Result<Self, Trouble> {
        check_names(found)?;
        let migrate: Value<'_> = found.get("migrateItems")?;
        let Some(function) = migrate.as_function() else {
            return Err(Trouble::Reason(
                "it exports no function migrateItems; write `export const migrateItems = items => items`".to_owned(),
            ));
        };
        let owner: Value<'_> = found.get("owner")?;
        if !owner.is_undefined() && !owner.is_function() {
            return Err(Trouble::Reason("its `owner` is not a function".to_owned()));
        }
        Ok(Self {
            when: text(found, "when")?,
            description: text(found, "description")?,
            keys: text(found, "keys")?,
            is_batch: flag(found, "batch")?,
            drops: flag(found, "drops")?,
            has_owner: owner.is_function(),
            has_lookups: function.get::<_, i32>("length")? > 1,
            cases: Vec::new(),
        })
    }
}

/// Refuses what is nearly a name that means something. Other names are the script's own affair.
fn check_names(found: &Object<'_>) -> Result<(), Trouble> {
    let (known, others): (Vec<String>, Vec<String>) = (found.get("known")?, found.get("others")?);
    for name in others {
        let alike = |right: &&String| strsim::jaro_winkler(right, &name) >= ALIKE;
        if let Some(right) = known.iter().find(alike) {
            return Err(Trouble::Reason(format!("it exports `{name}`, which means nothing; did you mean `{right}`?")));
        }
    }
    Ok(())
}

/// A text, if it is there.
pub(super) fn text(found: &Object<'_>, name: &str) -> Result<Option<String>, Trouble> {
    let value: Value<'_> = found.get(name)?;
    if value.is_undefined() {
        return Ok(None);
    }
    match value.as_string() {
        Some(text) => Ok(Some(text.to_string()?)),
        None => Err(Trouble::Reason(format!("its `{name}` is {}, not a text", name_of(&value)))),
    }
}

fn flag(found: &Object<'_>, name: &str) -> Result<bool, Trouble> {
    let value: Value<'_> = found.get(name)?;
    match value.as_bool() {
        Some(flag) => Ok(flag),
        None if value.is_undefined() => Ok(false),
        None => Err(Trouble::Reason(format!("its `{name}` is {}, not true or false", name_of(&value)))),
    }
}
