//! The source table as a scan sees it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::items::name;
use super::world::{State, World, tell};
use crate::error::{Error, ErrorKind, Result};
use crate::item::RawItem;
use crate::lookup::LookupQuery;
use crate::source::{Cursor, ItemRead, Page, ScanSource};

pub struct Source(pub Arc<World>);

/// Any failed request.
pub fn failure(kind: ErrorKind) -> Error {
    Error::new(kind, "simulated")
}

impl ScanSource for Source {
    fn read_item<'a>(&'a self, key: &'a RawItem) -> BoxFuture<'a, Result<ItemRead>> {
        Box::pin(async move {
            let world = &self.0;
            world.call().await;
            let (before, after) = world.latency(world.profile.reads.latency_ms);
            tokio::time::sleep(before).await;
            let faults = world.profile.reads.faults;
            let fault = world.with(|state| {
                let kinds = [ErrorKind::Throttled, ErrorKind::TimedOut, ErrorKind::ServerFault];
                state.random.chance(faults).then(|| state.random.pick(&kinds))
            });
            if let Some(kind) = fault {
                return Err(failure(kind));
            }
            let item = world.with(|state| state.table.items().get(name(key)).cloned());
            tokio::time::sleep(after).await;
            world.call().await;
            Ok(ItemRead { item, units: 1.0 })
        })
    }

    fn query<'a>(&'a self, _: &'a LookupQuery) -> BoxFuture<'a, Result<Page>> {
        unreachable!("the simulation's transforms do not look items up")
    }

    fn read_page<'a>(&'a self, segment: u32, segments: u32, cursor: Option<&'a Cursor>) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move {
            let world = &self.0;
            world.call().await;
            let requested_ms = world.now_ms();
            let (before, after) = world.latency(world.profile.reads.latency_ms);
            tokio::time::sleep(before).await;
            if let Some(answer) = self.fault(cursor).await {
                return answer;
            }
            let now_ms = world.now_ms();
            let stale_ms = world.profile.stale_ms;
            let page_items = world.profile.page_items;
            let page = world.with(|state| state.page(segment, segments, cursor, page_items, now_ms, stale_ms));
            tokio::time::sleep(after).await;
            world.call().await;
            debug_assert!(requested_ms <= now_ms);
            Ok(page)
        })
    }
}

impl Source {
    async fn fault(&self, cursor: Option<&Cursor>) -> Option<Result<Page>> {
        let world = &self.0;
        let faults = world.profile.reads.faults;
        let (name, kind) = world.with(|state| {
            if !state.random.chance(faults) {
                return None;
            }
            let fault = state.random.pick(&[
                ("scan: throttled", Some(ErrorKind::Throttled)),
                ("scan: timed out", Some(ErrorKind::TimedOut)),
                ("scan: unreachable", Some(ErrorKind::Unreachable)),
                ("scan: server fault", Some(ErrorKind::ServerFault)),
                ("scan: malformed answer", Some(ErrorKind::MalformedAnswer)),
                ("scan: credentials expired", Some(ErrorKind::CredentialsExpired)),
                ("scan: empty page with a next", None),
            ]);
            state.count(fault.0);
            Some(fault)
        })?;
        let Some(kind) = kind else {
            let next = cursor.cloned().unwrap_or_else(|| place(0, 0));
            return Some(Ok(Page { next: Some(next), units: 0.5, ..Page::default() }));
        };
        debug_assert!(name.starts_with("scan"));
        if kind == ErrorKind::TimedOut {
            tokio::time::sleep(world.request_timeout()).await;
        }
        Some(Err(failure(kind)))
    }
}

impl State {
    /// What the table answers at this moment; with eventual reads each item may be as it was a while ago.
    fn page(
        &mut self,
        segment: u32,
        segments: u32,
        cursor: Option<&Cursor>,
        most: usize,
        now_ms: i64,
        stale_ms: u64,
    ) -> Page {
        let after = cursor.map(parse);
        let rest = self.table.segment(segment, segments, after);
        let most = 1 + self.random.below(most);
        let mut items = Vec::new();
        let mut last = None;
        for (at, (hash, key)) in rest.iter().enumerate() {
            if items.len() == most {
                break;
            }
            let item = if stale_ms == 0 {
                self.table.now(*key).map(|version| version.raw.clone())
            } else {
                self.table.at(*key, now_ms - self.random.between(0, stale_ms) as i64)
            };
            tell(now_ms, &format!("k{key}"), || format!("is read as {item:?}"));
            items.extend(item);
            last = Some((at, place(*hash, *key)));
        }
        // The last page of a segment may say that there is another one.
        let is_all = last.as_ref().is_none_or(|(at, _)| at + 1 == rest.len());
        let next = last.map(|(_, place)| place).filter(|_| !is_all || self.random.chance(0.1));
        let bytes = items.iter().map(|item| item.json().len()).sum();
        Page { items, next, units: 1.0, bytes }
    }
}

fn place(hash: u64, key: usize) -> Cursor {
    Cursor(Bytes::from(format!("{hash} {key}")))
}

fn parse(cursor: &Cursor) -> (u64, usize) {
    let text = std::str::from_utf8(&cursor.0).expect("a cursor of ours");
    let (hash, key) = text.split_once(' ').expect("a cursor of ours");
    (hash.parse().expect("a number"), key.parse().expect("a number"))
}
