//! Source, sink and checkpoint in memory, for tests and benches of the engine, and a table to look items up in.

mod checkpoint;
mod lookup;
mod table;

pub use checkpoint::MemoryCheckpoint;
pub use lookup::LookupTable;
pub use table::MemoryTable;
