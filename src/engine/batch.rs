//! A batch of writes on its way.

use tokio::time::Instant;

use crate::sink::Write;
use crate::units::write_units;

/// Writes of different keys, and for each the lane that waits for its answer.
#[derive(Debug, Default)]
pub struct Batch {
    /// What is to be written.
    pub writes: Vec<Write>,
    /// Hashes of the source keys, write by write.
    pub lanes: Vec<u64>,
    /// Until when an attempt of it that was given up may still land.
    pub settles: Option<Instant>,
}

impl Batch {
    /// An empty one.
    pub fn with_capacity(writes: usize) -> Self {
        Self { writes: Vec::with_capacity(writes), lanes: Vec::with_capacity(writes), settles: None }
    }

    /// Appends a write.
    pub fn push(&mut self, write: Write, lane: u64) {
        self.writes.push(write);
        self.lanes.push(lane);
    }

    /// Cuts off the second half.
    pub fn split_off_half(&mut self) -> Self {
        let middle = self.writes.len() / 2;
        let (writes, lanes) = (self.writes.split_off(middle), self.lanes.split_off(middle));
        Self { writes, lanes, settles: self.settles }
    }

    /// Write capacity units that it will cost, as far as that is known: what a delete removes is not.
    pub fn units(&self) -> f64 {
        let units = |write: &Write| match write {
            Write::Put(item) => write_units(item.bytes()),
            Write::Delete(_) => 1.0,
        };
        self.writes.iter().map(units).sum()
    }
}
