//! DynamoDB as source and destination.
//!
//! [`wire`] sends what carries items through the AWS SDK as bytes; [`scan`], [`mod@stream`], [`read`] and [`mod@write`] are
//! the ends of the seams on top of it; [`table`] describes and creates tables with the SDK's typed calls; [`marker`] writes
//! and deletes the items that show how far a stream was read; [`applied`] reads which transforms were applied before; [`error`] decides what a failure was.

pub mod applied;
pub mod client;
pub mod endpoint;
pub mod error;
mod key;
pub mod marker;
mod query;
pub mod read;
pub mod scan;
pub mod stream;
pub mod table;
pub mod wire;
pub mod write;

pub use client::{ClientOptions, Connection, connect};
pub use read::TableReader;
pub use scan::TableSource;
pub use stream::TableStream;
pub use table::Table;
pub use write::TableSink;
