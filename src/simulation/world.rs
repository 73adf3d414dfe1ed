//! What is the same for everybody in a history: the time, the chances, the tables, the stream.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::items::Table;
use super::profile::Profile;
use super::random::Random;
use super::shards::Shards;
use super::sink::Destination;
use super::transforms::owner;

/// When a history begins, in milliseconds since 1970: a full minute.
pub const EPOCH_MS: i64 = 1_699_999_980_000;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// How often something happened, by what it was.
pub type Tally = BTreeMap<&'static str, u64>;

/// `STORY=k7` prints whatever becomes of the source key `k7`, `STORY=all` of all keys.
static STORY: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("STORY").ok());

/// Prints an event of a key, if its story was asked for.
pub fn tell(now_ms: i64, key: &str, what: impl FnOnce() -> String) {
    if STORY.as_deref().is_some_and(|wanted| wanted == "all" || wanted == owner(key) || key.is_empty()) {
        println!("{now_ms:>8} ms {key} {}", what());
    }
}

/// Times in it are in milliseconds since the history's begin.
pub struct World {
    pub profile: Profile,
    begun: Instant,
    killed: Notify,
    state: Mutex<State>,
}

/// All that changes.
pub struct State {
    pub random: Random,
    pub table: Table,
    pub shards: Shards,
    pub destination: Destination,
    pub tally: Tally,
    /// What no engine may do, and this one did.
    pub violations: Vec<String>,
    /// What was written and when: equal for histories that went the same way.
    pub trace: DefaultHasher,
    /// Counts the engine's lives.
    pub incarnation: u64,
    calls: u64,
    crash_at_call: Option<u64>,
}

impl State {
    pub fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }
}

impl World {
    /// A table with its past.
    pub fn new(seed: u64, profile: Profile) -> Arc<Self> {
        let mut state = State {
            random: Random::new(seed),
            table: Table::new(profile.keys),
            shards: Shards::default(),
            destination: Destination::default(),
            tally: Tally::new(),
            violations: Vec::new(),
            trace: DefaultHasher::new(),
            incarnation: 0,
            calls: 0,
            crash_at_call: None,
        };
        state.live_before(&profile);
        state.tally.clear();
        Arc::new(Self { profile, begun: Instant::now(), killed: Notify::new(), state: Mutex::new(state) })
    }

    pub fn now_ms(&self) -> i64 {
        self.begun.elapsed().as_millis() as i64
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new life of the engine begins; it may be killed at one of its calls.
    pub fn begin_incarnation(&self, crash_at_call: Option<u64>) {
        self.with(|state| {
            state.incarnation += 1;
            state.calls = 0;
            state.crash_at_call = crash_at_call;
        });
    }

    /// To be awaited at the begin and at the end of every call of the engine: one that is killed here never comes back.
    pub async fn call(&self) {
        let calls_left = self.with(|state| {
            state.calls += 1;
            state.crash_at_call.map_or(i64::MAX, |at| at as i64 - state.calls as i64)
        });
        if calls_left == 0 {
            self.killed.notify_one();
        }
        if calls_left <= 0 {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the engine is killed at a call.
    pub async fn killed(&self) {
        self.killed.notified().await;
    }

    /// Two parts of the time that a request takes: before it has its effect, and after.
    pub fn latency(&self, most_ms: u64) -> (Duration, Duration) {
        self.with(|state| {
            let whole = state.random.latency(most_ms);
            state.random.split(whole)
        })
    }

    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.profile.request_timeout_ms)
    }

    pub fn trace(&self) -> u64 {
        self.with(|state| state.trace.finish())
    }
}

impl State {
    /// The past: items from long ago, a shard that is about to be forgotten, changes of the last minutes.
    fn live_before(&mut self, profile: &Profile) {
        let keys = if profile.keys >= 64 { u64::MAX } else { (1 << profile.keys) - 1 };
        let mut now_ms = -30 * DAY_MS / 24;
        self.shards.add(None, keys, now_ms);
        for key in 0..profile.keys {
            if self.random.chance(profile.filled) {
                self.put(key, now_ms, profile);
            }
        }
        let mut times: Vec<(i64, bool)> = Vec::new();
        if self.random.chance(0.5) {
            times.push((-DAY_MS + self.random.between(0, 20_000) as i64, true));
        }
        for _ in 0..self.random.below(3) {
            times.push((-(self.random.between(1000, 20 * 3_600_000) as i64), true));
        }
        for _ in 0..profile.earlier_changes {
            let time_ms = -(self.random.between(0, 40 * 60_000) as i64);
            times.push((time_ms, false));
            if self.random.chance(profile.rolls) {
                times.push((time_ms, true));
            }
        }
        times.sort_unstable();
        for (time_ms, is_roll) in times {
            now_ms = time_ms;
            if is_roll {
                self.roll_any(now_ms);
            } else {
                self.step(now_ms, profile);
            }
        }
    }
}
