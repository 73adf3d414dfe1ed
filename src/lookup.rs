//! The seam for transforms that look other items up.

use std::cmp::Ordering;

use crate::error::Result;
use crate::item::{Key, KeySchema, RawItem, Value};

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

impl LookupQuery {
    /// The partition key that is asked for, to compare and look up.
    pub fn collection(&self) -> Key {
        let mut json = Vec::new();
        self.partition.write(&mut json);
        Key::new(&json, None)
    }

    /// The answer, where `collection` is all items with the partition key that is asked for, in the order of their sort keys;
    /// of at most `page_items` items.
    pub fn answer(&self, collection: &[RawItem], schema: &KeySchema, page_items: usize) -> LookupPage {
        let is_asked = |item: &&RawItem| self.sort.contains(sort_value(item).as_ref());
        let mut found: Vec<&RawItem> = collection.iter().filter(is_asked).collect();
        if self.descending {
            found.reverse();
        }
        let after = self.after.as_ref().map(RawItem::key);
        let behind = after.and_then(|after| found.iter().position(|item| item.key() == after)).map_or(0, |at| at + 1);
        let rest = &found[behind..];
        let count = rest.len().min(self.limit.unwrap_or(usize::MAX)).min(page_items);
        let items: Vec<RawItem> = rest[..count].iter().map(|item| (*item).clone()).collect();
        let last = if count < rest.len() { items.last().and_then(|item| only_key(item, schema)) } else { None };
        LookupPage { items, last }
    }
}

impl SortRange {
    /// Whether a sort key is wanted.
    pub fn contains(&self, sort: Option<&Value>) -> bool {
        let compared = |value: &Value| order(sort, Some(value));
        match self {
            Self::All => true,
            Self::Equal(value) => compared(value).is_eq(),
            Self::Less(value) => compared(value).is_lt(),
            Self::AtMost(value) => compared(value).is_le(),
            Self::Greater(value) => compared(value).is_gt(),
            Self::AtLeast(value) => compared(value).is_ge(),
            Self::Between(low, high) => compared(low).is_ge() && compared(high).is_le(),
            Self::BeginsWith(Value::S(start)) => matches!(sort, Some(Value::S(text)) if text.starts_with(start)),
            Self::BeginsWith(Value::B(start)) => matches!(sort, Some(Value::B(bytes)) if bytes.starts_with(start)),
            Self::BeginsWith(_) => false,
        }
    }
}

/// The order in which a query gives items of one collection.
pub fn sort_order(one: &RawItem, other: &RawItem) -> Ordering {
    order(sort_value(one).as_ref(), sort_value(other).as_ref())
}

fn sort_value(item: &RawItem) -> Option<Value> {
    Value::parse(item.sort_value()?).ok()
}

/// Sort keys are texts, numbers or binary.
fn order(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    match (one, other) {
        (Some(Value::S(one)), Some(Value::S(other))) => one.as_bytes().cmp(other.as_bytes()),
        (Some(Value::B(one)), Some(Value::B(other))) => one.cmp(other),
        (Some(Value::N(one)), Some(Value::N(other))) => one.value().cmp(&other.value()),
        _ => Ordering::Equal,
    }
}

fn only_key(item: &RawItem, schema: &KeySchema) -> Option<RawItem> {
    RawItem::parse(item.key_json(schema).into(), schema).ok()
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
/// block the calling thread. An answer shows the source as it was when the item that is being transformed was read, or later.
/// An error refuses that item, so what may pass (throttles, a lost connection) is retried here and not handed on.
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
