//! Finds the attributes of an item that an expression names, and no others.

use std::cell::RefCell;

use memchr::memmem::{self, Finder};
use smallvec::SmallVec;

use crate::item::RawItem;

use super::path::{Path, descend_raw};

/// The top-level attributes that an expression names.
#[derive(Debug, Clone)]
pub(super) struct Names {
    names: Vec<Name>,
}

#[derive(Debug, Clone)]
struct Name {
    text: Box<str>,
    /// Finds the name between quotes; `None` for a name that JSON cannot write as it is, or need not.
    finder: Option<Finder<'static>>,
}

impl From<Vec<Box<str>>> for Names {
    fn from(names: Vec<Box<str>>) -> Self {
        let name = |text: Box<str>| {
            let is_plain = !text.contains(['"', '\\', '/']) && !text.contains(char::is_control);
            let quoted = format!("\"{text}\"");
            Name { text, finder: is_plain.then(|| Finder::new(quoted.as_bytes()).into_owned()) }
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
                None => self.search(&mut slots),
            }
        }
        match slots[slot] {
            Slot::Found(value) => Some(value),
            Slot::Unknown | Slot::Missing => None,
        }
    }

    /// Finds all names that are not found yet, in one walk through as little of the item as has to be seen.
    fn search(&self, slots: &mut [Slot<'a>]) {
        let json = self.item.json();
        // With this escape a name may be spelled in many ways.
        let has_one_spelling = memmem::find(json, b"\\u").is_none();
        let mut unknown = 0;
        let mut first = json.len();
        for (slot, name) in slots.iter_mut().zip(self.names) {
            if let Slot::Unknown = slot {
                match &name.finder {
                    Some(finder) if has_one_spelling => match finder.find(json) {
                        Some(at) => first = first.min(at),
                        None => {
                            *slot = Slot::Missing;
                            continue;
                        }
                    },
                    _ => first = 0,
                }
                unknown += 1;
            }
        }
        let mut rest = self.item.members_before(first);
        while unknown > 0
            && let Some(member) = rest.next()
        {
            let is_it =
                |(slot, name): &(&mut Slot<'_>, &Name)| matches!(slot, Slot::Unknown) && member.name.is(&name.text);
            if let Some((slot, _)) = slots.iter_mut().zip(self.names).find(is_it) {
                *slot = Slot::Found(member.value);
                unknown -= 1;
            }
        }
        for slot in slots {
            if let Slot::Unknown = slot {
                *slot = Slot::Missing;
            }
        }
    }
}
