//! Expressions against Amazon's DynamoDB Local: the same verdict, the same item afterwards, a refusal where it refuses.
//!
//! [`odd`] holds cases that somebody thought of, [`generate`] makes thousands that nobody did. `SEED=42 cargo test
//! --test expression` repeats the items and expressions of one seed, `SEEDS=10000` plays more than usual.

mod canonical;
mod generate;
mod notation;
mod odd;
mod server;
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use canonical::canonical;
use generate::Generator;
use notation::Expression;
use serde_json::{Map, Value};
use server::{KEY, Server};
use tableferry::expression::{Condition, Update};
use tableferry::item::{KeyAttribute, KeyKind, KeySchema, RawItem};

/// Items of the test suite, and the expressions for each.
const SEEDS: u64 = 500;
const CONDITIONS: usize = 10;
const UPDATES: usize = 6;
/// Requests at the same time.
const LANES: usize = 6;

fn schema() -> KeySchema {
    KeySchema { partition: KeyAttribute::new(KEY, KeyKind::String), sort: None }
}

fn raw(item: &Map<String, Value>) -> RawItem {
    RawItem::parse(Bytes::from(Value::from(item.clone()).to_string()), &schema()).expect("an item")
}

/// What we say of a condition.
fn holds(item: &Map<String, Value>, condition: &Expression) -> Result<bool, String> {
    let condition = Condition::parse(&condition.ours).map_err(|error| error.render())?;
    condition.matches(&raw(item))
}

/// What we make of an item.
fn updated(item: &Map<String, Value>, update: &Expression) -> Result<Value, String> {
    let update = Update::parse(&update.ours).map_err(|error| error.render())?;
    let item = update.apply_to(&raw(item), &schema())?;
    Ok(serde_json::from_slice(item.json()).expect("JSON"))
}

/// How often each answer was given, so that a test that only ever sees one of them is noticed.
#[derive(Debug, Default)]
struct Account {
    held: u32,
    failed: u32,
    refused: u32,
    updated: u32,
    updates_refused: u32,
    different: Vec<String>,
}

impl Account {
    fn condition(&mut self, story: &str, server: &mut Server, item: &Map<String, Value>, condition: &Expression) {
        let (mine, theirs) = (holds(item, condition), server.holds(item, condition));
        match &theirs {
            Ok(true) => self.held += 1,
            Ok(false) => self.failed += 1,
            Err(_) => self.refused += 1,
        }
        if mine.as_ref().ok() != theirs.as_ref().ok() {
            self.differ(story, item, condition, &format!("{mine:?}"), &format!("{theirs:?}"));
        }
    }

    /// The item as it is now on the server.
    fn update(
        &mut self,
        story: &str,
        server: &mut Server,
        item: Map<String, Value>,
        update: &Expression,
    ) -> Map<String, Value> {
        let (mine, theirs) = (updated(&item, update), server.update(&item[KEY], update));
        match &theirs {
            Ok(_) => self.updated += 1,
            Err(_) => self.updates_refused += 1,
        }
        if mine.as_ref().ok().map(canonical) != theirs.as_ref().ok().map(canonical) {
            self.differ(story, &item, update, &told(&mine), &told(&theirs));
        }
        match theirs {
            Ok(Value::Object(changed)) => changed,
            _ => item,
        }
    }

    fn differ(&mut self, story: &str, item: &Map<String, Value>, expression: &Expression, mine: &str, theirs: &str) {
        let item = Value::from(item.clone());
        self.different.push(format!(
            "{story}\n  item   {item}\n  ours   {}\n  theirs {}\n  we say    {mine}\n  they say  {theirs}\n",
            expression.ours, expression.theirs
        ));
    }

    fn add(&mut self, other: Self) {
        self.held += other.held;
        self.failed += other.failed;
        self.refused += other.refused;
        self.updated += other.updated;
        self.updates_refused += other.updates_refused;
        self.different.extend(other.different);
    }

    #[track_caller]
    fn check(&self) {
        println!(
            "conditions: {} hold, {} do not, {} refused; updates: {} done, {} refused",
            self.held, self.failed, self.refused, self.updated, self.updates_refused
        );
        let shown: String = self.different.iter().take(8).map(String::as_str).collect();
        assert!(self.different.is_empty(), "{} differences\n{shown}", self.different.len());
    }
}

fn told(result: &Result<Value, String>) -> String {
    match result {
        Ok(item) => canonical(item),
        Err(reason) => format!("refused: {reason}"),
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One item with its expressions.
fn play(seed: u64, server: &mut Server) -> Account {
    let mut account = Account::default();
    let mut generator = Generator::new(seed);
    let story = format!("SEED={seed}");
    server.put(&generator.item);
    for _ in 0..CONDITIONS {
        let condition = generator.condition();
        account.condition(&story, server, &generator.item, &condition);
    }
    for _ in 0..UPDATES {
        let update = generator.update();
        let item = std::mem::take(&mut generator.item);
        generator.item = account.update(&story, server, item, &update);
    }
    account
}

#[test]
fn random_expressions_do_what_they_do_in_dynamodb() {
    let (first, count) = setting("SEED").map_or((0, setting("SEEDS").unwrap_or(SEEDS)), |seed| (seed, 1));
    let (next, sum) = (AtomicU64::new(first), Mutex::new(Account::default()));
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let mut server = Server::connect();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    let account = play(seed, &mut server);
                    sum.lock().expect("not poisoned").add(account);
                }
            });
        }
    });
    let sum = sum.into_inner().expect("not poisoned");
    sum.check();
    if count >= SEEDS {
        let least = [sum.held, sum.failed, sum.refused * 3, sum.updated, sum.updates_refused].into_iter().min();
        assert!(least >= Some(count as u32), "one answer is too rare: {sum:?}");
    }
}

#[test]
fn odd_expressions_do_what_they_do_in_dynamodb() {
    let mut server = Server::connect();
    let mut account = Account::default();
    for (item, conditions, updates) in odd::cases() {
        server.put(&item);
        for condition in &conditions {
            account.condition("odd condition", &mut server, &item, condition);
        }
        for update in &updates {
            server.put(&item);
            account.update("odd update", &mut server, item.clone(), update);
        }
    }
    account.check();
}
