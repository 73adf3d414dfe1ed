//! The seam for transforms that look other items up.

use crate::error::Result;
use crate::item::{KeySchema, RawItem, Value};

/// Which sort keys are wanted. The values are of the sort key's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortRange {
    /// All.
    All,
    /// This one.
    Equal(Value),
    /// Those below it.
    Less(Value),
    /// It and those below it.
    AtMost(Value),
    /// Those above it.
    Greater(Value),
    /// It and those above it.
    AtLeast(Value),
    /// Those from the first to the second, both of them included.
    Between(Value, Value),
    /// Texts or binary that begin with it.
    BeginsWith(Value),
}

/// A question for items with the same partition key.
#[derive(Debug, Clone)]
pub struct LookupQuery {
    /// The value of the partition key.
    pub partition: Value,
    /// Which of its items.
    pub sort: SortRange,
    /// From the greatest sort key down.
    pub descending: bool,
    /// Not more items than this.
    pub limit: Option<usize>,
    /// Goes on behind this key: [`LookupPage::last`] of the page before.
    pub after: Option<RawItem>,
}

/// Some of the items that a query asks for, in the order of their sort keys.
#[derive(Debug, Clone, Default)]
pub struct LookupPage {
    /// The items.
    pub items: Vec<RawItem>,
    /// Where to go on; `None` when these were the last.
    pub last: Option<RawItem>,
}

/// Reads the source on behalf of transforms.
///
/// Called by many threads at once, from inside of [`Transform::apply`](crate::transform::Transform::apply), and may
/// block the calling thread. Reads are strongly consistent. An error refuses the item that is being transformed, so
/// what may pass (throttles, a lost connection) is retried here and not handed on.
pub trait Lookup: Send + Sync {
    /// The name of the table that is read.
    fn table(&self) -> &str;

    /// Its primary key.
    fn schema(&self) -> &KeySchema;

    /// The item with the key of `key`, an item of key attributes.
    fn get(&self, key: &RawItem) -> Result<Option<RawItem>>;

    /// One page of the items that a query asks for.
    fn query(&self, query: &LookupQuery) -> Result<LookupPage>;
}
