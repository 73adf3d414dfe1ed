//! Applications that go on writing to a table while it is migrated.
//!
//! Several threads put, update, delete, and delete and put again, alone, in batches and in transactions; some keys are
//! hot. The seed fixes what is written, the machine when.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::seed;
use super::table::Table;

/// Keys that get a large share of all writes.
const HOT_KEYS: usize = 5;
/// The share.
const HOT_SHARE: f64 = 0.25;
/// Operations of a batch, at the most; BatchWriteItem takes 25.
const BATCH: usize = 12;
/// Operations of a transaction, at the most.
const TRANSACTION: usize = 4;

/// How much is written, and to what.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Fixes every choice but the machine's own timing.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
    /// Items written or deleted per second, by all threads together.
    pub rate: f64,
    /// Ends after about so many; goes on until it is stopped if there is none.
    pub total: Option<u64>,
    /// Writes go to the keys of this many items of [`seed::items`], counted from 0: more than the table was filled with
    /// gives new items too.
    pub keys: usize,
}

/// Threads that write. Dropping it stops them.
pub struct Writers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    table: Table,
    load: Load,
    stopping: AtomicBool,
    written: AtomicU64,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Writers {
    /// Begins to write.
    pub fn start(table: &Table, load: Load) -> Self {
        assert!(load.keys > HOT_KEYS, "there are more keys than hot ones");
        let shared = Arc::new(Shared {
            table: table.clone(),
            load,
            stopping: AtomicBool::new(false),
            written: AtomicU64::new(0),
            counts: Mutex::default(),
        });
        let begin = |number: usize| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.write(number))
        };
        let threads = (0..load.threads).map(begin).collect();
        Self { shared, threads }
    }

    /// Items written or deleted so far.
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Relaxed)
    }

    /// Waits until so many were written.
    #[track_caller]
    pub fn wait_for(&self, written: u64) {
        let enough = super::wait_for(Duration::from_secs(60), || (self.written() >= written).then_some(()));
        enough.unwrap_or_else(|| panic!("only {} of {written} items were written", self.written()));
    }

    /// Stops and returns what was written, by kind of operation.
    pub fn stop(mut self) -> BTreeMap<&'static str, u64> {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.join()
    }

    /// Waits until the total is written, and returns what was written, by kind of operation.
    pub fn finish(mut self) -> BTreeMap<&'static str, u64> {
        assert!(self.shared.load.total.is_some(), "only writers with a total come to an end");
        self.join()
    }

    fn join(&mut self) -> BTreeMap<&'static str, u64> {
        let ended: Vec<_> = self.threads.drain(..).map(JoinHandle::join).collect();
        assert!(ended.iter().all(Result::is_ok), "a writer broke off; what it said is above");
        self.shared.counts.lock().expect("no writer broke off").clone()
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn write(&self, thread: usize) {
        let mut rng = StdRng::seed_from_u64(self.load.seed.wrapping_mul(1_000).wrapping_add(thread as u64));
        let pace = Duration::from_secs_f64(self.load.threads as f64 / self.load.rate);
        let share = self.load.total.map(|total| total.div_ceil(self.load.threads as u64));
        let begun = Instant::now();
        let mut done = 0;
        while !self.stopping.load(Ordering::SeqCst) && share.is_none_or(|share| done < share) {
            let (kind, items) = self.write_once(&mut rng);
            done += items;
            self.written.fetch_add(items, Ordering::Relaxed);
            *self.counts.lock().expect("no writer broke off").entry(kind).or_default() += items;
            // What was slow is not made up for: a burst would be another test.
            let due = begun + pace.mul_f64(done as f64);
            thread::sleep(due.saturating_duration_since(Instant::now()).min(Duration::from_millis(500)));
        }
    }

    /// One request; its kind, and how many items it wrote or deleted.
    fn write_once(&self, rng: &mut StdRng) -> (&'static str, u64) {
        let table = &self.table;
        let item = self.item(rng);
        match rng.random_range(0..20) {
            0..8 => table.put(&item),
            8..12 => {
                table.call("UpdateItem", &self.update(&item, rng));
                return ("updates", 1);
            }
            12..15 => {
                table.delete(&item);
                return ("deletes", 1);
            }
            15..17 => {
                table.delete(&item);
                table.put(&item);
                return ("deletes with a put behind", 2);
            }
            17..19 => {
                let items = self.distinct(rng, BATCH);
                let operation = |item: &Value| match rng.random_bool(0.7) {
                    true => json!({ "PutRequest": { "Item": item } }),
                    false => json!({ "DeleteRequest": { "Key": table.key(item) } }),
                };
                let operations: Vec<_> = items.iter().map(operation).collect();
                table.write_batch(&operations);
                return ("in batches", items.len() as u64);
            }
            _ => return self.transact(rng),
        }
        ("puts", 1)
    }

    fn transact(&self, rng: &mut StdRng) -> (&'static str, u64) {
        let items = self.distinct(rng, TRANSACTION);
        let name = &self.table.name;
        let action = |item: &Value| match rng.random_range(0..4) {
            0 => json!({ "Delete": { "TableName": name, "Key": self.table.key(item) } }),
            1 => json!({ "Update": self.update(item, rng) }),
            _ => json!({ "Put": { "TableName": name, "Item": item } }),
        };
        let actions: Vec<_> = items.iter().map(action).collect();
        let answer = self.table.try_call("TransactWriteItems", &json!({ "TransactItems": actions }));
        let body = String::from_utf8_lossy(&answer.body);
        match answer.status() {
            200 => ("in transactions", items.len() as u64),
            // Another thread was at one of the items.
            _ if body.contains("TransactionCanceled") || body.contains("TransactionInProgress") => ("conflicts", 0),
            status => panic!("TransactWriteItems on {name} answers {status}: {body}"),
        }
    }

    /// An UpdateItem that changes some attributes and leaves the others.
    fn update(&self, item: &Value, rng: &mut StdRng) -> Value {
        let length = rng.random_range(1..200);
        let expression = match rng.random_bool(0.3) {
            true => "SET #text = :text ADD #times :one REMOVE #gone",
            false => "SET #text = :text ADD #times :one",
        };
        let mut names = json!({ "#text": "text", "#times": "times" });
        if expression.contains("#gone") {
            names["#gone"] = "title".into();
        }
        json!({
            "TableName": self.table.name, "Key": self.table.key(item), "UpdateExpression": expression,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": { ":text": { "S": seed::text(rng, length) }, ":one": { "N": "1" } },
        })
    }

    /// An item of a random key with contents that no item had before.
    fn item(&self, rng: &mut StdRng) -> Value {
        let number = match rng.random_bool(HOT_SHARE) {
            true => rng.random_range(0..HOT_KEYS),
            false => rng.random_range(0..self.load.keys),
        };
        self.item_of(number, rng)
    }

    fn item_of(&self, number: usize, rng: &mut StdRng) -> Value {
        seed::items(&self.table.keys, number, 1, rng.random()).remove(0)
    }

    /// Two to `most` items of different keys.
    fn distinct(&self, rng: &mut StdRng, most: usize) -> Vec<Value> {
        let count = rng.random_range(2..=most.min(self.load.keys));
        let first = rng.random_range(0..self.load.keys);
        (first..first + count).map(|number| self.item_of(number % self.load.keys, rng)).collect()
    }
}
