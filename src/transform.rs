//! The seam for changing items on their way.

use crate::item::RawItem;

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
