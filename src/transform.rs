//! The seam for changing items on their way, and the chain of all that change them.

use std::sync::{Arc, Mutex};

use smallvec::SmallVec;

use crate::item::RawItem;
use crate::lookup::Lookup;

/// What a transform may do to keys. The engine holds it to its word, output by output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyRule {
    /// An output has the key of the item it comes from.
    Identity,
    /// Keys change, but each output's key tells whose it is: [`Transform::owner`].
    Derived,
    /// Outputs of different items may have the same key; who has it is kept account of.
    Free,
}

/// What a transform is given besides the item.
#[derive(Clone, Default)]
pub struct Occasion {
    /// Where other items of the source can be looked up, by transforms that have look-ups.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// Whether transforms that look items up are left out of a chain. They keep keys as they are, or drop the item, so this
    /// tells every key that the chain can write, whatever is found.
    pub is_without_lookups: bool,
    /// Whether nothing may be used that served for other items before.
    pub is_afresh: bool,
    /// Where lines go that scripts print, if somebody listens.
    pub console: Option<Arc<Mutex<Vec<String>>>>,
}

/// A pure function from one item to zero or more.
///
/// Pure: the same item gives the same items, whenever and in whatever company it is applied, because an item may be
/// read and transformed again after a crash.
pub trait Transform: Send + Sync {
    /// What an operator calls it, a file name for instance.
    fn name(&self) -> &str;

    /// What it does to keys.
    fn keys(&self) -> KeyRule {
        KeyRule::Identity
    }

    /// An item with the key of the item that `output` comes from, told from the output's key alone; `None` when it is
    /// nobody's. Asked only under [`KeyRule::Derived`].
    fn owner(&self, output: &RawItem) -> Option<RawItem> {
        Some(output.clone())
    }

    /// Appends the outputs for `item` to `outputs`; appending nothing drops the item deliberately. An error says whose
    /// refusal it is and why; what was appended until then does not count.
    fn apply(&self, item: RawItem, occasion: &Occasion, outputs: &mut Vec<RawItem>) -> Result<(), String>;

    /// Whether what comes of an item depends on other items of the source too, as they are at the moment.
    fn has_lookups(&self) -> bool {
        false
    }

    /// Whether it says of itself that it drops items: dropping others by mistake is easy.
    fn drops(&self) -> bool {
        false
    }

    /// Whether it does anything about the item: its own condition, without what it does then.
    fn selects(&self, item: &RawItem) -> bool {
        let _ = item;
        true
    }

    /// The files that it consists of, each with a hash of what it says: a run is bound to them.
    fn files(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Transforms one after the other, each on all outputs of the one before.
pub struct Chain {
    name: String,
    links: Vec<Arc<dyn Transform>>,
}

impl Chain {
    /// In this order.
    pub fn new(links: Vec<Arc<dyn Transform>>) -> Self {
        let names: Vec<&str> = links.iter().map(|link| link.name()).collect();
        let name = if names.is_empty() { "no transforms".to_owned() } else { names.join(", ") };
        Self { name, links }
    }

    /// The transforms, in order.
    pub fn links(&self) -> &[Arc<dyn Transform>] {
        &self.links
    }
}

impl Transform for Chain {
    fn name(&self) -> &str {
        &self.name
    }

    fn keys(&self) -> KeyRule {
        self.links.iter().map(|link| link.keys()).max().unwrap_or(KeyRule::Identity)
    }

    fn owner(&self, output: &RawItem) -> Option<RawItem> {
        self.links.iter().rev().try_fold(output.clone(), |output, link| match link.keys() {
            KeyRule::Identity => Some(output),
            KeyRule::Derived | KeyRule::Free => link.owner(&output),
        })
    }

    fn apply(&self, item: RawItem, occasion: &Occasion, outputs: &mut Vec<RawItem>) -> Result<(), String> {
        let before = outputs.len();
        outputs.push(item);
        for link in &self.links {
            if occasion.is_without_lookups && link.has_lookups() {
                continue;
            }
            let items: SmallVec<[RawItem; 2]> = outputs.drain(before..).collect();
            for item in items {
                link.apply(item, occasion, outputs)?;
            }
        }
        Ok(())
    }

    fn has_lookups(&self) -> bool {
        self.links.iter().any(|link| link.has_lookups())
    }

    fn files(&self) -> Vec<(String, String)> {
        self.links.iter().flat_map(|link| link.files()).collect()
    }
}
