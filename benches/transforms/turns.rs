//! Things to be measured take turns, so that all have the same luck with what else the machine does.

use std::time::Instant;

use tableferry::item::RawItem;

/// Something done to an item, and the least time that an item took in any turn.
pub struct Subject<'s> {
    /// What it is called in the table.
    pub name: String,
    /// The least time, in ns; infinite before the first turn.
    pub nanos: f64,
    act: Box<dyn Fn(&RawItem) + 's>,
}

impl<'s> Subject<'s> {
    /// Not measured yet.
    pub fn new(name: &str, act: impl Fn(&RawItem) + 's) -> Self {
        Self { name: name.to_owned(), nanos: f64::INFINITY, act: Box::new(act) }
    }

    /// The least time, in µs.
    pub fn micros(&self) -> f64 {
        self.nanos / 1e3
    }

    fn take_turn(&mut self, items: &[RawItem]) {
        let begun = Instant::now();
        items.iter().for_each(&self.act);
        self.nanos = self.nanos.min(begun.elapsed().as_secs_f64() * 1e9 / items.len() as f64);
    }
}

/// Each goes over all items once, then all again.
pub fn take_turns(subjects: &mut [Subject<'_>], items: &[RawItem], turns: usize) {
    for _ in 0..turns {
        subjects.iter_mut().for_each(|subject| subject.take_turn(items));
    }
}
