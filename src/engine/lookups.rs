//! Look-ups: what transforms ask of the source beside the item at hand.
//!
//! They share the read capacity with the copy, and its patience: a source that throttles or does not answer makes them wait
//! and no item a dead letter. An answer serves everybody whose own item was read before it was asked for, so that no item
//! is combined with something older than itself.

mod cache;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::checkpoint::RunState;
use crate::engine::limiter::Limiter;
use crate::engine::reads::Reads;
use crate::engine::shutdown::{Phase, Shutdown};
use crate::engine::stats::Stats;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{KeySchema, RawItem};
use crate::lookup::{Lookup, LookupPage, LookupQuery};
use crate::policy::{Action, action};
use crate::source::ScanSource;
use crate::transform::Occasion;
use crate::units::{Rate, Side};
use cache::Cache;

/// How long they are patient where nobody says how long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers look-ups from the source, or from what it said before.
pub struct Lookups {
    table: String,
    schema: KeySchema,
    reads: Reads,
    shutdown: Arc<Shutdown>,
    runtime: Handle,
    cache: Mutex<Cache>,
    has_given_up: AtomicBool,
}

impl Lookups {
    /// Looks items up in `table`, whose items have keys of `schema`. To be made within a runtime of several threads.
    pub fn new(table: impl Into<String>, schema: KeySchema, reads: Reads, shutdown: Arc<Shutdown>) -> Self {
        let cache = Mutex::new(Cache::new(schema.clone()));
        let (runtime, has_given_up) = (Handle::current(), AtomicBool::new(false));
        Self { table: table.into(), schema, reads, shutdown, runtime, cache, has_given_up }
    }

    /// The same for transforms that are tried out and not part of a run.
    pub fn alone(table: impl Into<String>, schema: KeySchema, source: Arc<dyn ScanSource>) -> Self {
        let limiter = Arc::new(Limiter::new(Side::Read, Rate::Unlimited));
        let stats = Arc::new(Stats::new(&RunState::default(), 0));
        let reads = Reads { source, limiter, stats, give_up_after: PATIENCE };
        Self::new(table, schema, reads, Arc::default())
    }

    /// For items that were read before now.
    pub fn occasion(self: &Arc<Self>) -> Occasion {
        let lookup = Since { lookups: self.clone(), read_at: Instant::now() };
        Occasion { lookup: Some(Arc::new(lookup)), ..Occasion::default() }
    }

    /// Whether an answer was not waited for, because the run ends: what transforms made of that does not count.
    pub fn has_given_up(&self) -> bool {
        self.has_given_up.load(Ordering::Relaxed)
    }

    /// Why there are no answers any more.
    pub fn error(&self) -> Option<Error> {
        self.shutdown.error()
    }

    /// Questions that transforms asked, and requests that were sent for them.
    pub fn asked(&self) -> (u64, u64) {
        self.reads.stats.lookups()
    }

    /// Waits for an answer on the calling thread. Whatever is not the question's own fault ends the run.
    fn wait<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        let request = async {
            tokio::select! {
                biased;
                () = self.shutdown.reached(Phase::Draining) => None,
                answer = request => Some(answer),
            }
        };
        self.reads.stats.add_lookup_request();
        let error = match tokio::task::block_in_place(|| self.runtime.block_on(request)) {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) if action(error.kind()) == Action::Bisect => return Err(error),
            Some(Err(error)) => error.context("looking up an item for a transform"),
            None => {
                self.has_given_up.store(true, Ordering::Relaxed);
                return Err(Error::new(ErrorKind::Internal, "the run ends"));
            }
        };
        self.has_given_up.store(true, Ordering::Relaxed);
        self.shutdown.fail(error.clone());
        Err(error)
    }

    fn cached<T>(&self, use_it: impl FnOnce(&mut Cache) -> T) -> T {
        use_it(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn page(&self, query: &LookupQuery) -> Result<LookupPage> {
        let page = self.wait(self.reads.query(query))?;
        let last = page.next.map(|cursor| RawItem::parse(cursor.0, &self.schema)).transpose();
        let damaged = |fault| {
            let message = format!("the answer to a Query on table {} is damaged: {fault}", self.table);
            Error::new(ErrorKind::MalformedAnswer, message)
        };
        Ok(LookupPage { items: page.items, last: last.map_err(damaged)? })
    }
}

/// Look-ups for items that were read at a certain time.
struct Since {
    lookups: Arc<Lookups>,
    read_at: Instant,
}

impl Lookup for Since {
    fn table(&self) -> &str {
        &self.lookups.table
    }

    fn schema(&self) -> &KeySchema {
        &self.lookups.schema
    }

    fn get(&self, key: &RawItem) -> Result<Option<RawItem>> {
        let lookups = &self.lookups;
        lookups.reads.stats.add_lookup();
        if let Some(found) = lookups.cached(|cache| cache.get(key, self.read_at)) {
            return Ok(found);
        }
        let asked_at = Instant::now();
        let found = lookups.wait(lookups.reads.item(key))?;
        lookups.cached(|cache| cache.keep_item(key, found.as_ref(), asked_at));
        Ok(found)
    }

    fn query(&self, query: &LookupQuery) -> Result<LookupPage> {
        let lookups = &self.lookups;
        lookups.reads.stats.add_lookup();
        if let Some(found) = lookups.cached(|cache| cache.query(query, self.read_at)) {
            return Ok(found);
        }
        let asked_at = Instant::now();
        let page = lookups.page(query)?;
        lookups.cached(|cache| cache.keep_page(query, &page, asked_at));
        Ok(page)
    }
}

#[cfg(test)]
mod tests;
