//! The stream that an engine sees: the real adapter behind it, the forest in front, and requests that fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tableferry::error::{Error, ErrorKind, Result};
use tableferry::stream::{ChangePage, ChangeSource, Position, ShardIterator, ShardList};

use crate::forest::{Delivery, Forest};

/// Share of requests that fail in a way that passes.
const FAILING: f64 = 0.06;
/// Share of reads whose iterator has expired.
const EXPIRED: f64 = 0.05;
/// Share of reads that deliver nothing although there may be something.
const EMPTY: f64 = 0.15;
/// Changes of a page, at the most.
const PAGE: usize = 12;
/// Time between looks at the real shard.
const REAL_INTERVAL: Duration = Duration::from_millis(120);

/// The stream as one process sees it.
pub struct ShardShim {
    forest: Arc<Mutex<Forest>>,
    real: Arc<dyn ChangeSource>,
    reader: tokio::sync::Mutex<Reader>,
    state: Mutex<State>,
}

/// Where the real shard is read.
#[derive(Default)]
struct Reader {
    shard: Option<Arc<str>>,
    iterator: Option<ShardIterator>,
    looked_at: Option<Instant>,
}

struct State {
    /// What iterators stand for: shard, place, and whether the reader knows a change before that place.
    iterators: BTreeMap<Arc<str>, (usize, usize, bool)>,
    /// Shards whose end this process has seen, or had on record when it began.
    ended: BTreeSet<Arc<str>>,
    trim: Trim,
}

/// Forgetting changes that were not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trim {
    /// Never.
    Never,
    /// At some moment, in a shard of which something was read.
    Soon,
    /// In this shard: whatever is asked of it is lost.
    Done(Arc<str>),
}

impl ShardShim {
    /// The stream for a process that has these shards on record as ended.
    pub fn new(forest: Arc<Mutex<Forest>>, real: Arc<dyn ChangeSource>, ended: BTreeSet<Arc<str>>, trim: Trim) -> Self {
        let state = State { iterators: BTreeMap::new(), ended, trim };
        Self { forest, real, reader: tokio::sync::Mutex::default(), state: Mutex::new(state) }
    }

    /// What was forgotten.
    pub fn trim(&self) -> Trim {
        self.state().trim.clone()
    }

    /// The forest, for the report of a failure.
    pub fn describe(&self) -> String {
        format!("{:?}; {:#?}", self.state().trim, self.forest())
    }

    fn forest(&self) -> MutexGuard<'_, Forest> {
        self.forest.lock().expect("not poisoned")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    /// Deals out what the real shard has. May be dropped anywhere: what was read and not dealt out is read again.
    async fn pump(&self) -> Result<()> {
        let mut reader = self.reader.lock().await;
        if reader.looked_at.is_some_and(|at| at.elapsed() < REAL_INTERVAL) {
            return Ok(());
        }
        loop {
            let iterator = match reader.iterator.take() {
                Some(iterator) => iterator,
                None => {
                    if reader.shard.is_none() {
                        let list = self.real.list_shards().await?;
                        assert_eq!(list.shards.len(), 1, "the emulator has one shard");
                        reader.shard = Some(list.shards[0].id.clone());
                    }
                    let shard = reader.shard.clone().expect("just found");
                    let dealt = self.forest().dealt();
                    self.real.open(&shard, &dealt).await?
                }
            };
            let page = self.real.read(&iterator).await?;
            let is_empty = page.changes.is_empty();
            self.forest().deal(page.changes);
            reader.iterator = page.next;
            if is_empty {
                reader.looked_at = Some(Instant::now());
                return Ok(());
            }
        }
    }

    /// A failure that passes, now and then.
    async fn fail(&self) -> Result<()> {
        let kind = {
            let mut forest = self.forest();
            if !forest.chance(FAILING) {
                return Ok(());
            }
            let kinds = [
                ("throttle", ErrorKind::Throttled),
                ("time-out", ErrorKind::TimedOut),
                ("unreachable", ErrorKind::Unreachable),
                ("server fault", ErrorKind::ServerFault),
                ("malformed answer", ErrorKind::MalformedAnswer),
            ];
            let (name, kind) = kinds[forest.pick(0..kinds.len())];
            forest.count(name);
            kind
        };
        if kind == ErrorKind::TimedOut {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(Error::new(kind, "planted"))
    }

    /// Whether what follows a place is forgotten; decides it, when it is time.
    fn is_trimmed(&self, forest: &mut Forest, shard: usize, is_behind: bool) -> bool {
        let mut state = self.state();
        if state.trim == Trim::Soon && is_behind && forest.chance(0.05) {
            state.trim = Trim::Done(forest.id(shard).clone());
        }
        matches!(&state.trim, Trim::Done(id) if id == forest.id(shard))
    }

    fn iterator(&self, shard: usize, place: usize, is_behind: bool) -> ShardIterator {
        let mut state = self.state();
        let name: Arc<str> = format!("iterator-{}", state.iterators.len()).into();
        state.iterators.insert(name.clone(), (shard, place, is_behind));
        ShardIterator(name)
    }

    fn begin(&self, shard: &str, position: &Position) -> Result<ShardIterator> {
        let mut forest = self.forest();
        let Some(at) = forest.find(shard) else {
            return Err(Error::new(ErrorKind::PositionLost, "planted: no such shard"));
        };
        let is_behind = matches!(position, Position::After(_));
        if self.is_trimmed(&mut forest, at, is_behind) {
            return Err(Error::new(ErrorKind::PositionLost, "planted: trimmed"));
        }
        if let Some(parent) = forest.parent(at).cloned()
            && !self.state().ended.contains(&parent)
        {
            forest.violations.push(format!("{shard} is opened before its parent {parent} has ended"));
        }
        let place = forest.place(at, position);
        Ok(self.iterator(at, place, is_behind))
    }

    fn deliver(&self, iterator: &ShardIterator) -> Result<ChangePage> {
        let (shard, place, is_behind) = *self.state().iterators.get(&iterator.0).expect("an iterator of this shim");
        let mut forest = self.forest();
        if self.is_trimmed(&mut forest, shard, is_behind) {
            return Err(Error::new(ErrorKind::PositionLost, "planted: trimmed"));
        }
        if forest.chance(EXPIRED) {
            forest.count("iterator expired");
            return Err(Error::new(ErrorKind::IteratorExpired, "planted"));
        }
        if forest.holds_back(EMPTY) {
            forest.count("empty page");
            return Ok(ChangePage { next: Some(self.iterator(shard, place, is_behind)), ..ChangePage::default() });
        }
        let limit = forest.pick(1..PAGE + 1);
        match forest.deliver(shard, place, limit) {
            Delivery::End => {
                self.state().ended.insert(forest.id(shard).clone());
                Ok(ChangePage::default())
            }
            Delivery::Changes(changes, next) => {
                let is_behind = is_behind || !changes.is_empty();
                let bytes = changes.iter().flat_map(|change| [&change.old, &change.new]).flatten();
                let bytes = bytes.map(|item| item.json().len()).sum();
                Ok(ChangePage { changes, next: Some(self.iterator(shard, next, is_behind)), bytes })
            }
        }
    }
}

impl ChangeSource for ShardShim {
    fn list_shards(&self) -> BoxFuture<'_, Result<ShardList>> {
        Box::pin(async move {
            self.fail().await?;
            let real = self.real.list_shards().await?;
            self.pump().await?;
            Ok(ShardList { shards: self.forest().list(), ..real })
        })
    }

    fn open<'a>(&'a self, shard: &'a str, position: &'a Position) -> BoxFuture<'a, Result<ShardIterator>> {
        Box::pin(async move {
            self.fail().await?;
            self.begin(shard, position)
        })
    }

    fn read<'a>(&'a self, iterator: &'a ShardIterator) -> BoxFuture<'a, Result<ChangePage>> {
        Box::pin(async move {
            self.fail().await?;
            self.pump().await?;
            self.deliver(iterator)
        })
    }
}
