//! Source, sink and checkpoint in memory, for tests and benches of the engine.

mod checkpoint;
mod table;

pub use checkpoint::MemoryCheckpoint;
pub use table::MemoryTable;
