//! A migration as `tableferry run` assembles it: limiters (without a limit), journal on disk, watermark, retries.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use tableferry::dynamodb::scan::Consistency;
use tableferry::dynamodb::{TableSink, TableSource};
use tableferry::engine::{Migration, Options, Shutdown, Until};
use tableferry::event::Observer;
use tableferry::item::{KeyAttribute, KeyKind, KeySchema};
use tableferry::journal::{Identity, Journal, RunDirectory};
use tableferry::transform::Chain;
use tableferry::units::Rate;

use super::{DESTINATION, SEGMENTS, SOURCE};

const RUN: &str = "benchmark";

/// A new journal on disk.
pub fn journal(state: &Path, items: usize) -> Journal {
    let directory = RunDirectory::new(state, RUN);
    directory.create().expect("the run's directory");
    Journal::create(&directory, &Identity(Vec::new()), SEGMENTS, items as u64).expect("a journal")
}

/// Primary key of the canned items.
pub fn schema() -> KeySchema {
    KeySchema {
        partition: KeyAttribute::new("pk", KeyKind::String),
        sort: Some(KeyAttribute::new("sk", KeyKind::String)),
    }
}

/// A copy without a tail.
pub fn migration(client: &Client, journal: Journal, observer: Arc<dyn Observer>) -> Migration {
    let schema = schema();
    Migration {
        options: Options {
            run: RUN.to_owned(),
            source: SOURCE.to_owned(),
            destination: DESTINATION.to_owned(),
            schema: schema.clone(),
            read_rate: Rate::Unlimited,
            write_rate: Rate::Unlimited,
            max_dead_letters: 0,
            give_up_after: Duration::from_secs(10),
            items_estimated: 0,
            until: Until::Stopped,
            request_timeout: Duration::from_secs(10),
            visibility: Duration::from_secs(5),
            is_eventual: false,
            was_killed: false,
        },
        changes: None,
        source: Arc::new(TableSource::new(client.clone(), SOURCE, schema.clone(), Consistency::Strong)),
        transform: Arc::new(Chain::new(Vec::new())),
        sink: Arc::new(TableSink::new(client.clone(), DESTINATION, schema)),
        checkpoint: Arc::new(journal),
        observer,
        shutdown: Arc::new(Shutdown::default()),
    }
}
