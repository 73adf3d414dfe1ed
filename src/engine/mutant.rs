//! Rules of the algorithm that a test may take out, to see that the simulation notices.
//!
//! Outside of unit tests nothing can be planted: [`is`] is a constant there and the compiler removes the branch.

/// One rule taken out. Numbers and words are those of the algorithm's table of mutants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code))]
pub enum Mutant {
    /// Rows are written although a change of their key was taken in.
    RowsNotGated,
    /// A delete is no touch, so a row can bring its item back.
    NoTombstones,
    /// A touch is forgotten when its change is acknowledged.
    TouchForgotten,
    /// What came back unprocessed counts as written.
    UnprocessedIgnored,
    /// Outputs of the old image stay.
    OldOutputsKept,
    /// Deletes take the source's key.
    RawDelete,
    /// The tail begins with what comes after a while.
    LateStart,
    /// The tail begins when the copy has ended.
    TailAfterCopy,
    /// Start positions are not stored before the first page is read.
    StartNotDurable,
    /// Positions and cursors move before anything is acknowledged.
    CheckpointEarly,
    /// Positions and cursors move to the highest page that is done, not over the longest prefix.
    CheckpointHighest,
    /// A child is read beside its parent.
    ChildBesideParent,
    /// Pages may be stale and touches are not kept for that long.
    NoHold,
    /// A key is free at once although an attempt that was given up may still land.
    NoSettle,
    /// A put and a delete that wait together become nothing.
    CoalescedAway,
    /// Free keys without claims: outputs of the old image are deleted, whoever else has their keys.
    NoClaims,
    /// A claim is given up before the delete that goes with it is acknowledged.
    ClaimDroppedEarly,
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Whether this rule is taken out in this thread.
#[cfg(test)]
pub fn is(mutant: Mutant) -> bool {
    PLANTED.get() == Some(mutant)
}

/// Whether this rule is taken out: never, outside of unit tests.
#[cfg(not(test))]
pub const fn is(_: Mutant) -> bool {
    false
}

/// Takes a rule out in this thread for as long as the guard lives.
#[cfg(test)]
pub fn plant(mutant: Mutant) -> Planted {
    PLANTED.set(Some(mutant));
    Planted
}

/// Puts the rule back when it is dropped.
#[cfg(test)]
#[derive(Debug)]
pub struct Planted;

#[cfg(test)]
impl Drop for Planted {
    fn drop(&mut self) {
        PLANTED.set(None);
    }
}
