//! Emulator, tables, writers and oracle of the suite.
#![allow(dead_code, reason = "the suite uses what is not used here")]

#[path = "../suite/support/contents.rs"]
pub mod contents;
#[path = "../suite/support/dynoxide.rs"]
pub mod dynoxide;
#[path = "../suite/support/http.rs"]
pub mod http;
#[path = "../suite/support/seed.rs"]
pub mod seed;
#[path = "../suite/support/table.rs"]
pub mod table;
#[path = "../suite/support/writers.rs"]
pub mod writers;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The access key of every test.
pub const ACCESS_KEY: &str = "tableferrytests";

/// The region of every test.
pub const REGION: &str = "us-east-1";

/// A table name that no other run of this process uses.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Asks every few milliseconds until there is an answer, or gives up after `limit`.
pub fn wait_for<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if begun.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
