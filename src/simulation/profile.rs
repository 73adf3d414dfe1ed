//! How large, how busy and how broken the world of a history is.

use super::random::Random;
use super::transforms::Kind;
use crate::units::Rate;

/// One side's manners.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Longest time of a request.
    pub latency_ms: u64,
    /// Share of requests that go wrong.
    pub faults: f64,
}

/// How an incarnation of the engine ends before its work is done, unless it is done sooner.
#[derive(Debug, Clone, Copy)]
pub enum Stop {
    /// Killed after a time.
    Crash { after_ms: u64 },
    /// Killed at a call to one of its seams, the number counted from the incarnation's begin.
    CrashAtCall(u64),
    /// Asked to stop.
    Drain { after_ms: u64 },
}

/// The dials.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Keys that there may be, at most 60.
    pub keys: usize,
    /// Share of them that exists at first.
    pub filled: f64,
    /// Changes before the engine begins.
    pub earlier_changes: usize,
    /// Changes while it runs, and the mean time between them.
    pub changes: usize,
    pub gap_ms: u64,
    /// Share of changes that go to one of the first three keys.
    pub hot: f64,
    pub deletes: f64,
    /// Changes of which a shard rolls.
    pub rolls: f64,
    pub poison: f64,
    /// Shapes of new versions: below this.
    pub shapes: u8,
    /// A change can be read up to this much later.
    pub unseen_ms: u64,
    /// Whether changes tell only the minute in which they were made.
    pub tells_minutes: bool,
    pub page_items: usize,
    pub page_changes: usize,
    pub segments: u32,
    /// How old a page may be; 0 is a consistent read.
    pub stale_ms: u64,
    pub visibility_ms: u64,
    pub reads: Peer,
    pub stream: Peer,
    pub writes: Peer,
    pub commit_ms: u64,
    /// Share of failed writes that are of the late kind.
    pub late: f64,
    pub batch_items: usize,
    pub batch_bytes: usize,
    /// Whether an invalid item makes the sink refuse the batch.
    pub refuses_batches: bool,
    /// Without it nobody writes to the source.
    pub has_tail: bool,
    pub transform: Kind,
    pub refuses: bool,
    pub read_rate: Rate,
    pub write_rate: Rate,
    pub request_timeout_ms: u64,
    pub stops: Vec<Stop>,
    pub longest_pause_ms: u64,
    /// Pauses of hours between lives, at first; all of them together below a day unless the stream is to forget.
    pub long_pauses_ms: Vec<i64>,
    /// A life that is to end and lasts longer than this does not get on.
    pub longest_s: u64,
    /// Whether the engine must be seen to never have two different writes of one key under way. Not asked of mutants,
    /// whose faults are to be found at the destination.
    pub checks_overlap: bool,
}

const HOUR_MS: i64 = 3600 * 1000;

impl Profile {
    /// Any world.
    pub fn draw(seed: u64) -> Self {
        let random = &mut Random::new(seed ^ 0x70f1_1e5e_ed00_0001);
        let has_tail = random.chance(0.9);
        let is_calm = random.chance(0.25);
        let mut peer = |latencies: &[u64]| Peer {
            latency_ms: random.pick(latencies),
            faults: if is_calm { 0.0 } else { random.pick(&[0.0, 0.02, 0.1, 0.3]) },
        };
        let (reads, stream, writes) = (peer(&[5, 40, 400]), peer(&[5, 40, 200]), peer(&[5, 40, 400]));
        let keys = random.pick(&[2, 4, 8, 8, 20, 60]);
        let stale_ms = if has_tail && random.chance(0.2) { random.pick(&[300, 2000]) } else { 0 };
        let rate = |random: &mut Random| match random.below(5) {
            0 | 1 => Rate::Unlimited,
            2 => Rate::Auto { start: 200.0 },
            3 => Rate::Fixed(500.0),
            _ => Rate::Fixed(20.0),
        };
        let crashes = if is_calm { 1 } else { 3 };
        let stops = (0..random.between(0, crashes)).map(|_| Self::stop(random)).collect();
        let transform = random.pick(&[
            Kind::PassThrough,
            Kind::Identity,
            Kind::Identity,
            Kind::Derived,
            Kind::Derived,
            Kind::Free,
            Kind::Free,
        ]);
        // Who is to blame for an output that the destination refuses is not told where keys are free.
        let is_poisoned = transform != Kind::Free && random.chance(0.3);
        Self {
            keys,
            filled: random.pick(&[0.0, 0.5, 0.8, 1.0]),
            earlier_changes: random.below(keys * 2),
            changes: if has_tail && random.chance(0.95) { random.pick(&[5, 20, 60, 120]) } else { 0 },
            gap_ms: random.pick(&[2, 10, 40, 100]),
            hot: random.pick(&[0.0, 0.3, 0.8]),
            deletes: random.pick(&[0.1, 0.33, 0.5]),
            rolls: random.pick(&[0.0, 0.02, 0.1]),
            poison: if is_poisoned { 0.05 } else { 0.0 },
            shapes: 6,
            unseen_ms: random.pick(&[0, 50, 300, 1500]),
            tells_minutes: random.chance(0.2),
            page_items: random.pick(&[1, 3, 10, 60]),
            page_changes: random.pick(&[1, 3, 10, 1000]),
            segments: random.pick(&[1, 2, 3, 7]),
            stale_ms,
            visibility_ms: if stale_ms > 0 { stale_ms } else { random.pick(&[0, 1000, 5000]) },
            reads,
            stream,
            writes,
            commit_ms: random.pick(&[1, 5, 50]),
            late: random.pick(&[0.1, 0.3, 0.6]),
            batch_items: random.pick(&[1, 2, 5, 25, 25]),
            batch_bytes: random.pick(&[100, 1000, 16 << 20]),
            refuses_batches: random.chance(0.5),
            has_tail,
            transform,
            refuses: random.chance(0.3),
            read_rate: rate(random),
            write_rate: rate(random),
            request_timeout_ms: random.pick(&[300, 1000, 3000]),
            stops,
            longest_pause_ms: random.pick(&[10, 500, 3000, 30_000]),
            long_pauses_ms: if random.chance(0.02) { vec![random.between(1, 22) as i64 * HOUR_MS] } else { Vec::new() },
            longest_s: 5 * 3600,
            checks_overlap: true,
        }
    }

    /// A world whose stream forgets changes while nobody runs: in one pause of more than a day, or in several shorter ones.
    pub fn forgetful(seed: u64) -> Self {
        let mut profile = Self::draw(seed);
        let random = &mut Random::new(seed ^ 0x0f0f);
        profile.has_tail = true;
        profile.changes = profile.changes.max(5);
        profile.stops = (0..random.between(1, 3)).map(|_| Self::stop(random)).collect();
        let pause_ms = |random: &mut Random| random.between(5 * HOUR_MS as u64, 30 * HOUR_MS as u64) as i64;
        profile.long_pauses_ms = profile.stops.iter().map(|_| pause_ms(random)).collect();
        profile
    }

    pub fn stop(random: &mut Random) -> Stop {
        let after_ms = random.pick(&[20, 300, 3000]);
        let after_ms = random.between(1, after_ms);
        match random.below(10) {
            0..3 => Stop::Drain { after_ms },
            3..6 => Stop::CrashAtCall(random.between(1, 150)),
            _ => Stop::Crash { after_ms },
        }
    }

    /// Whether the engine may find itself so far behind that changes may soon be gone.
    pub fn may_be_behind(&self) -> bool {
        self.has_tail && self.long_pauses_ms.iter().sum::<i64>() >= 15 * HOUR_MS
    }

    /// Whether changes may be gone before they are read.
    pub fn may_gap(&self) -> bool {
        self.has_tail && self.long_pauses_ms.iter().sum::<i64>() >= 23 * HOUR_MS
    }
}
