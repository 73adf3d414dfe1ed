//! The virtual shards of one stream, and everything that can be odd about them. It outlives the crashes of a run.
//!
//! Every root has a range of key hashes. A change goes to the leaf with its key's hash; a leaf rolls after some changes: it
//! takes in no more, and one or two children go on with its range. The children may be listed late, or be missing from one
//! listing; the parent may look open for a while although its children are there already.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tableferry::change::Change;
use tableferry::stream::{Position, Shard};

/// Everything odd that is counted when it happens, faults of requests included.
pub const KINDS: [&str; 17] = [
    "throttle",
    "time-out",
    "unreachable",
    "server fault",
    "malformed answer",
    "iterator expired",
    "empty page",
    "change shown late",
    "one child",
    "two children",
    "child listed late",
    "no child listed yet",
    "child missing from a listing",
    "open parent with a child",
    "parent gone from the listing",
    "earlier changes delivered too",
    "end of a shard",
];

/// Key hashes are cut to so many bits.
const HASH_BITS: u32 = 16;

/// Milliseconds that put a change well before the start positions, and not beyond what a stream keeps.
const LONG_AGO: i64 = 5 * 3600 * 1000;

/// One virtual shard.
struct Virtual {
    id: Arc<str>,
    parent: Option<Arc<str>>,
    hashes: Range<u32>,
    changes: Vec<(Change, Instant)>,
    /// Changes until it rolls.
    room: usize,
    /// When it shows that it has ended; `None` for a leaf.
    closes_at: Option<Instant>,
    listed_at: Instant,
    /// The next listing misses it.
    is_missed: bool,
    /// Forgotten by the stream; nothing of it is needed any more.
    is_gone: bool,
}

/// The shards of a run.
pub struct Forest {
    rng: StdRng,
    shards: Vec<Virtual>,
    /// So many changes are still to be dealt out as if they had been made long ago.
    aged: usize,
    /// The last change of the real shard that was dealt out.
    dealt: Option<Arc<str>>,
    /// Nothing is shown late any more and no page is empty without reason.
    is_calm: bool,
    /// How often each kind of oddity happened.
    pub counts: BTreeMap<&'static str, u64>,
    /// What a reader did that no reader may do.
    pub violations: Vec<String>,
}

/// What a shard delivers at a place.
pub enum Delivery {
    /// Changes, and the place behind them.
    Changes(Vec<Change>, usize),
    /// Nothing, ever.
    End,
}

impl fmt::Debug for Forest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = Instant::now();
        for Virtual { id, parent, changes, closes_at, listed_at, is_missed, is_gone, .. } in &self.shards {
            let (hidden, closed) = (*listed_at > now, closes_at.is_some_and(|at| at <= now));
            let last = changes.last().map(|(change, _)| &change.sequence);
            write!(f, "{id} of {parent:?}: {} changes, last {last:?}; closed {closed}, ", changes.len())?;
            writeln!(f, "not yet listed {hidden}, missed {is_missed}, gone {is_gone}")?;
        }
        Ok(())
    }
}

impl Forest {
    /// One to five roots; some go on after shards that nobody remembers. The first `aged` changes are from long ago.
    pub fn new(seed: u64, aged: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let roots = rng.random_range(1..=5);
        let mut forest = Self {
            rng: StdRng::seed_from_u64(seed ^ 0xf0),
            shards: Vec::new(),
            aged,
            dealt: None,
            is_calm: false,
            counts: BTreeMap::new(),
            violations: Vec::new(),
        };
        let bound = |number: u32| number * (1 << HASH_BITS) / roots;
        for number in 0..roots {
            let forgotten = rng.random_bool(0.4).then(|| format!("forgotten-{number}").into());
            forest.add(forgotten, bound(number)..bound(number + 1), Instant::now(), false);
        }
        forest
    }

    /// Counts something odd.
    pub fn count(&mut self, kind: &'static str) {
        debug_assert!(KINDS.contains(&kind), "{kind}");
        *self.counts.entry(kind).or_default() += 1;
    }

    /// True with this probability.
    pub fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    /// A number of the range.
    pub fn pick(&mut self, range: Range<usize>) -> usize {
        self.rng.random_range(range)
    }

    /// True with this probability while oddities are wanted that hold changes back.
    pub fn holds_back(&mut self, share: f64) -> bool {
        !self.is_calm && self.rng.random_bool(share)
    }

    /// From now on the forest shows everything at once.
    pub fn calm(&mut self) {
        let now = Instant::now();
        self.is_calm = true;
        for shard in &mut self.shards {
            shard.listed_at = now;
            shard.is_missed = false;
            shard.closes_at = shard.closes_at.map(|_| now);
            shard.changes.iter_mut().for_each(|(_, shown_at)| *shown_at = now);
        }
    }

    /// How far the real shard was dealt out.
    pub fn dealt(&self) -> Position {
        self.dealt.clone().map_or(Position::Horizon, Position::After)
    }

    /// Changes dealt out.
    pub fn changes(&self) -> usize {
        self.shards.iter().map(|shard| shard.changes.len()).sum()
    }

    /// Shards that ever were.
    pub fn len(&self) -> usize {
        self.shards.len()
    }

    /// Deals changes out, in the real shard's order.
    pub fn deal(&mut self, changes: Vec<Change>) {
        for mut change in changes {
            if self.aged > 0 {
                self.aged -= 1;
                change.created_ms -= LONG_AGO;
            }
            self.dealt = Some(change.sequence.clone());
            let hash = (change.item().key_hash() >> (u64::BITS - HASH_BITS)) as u32;
            let leaf = self.shards.iter().position(|shard| shard.closes_at.is_none() && shard.hashes.contains(&hash));
            let leaf = leaf.expect("the leaves' ranges are all hashes");
            let delay = match self.holds_back(0.15) {
                true => self.pick(1..120),
                false => 0,
            };
            if delay > 0 {
                self.count("change shown late");
            }
            let shard = &mut self.shards[leaf];
            let earliest = shard.changes.last().map_or(shard.listed_at, |(_, shown_at)| *shown_at);
            let shown_at = earliest.max(Instant::now() + Duration::from_millis(delay as u64));
            shard.changes.push((change, shown_at));
            shard.room -= 1;
            if shard.room == 0 {
                self.roll(leaf);
            }
        }
    }

    /// All shards that can be seen, in no particular order.
    pub fn list(&mut self) -> Vec<Shard> {
        let now = Instant::now();
        let mut listing = Vec::new();
        for at in 0..self.shards.len() {
            let shard = &mut self.shards[at];
            if shard.is_gone || shard.listed_at > now {
                continue;
            }
            if std::mem::take(&mut shard.is_missed) {
                self.count("child missing from a listing");
                continue;
            }
            listing.push(Shard { id: shard.id.clone(), parent: shard.parent.clone() });
        }
        let parents: BTreeSet<_> = listing.iter().filter_map(|shard| shard.parent.clone()).collect();
        for shard in &listing {
            let closes_at = self.find(&shard.id).and_then(|at| self.shards[at].closes_at);
            match closes_at {
                Some(at) if at <= now && !parents.contains(&shard.id) => self.count("no child listed yet"),
                Some(at) if at > now && parents.contains(&shard.id) => self.count("open parent with a child"),
                _ => {}
            }
        }
        listing.shuffle(&mut self.rng);
        listing
    }

    /// Shards that have ended for good may be forgotten.
    pub fn forget(&mut self, ended: &BTreeSet<Arc<str>>) {
        for at in 0..self.shards.len() {
            if !self.shards[at].is_gone && ended.contains(&self.shards[at].id) && self.chance(0.5) {
                self.shards[at].is_gone = true;
                self.count("parent gone from the listing");
            }
        }
    }

    /// The number of a shard that is not forgotten.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.shards.iter().position(|shard| &*shard.id == id && !shard.is_gone)
    }

    /// The name of a shard.
    pub fn id(&self, shard: usize) -> &Arc<str> {
        &self.shards[shard].id
    }

    /// The name of a shard's parent, if the parent is one of this forest.
    pub fn parent(&self, shard: usize) -> Option<&Arc<str>> {
        let parent = self.shards[shard].parent.as_ref()?;
        self.shards.iter().map(|shard| &shard.id).find(|id| *id == parent)
    }

    /// Where in a shard a position is.
    pub fn place(&mut self, shard: usize, position: &Position) -> usize {
        let changes = &self.shards[shard].changes;
        match position {
            Position::Horizon => 0,
            Position::Since(ms) => {
                let exact = changes.iter().position(|(change, _)| change.created_ms >= *ms).unwrap_or(changes.len());
                if exact > 0 && self.chance(0.5) {
                    self.count("earlier changes delivered too");
                    return 0;
                }
                exact
            }
            Position::After(sequence) => match changes.iter().position(|(change, _)| change.sequence == *sequence) {
                Some(at) => at + 1,
                None => {
                    let id = self.shards[shard].id.clone();
                    self.violations.push(format!("{id} is opened after {sequence}, which it never delivered"));
                    0
                }
            },
        }
    }

    /// What a shard delivers at a place, at most `limit` changes.
    pub fn deliver(&mut self, shard: usize, place: usize, limit: usize) -> Delivery {
        let now = Instant::now();
        let Virtual { changes, closes_at, .. } = &self.shards[shard];
        if place == changes.len() && closes_at.is_some_and(|at| at <= now) {
            self.count("end of a shard");
            return Delivery::End;
        }
        let shown = changes[place..].iter().take(limit).take_while(|(_, shown_at)| *shown_at <= now);
        let shown: Vec<Change> = shown.map(|(change, _)| change.clone()).collect();
        let next = place + shown.len();
        Delivery::Changes(shown, next)
    }

    fn add(&mut self, parent: Option<Arc<str>>, hashes: Range<u32>, listed_at: Instant, is_missed: bool) {
        let id = format!("shard-{:03}-{:04x}", self.shards.len(), self.rng.random::<u16>()).into();
        let room = self.rng.random_range(4..40);
        let (changes, closes_at, is_gone) = (Vec::new(), None, false);
        self.shards.push(Virtual { id, parent, hashes, changes, room, closes_at, listed_at, is_missed, is_gone });
    }

    fn roll(&mut self, at: usize) {
        let now = Instant::now();
        let stays_open = match self.holds_back(0.4) {
            true => Duration::from_millis(self.pick(50..400) as u64),
            false => Duration::ZERO,
        };
        let shard = &mut self.shards[at];
        shard.closes_at = Some(now + stays_open);
        let (parent, hashes, listed_at) = (shard.id.clone(), shard.hashes.clone(), shard.listed_at);
        let middle = hashes.start + hashes.len() as u32 / 2;
        let ranges = match hashes.len() > 1 && self.chance(0.6) {
            true => vec![hashes.start..middle, middle..hashes.end],
            false => vec![hashes],
        };
        self.count(if ranges.len() == 2 { "two children" } else { "one child" });
        for range in ranges {
            let late = match self.holds_back(0.3) {
                true => Duration::from_millis(self.pick(50..450) as u64),
                false => Duration::ZERO,
            };
            if late > Duration::ZERO {
                self.count("child listed late");
            }
            let is_missed = self.holds_back(0.15);
            self.add(Some(parent.clone()), range, listed_at.max(now + late), is_missed);
        }
    }
}
