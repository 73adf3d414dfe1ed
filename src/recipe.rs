//! Recipes: transforms written as steps in a TOML file, in DynamoDB's own language.
//!
//! ```toml
//! description = "Cases keep their orders for CDS under a new name"
//!
//! [[step]]
//! when = 'begins_with(pk, "case|") AND attribute_exists(orderForOds)'
//! rename = { orderForOds = "orderForCds" }
//!
//! [[case]]
//! given = { pk = "case|101-20", sk = "case|101-20", orderForOds = true }
//! expect = { pk = "case|101-20", sk = "case|101-20", orderForCds = true }
//! ```
//!
//! # Steps
//!
//! Steps run in their order on every item, each on what the step before left. `when` is a condition
//! ([`Condition`]); without it a step is for every item. A step does one or more of these,
//! in this order:
//!
//! | key | does |
//! |---|---|
//! | `rename = { old = "new" }` | gives attributes another name; what is not there is left out; the new name must be free |
//! | `update = 'SET a = 1 REMOVE b'` | changes the item ([`Update`](crate::expression::Update)) |
//! | `copy = 'SET sk = "other"'` | adds a copy of the item, so changed; one text or a list of them |
//! | `emit = { pk = '"fixed"', sk = 'join("\|", "case", docketNumber)' }` | adds an item of these attributes, each a value or path; one table or a list of them |
//! | `drop = true` | drops the item itself; what was added for it stays |
//!
//! Added items are not handed to the steps that follow, but to the transforms that follow.
//!
//! # Keys
//!
//! Items keep their keys unless the file says otherwise, and everything relies on that. `keys = "derived"` lets keys change, and
//! items be added, if each output's key tells which item it comes from: `[[owner]]` tables give the key attributes of
//! that item as values of the output's; the first whose `when` holds counts, and without any the key is taken for the item's own.
//! `keys = "free"` needs no such rule, and costs an index of all keys.
//!
//! ```toml
//! keys = "derived"
//! owner = [{ pk = 'lower(pk)', sk = 'sk' }]
//! step = [{ update = 'SET pk = upper(pk)' }]
//! ```
//!
//! # Cases
//!
//! `given` is an item; `expect` is the item that comes of it, a list of items, or `[]` when it is dropped; or `fails` is a part of
//! the reason why it is refused. Items are written plainly, or in DynamoDB's JSON (`{ S = "text" }`) where sets, binary or null are
//! needed; as TOML, or as text in JSON.

mod case;
mod file;
mod step;

use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::expression::{Condition, ValueExpression};
use crate::item::{Attributes, KeySchema, RawItem};
use crate::transform::{KeyRule, Occasion, Transform};

pub use case::{Case, Expected};
use step::Step;

/// A recipe, read and checked.
#[derive(Debug)]
pub struct Recipe {
    name: String,
    description: String,
    keys: KeyRule,
    owners: Vec<Owner>,
    steps: Vec<Step>,
    cases: Vec<Case>,
    schema: KeySchema,
    digest: String,
}

/// How an output's key tells the key of its item.
#[derive(Debug)]
struct Owner {
    when: Option<Condition>,
    /// For each key attribute.
    values: Vec<(String, ValueExpression)>,
}

impl Recipe {
    /// Reads a recipe for items with keys of `schema`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] when the file cannot be read; [`ErrorKind::Usage`] with file, line and column when it is not right.
    pub fn load(path: &Path, schema: &KeySchema) -> Result<Self> {
        let place = path.display();
        let bytes = std::fs::read(path).map_err(|error| Error::new(ErrorKind::Io, format!("{place}: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
            Error::new(ErrorKind::Usage, format!("{place}: line {line} is not UTF-8"))
                .hint("save the file in UTF-8, which is what TOML is written in")
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self::parse(&name, &text, schema).map_err(|error| error.context(place.to_string()))
    }

    /// Reads a recipe from the text of its file.
    pub fn parse(name: &str, text: &str, schema: &KeySchema) -> Result<Self> {
        let parts = file::read(text, schema)?;
        let mut digest = String::new();
        for byte in Sha256::digest(text.as_bytes()) {
            let _ = write!(digest, "{byte:02x}");
        }
        let file::Parts { description, keys, owners, steps, cases } = parts;
        Ok(Self { name: name.to_owned(), description, keys, owners, steps, cases, schema: schema.clone(), digest })
    }

    /// What it is for, in its author's words.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Its examples.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    fn run(&self, mut item: RawItem, outputs: &mut Vec<RawItem>) -> Result<(), String> {
        for (number, step) in self.steps.iter().enumerate() {
            let next = step.apply(item, &self.schema, outputs);
            match next.map_err(|reason| format!("step {}: {reason}", number + 1))? {
                Some(next) => item = next,
                None => return Ok(()),
            }
        }
        outputs.push(item);
        Ok(())
    }

    /// An item with the key attributes of the item that `output` comes from.
    fn source_of(&self, output: &RawItem) -> Option<RawItem> {
        // What stands beside the key must not count: two items could both be told to be the owner of one key.
        let output = &RawItem::parse(Bytes::from(output.key_json(&self.schema)), &self.schema).ok()?;
        let owner = self.owners.iter().find(|owner| match &owner.when {
            Some(when) => when.matches(output).unwrap_or(false),
            None => true,
        });
        let Some(owner) = owner else { return Some(output.clone()) };
        let mut attributes = Attributes::new();
        for (name, value) in &owner.values {
            attributes.set(name, value.evaluate(output).ok()?);
        }
        attributes.to_item(&self.schema).ok()
    }
}

impl Transform for Recipe {
    fn name(&self) -> &str {
        &self.name
    }

    fn keys(&self) -> KeyRule {
        self.keys
    }

    fn owner(&self, output: &RawItem) -> Option<RawItem> {
        self.source_of(output)
    }

    fn apply(&self, item: RawItem, _: &Occasion, outputs: &mut Vec<RawItem>) -> Result<(), String> {
        self.run(item, outputs).map_err(|reason| format!("{}: {reason}", self.name))
    }

    fn drops(&self) -> bool {
        self.steps.iter().any(Step::drops)
    }

    fn selects(&self, item: &RawItem) -> bool {
        self.steps.iter().any(|step| step.selects(item))
    }

    fn files(&self) -> Vec<(String, String)> {
        vec![(self.name.clone(), self.digest.clone())]
    }
}

#[cfg(test)]
mod tests;
