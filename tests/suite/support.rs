//! What the tests stand on.
//!
//! A test starts a server ([`dynoxide`], [`local`]), fills a [`table`] with [`seed`]ed items, runs the [`ferry`] (the
//! real binary), perhaps through the fault [`proxy`], and compares the tables' [`contents`]. Every wait has a bound;
//! every server and process ends with the test, also when it panics.

pub mod contents;
pub mod dynoxide;
pub mod fault;
pub mod ferry;
pub mod http;
pub mod local;
pub mod moves;
pub mod plan;
pub mod proxy;
pub mod seed;
pub mod table;
pub mod writers;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The access key of every test. DynamoDB Local keeps a database for each access key and region.
pub const ACCESS_KEY: &str = "tableferrytests";

/// The region of every test.
pub const REGION: &str = "us-east-1";

/// A table name that no other test of this process uses.
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
