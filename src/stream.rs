//! The seam to where changes come from.
//!
//! A stream is a forest of shards. A shard delivers its changes in order; when it has ended, its children go on with its
//! keys, so a child is read after its parent. No order holds across shards otherwise.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::change::Change;
use crate::error::Result;

/// A shard as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its name.
    pub id: Arc<str>,
    /// The shard that it continues; the parent may be gone from the listing.
    pub parent: Option<Arc<str>>,
}

/// All shards that the source still knows, from all pages of the listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardList {
    /// In no particular order.
    pub shards: Vec<Shard>,
    /// Whether the stream takes in new changes; a stream that was switched off delivers what it has for a day.
    pub is_enabled: bool,
    /// The source's own time when it answered, in milliseconds since 1970.
    pub now_ms: i64,
}

/// Where to begin or go on in a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// With the first change created at this time or later, in milliseconds since 1970. Earlier ones may be delivered too.
    Since(i64),
    /// With the oldest change that the shard still has.
    Horizon,
    /// After the change of this sequence number.
    After(Arc<str>),
}

/// A place in a shard to read from, good for some minutes only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardIterator(pub Arc<str>);

/// One answer of a shard.
#[derive(Debug, Default)]
pub struct ChangePage {
    /// In the shard's order; may be empty although more will follow at once.
    pub changes: Vec<Change>,
    /// Where to go on; `None` is the end of the shard.
    pub next: Option<ShardIterator>,
    /// Bytes of memory that the page holds.
    pub bytes: usize,
}

/// A stream of changes with both images.
///
/// One attempt a call: retrying is the engine's. Errors that concern the position have kinds of their own:
/// [`IteratorExpired`](crate::error::ErrorKind::IteratorExpired) asks for another iterator,
/// [`PositionLost`](crate::error::ErrorKind::PositionLost) says that changes after the position, or the whole shard or
/// stream, are gone.
pub trait ChangeSource: Send + Sync {
    /// Lists all shards, following every page of the listing.
    fn list_shards(&self) -> BoxFuture<'_, Result<ShardList>>;

    /// An iterator at `position` of `shard`.
    fn open<'a>(&'a self, shard: &'a str, position: &'a Position) -> BoxFuture<'a, Result<ShardIterator>>;

    /// The next changes of a shard. Called by one task a shard.
    fn read<'a>(&'a self, iterator: &'a ShardIterator) -> BoxFuture<'a, Result<ChangePage>>;
}
