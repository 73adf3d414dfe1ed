//! The time that a call has, and what it leaves behind for people.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::lookup::Lookup;

const MAX_CONSOLE_LINES: usize = 200;
const MAX_CONSOLE_BYTES: usize = 2_000;

/// When a call has to be finished.
pub(super) struct Watch {
    epoch: Instant,
    deadline_ns: AtomicU64,
    fired: AtomicBool,
    /// What promises were rejected with that nobody waits for.
    unhandled: Mutex<Vec<String>>,
    console: Mutex<Vec<String>>,
    /// Where other items are looked up during a call.
    lookup: Mutex<Option<Arc<dyn Lookup>>>,
}

impl Watch {
    pub fn new() -> Self {
        Self {
            epoch: Instant::now(),
            deadline_ns: AtomicU64::new(u64::MAX),
            fired: AtomicBool::new(false),
            unhandled: Mutex::default(),
            console: Mutex::default(),
            lookup: Mutex::default(),
        }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub fn start(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.deadline_ns.store(self.now_ns().saturating_add(time), Ordering::Relaxed);
        self.fired.store(false, Ordering::Relaxed);
        lock(&self.unhandled).clear();
        lock(&self.console).clear();
    }

    /// Time that the script did not spend itself does not count.
    pub fn give_back(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let later = self.deadline_ns.load(Ordering::Relaxed).saturating_add(time);
        self.deadline_ns.store(later, Ordering::Relaxed);
    }

    pub fn is_over(&self) -> bool {
        let is_over = self.now_ns() > self.deadline_ns.load(Ordering::Relaxed);
        if is_over {
            self.fired.store(true, Ordering::Relaxed);
        }
        is_over
    }

    pub fn has_fired(&self) -> bool {
        self.fired.load(Ordering::Relaxed)
    }

    /// Answers the script's questions, until something else is lent.
    pub fn lend(&self, lookup: Option<Arc<dyn Lookup>>) {
        *lock(&self.lookup) = lookup;
    }

    /// What answers the script's questions.
    pub fn lookup(&self) -> Option<Arc<dyn Lookup>> {
        lock(&self.lookup).clone()
    }

    /// A line for the console.
    pub fn say(&self, line: &str) {
        let mut console = lock(&self.console);
        if console.len() < MAX_CONSOLE_LINES {
            console.push(shortened(line));
        }
    }

    /// What was said in the last call.
    pub fn take_console(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.console))
    }

    /// A promise was rejected, and nothing waits for it so far.
    pub fn rejected(&self, reason: String) {
        lock(&self.unhandled).push(reason);
    }

    /// Something waits for it now.
    pub fn handled(&self) {
        lock(&self.unhandled).pop();
    }

    /// What a promise was rejected with that nothing waits for.
    pub fn unhandled(&self) -> Option<String> {
        lock(&self.unhandled).first().cloned()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A text of bearable length.
pub(super) fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_CONSOLE_BYTES);
    if end < text.len() { format!("{}...", &text[..end]) } else { text.to_owned() }
}
