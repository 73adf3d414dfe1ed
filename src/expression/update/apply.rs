//! Applies an update: first everything is worked out from the item as it is, then everything is changed.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::expression::path::{Path, Step, descend_mut};
use crate::expression::value::{Source, Taken, evaluate};
use crate::item::{Attribute, Attributes, Kind, Value, typed};

use super::{Action, Effect};

/// What happens at a path.
enum Change {
    /// A part of the item as it was sent.
    PutRaw(Bytes),
    Put(Value),
    Remove,
}

pub(super) fn apply(actions: &[Action], attributes: &mut Attributes) -> Result<(), String> {
    let mut changes: SmallVec<[(&Path, Change); 4]> = SmallVec::new();
    for action in actions {
        let path = &action.path;
        check_parent(path, attributes)?;
        if let Some(change) = change(path, &action.effect, attributes)? {
            changes.push((path, change));
        }
    }
    // Parsing is the last thing that can fail.
    for (path, _) in changes.iter().filter(|(path, _)| !path.steps.is_empty()) {
        parsed(path, attributes)?;
    }
    // Along a list: from front to back what is put, so that elements beyond its end are appended in their order; then
    // from back to front what is removed, so that every index is still the one that was written.
    changes.sort_by(|(one, _), (two, _)| (&one.name, &one.steps).cmp(&(&two.name, &two.steps)));
    let (removals, puts): (SmallVec<[_; 4]>, SmallVec<[_; 4]>) =
        changes.into_iter().partition(|(_, change)| matches!(change, Change::Remove));
    for (path, change) in puts.into_iter().chain(removals.into_iter().rev()) {
        perform(path, change, attributes)?;
    }
    Ok(())
}

fn parsed<'a>(path: &Path, attributes: &'a mut Attributes) -> Result<Option<&'a mut Value>, String> {
    attributes
        .value_mut(&path.name)
        .map_err(|fault| format!("{} is not what its type says: expected {}", path.name, fault.expected))
}

/// A path leads to a place in an existing map or list.
fn check_parent(path: &Path, attributes: &Attributes) -> Result<(), String> {
    let Some((last, steps)) = path.steps.split_last() else { return Ok(()) };
    let parent = Path { name: path.name.clone(), slot: path.slot, steps: steps.to_vec() };
    let kind = match attributes.at(&parent) {
        Some(Attribute::Raw(json)) => typed(json).map(|(kind, _)| kind),
        Some(Attribute::Value(value)) => Some(value.kind()),
        None => return Err(format!("the item has no {parent}, so there is no place for {path}")),
    };
    match (last, kind) {
        (Step::Name(_), Some(Kind::M)) | (Step::Index(_), Some(Kind::L)) => Ok(()),
        (Step::Name(_), _) => Err(format!("{parent} is no map, so there is no place for {path}")),
        (Step::Index(_), _) => Err(format!("{parent} is no list, so there is no place for {path}")),
    }
}

fn change(path: &Path, effect: &Effect, attributes: &Attributes) -> Result<Option<Change>, String> {
    let existing = || attributes.at(path).map(|found| Taken::There(found).into_value()).transpose();
    match effect {
        // What is appended by the same update is not yet there to be removed.
        Effect::Remove => Ok(attributes.at(path).map(|_| Change::Remove)),
        Effect::Set(formula) => Ok(Some(match evaluate(formula, attributes)? {
            Taken::There(Attribute::Raw(json)) if path.steps.is_empty() => Change::PutRaw(attributes.share(json)),
            taken => Change::Put(taken.into_value()?),
        })),
        Effect::Add(operand) => match existing()? {
            None => Ok(Some(Change::Put(operand.clone()))),
            Some(value) => add(path, value, operand).map(Change::Put).map(Some),
        },
        Effect::Delete(operand) => match existing()? {
            None => Ok(None),
            Some(value) => delete(path, value, operand).map(Some),
        },
    }
}

fn add(path: &Path, value: Value, operand: &Value) -> Result<Value, String> {
    match (value, operand) {
        (Value::N(number), Value::N(more)) => {
            let sum = number.value().plus(more.value()).map_err(|fault| format!("{path}: {fault}"))?;
            Ok(sum.into())
        }
        (Value::Ss(mut set), Value::Ss(more)) => {
            set.extend(more.iter().cloned());
            Ok(Value::Ss(set))
        }
        (Value::Ns(mut set), Value::Ns(more)) => {
            set.extend(more.iter().cloned());
            Ok(Value::Ns(set))
        }
        (Value::Bs(mut set), Value::Bs(more)) => {
            set.extend(more.iter().cloned());
            Ok(Value::Bs(set))
        }
        (value, operand) => Err(mismatch(path, &value, operand)),
    }
}

fn delete(path: &Path, value: Value, operand: &Value) -> Result<Change, String> {
    let rest = match (value, operand) {
        (Value::Ss(mut set), Value::Ss(less)) => {
            set.retain(|element| !less.contains(element));
            (!set.is_empty()).then_some(Value::Ss(set))
        }
        (Value::Ns(mut set), Value::Ns(less)) => {
            set.retain(|element| !less.contains(element));
            (!set.is_empty()).then_some(Value::Ns(set))
        }
        (Value::Bs(mut set), Value::Bs(less)) => {
            set.retain(|element| !less.contains(element));
            (!set.is_empty()).then_some(Value::Bs(set))
        }
        (value, operand) => return Err(mismatch(path, &value, operand)),
    };
    // There are no empty sets.
    Ok(rest.map_or(Change::Remove, Change::Put))
}

fn mismatch(path: &Path, value: &Value, operand: &Value) -> String {
    format!("{path} is of type {}, the operand of type {}", value.kind(), operand.kind())
}

fn perform(path: &Path, change: Change, attributes: &mut Attributes) -> Result<(), String> {
    let Some((last, steps)) = path.steps.split_last() else {
        match change {
            Change::PutRaw(json) => attributes.set_raw(&path.name, json),
            Change::Put(value) => attributes.set(&path.name, value),
            Change::Remove => drop(attributes.remove(&path.name)),
        }
        return Ok(());
    };
    let value = match change {
        Change::PutRaw(json) => Some(Taken::There(Attribute::Raw(&json)).into_value()?),
        Change::Put(value) => Some(value),
        Change::Remove => None,
    };
    let top = parsed(path, attributes)?;
    match (top.and_then(|top| descend_mut(top, steps)), last, value) {
        (Some(Value::M(map)), Step::Name(name), Some(value)) => drop(map.insert(name.to_string(), value)),
        (Some(Value::M(map)), Step::Name(name), None) => drop(map.shift_remove(&**name)),
        (Some(Value::L(list)), Step::Index(index), Some(value)) => match list.get_mut(*index) {
            Some(element) => *element = value,
            None => list.push(value),
        },
        (Some(Value::L(list)), Step::Index(index), None) => {
            if *index < list.len() {
                list.remove(*index);
            }
        }
        _ => return Err(format!("there is no place for {path}")),
    }
    Ok(())
}
