//! The dead letters of a run: who is on record, and what to do when there are too many.

use std::collections::HashSet;
use std::sync::Arc;

use crate::checkpoint::{DeadLetter, LetterChange};
use crate::engine::shutdown::Shutdown;
use crate::engine::stats::Stats;
use crate::engine::watermark::Watermark;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Observer};
use crate::item::{KeySchema, RawItem};

/// Keeps the record. Additions and removals reach the checkpoint in the order of the calls.
pub struct Letters {
    on_record: HashSet<String>,
    schema: KeySchema,
    watermark: Arc<Watermark>,
    stats: Arc<Stats>,
    observer: Arc<dyn Observer>,
    shutdown: Arc<Shutdown>,
    max: u64,
}

impl Letters {
    /// Begins with the letters of earlier processes; more than `max` end the run.
    pub fn new(
        on_record: impl IntoIterator<Item = String>,
        schema: KeySchema,
        watermark: Arc<Watermark>,
        stats: Arc<Stats>,
        observer: Arc<dyn Observer>,
        shutdown: Arc<Shutdown>,
        max: u64,
    ) -> Self {
        Self { on_record: on_record.into_iter().collect(), schema, watermark, stats, observer, shutdown, max }
    }

    /// An item cannot be written.
    pub fn add(&mut self, origin: &RawItem, reason: String, place: crate::checkpoint::Place) {
        let key = origin.key_json(&self.schema);
        self.observer.observe(Event::DeadLetter { reason: reason.clone() });
        if self.on_record.insert(key.clone()) {
            self.stats.add_dead_letter();
        }
        self.watermark.add_letter(LetterChange::Add(DeadLetter { key, reason, place }));
        if self.on_record.len() as u64 > self.max {
            let message = format!("more than {} items could not be written", self.max);
            self.shutdown.fail(Error::new(ErrorKind::TooManyDeadLetters, message).hint(
                "look at the reasons; mend them and start again with --restart --into-nonempty, or resume with a larger --max-dead-letters",
            ));
        }
    }

    /// An item was written, dropped or deleted; an earlier letter of it is void.
    pub fn clear(&mut self, origin: &RawItem) {
        if self.on_record.is_empty() {
            return;
        }
        let key = origin.key_json(&self.schema);
        if self.on_record.remove(&key) {
            self.stats.clear_dead_letter();
            self.watermark.add_letter(LetterChange::Clear(key));
        }
    }
}
