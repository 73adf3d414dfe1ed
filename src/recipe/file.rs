//! A recipe's file, checked against the table's keys as far as that can be done before an item is seen.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;

use super::Owner;
use super::case::{self, Case, Expected};
use super::step::Step;
use crate::error::{Error, ErrorKind, Result};
use crate::expression::{Condition, ExpressionError, Update, ValueExpression};
use crate::item::KeySchema;
use crate::transform::KeyRule;

/// Every key that a recipe may have, at whatever place.
const KEYS: [&str; 15] = [
    "description",
    "keys",
    "owner",
    "step",
    "case",
    "when",
    "rename",
    "update",
    "copy",
    "emit",
    "drop",
    "name",
    "given",
    "expect",
    "fails",
];
/// Names that are less alike than this are not offered in place of each other.
const ALIKE: f64 = 0.7;

/// What a file holds.
pub struct Parts {
    pub description: String,
    pub keys: KeyRule,
    pub owners: Vec<Owner>,
    pub steps: Vec<Step>,
    pub cases: Vec<Case>,
}

type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    description: String,
    #[serde(default)]
    keys: Option<Text>,
    #[serde(default)]
    owner: Vec<Spanned<BTreeMap<String, Text>>>,
    #[serde(default)]
    step: Vec<Spanned<WrittenStep>>,
    #[serde(default)]
    case: Vec<Spanned<WrittenCase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    when: Option<Text>,
    #[serde(default)]
    rename: BTreeMap<Text, Text>,
    update: Option<Text>,
    copy: Option<Spanned<OneOrMore<String>>>,
    emit: Option<Spanned<OneOrMore<BTreeMap<String, String>>>>,
    #[serde(default)]
    drop: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    name: Option<String>,
    given: serde_json::Value,
    expect: Option<OneOrMore<serde_json::Value>>,
    fails: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    More(Vec<T>),
    One(T),
}

impl<T> OneOrMore<T> {
    fn into_list(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::More(list) => list,
        }
    }

    /// Each with the place of all of them.
    fn into_spanned(these: Spanned<Self>) -> Vec<Spanned<T>> {
        let span = these.span();
        these.into_inner().into_list().into_iter().map(|one| Spanned::new(span.clone(), one)).collect()
    }
}

/// Reads the file.
pub fn read(text: &str, schema: &KeySchema) -> Result<Parts> {
    let written: Written = parse(text)?;
    let file = File { text, schema };
    let keys = match written.keys.as_ref().map(|keys| (keys, keys.get_ref().as_str())) {
        None | Some((_, "identity")) => KeyRule::Identity,
        Some((_, "derived")) => KeyRule::Derived,
        Some((_, "free")) => KeyRule::Free,
        Some((keys, other)) => {
            let message = format!("{}: keys = \"{other}\" is none of identity, derived, free", file.place(keys));
            return Err(usage(message, "leave the line out when items keep their keys"));
        }
    };
    if written.step.is_empty() {
        return Err(usage("the recipe has no step".to_owned(), "write [[step]] and what it does below it"));
    }
    if keys != KeyRule::Derived
        && let Some(owner) = written.owner.first()
    {
        let message = format!("{}: only a recipe with keys = \"derived\" has owners", file.place(owner));
        return Err(usage(message, "add the line keys = \"derived\", or leave the owner out"));
    }
    if keys == KeyRule::Derived && written.owner.is_empty() {
        let message = "keys = \"derived\" needs an [[owner]] that tells the key of the item that an output comes from";
        return Err(usage(message.to_owned(), "for instance: owner = [{ pk = 'lower(pk)', sk = 'sk' }]"));
    }
    Ok(Parts {
        description: written.description,
        keys,
        owners: written.owner.into_iter().map(|owner| file.owner(owner)).collect::<Result<_>>()?,
        steps: written.step.into_iter().map(|step| file.step(step, keys)).collect::<Result<_>>()?,
        cases: written.case.into_iter().enumerate().map(|(at, case)| file.case(at, case)).collect::<Result<_>>()?,
    })
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let message = error.to_string().trim_end().to_owned();
        let unknown = error.message().strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        let hint = unknown.map(|unknown| {
            let alike = |right: &&&str| strsim::jaro_winkler(right, unknown);
            match KEYS.iter().max_by(|one, two| alike(one).total_cmp(&alike(two))).filter(|best| alike(best) >= ALIKE) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "see the README for what a recipe may hold".to_owned(),
            }
        });
        usage(
            message,
            hint.as_deref().unwrap_or("mend the file; texts stand in quotes, tables under [[step]] or [[case]]"),
        )
    })
}

struct File<'a> {
    text: &'a str,
    schema: &'a KeySchema,
}

impl File<'_> {
    /// Line and column, counted from 1, of a byte.
    fn position(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }

    fn place<T>(&self, part: &Spanned<T>) -> String {
        let (line, column) = self.position(part.span().start);
        format!("line {line}, column {column}")
    }

    /// The error, with its place in the file where the text is written as it is: without escapes.
    fn explain(&self, part: &Text, error: ExpressionError) -> Error {
        let written = self.text.get(part.span()).unwrap_or_default();
        let (line, column) = self.position(part.span().start + written.find(part.get_ref().as_str()).unwrap_or(0));
        error.within(line, column).into()
    }

    fn condition(&self, text: &Text) -> Result<Condition> {
        Condition::parse(text.get_ref()).map_err(|error| self.explain(text, error))
    }

    fn value(&self, text: &Text) -> Result<ValueExpression> {
        ValueExpression::parse(text.get_ref()).map_err(|error| self.explain(text, error))
    }

    fn update(&self, text: &Text, may_change_keys: bool) -> Result<Update> {
        let update = Update::parse(text.get_ref()).map_err(|error| self.explain(text, error))?;
        if may_change_keys {
            return Ok(update.changing_keys());
        }
        update.check_keys(self.schema).map_err(|error| self.explain(text, error).hint(KEYS_STAY))?;
        Ok(update)
    }

    fn owner(&self, written: Spanned<BTreeMap<String, Text>>) -> Result<Owner> {
        let place = self.place(&written);
        let mut values = written.into_inner();
        let when = values.remove("when").map(|when| self.condition(&when)).transpose()?;
        let names = self.key_names();
        let is_complete = values.len() == names.len() && names.iter().all(|name| values.contains_key(*name));
        if !is_complete {
            let message = format!("{place}: an owner has a value for each key attribute ({})", names.join(" and "));
            return Err(usage(
                message,
                "each is a value of the output's key attributes, its own for instance: pk = 'pk'",
            ));
        }
        let values = values.into_iter().map(|(name, value)| Ok((name, self.value(&value)?)));
        Ok(Owner { when, values: values.collect::<Result<_>>()? })
    }

    fn key_names(&self) -> Vec<&str> {
        let sort = self.schema.sort.as_ref().map(|sort| sort.name());
        std::iter::once(self.schema.partition.name()).chain(sort).collect()
    }

    fn step(&self, written: Spanned<WrittenStep>, keys: KeyRule) -> Result<Step> {
        let place = self.place(&written);
        let WrittenStep { when, rename, update, copy, emit, drop } = written.into_inner();
        let may_change_keys = keys != KeyRule::Identity;
        let copy = copy.map(OneOrMore::into_spanned).unwrap_or_default();
        let emit = emit.map(OneOrMore::into_spanned).unwrap_or_default();
        if rename.is_empty() && update.is_none() && copy.is_empty() && emit.is_empty() && !drop {
            let message = format!("{place}: the step does nothing");
            return Err(usage(message, "give it one of rename, update, copy, emit, drop"));
        }
        let adds_items = !copy.is_empty() || !emit.is_empty();
        if adds_items && !may_change_keys {
            let message = format!("{place}: items that are added have keys of their own");
            return Err(usage(message, KEYS_STAY));
        }
        for name in rename.iter().flat_map(|(old, new)| [old, new]) {
            if !may_change_keys && self.key_names().contains(&name.get_ref().as_str()) {
                let message = format!("{}: {} is a key attribute", self.place(name), name.get_ref());
                return Err(usage(message, KEYS_STAY));
            }
        }
        let emitted = |values: Spanned<BTreeMap<String, String>>| -> Result<Vec<(String, ValueExpression)>> {
            let span = values.span();
            let values = values.into_inner();
            if let Some(missing) = self.key_names().into_iter().find(|name| !values.contains_key(*name)) {
                let message = format!("{place}: the emitted item has no {missing}");
                return Err(usage(message, "an item needs all of its key attributes"));
            }
            let value = |value| self.value(&Spanned::new(span.clone(), value));
            values.into_iter().map(|(name, text)| Ok((name, value(text)?))).collect()
        };
        Ok(Step {
            when: when.map(|when| self.condition(&when)).transpose()?,
            rename: rename.into_iter().map(|(old, new)| (old.into_inner(), new.into_inner())).collect(),
            update: update.map(|update| self.update(&update, may_change_keys)).transpose()?,
            copy: copy.iter().map(|update| self.update(update, true)).collect::<Result<_>>()?,
            emit: emit.into_iter().map(emitted).collect::<Result<_>>()?,
            drop,
        })
    }

    fn case(&self, at: usize, written: Spanned<WrittenCase>) -> Result<Case> {
        let (line, _) = self.position(written.span().start);
        let WrittenCase { name, given, expect, fails } = written.into_inner();
        let name = name.unwrap_or_else(|| format!("case {}", at + 1));
        let wrong = |message: String| usage(format!("line {line}: {name}: {message}"), CASE);
        let item = |part: &str, value: &serde_json::Value| {
            case::item(value, self.schema).map_err(|reason| wrong(format!("{part}: {reason}")))
        };
        let given = item("given", &given)?;
        let expected = match (expect, fails) {
            (Some(expect), None) => {
                Expected::Items(expect.into_list().iter().map(|value| item("expect", value)).collect::<Result<_>>()?)
            }
            (None, Some(fails)) => Expected::Refusal(fails),
            _ => return Err(wrong("it has to have one of expect and fails".to_owned())),
        };
        Ok(Case { name, line, given, expected })
    }
}

const KEYS_STAY: &str =
    "if keys are to change, say so with keys = \"derived\" and an [[owner]], or with keys = \"free\"";
const CASE: &str = "a case has given and expect: an item, a list of items, or [] when it is dropped; or fails, a part of \
                    the reason why it is refused";

fn usage(message: String, hint: &str) -> Error {
    Error::new(ErrorKind::Usage, message).hint(hint)
}
