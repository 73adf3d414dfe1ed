//! The seam to where items go.

use futures::future::BoxFuture;

use crate::error::Result;
use crate::item::RawItem;

/// How much one request to a sink may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkLimits {
    /// Items in a batch.
    pub max_items: usize,
    /// Bytes of JSON in a batch; a single larger item is still sent alone.
    pub max_batch_bytes: usize,
}

/// What became of one item of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Durable at the destination.
    Written,
    /// The destination holds something newer, which stays.
    Superseded,
    /// Not taken this time; to be sent again.
    Retry,
    /// Will never be taken, with the reason.
    Rejected(String),
}

/// The answer to a batch.
#[derive(Debug)]
pub struct WriteReply {
    /// One outcome per item of the batch, in the same order.
    pub outcomes: Vec<Outcome>,
    /// Write capacity units consumed.
    pub units: f64,
}

/// A table or index that takes batches.
pub trait Sink: Send + Sync {
    /// The largest batch.
    fn limits(&self) -> SinkLimits;

    /// Writes one batch; no key stands in it twice. Called concurrently with different keys.
    ///
    /// One attempt: retrying is the engine's. `Ok` answers for every item. `Err` says nothing about any of them: after
    /// a time-out the whole batch may or may not have been written, so it is sent again.
    fn write<'a>(&'a self, batch: &'a [RawItem]) -> BoxFuture<'a, Result<WriteReply>>;
}
