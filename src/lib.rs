//! tableferry moves a live DynamoDB table into another one: a parallel segmented scan, the source's stream beside it,
//! rate-limited batch writes, and a journal from which a killed run resumes.
//!
//! # Map
//!
//! | layer | modules | may import |
//! |---|---|---|
//! | 0 words | [`item`], [`change`], [`units`], [`error`], [`policy`], [`event`] | each other, downward |
//! | 1 seams | [`source`], [`stream`], [`transform`], [`lookup`], [`sink`], [`checkpoint`] | layer 0 |
//! | 2 engine | [`engine`] | layers 0-1, tokio, futures, governor, tracing |
//! | 3 adapters | [`dynamodb`], [`journal`], [`expression`], [`recipe`], [`script`], [`memory`], [`embedded`] | layers 0-1, their own library; never the engine or a sibling (a recipe or script uses expressions) |
//! | 4 front | [`config`], [`report`], [`cli`] | everything |
//!
//! `tests/architecture.rs` holds this table.
//!
//! # How data passes through
//!
//! ```text
//! source table --pages----> transform --> gate --> limiter --> batches --> destination table
//! its stream ---changes--> transform -----^                      | one outcome per write
//!                          journal <-- checkpoint <-- watermark <'
//! ```
//!
//! An item stays the bytes that DynamoDB sent ([`item::RawItem`]) from the answer of a Scan to the request of a
//! BatchWriteItem. The gate keeps the order: one write under way for each key, changes in the order of the stream, and no
//! scanned item where a change of its key has come since its page was asked for. A segment's cursor moves only when every
//! item before it is acknowledged or a durable dead letter, a shard's position when every change before it is.

pub mod change;
pub mod error;
pub mod event;
pub mod item;
pub mod policy;
pub mod units;

pub mod checkpoint;
pub mod lookup;
pub mod sink;
pub mod source;
pub mod stream;
pub mod transform;

pub mod engine;

#[cfg(test)]
mod simulation;

pub mod dynamodb;
pub mod embedded;
pub mod expression;
pub mod journal;
pub mod memory;
pub mod recipe;
pub mod script;

pub mod cli;
pub mod config;
pub mod report;
