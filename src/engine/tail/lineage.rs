//! The forest of shards that a run has taken up: which may be read, and what a new listing adds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::checkpoint::ShardState;
use crate::engine::mutant::{self, Mutant};
use crate::stream::{Position, Shard};

/// Every shard of the run, ended ones too.
#[derive(Debug, Default)]
pub struct Lineage {
    shards: BTreeMap<Arc<str>, Node>,
}

#[derive(Debug)]
struct Node {
    state: ShardState,
    is_taken: bool,
}

/// A listed shard whose ancestors were never seen: what they delivered is lost.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownParent {
    /// The shard.
    pub shard: Arc<str>,
    /// Its parent, neither listed nor on record.
    pub parent: Arc<str>,
}

impl Lineage {
    /// What the checkpoint has on record.
    pub fn new(shards: impl IntoIterator<Item = ShardState>) -> Self {
        let node = |state: ShardState| (state.id.clone(), Node { is_taken: state.ended, state });
        Self { shards: shards.into_iter().map(node).collect() }
    }

    /// Adds what a listing has and the record has not: shards that go on where a known one ended. They begin at their
    /// oldest change. Returns them, and a shard whose parent is neither listed nor on record, if there is one.
    pub fn add(&mut self, listing: &[Shard], now_ms: i64) -> (Vec<ShardState>, Option<UnknownParent>) {
        let mut unknown: Vec<&Shard> = listing.iter().filter(|shard| !self.shards.contains_key(&shard.id)).collect();
        let mut added = Vec::new();
        loop {
            // A listing is in no order: children may stand before their parents.
            let (ready, rest): (Vec<_>, Vec<_>) = unknown
                .into_iter()
                .partition(|shard| shard.parent.as_ref().is_none_or(|parent| self.shards.contains_key(parent)));
            unknown = rest;
            if ready.is_empty() {
                break;
            }
            for Shard { id, parent } in ready.into_iter().cloned() {
                // Its changes are younger than the last one of its parent.
                let before = parent.as_ref().and_then(|parent| self.shards.get(parent));
                let read_until_ms = before.map_or(now_ms, |parent| parent.state.read_until_ms);
                let position = Position::Horizon;
                let state = ShardState { id: id.clone(), parent, position, read_until_ms, ended: false };
                self.shards.insert(id, Node { state: state.clone(), is_taken: false });
                added.push(state);
            }
        }
        let orphan = unknown
            .first()
            .and_then(|shard| shard.parent.clone().map(|parent| UnknownParent { shard: shard.id.clone(), parent }));
        (added, orphan)
    }

    /// Shards that may be read now and are not yet: those whose parent has delivered everything, all of it applied.
    pub fn take_ready(&mut self) -> Vec<ShardState> {
        let may_be_read = |node: &Node| {
            let parent = node.state.parent.as_ref().and_then(|parent| self.shards.get(parent));
            parent.is_none_or(|parent| parent.state.ended) || mutant::is(Mutant::ChildBesideParent)
        };
        let ready: Vec<Arc<str>> = self
            .shards
            .iter()
            .filter(|(_, node)| !node.is_taken && may_be_read(node))
            .map(|(id, _)| id.clone())
            .collect();
        let take = |id: Arc<str>| {
            let node = self.shards.get_mut(&id)?;
            node.is_taken = true;
            Some(node.state.clone())
        };
        ready.into_iter().filter_map(take).collect()
    }

    /// A shard has delivered everything and all of it is applied; no change made before `read_until_ms` is left to its
    /// children.
    pub fn end(&mut self, shard: &str, read_until_ms: i64) {
        for node in self.shards.values_mut() {
            if *node.state.id == *shard {
                node.state.ended = true;
                node.state.read_until_ms = read_until_ms;
            } else if node.state.parent.as_deref() == Some(shard) {
                node.state.read_until_ms = node.state.read_until_ms.max(read_until_ms);
            }
        }
    }

    /// Whether a shard that has ended has no child yet: one is to come, so nothing can be said of its keys.
    pub fn lacks_children(&self) -> bool {
        let parents: BTreeSet<&Arc<str>> = self.shards.values().filter_map(|node| node.state.parent.as_ref()).collect();
        self.shards.values().any(|node| node.state.ended && !parents.contains(&node.state.id))
    }

    /// Changes made before this are older than the run. Known as long as a shard is on record as it was begun; after that no
    /// change of such a shard can be passed over any more.
    pub fn since_ms(&self) -> i64 {
        let since = |node: &Node| match node.state.position {
            Position::Since(ms) => Some(ms),
            _ => None,
        };
        self.shards.values().filter_map(since).max().unwrap_or(i64::MIN)
    }

    /// Whether every shard that has not ended is being read.
    pub fn is_all_taken(&self) -> bool {
        self.shards.values().all(|node| node.is_taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shard(id: usize, parent: Option<usize>) -> Shard {
        let name = |number: usize| Arc::from(format!("shard-{number}"));
        Shard { id: name(id), parent: parent.map(name) }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn every_shard_is_read_once_and_after_its_parent(
            parents in proptest::collection::vec(proptest::option::of(0usize..30), 1..30),
            cuts in proptest::collection::vec(0usize..30, 0..4),
            order in proptest::collection::vec(any::<u32>(), 30),
        ) {
            // A parent has a smaller number; listings show a growing part of the forest in any order.
            let forest: Vec<Shard> = parents.iter().enumerate()
                .map(|(id, parent)| shard(id, parent.filter(|parent| *parent < id))).collect();
            let mut lineage = Lineage::default();
            let mut read: Vec<Arc<str>> = Vec::new();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(forest.len())).collect();
            cuts.sort_unstable();
            for cut in cuts.into_iter().chain([forest.len()]) {
                let mut listing = forest[..cut].to_vec();
                listing.sort_by_key(|shard| order[shard.id["shard-".len()..].parse::<usize>().expect("a number")]);
                prop_assert_eq!(lineage.add(&listing, 0).1, None);
                loop {
                    let ready = lineage.take_ready();
                    if ready.is_empty() {
                        break;
                    }
                    for state in ready {
                        prop_assert!(!read.contains(&state.id), "read twice");
                        prop_assert!(state.parent.is_none_or(|parent| read.contains(&parent)), "before its parent");
                        lineage.end(&state.id, 0);
                        read.push(state.id);
                    }
                }
            }
            prop_assert_eq!(read.len(), forest.len());
            prop_assert!(lineage.is_all_taken());
        }
    }

    #[test]
    fn a_shard_whose_parent_nobody_knows_is_a_gap() {
        let mut lineage = Lineage::default();
        assert_eq!(lineage.add(&[shard(1, None)], 0).0.len(), 1);
        let (_, unknown) = lineage.add(&[shard(1, None), shard(5, Some(4))], 0);
        assert_eq!(unknown, Some(UnknownParent { shard: "shard-5".into(), parent: "shard-4".into() }));
    }

    #[test]
    fn an_ended_shard_waits_for_a_child() {
        let mut lineage = Lineage::default();
        assert_eq!(lineage.add(&[shard(1, None)], 0).0.len(), 1);
        assert!(!lineage.lacks_children());
        lineage.end("shard-1", 0);
        assert!(lineage.lacks_children());
        assert_eq!(lineage.add(&[shard(2, Some(1))], 0).0.len(), 1);
        assert!(!lineage.lacks_children());
    }
}
