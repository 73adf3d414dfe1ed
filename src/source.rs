//! The seam to where items come from.

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::error::Result;
use crate::item::RawItem;
use crate::lookup::LookupQuery;

/// Where the next page of a segment begins: DynamoDB's `LastEvaluatedKey`, as the JSON it sent.
///
/// Valid only for the same segment of the same segment count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub Bytes);

/// One answer to a Scan or Query request.
#[derive(Debug, Default)]
pub struct Page {
    /// The items, in the order of the answer; may be empty although `next` is set.
    pub items: Vec<RawItem>,
    /// Where to go on; `None` is the end of what was asked for.
    pub next: Option<Cursor>,
    /// Read capacity units consumed.
    pub units: f64,
    /// Bytes of memory that the page holds.
    pub bytes: usize,
}

/// The answer to a question for one item.
#[derive(Debug, Default)]
pub struct ItemRead {
    /// The item, if it is there.
    pub item: Option<RawItem>,
    /// Read capacity units consumed.
    pub units: f64,
}

/// A table or export that can be read in parallel segments.
pub trait ScanSource: Send + Sync {
    /// Reads one page of `segment` (counted from 0) of `segments`, after `cursor`.
    ///
    /// Called concurrently for different segments, one call at a time for the same one. One attempt: retrying is the
    /// engine's. The items of a page reflect every write completed before the call (unless the source was opened for
    /// eventual reads).
    fn read_page<'a>(&'a self, segment: u32, segments: u32, cursor: Option<&'a Cursor>) -> BoxFuture<'a, Result<Page>>;

    /// The item with the key of `key`, as every write completed before the call left it. One attempt.
    fn read_item<'a>(&'a self, key: &'a RawItem) -> BoxFuture<'a, Result<ItemRead>>;

    /// One page of the items with a common partition key, as every write completed before the call left them. One attempt.
    fn query<'a>(&'a self, query: &'a LookupQuery) -> BoxFuture<'a, Result<Page>>;
}
