//! The seam to where items go.

use futures::future::BoxFuture;

use crate::error::Result;
use crate::item::RawItem;

/// How much one request to a sink may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkLimits {
    /// Writes in a batch.
    pub max_items: usize,
    /// Bytes of JSON in a batch; a single larger item is still sent alone.
    pub max_batch_bytes: usize,
}

/// What is to happen to one key of the destination.
#[derive(Debug, Clone)]
pub enum Write {
    /// The item takes the place of any with its key.
    Put(RawItem),
    /// The item with this one's key goes; nothing but the key counts.
    Delete(RawItem),
}

impl Write {
    /// The item that is put, or whose key is deleted.
    pub fn item(&self) -> &RawItem {
        match self {
            Self::Put(item) | Self::Delete(item) => item,
        }
    }

    /// Bytes of JSON that count against a batch's limit; of a delete at the most.
    pub fn json_bytes(&self) -> usize {
        self.item().json().len()
    }
}

/// What became of one write of a batch.
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
    /// One outcome per write of the batch, in the same order.
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
    /// One attempt: retrying is the engine's. `Ok` answers for every write. `Err` says nothing about any of them: after
    /// a time-out the whole batch may or may not have been written, so it is sent again.
    fn write<'a>(&'a self, batch: &'a [Write]) -> BoxFuture<'a, Result<WriteReply>>;
}
