//! The engine as `tableferry run` assembles it: limiters (without a limit), journal on disk, watermark, retries.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use tableferry::dynamodb::scan::Consistency;
use tableferry::dynamodb::{TableSink, TableSource};
use tableferry::engine::{Migration, Options, Shutdown, Until};
use tableferry::event::{End, Event, Observer};
use tableferry::item::{KeyAttribute, KeyKind, KeySchema};
use tableferry::journal::{Identity, Journal, RunDirectory};
use tableferry::transform::PassThrough;
use tableferry::units::Rate;

use crate::{DESTINATION, SEGMENTS, SOURCE};

const RUN: &str = "benchmark";

struct Nobody;

impl Observer for Nobody {
    fn observe(&self, _event: Event) {}
}

/// Copies everything; the number of items.
pub async fn copy(client: &Client, items: usize) -> usize {
    let state = tempfile::tempdir().expect("a temporary directory");
    let directory = RunDirectory::new(state.path(), RUN);
    directory.create().expect("the run's directory");
    let _lock = directory.lock().expect("nobody else works on it");
    let identity = Identity(Vec::new());
    let journal = Journal::create(&directory, &identity, SEGMENTS, items as u64).expect("a journal");
    let schema = KeySchema {
        partition: KeyAttribute::new("pk", KeyKind::String),
        sort: Some(KeyAttribute::new("sk", KeyKind::String)),
    };
    let migration = Migration {
        options: Options {
            run: RUN.to_owned(),
            source: SOURCE.to_owned(),
            destination: DESTINATION.to_owned(),
            schema: schema.clone(),
            read_rate: Rate::Unlimited,
            write_rate: Rate::Unlimited,
            max_dead_letters: 0,
            give_up_after: Duration::from_secs(10),
            items_estimated: items as u64,
            until: Until::Stopped,
            request_timeout: Duration::from_secs(10),
            visibility: Duration::from_secs(5),
            is_eventual: false,
            was_killed: false,
        },
        changes: None,
        source: Arc::new(TableSource::new(client.clone(), SOURCE, schema.clone(), Consistency::Strong)),
        transform: Arc::new(PassThrough),
        sink: Arc::new(TableSink::new(client.clone(), DESTINATION, schema)),
        checkpoint: Arc::new(journal),
        observer: Arc::new(Nobody),
        shutdown: Arc::new(Shutdown::default()),
    };
    let (summary, error) = migration.run().await;
    assert_eq!((summary.end, error), (End::Done, None));
    summary.progress.items_written as usize
}
