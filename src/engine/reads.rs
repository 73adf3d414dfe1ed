//! Requests to the source, by one set of rules: capacity, patience, counters.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::in_flight::InFlight;
use crate::engine::limiter::Limiter;
use crate::engine::retry::{Peer, Retry};
use crate::engine::stats::Stats;
use crate::error::Result;
use crate::item::RawItem;
use crate::lookup::LookupQuery;
use crate::policy::{Action, action};
use crate::source::{Cursor, ItemRead, Page, ScanSource};

/// What a question about a few items is assumed to cost before it is answered.
const UNITS_EXPECTED: f64 = 1.0;

/// Sends requests to the source, again and again while they fail in ways that may pass.
#[derive(Clone)]
pub struct Reads {
    /// The source.
    pub source: Arc<dyn ScanSource>,
    /// Read units.
    pub limiter: Arc<Limiter>,
    /// Counters.
    pub stats: Arc<Stats>,
    /// Nothing read for this long is the end.
    pub give_up_after: Duration,
}

impl Reads {
    /// One page of a segment, which tells `in_flight` how the table takes it.
    pub async fn segment(
        &self,
        segment: u32,
        segments: u32,
        cursor: Option<&Cursor>,
        units_expected: f64,
        in_flight: &InFlight,
    ) -> Result<Page> {
        let request = || self.source.read_page(segment, segments, cursor);
        let page: Page = self.answer(request, units_expected, |page| page.units, Some(in_flight)).await?;
        self.stats.add_items_read(page.items.len());
        Ok(page)
    }

    /// The item with the key of `key`.
    pub async fn item(&self, key: &RawItem) -> Result<Option<RawItem>> {
        let read: ItemRead =
            self.answer(|| self.source.read_item(key), UNITS_EXPECTED, |read| read.units, None).await?;
        Ok(read.item)
    }

    /// One page of the items with a common partition key.
    pub async fn query(&self, query: &LookupQuery) -> Result<Page> {
        self.answer(|| self.source.query(query), UNITS_EXPECTED, |page: &Page| page.units, None).await
    }

    async fn answer<T, F: Future<Output = Result<T>>>(
        &self,
        request: impl Fn() -> F,
        units_expected: f64,
        units: impl Fn(&T) -> f64,
        in_flight: Option<&InFlight>,
    ) -> Result<T> {
        let mut retry = Retry::new(&self.stats, Peer::Source, self.give_up_after);
        let congested = || in_flight.into_iter().for_each(InFlight::congested);
        loop {
            self.limiter.acquire(units_expected).await;
            let error = match request().await {
                Ok(answer) => {
                    let units = units(&answer);
                    self.limiter.settle(units_expected, units);
                    in_flight.into_iter().for_each(InFlight::success);
                    self.stats.add_read(units);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            self.limiter.settle(units_expected, 0.0);
            match action(error.kind()) {
                Action::BackOff => {
                    self.limiter.throttled();
                    congested();
                    retry.back_off().await;
                }
                Action::Retry => {
                    congested();
                    retry.after(error).await?;
                }
                // What is refused is refused for good.
                Action::Bisect | Action::Stop => return Err(error),
            }
        }
    }
}
