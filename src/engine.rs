//! The engine: moves items and changes from a source to a sink through a transform, and the checkpoint behind durable work.
//!
//! [`migrate`] wires the parts and owns their lives. [`copy`] leases segments and reads pages, [`tail`] reads the shards of
//! the stream; [`apply`] says what an item or a change writes, with what
//! its transform looks up ([`lookups`]); each page gets a ticket in the [`watermark`]. The [`gate`]
//! keeps the order and cuts batches, the [`writer`] sends them and answers for every write. When the last item of a page is
//! answered for, the watermark lets the segment's cursor, or the shard's position, pass it, and the next commit stores
//! that. [`reads`] asks the source, [`limiter`] spends capacity units, [`in_flight`] bounds requests, [`retry`] paces attempts, [`shutdown`] ends it
//! all.

pub mod apply;
pub mod batch;
mod claims;
pub mod copy;
pub mod gate;
pub mod in_flight;
pub mod letters;
pub mod limiter;
pub mod lookups;
pub mod migrate;
pub(crate) mod mutant;
pub mod reads;
pub mod retry;
pub mod shutdown;
pub mod stats;
pub mod tail;
mod touch;
pub mod watermark;
pub mod writer;

pub use apply::MARKER_PREFIX;
pub use lookups::Lookups;
pub use migrate::{Migration, Options, Until};
pub use shutdown::Shutdown;
