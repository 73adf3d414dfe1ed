//! The seam for changing items on their way.

use crate::item::{Key, RawItem};

/// What a transform may do to keys. The engine holds it to its word, output by output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRule {
    /// An output has the key of the item it comes from.
    Identity,
    /// Keys change, but each output's key tells whose it is: [`Transform::owner`].
    Derived,
    /// Outputs of different items may have the same key; who has it is kept account of.
    Free,
}

/// An item that a transform refuses, and why.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// The item as it was handed in.
    pub item: RawItem,
    /// Why.
    pub reason: String,
}

/// A pure function from one item to zero or more.
///
/// Pure: the same item gives the same items, whenever and in whatever company it is applied, because an item may be
/// read and transformed again after a crash.
pub trait Transform: Send + Sync {
    /// What an operator calls it, a file name for instance.
    fn name(&self) -> &str;

    /// What it does to keys.
    fn keys(&self) -> KeyRule {
        KeyRule::Identity
    }

    /// The key of the item that `output` comes from, told from the output's key alone; `None` when it is nobody's.
    /// Asked only under [`KeyRule::Derived`].
    fn owner(&self, output: &RawItem) -> Option<Key> {
        Some(output.key())
    }

    /// Appends the outputs for `item` to `outputs`; appending nothing drops the item deliberately.
    fn apply(&self, item: RawItem, outputs: &mut Vec<RawItem>) -> Result<(), Box<Rejection>>;
}

/// Hands every item on as it is.
#[derive(Debug, Default)]
pub struct PassThrough;

impl Transform for PassThrough {
    fn name(&self) -> &str {
        "pass-through"
    }

    fn apply(&self, item: RawItem, outputs: &mut Vec<RawItem>) -> Result<(), Box<Rejection>> {
        outputs.push(item);
        Ok(())
    }
}
