//! What a scanned item and a change write to the destination: the transform, held to its word about keys.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::change::Change;
use crate::engine::mutant::{self, Mutant};
use crate::item::{Key, RawItem};
use crate::sink::Write;
use crate::transform::{KeyRule, Rejection, Transform};

/// Partition keys that begin so are the tool's own: written to the source to see its stream deliver them, never copied.
pub const MARKER_PREFIX: &str = "tableferry-marker|";

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
}

impl Applier {
    /// For this transform.
    pub fn new(transform: Arc<dyn Transform>) -> Self {
        let rule = transform.keys();
        Self { transform, rule }
    }

    /// What a scanned item writes.
    pub fn row(&self, item: RawItem, outputs: &mut Vec<RawItem>) -> Operation {
        if marker(&item).is_some() {
            return Operation::nothing(item);
        }
        let hash = item.key_hash();
        let origin = item.clone();
        match self.outputs(item, outputs) {
            Ok(()) => {
                let writes: Writes = outputs.drain(..).map(Write::Put).collect();
                let is_own = writes.len() == 1 && writes[0].item().key_hash() == hash;
                Operation { origin: (!is_own).then_some(origin), writes, rejected: None }
            }
            Err(reason) => Operation { origin: Some(origin), writes: Writes::new(), rejected: Some(reason) },
        }
    }

    /// What a change writes: the outputs of the new image, and deletes for those of the old one that are no more.
    pub fn change(&self, change: Change) -> Operation {
        let origin = change.item().clone();
        let mut outputs = Vec::new();
        let mut rejected = None;
        if let Some(new) = change.new
            && let Err(reason) = self.outputs(new, &mut outputs)
        {
            rejected = Some(reason);
        }
        let is_replaced = self.rule == KeyRule::Identity && !outputs.is_empty();
        let mut writes: Writes = outputs.drain(..).map(Write::Put).collect();
        // An identity put takes the old output's place anyway.
        if let Some(old) = change.old
            && !is_replaced
            && !mutant::is(Mutant::OldOutputsKept)
        {
            if mutant::is(Mutant::RawDelete) {
                if writes.is_empty() {
                    writes.push(Write::Delete(old));
                }
            } else if self.outputs(old, &mut outputs).is_ok() {
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
    fn outputs(&self, item: RawItem, outputs: &mut Vec<RawItem>) -> Result<(), String> {
        debug_assert!(outputs.is_empty());
        let hash = item.key_hash();
        let owner = (self.rule == KeyRule::Derived).then(|| item.key());
        let done = match self.transform.apply(item, outputs) {
            Ok(()) => self.check(hash, owner.as_ref(), outputs),
            Err(rejection) => {
                let Rejection { reason, .. } = *rejection;
                Err(reason)
            }
        };
        done.map_err(|reason| {
            outputs.clear();
            format!("transform {}: {reason}", self.transform.name())
        })
    }

    fn check(&self, hash: u64, owner: Option<&Key>, outputs: &[RawItem]) -> Result<(), String> {
        for (at, output) in outputs.iter().enumerate() {
            let is_kept = match self.rule {
                KeyRule::Identity => output.key_hash() == hash,
                KeyRule::Derived => self.transform.owner(output).as_ref() == owner,
                KeyRule::Free => true,
            };
            if !is_kept {
                return Err(match self.rule {
                    KeyRule::Identity => {
                        "it changed the item's key but does not declare that it changes keys".to_owned()
                    }
                    _ => "an output's key does not tell that it comes from this item".to_owned(),
                });
            }
            if outputs[..at].iter().any(|other| same_key(other, output)) {
                return Err("two of its outputs have the same key".to_owned());
            }
        }
        Ok(())
    }
}

/// What a marker of ours says, if the item is one.
pub fn marker(item: &RawItem) -> Option<&str> {
    let value = item.partition_value().strip_prefix(b"{\"S\":\"")?.strip_prefix(MARKER_PREFIX.as_bytes())?;
    std::str::from_utf8(value.strip_suffix(b"\"}")?).ok()
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
