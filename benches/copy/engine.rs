//! The engine, with everything on.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use tableferry::event::{End, Event, Observer};

use crate::support::migration::{journal, migration};

struct Nobody;

impl Observer for Nobody {
    fn observe(&self, _event: Event) {}
}

/// Copies everything; the number of items.
pub async fn copy(client: &Client, items: usize) -> usize {
    let state = tempfile::tempdir().expect("a temporary directory");
    let migration = migration(client, journal(state.path(), items), Arc::new(Nobody));
    let (summary, error) = migration.run().await;
    assert_eq!((summary.end, error), (End::Done, None));
    summary.progress.items_written as usize
}
