//! What a scanned item and a change write to the destination: the transform, held to its word about keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::{SmallVec, smallvec};

use crate::change::Change;
use crate::engine::lookups::Lookups;
use crate::engine::mutant::{self, Mutant};
use crate::engine::shutdown::Shutdown;
use crate::error::{Error, ErrorKind};
use crate::item::{Key, KeySchema, RawItem, members};
use crate::sink::Write;
use crate::transform::{KeyRule, Occasion, Transform};

/// Partition keys that begin so are the tool's own: written to the source to see its stream deliver them, never copied.
pub const MARKER_PREFIX: &str = "tableferry-marker|";

/// One item of so many is transformed twice, to see whether it comes out the same.
const SAMPLE: u64 = 100;

/// Mostly one.
pub type Writes = SmallVec<[Write; 1]>;

/// What is to be done about one item or change of the source. Its writes have different keys.
#[derive(Debug)]
pub struct Operation {
    /// An item with the source's key; `None` when the only write has it.
    pub origin: Option<RawItem>,
    /// In no particular order.
    pub writes: Writes,
    /// Why the item cannot be written; the writes then only clear away what was there.
    pub rejected: Option<String>,
}

impl Operation {
    /// An item with the source's key.
    pub fn origin(&self) -> &RawItem {
        self.origin.as_ref().unwrap_or_else(|| self.writes[0].item())
    }

    fn nothing(origin: RawItem) -> Self {
        Self { origin: Some(origin), writes: Writes::new(), rejected: None }
    }
}

/// Applies the transform.
pub struct Applier {
    transform: Arc<dyn Transform>,
    rule: KeyRule,
    /// Where the transform looks other items up, if it does.
    lookups: Option<Arc<Lookups>>,
    schema: KeySchema,
    shutdown: Arc<Shutdown>,
    /// Whether what it does is written by a user, and is to come out the same each time.
    is_sampled: bool,
    applied: AtomicU64,
}

impl Applier {
    /// For this transform and items with keys of `schema`; with `lookups` if it has any.
    pub fn new(
        transform: Arc<dyn Transform>,
        lookups: Option<Arc<Lookups>>,
        schema: KeySchema,
        shutdown: Arc<Shutdown>,
    ) -> Self {
        let rule = transform.keys();
        let is_sampled = !transform.files().is_empty() && lookups.is_none();
        Self { transform, rule, lookups, schema, shutdown, is_sampled, applied: AtomicU64::new(0) }
    }

    /// For items that were read before now.
    pub fn occasion(&self) -> Occasion {
        self.lookups.as_ref().map(Lookups::occasion).unwrap_or_default()
    }

    /// Whether items were transformed without an answer that they wait for, because the run ends.
    pub fn has_given_up(&self) -> bool {
        self.lookups.as_ref().is_some_and(|lookups| lookups.has_given_up())
    }

    /// Whether keys are free, so that only the claims can tell what is to be deleted.
    pub fn has_claims(&self) -> bool {
        self.rule == KeyRule::Free && !mutant::is(Mutant::NoClaims)
    }

    /// The output of that key which the item has now, if it is not refused.
    pub fn output(&self, item: RawItem, key: &Key) -> Option<RawItem> {
        let mut outputs = Vec::new();
        self.outputs(item, &self.occasion(), &mut outputs).ok()?;
        outputs.into_iter().find(|output| output.key() == *key)
    }

    /// What a scanned item writes.
    pub fn row(&self, item: RawItem, occasion: &Occasion, outputs: &mut Vec<RawItem>) -> Operation {
        if marker(&item).is_some() {
            return Operation::nothing(item);
        }
        let hash = item.key_hash();
        let origin = item.clone();
        match self.outputs(item, occasion, outputs) {
            Ok(()) => {
                let writes: Writes = outputs.drain(..).map(Write::Put).collect();
                let is_own = writes.len() == 1 && writes[0].item().key_hash() == hash;
                Operation { origin: (!is_own).then_some(origin), writes, rejected: None }
            }
            Err(reason) => Operation { origin: Some(origin), writes: Writes::new(), rejected: Some(reason) },
        }
    }

    /// What a change writes: the outputs of the new image, and deletes for those of the old one that are no more.
    pub fn change(&self, change: Change, occasion: &Occasion) -> Operation {
        let origin = change.item().clone();
        let mut outputs = Vec::new();
        let mut rejected = None;
        if let Some(new) = change.new
            && let Err(reason) = self.outputs(new, occasion, &mut outputs)
        {
            rejected = Some(reason);
        }
        let is_replaced = self.rule == KeyRule::Identity && !outputs.is_empty();
        let mut writes: Writes = outputs.drain(..).map(Write::Put).collect();
        // An identity put takes the old output's place anyway.
        if let Some(old) = change.old
            && !is_replaced
            && !self.has_claims()
            && !mutant::is(Mutant::OldOutputsKept)
        {
            if self.lookups.is_some() && self.rule == KeyRule::Identity {
                // What the old image comes to now may not be what it came to then.
                writes.push(Write::Delete(old));
            } else if mutant::is(Mutant::RawDelete) {
                if writes.is_empty() {
                    writes.push(Write::Delete(old));
                }
            } else if self.old_outputs(old, occasion, &mut outputs).is_ok() {
                // What the old image was refused for, it was refused for then: nothing of it is there.
                let new = writes.len();
                for output in outputs.drain(..) {
                    if !writes[..new].iter().any(|write| same_key(write.item(), &output)) {
                        writes.push(Write::Delete(output));
                    }
                }
            }
        }
        Operation { origin: Some(origin), writes, rejected }
    }

    /// The transform's outputs, checked; in `outputs`, which is left empty when the item is refused.
    fn outputs(&self, item: RawItem, occasion: &Occasion, outputs: &mut Vec<RawItem>) -> Result<(), String> {
        debug_assert!(outputs.is_empty());
        let hash = item.key_hash();
        let owner = (self.rule == KeyRule::Derived).then(|| item.key());
        let is_sample = self.is_sampled && self.applied.fetch_add(1, Ordering::Relaxed).is_multiple_of(SAMPLE);
        let sample = is_sample.then(|| item.clone());
        let possible = self.has_scattered_lookups().then(|| self.without_lookups(item.clone()));
        let done = self.transform.apply(item, occasion, outputs);
        if let Some(item) = sample {
            self.check_purity(item, &done, outputs);
        }
        let done = done.and_then(|()| check(&*self.transform, self.rule, hash, owner.as_ref(), outputs));
        let done = done.and_then(|()| match possible {
            Some(possible) => check_possible(&*self.transform, &possible?, outputs),
            None => Ok(()),
        });
        done.map_err(|reason| {
            outputs.clear();
            format!("transform {reason}")
        })
    }

    /// Whether keys change in a chain where something is looked up too, so that what an earlier image came to can be told
    /// by its keys alone.
    fn has_scattered_lookups(&self) -> bool {
        self.lookups.is_some() && self.rule == KeyRule::Derived
    }

    /// What an earlier image came to, as far as it may be there still: by key, whatever was looked up.
    fn old_outputs(&self, old: RawItem, occasion: &Occasion, outputs: &mut Vec<RawItem>) -> Result<(), String> {
        if self.has_scattered_lookups() {
            outputs.extend(self.without_lookups(old)?);
            return Ok(());
        }
        self.outputs(old, occasion, outputs)
    }

    fn without_lookups(&self, item: RawItem) -> Result<Vec<RawItem>, String> {
        let mut outputs = Vec::new();
        let occasion = Occasion { is_without_lookups: true, ..Occasion::default() };
        self.transform.apply(item, &occasion, &mut outputs)?;
        Ok(outputs)
    }

    /// Ends the run if the item comes out otherwise when it is transformed again.
    fn check_purity(&self, item: RawItem, done: &Result<(), String>, outputs: &[RawItem]) {
        let mut again = Vec::new();
        let occasion = Occasion { is_afresh: true, ..Occasion::default() };
        let done_again = self.transform.apply(item.clone(), &occasion, &mut again);
        let difference = match (done, done_again) {
            (Ok(()), Ok(())) => difference(outputs, &again),
            (Err(_), Err(_)) => None,
            (Ok(()), Err(reason)) => Some(format!("it was refused: {reason}")),
            (Err(_), Ok(())) => Some("it was no longer refused".to_owned()),
        };
        let Some(difference) = difference else { return };
        let (name, key) = (self.transform.name(), item.key_json(&self.schema));
        let message = format!("transform {name} is not pure: when the item {key} was transformed again, {difference}");
        self.shutdown.fail(Error::new(ErrorKind::Impure, message).hint(
            "an item has to come out the same whenever and with whatever others it is transformed, because it is \
             transformed again after a crash: take the clock, random numbers and what is kept between calls out of it, \
             and begin again with --restart into an empty destination",
        ));
    }
}

/// What comes of an item, as a run would have it; for trying a transform out.
pub fn try_out(transform: &dyn Transform, item: &RawItem, occasion: &Occasion) -> Result<Vec<RawItem>, String> {
    let mut outputs = Vec::new();
    transform.apply(item.clone(), occasion, &mut outputs)?;
    check(transform, transform.keys(), item.key_hash(), Some(&item.key()), &outputs)?;
    Ok(outputs)
}

/// Holds a transform to its word about keys.
fn check(
    transform: &dyn Transform,
    rule: KeyRule,
    hash: u64,
    owner: Option<&Key>,
    outputs: &[RawItem],
) -> Result<(), String> {
    for (at, output) in outputs.iter().enumerate() {
        let is_kept = match rule {
            KeyRule::Identity => output.key_hash() == hash,
            KeyRule::Derived => transform.owner(output).map(|item| item.key()).as_ref() == owner,
            KeyRule::Free => true,
        };
        let wrong = match rule {
            _ if is_kept => None,
            KeyRule::Identity => Some("it changed the item's key but does not declare that it changes keys"),
            _ => Some("an output's key does not tell that it comes from this item"),
        };
        let is_double = || outputs[..at].iter().any(|other| same_key(other, output));
        let wrong = wrong.or_else(|| is_double().then_some("two of its outputs have the same key"));
        if let Some(wrong) = wrong {
            return Err(format!("{}: {wrong}", transform.name()));
        }
    }
    Ok(())
}

/// Refuses a key that nobody could find again, because it is not among those that do not depend on what was looked up.
fn check_possible(transform: &dyn Transform, possible: &[RawItem], outputs: &[RawItem]) -> Result<(), String> {
    match outputs.iter().all(|output| possible.iter().any(|other| same_key(other, output))) {
        true => Ok(()),
        false => Err(format!("{}: an output's key depends on what was looked up", transform.name())),
    }
}

/// What a marker of ours says, if the item is one.
pub fn marker(item: &RawItem) -> Option<&str> {
    let value = item.partition_value().strip_prefix(b"{\"S\":\"")?.strip_prefix(MARKER_PREFIX.as_bytes())?;
    std::str::from_utf8(value.strip_suffix(b"\"}")?).ok()
}

/// What is different in the second of two results of one transform.
fn difference(first: &[RawItem], second: &[RawItem]) -> Option<String> {
    if first.len() != second.len() {
        return Some(format!("{} items came of it and not {}", second.len(), first.len()));
    }
    let (one, other) = first.iter().zip(second).find(|(one, other)| one.json() != other.json())?;
    let has = |item: &RawItem, name: &str, value: &[u8]| {
        members(item.json()).any(|member| member.name.is(name) && member.value == value)
    };
    let lacks = |item: &RawItem, other: &RawItem| {
        let names = members(item.json()).map(|member| (member.name.decoded(), member.value));
        let names = names.map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), value));
        names.into_iter().find(|(name, value)| !has(other, name, value)).map(|(name, _)| name)
    };
    Some(match lacks(one, other).or_else(|| lacks(other, one)) {
        Some(name) => format!("its attribute {name} was different"),
        None => "its attributes came in another order".to_owned(),
    })
}

fn same_key(one: &RawItem, other: &RawItem) -> bool {
    one.key_hash() == other.key_hash() && one.key() == other.key()
}

/// Joins an earlier operation of a key, not begun, with a later one: the later write of each destination key counts, and
/// no delete is lost.
pub fn merge(earlier: Operation, later: Operation) -> Operation {
    let is_put = |operation: &Operation| matches!(operation.writes.as_slice(), [Write::Put(_)]);
    let is_delete = |operation: &Operation| matches!(operation.writes.as_slice(), [Write::Delete(_)]);
    if mutant::is(Mutant::CoalescedAway) && is_put(&earlier) && is_delete(&later) {
        return Operation { writes: smallvec![], ..later };
    }
    let mut writes = later.writes;
    let newer = writes.len();
    for write in earlier.writes {
        if !writes[..newer].iter().any(|other| same_key(other.item(), write.item())) {
            writes.push(write);
        }
    }
    Operation { origin: later.origin.or(earlier.origin), writes, rejected: later.rejected }
}

#[cfg(test)]
mod tests;
