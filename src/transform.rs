//! The seam for changing items on their way.

use crate::item::RawItem;

/// Why a transform refuses an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection(pub String);

/// A pure function from one item to zero or more.
///
/// Pure: the same item gives the same items, whenever and in whatever company it is applied, because an item may be
/// read and transformed again after a crash.
pub trait Transform: Send + Sync {
    /// What an operator calls it, a file name for instance.
    fn name(&self) -> &str;

    /// Appends the outputs for `item` to `outputs`; appending nothing drops the item deliberately.
    fn apply(&self, item: RawItem, outputs: &mut Vec<RawItem>) -> Result<(), Rejection>;
}

/// Hands every item on as it is.
#[derive(Debug, Default)]
pub struct PassThrough;

impl Transform for PassThrough {
    fn name(&self) -> &str {
        "pass-through"
    }

    fn apply(&self, item: RawItem, outputs: &mut Vec<RawItem>) -> Result<(), Rejection> {
        outputs.push(item);
        Ok(())
    }
}
