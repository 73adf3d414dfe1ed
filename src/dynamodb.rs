//! DynamoDB as source and destination.
//!
//! [`wire`] sends Scan and BatchWriteItem through the AWS SDK as bytes; [`scan`] and [`mod@write`] are the seams' two ends on
//! top of it; [`table`] describes and creates tables with the SDK's typed calls; [`error`] decides what a failure was.

pub mod client;
pub mod endpoint;
pub mod error;
pub mod scan;
pub mod table;
pub mod wire;
pub mod write;

pub use client::{ClientOptions, Connection, connect};
pub use scan::TableSource;
pub use table::Table;
pub use write::TableSink;
