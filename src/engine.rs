//! The engine: copies from a source to a sink through a transform, and moves the checkpoint behind durable work.
//!
//! [`copy`] wires the parts and owns their lives. Readers lease segments and read pages; each page gets a ticket in the
//! [`watermark`]; its items queue in the [`batcher`]; the [`writer`] sends batches and answers for every item; when the
//! last item of a page is answered for, the watermark lets the segment's cursor pass it, and the next commit stores that.
//! [`limiter`] spends capacity units, [`in_flight`] bounds requests, [`retry`] paces attempts, [`shutdown`] ends it all.

pub mod apply;
pub mod batch;
mod claims;
pub mod copy;
pub mod gate;
pub mod in_flight;
pub mod letters;
pub mod limiter;
pub mod migrate;
pub(crate) mod mutant;
pub mod retry;
pub mod shutdown;
pub mod stats;
pub mod tail;
mod touch;
pub mod watermark;
pub mod writer;

pub use apply::MARKER_PREFIX;
pub use migrate::{Migration, Options, Until};
pub use shutdown::Shutdown;
