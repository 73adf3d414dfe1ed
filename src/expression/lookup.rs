//! Finds the attributes of an item that an expression names, and no others.

use std::cell::RefCell;

use memchr::memmem::Finder;
use smallvec::SmallVec;

use crate::item::{RawItem, members};

use super::path::{Path, descend_raw};

/// The top-level attributes that an expression names.
#[derive(Debug, Clone)]
pub(super) struct Names {
    names: Vec<Name>,
}

#[derive(Debug, Clone)]
struct Name {
    text: Box<str>,
    /// Finds the name between quotes.
    finder: Finder<'static>,
}

impl From<Vec<Box<str>>> for Names {
    fn from(names: Vec<Box<str>>) -> Self {
        let name = |text: Box<str>| {
            let quoted = format!("\"{text}\"");
            Name { text, finder: Finder::new(quoted.as_bytes()).into_owned() }
        };
        Self { names: names.into_iter().map(name).collect() }
    }
}

#[derive(Debug, Clone, Copy)]
enum Slot<'a> {
    Unknown,
    Missing,
    Found(&'a [u8]),
}

/// One item, and what of it has been found so far.
pub(super) struct Lookup<'a> {
    item: &'a RawItem,
    names: &'a [Name],
    slots: RefCell<SmallVec<[Slot<'a>; 8]>>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(item: &'a RawItem, names: &'a Names) -> Self {
        let slots = SmallVec::from_elem(Slot::Unknown, names.names.len());
        Self { item, names: &names.names, slots: RefCell::new(slots) }
    }

    /// The value at `path`, if there is one.
    pub(super) fn get(&self, path: &Path) -> Option<&'a [u8]> {
        descend_raw(self.attribute(path.slot)?, &path.steps)
    }

    fn attribute(&self, slot: usize) -> Option<&'a [u8]> {
        let mut slots = self.slots.borrow_mut();
        if let Slot::Unknown = slots[slot] {
            match self.item.key_value(&self.names[slot].text) {
                Some(value) => slots[slot] = Slot::Found(value),
                None => self.search(slot, &mut slots),
            }
        }
        match slots[slot] {
            Slot::Found(value) => Some(value),
            Slot::Unknown | Slot::Missing => None,
        }
    }

    /// Walks through the item, unless the name is nowhere in it, for all names that are not found yet.
    fn search(&self, slot: usize, slots: &mut [Slot<'a>]) {
        let json = self.item.json();
        // A name spelled with escapes would not be found as it is.
        if self.names[slot].finder.find(json).is_none() && memchr::memchr(b'\\', json).is_none() {
            slots[slot] = Slot::Missing;
            return;
        }
        let mut unknown = slots.iter().filter(|slot| matches!(slot, Slot::Unknown)).count();
        for member in members(json) {
            let is_it =
                |(slot, name): &(&mut Slot<'_>, &Name)| matches!(slot, Slot::Unknown) && member.name.is(&name.text);
            if let Some((slot, _)) = slots.iter_mut().zip(self.names).find(is_it) {
                *slot = Slot::Found(member.value);
                unknown -= 1;
                if unknown == 0 {
                    return;
                }
            }
        }
        for slot in slots {
            if let Slot::Unknown = slot {
                *slot = Slot::Missing;
            }
        }
    }
}
