//! A change of one item, as the source's stream tells it.

use std::sync::Arc;

use crate::item::RawItem;

/// A put, update or delete: the item before and after it, at least one of them there.
#[derive(Debug, Clone)]
pub struct Change {
    /// The change's place in its shard, in the stream's own words; grows along a shard.
    pub sequence: Arc<str>,
    /// When the source says it happened, in milliseconds since 1970; rounded down to a second, by DynamoDB Local to a
    /// minute.
    pub created_ms: i64,
    /// The item before the change; `None` when there was none.
    pub old: Option<RawItem>,
    /// The item after the change; `None` when it was deleted.
    pub new: Option<RawItem>,
}

impl Change {
    /// The item in its newest known form; its key is the changed key.
    ///
    /// # Panics
    /// If the change has neither image, which a [`ChangeSource`](crate::stream::ChangeSource) never hands out.
    pub fn item(&self) -> &RawItem {
        self.new.as_ref().or(self.old.as_ref()).expect("a change has an image")
    }
}
