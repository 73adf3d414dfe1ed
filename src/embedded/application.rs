//! An application that goes on writing to a table while it is migrated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::request_failure;
use super::seed::{self, TypedItem};
use crate::error::{Error, ErrorKind, Result};

/// Writers at work side by side.
const WRITERS: u64 = 8;

/// What the application has written so far, by kind.
#[derive(Debug, Default)]
struct Counters {
    puts: AtomicU64,
    updates: AtomicU64,
    deletes: AtomicU64,
    recreations: AtomicU64,
    hot: AtomicU64,
}

/// Requests that changed the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writes {
    /// New items.
    pub puts: u64,
    /// Updates of items anywhere in the table.
    pub updates: u64,
    /// Deleted items.
    pub deletes: u64,
    /// Items deleted and at once put again under the same key: two requests each.
    pub recreations: u64,
    /// Updates of the few hot items.
    pub hot: u64,
}

impl Writes {
    /// All requests.
    pub fn total(self) -> u64 {
        self.puts + self.updates + self.deletes + 2 * self.recreations + self.hot
    }
}

/// Writers under way. Dropping it stops them without waiting.
#[derive(Debug)]
pub struct Application {
    writers: JoinSet<Result<()>>,
    is_stopped: Arc<AtomicBool>,
    counters: Arc<Counters>,
}

impl Application {
    /// Items that every writer updates again and again.
    pub const HOT_ITEMS: usize = 4;

    /// Begins to write to a table that was filled by [`seed::seed_table`] with the same `count` and `seed`, about
    /// `writes_per_second` times a second or as fast as the table answers.
    pub fn start(client: &Client, table: &str, count: usize, seed: u64, writes_per_second: u32) -> Self {
        let keys: Arc<Vec<Key>> = Arc::new(seed::items(count, seed).map(|item| Key::of(&item)).collect());
        let (is_stopped, counters) = (Arc::new(AtomicBool::new(false)), Arc::new(Counters::default()));
        let mut writers = JoinSet::new();
        for number in 0..WRITERS {
            let writer = Writer {
                client: client.clone(),
                table: table.to_owned(),
                keys: keys.clone(),
                random: StdRng::seed_from_u64(seed ^ (number + 1)),
                number,
                written: 0,
                counters: counters.clone(),
            };
            let pause = Duration::from_secs_f64(WRITERS as f64 / f64::from(writes_per_second.max(1)));
            if writes_per_second > 0 {
                writers.spawn(writer.work(pause, is_stopped.clone()));
            }
        }
        Self { writers, is_stopped, counters }
    }

    /// Stops all writers and waits for their last requests.
    ///
    /// # Errors
    ///
    /// The first request that failed.
    pub async fn stop(mut self) -> Result<Writes> {
        self.is_stopped.store(true, Ordering::Relaxed);
        while let Some(ended) = self.writers.join_next().await {
            ended.map_err(|error| Error::new(ErrorKind::Internal, format!("a writer broke off: {error}")))??;
        }
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { puts, updates, deletes, recreations, hot } = &*self.counters;
        Ok(Writes {
            puts: read(puts),
            updates: read(updates),
            deletes: read(deletes),
            recreations: read(recreations),
            hot: read(hot),
        })
    }
}

#[derive(Debug, Clone)]
struct Key {
    pk: AttributeValue,
    sk: AttributeValue,
}

impl Key {
    fn of(item: &TypedItem) -> Self {
        Self { pk: item["pk"].clone(), sk: item["sk"].clone() }
    }
}

struct Writer {
    client: Client,
    table: String,
    keys: Arc<Vec<Key>>,
    random: StdRng,
    number: u64,
    written: u64,
    counters: Arc<Counters>,
}

impl Writer {
    async fn work(mut self, pause: Duration, is_stopped: Arc<AtomicBool>) -> Result<()> {
        let begin = Instant::now() + pause.mul_f64(self.random.random());
        let mut pace = tokio::time::interval_at(begin, pause);
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            pace.tick().await;
            if is_stopped.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.written += 1;
            let counters = self.counters.clone();
            let counter = match self.random.random_range(0..100) {
                0..20 => {
                    self.put(self.new_key()).await?;
                    &counters.puts
                }
                20..60 => {
                    let key = self.any_key();
                    self.update(key).await?;
                    &counters.updates
                }
                60..75 => {
                    let key = self.any_key();
                    self.delete(key).await?;
                    &counters.deletes
                }
                75..85 => {
                    let key = self.any_key();
                    self.delete(key.clone()).await?;
                    self.put(key).await?;
                    pace.tick().await;
                    &counters.recreations
                }
                _ => {
                    let hottest = &self.keys[..Application::HOT_ITEMS.min(self.keys.len())];
                    let key = hottest.choose(&mut self.random).cloned();
                    self.update(key.unwrap_or_else(|| self.new_key())).await?;
                    &counters.hot
                }
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn any_key(&mut self) -> Key {
        self.keys.choose(&mut self.random).cloned().unwrap_or_else(|| self.new_key())
    }

    fn new_key(&self) -> Key {
        let sk = format!("note|{}-{}", self.number, self.written);
        Key { pk: AttributeValue::S("live".to_owned()), sk: AttributeValue::S(sk) }
    }

    async fn put(&self, key: Key) -> Result<()> {
        let put = self.client.put_item().table_name(&self.table).item("pk", key.pk).item("sk", key.sk);
        let put = put.item("entityName", AttributeValue::S("Note".to_owned()));
        let put = put.item("version", AttributeValue::N(self.written.to_string()));
        put.send().await.map(drop).map_err(|error| request_failure("writing to", &self.table, error))
    }

    async fn update(&self, key: Key) -> Result<()> {
        let update = self.client.update_item().table_name(&self.table).key("pk", key.pk).key("sk", key.sk);
        let update = update.update_expression("SET lastEdit = :edit ADD edits :one");
        let update = update.expression_attribute_values(":edit", AttributeValue::S(format!("edit {}", self.written)));
        let update = update.expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        update.send().await.map(drop).map_err(|error| request_failure("writing to", &self.table, error))
    }

    async fn delete(&self, key: Key) -> Result<()> {
        let delete = self.client.delete_item().table_name(&self.table).key("pk", key.pk).key("sk", key.sk);
        delete.send().await.map(drop).map_err(|error| request_failure("writing to", &self.table, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::{EmbeddedDynamoDb, compare};

    #[tokio::test]
    async fn it_writes_every_kind_at_about_the_pace_asked_for_and_stops() {
        let server = EmbeddedDynamoDb::start().await.expect("starts");
        let client = server.client();
        for table in ["written", "left"] {
            seed::seed_table(&client, table, 300, 3).await.expect("is seeded");
        }
        let application = Application::start(&client, "written", 300, 3, 200);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let writes = application.stop().await.expect("all requests succeed");
        assert!((100..=440).contains(&writes.total()), "{writes:?}");
        let Writes { puts, updates, deletes, recreations, hot } = writes;
        assert!([puts, updates, deletes, recreations, hot].iter().all(|count| *count > 0), "{writes:?}");
        let difference = compare(&client, "left", "written").await.expect("compares");
        assert!(difference.missing > 0 && difference.extra > 0 && difference.different > 0, "{difference:?}");
    }

    #[tokio::test]
    async fn a_table_that_is_gone_is_an_error() {
        let server = EmbeddedDynamoDb::start().await.expect("starts");
        let application = Application::start(&server.client(), "none", 10, 1, 100);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let error = application.stop().await.expect_err("there is no table");
        assert!(error.message().contains("`none`"), "{error}");
    }
}
