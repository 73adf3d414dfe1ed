//! Scripts: transforms written in JavaScript or TypeScript, run in an interpreter (QuickJS) inside of this process.
//!
//! ```ts
//! // transforms/0007-order-for-cds.ts
//! export const when = 'begins_with(pk, "case|") AND attribute_exists(orderForOds)';
//!
//! export const migrateItems = (items: any[], documentClient: any) =>
//!   items.map(({ orderForOds, ...item }) => ({ ...item, orderForCds: orderForOds }));
//! ```
//!
//! # What a script exports
//!
//! | export | means |
//! |---|---|
//! | `migrateItems(items, documentClient, applicationContext)` | gives an array of items, or a promise of one; fewer items drop some, more add some |
//! | `when` | a condition in DynamoDB's language: items that it does not select never get here |
//! | `batch = true` | it takes several items at a time, whatever they are. A run hands it one at a time all the same: neighbours in a page are an accident |
//! | `keys = 'identity'`, `'derived'` or `'free'` | what happens to keys ([`KeyRule`]); without it they stay as they are |
//! | `owner(key)` | for derived keys: from an output's key attributes to those of the item that it comes from |
//! | `drops = true` | it drops items, and means to: `transform test` takes a drop for a mistake otherwise |
//! | `description` | what the script is for |
//! | `cases` | examples: `[{ name, given, expect }]`, where `expect` is an item, an array of them or `[]`; or `fails` is a part of the reason; `table` are items to look up |
//!
//! `module.exports` and `export default` are understood as well. Files may import files of the transforms directory
//! (`./helper`, `../shared/names.ts`) and nothing else. Types of TypeScript are taken out, not checked; `enum`, `namespace` and
//! parameter properties are mistakes, because code would have to be generated for them.
//!
//! # What a script sees
//!
//! Items are plain values, as the AWS document client gives them, in both directions:
//!
//! | DynamoDB | JavaScript |
//! |---|---|
//! | S, BOOL, NULL, L, M | string, boolean, null, array, object |
//! | N | a number if that holds all its digits and can be computed with, else a `NumberValue` with `value`, `toString()`, `toBigInt()`; arithmetic on it throws. A BigInt is written as a number |
//! | B | `Uint8Array` |
//! | SS, NS, BS | `Set` |
//!
//! An attribute that is `undefined` is removed; in a list or set `undefined` is refused. Objects of a class are written as maps
//! of their own properties; dates, functions, NaN and what contains itself are refused. What comes back equal is written with the
//! bytes that it was read from, at every depth.
//!
//! The same item has to give the same result every time, in whatever company, so there is no clock (`new Date()` is always
//! [`Limits::now_ms`], and the time zone is UTC), no `Math.random`, no timers, no files and no network.
//! `documentClient.get`, `query` and `batchGet` show the source table as it was when the item was read, or later, with or without
//! `.promise()`, for scripts that declare the parameter; those must keep keys as they are.
//!
//! # Limits
//!
//! [`Limits`] bound memory and time of each call. Contexts serve many items one after the other; one that has reached a limit is
//! thrown away, and the item is tried once more in a fresh context, should others have left something behind.

mod cases;
mod engine;
mod exports;
mod failure;
mod handles;
mod incoming;
mod key_condition;
mod limits;
mod loader;
mod lookups;
mod mistake;
mod number;
mod outgoing;
mod source;
mod strip;
mod types;
mod watch;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::error::{Error, ErrorKind, Result};
use crate::expression::Condition;
use crate::item::{KeySchema, RawItem};
use crate::lookup::Lookup;
use crate::transform::{KeyRule, Occasion, Transform};

pub use cases::ScriptCase;
use engine::{Engine, Ingredients};
use exports::Exports;
use failure::Failure;
pub use limits::Limits;
use source::Sources;
use watch::lock;

/// A script, loaded and checked. Used by many threads at once, each call has a context of its own.
pub struct Script {
    name: String,
    sources: Arc<Sources>,
    exports: Exports,
    /// Which items are handed to it; all if `None`.
    when: Option<Condition>,
    rule: KeyRule,
    schema: KeySchema,
    limits: Limits,
    table: String,
    idle: Mutex<Vec<Engine>>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("name", &self.name).field("exports", &self.exports).finish_non_exhaustive()
    }
}

impl Script {
    /// Reads `file` of the transforms directory, and what it imports from there, for items of the table `table` with keys of
    /// `schema`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] when a file cannot be read; [`ErrorKind::Usage`] with file, line and column when it is not right.
    pub fn load(directory: &Path, file: &str, schema: &KeySchema, table: &str) -> Result<Self> {
        Self::load_within(directory, file, schema, table, Limits::default())
    }

    /// The same with other limits.
    pub fn load_within(directory: &Path, file: &str, schema: &KeySchema, table: &str, limits: Limits) -> Result<Self> {
        let sources = Arc::new(Sources::load(directory, file)?);
        let ingredients = Ingredients { sources: &sources, limits: &limits, table, cases: Some(schema) };
        let (engine, exports) = Engine::new(ingredients).map_err(|failure| unfit(&sources, failure))?;
        let rule = rule(file, &exports)?;
        let when = exports.when.as_deref().map(Condition::parse).transpose();
        let when = when.map_err(|error| Error::from(error).context(format!("{file}: when")))?;
        Ok(Self {
            name: file.to_owned(),
            sources,
            exports,
            when,
            rule,
            schema: schema.clone(),
            limits,
            table: table.to_owned(),
            idle: Mutex::new(vec![engine]),
        })
    }

    /// Which items are handed to the script, in DynamoDB's condition language; all if `None`.
    pub fn when(&self) -> Option<&str> {
        self.exports.when.as_deref()
    }

    /// What it is for, in its author's words.
    pub fn description(&self) -> &str {
        self.exports.description.as_deref().unwrap_or_default()
    }

    /// Its examples.
    pub fn cases(&self) -> &[ScriptCase] {
        &self.exports.cases
    }

    /// Whether it may be handed several items at once: [`Script::apply_page`].
    pub fn is_batch(&self) -> bool {
        self.exports.is_batch
    }

    /// Appends the outputs for several items. An error refuses all of them.
    pub fn apply_page(&self, items: &[RawItem], occasion: &Occasion, outputs: &mut Vec<RawItem>) -> Result<(), String> {
        self.run(items, occasion, outputs)
    }

    fn takes(&self, item: &RawItem) -> Result<bool, String> {
        let matches = self.when.as_ref().map_or(Ok(true), |when| when.matches(item));
        matches.map_err(|reason| format!("{}: when: {reason}", self.name))
    }

    fn fresh(&self) -> Result<Engine, Failure> {
        let ingredients = Ingredients { sources: &self.sources, limits: &self.limits, table: &self.table, cases: None };
        Ok(Engine::new(ingredients)?.0)
    }

    /// A script that does not declare that it looks items up does not.
    fn lookup<'o>(&self, occasion: &'o Occasion) -> Option<&'o Arc<dyn Lookup>> {
        occasion.lookup.as_ref().filter(|_| self.exports.has_lookups)
    }

    fn run(&self, items: &[RawItem], occasion: &Occasion, outputs: &mut Vec<RawItem>) -> Result<(), String> {
        let before = outputs.len();
        let done = self.with_engine(occasion.is_afresh, |engine| {
            outputs.truncate(before);
            let done = engine.migrate(items, &self.schema, self.lookup(occasion), outputs);
            if let Some(console) = &occasion.console {
                lock(console).extend(engine.console());
            }
            done
        });
        done.map_err(|failure| {
            outputs.truncate(before);
            format!("{}: {failure}", self.name)
        })
    }

    /// Calls `act` with a context that is nobody else's for the time.
    fn with_engine<T>(&self, afresh: bool, mut act: impl FnMut(&Engine) -> Result<T, Failure>) -> Result<T, Failure> {
        let idle = if afresh { None } else { lock(&self.idle).pop() };
        let mut engine = idle.map_or_else(|| self.fresh(), Ok)?;
        let mut result = act(&engine);
        if engine.has_served && matches!(result, Err(Failure::Spent(_))) {
            // Perhaps others used most of what a context may use.
            engine = self.fresh()?;
            result = act(&engine);
        }
        // One that was made for this call alone would be one more than there are threads.
        if !afresh && !matches!(result, Err(Failure::Spent(_))) {
            engine.has_served = true;
            lock(&self.idle).push(engine);
        }
        result
    }
}

impl Transform for Script {
    fn name(&self) -> &str {
        &self.name
    }

    fn keys(&self) -> KeyRule {
        self.rule
    }

    fn owner(&self, output: &RawItem) -> Option<RawItem> {
        if !self.exports.has_owner {
            return Some(output.clone());
        }
        let key = output.key_json(&self.schema);
        self.with_engine(false, |engine| engine.owner(key.as_bytes(), &self.schema)).ok()
    }

    fn apply(&self, item: RawItem, occasion: &Occasion, outputs: &mut Vec<RawItem>) -> Result<(), String> {
        if self.takes(&item)? {
            return self.run(&[item], occasion, outputs);
        }
        outputs.push(item);
        Ok(())
    }

    fn has_lookups(&self) -> bool {
        self.exports.has_lookups
    }

    fn drops(&self) -> bool {
        self.exports.drops
    }

    fn selects(&self, item: &RawItem) -> bool {
        self.takes(item).unwrap_or(true)
    }

    fn files(&self) -> Vec<(String, String)> {
        self.sources.digests().map(|(name, digest)| (name.to_owned(), digest.to_owned())).collect()
    }
}

fn rule(file: &str, exports: &Exports) -> Result<KeyRule> {
    let rule = match (exports.keys.as_deref(), exports.has_owner) {
        (None | Some("identity"), false) => Ok(KeyRule::Identity),
        (None | Some("derived"), true) => Ok(KeyRule::Derived),
        (Some("free"), false) => Ok(KeyRule::Free),
        (Some("derived"), false) => Err(("its keys are derived, but it does not say from what", OWNER_HINT)),
        (Some("identity" | "free"), true) => {
            Err(("it has an `owner`, but its keys are not derived", "leave one of `owner` and `keys` out"))
        }
        (Some(_), _) => Err(("its `keys` is none of 'identity', 'derived' and 'free'", "correct it")),
    };
    let rule = match rule {
        Ok(rule) if rule != KeyRule::Identity && exports.has_lookups => Err((
            "it looks other items up and changes keys, so nobody could tell whose an output is",
            "leave the parameter documentClient out, or make two scripts of it",
        )),
        other => other,
    };
    rule.map_err(|(message, hint)| Error::new(ErrorKind::Usage, format!("{file}: {message}")).hint(hint))
}

const OWNER_HINT: &str =
    "write `export const owner = ({ pk, sk }) => ({ pk, sk })`, from an output's key to its item's";

/// Why a script cannot be used.
fn unfit(sources: &Sources, failure: Failure) -> Error {
    match failure {
        Failure::Refused { reason, place: Some(at) } => match sources.get(&at.file) {
            Some(source) => mistake::mistake(&at.file, &source.text, at.place, &reason),
            None => Error::new(ErrorKind::Usage, format!("{at}: {reason}")),
        },
        other => Error::new(ErrorKind::Usage, format!("{}: {other}", sources.main)),
    }
}

#[cfg(test)]
mod tests;
