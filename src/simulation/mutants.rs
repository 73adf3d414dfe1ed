//! Takes one rule out of the engine at a time and expects that the histories notice it at the destination.

use super::history::Failure;
use super::profile::{Peer, Profile, Stop};
use super::random::Random;
use super::tests::{setting, try_history};
use super::transforms::Kind;
use crate::engine::mutant::{Mutant, plant};
use crate::units::Rate;

/// Histories to find a mutant in.
const SEEDS: u64 = 20_000;

/// A world in which much happens at once and nothing fails, to begin with.
fn busy(seed: u64) -> Profile {
    let calm = Peer { latency_ms: 40, faults: 0.0 };
    Profile {
        keys: 12,
        filled: 0.8,
        earlier_changes: 5,
        changes: 60,
        gap_ms: 20,
        hot: 0.3,
        deletes: 0.33,
        rolls: 0.03,
        poison: 0.0,
        unseen_ms: 200,
        tells_minutes: false,
        page_items: 4,
        page_changes: 10,
        segments: 2,
        stale_ms: 0,
        visibility_ms: 0,
        reads: calm,
        stream: calm,
        writes: calm,
        late: 0.0,
        batch_items: 5,
        batch_bytes: 16 << 20,
        has_tail: true,
        transform: Kind::Identity,
        refuses: false,
        read_rate: Rate::Unlimited,
        write_rate: Rate::Unlimited,
        stops: Vec::new(),
        longest_pause_ms: 500,
        long_pauses_ms: Vec::new(),
        // Some mutants also never end.
        longest_s: 300,
        checks_overlap: false,
        ..Profile::draw(seed)
    }
}

fn crashes(seed: u64, most_ms: u64) -> Vec<Stop> {
    let mut random = Random::new(seed);
    (0..random.between(1, 3)).map(|_| Stop::Crash { after_ms: random.between(1, most_ms) }).collect()
}

/// Plants the mutant and runs worlds until one shows a wrong destination.
fn must_be_found(mutant: Mutant, world: impl Fn(u64) -> Profile) {
    let _planted = plant(mutant);
    let mut other_failures = 0;
    for seed in 0..setting("MUTANT_SEEDS").unwrap_or(SEEDS) {
        match try_history(seed, world(seed)) {
            Ok(_) => {}
            Err(Failure::Wrong(differences)) => {
                println!("{mutant:?}: found by history {seed}: {differences}");
                return;
            }
            Err(Failure::Broken(what)) => {
                other_failures += 1;
                if other_failures == 1 {
                    println!("{mutant:?}: history {seed} broke: {what}");
                }
            }
        }
    }
    panic!("{mutant:?} was not found, {other_failures} histories broke otherwise");
}

#[test]
fn n1_rows_that_are_not_gated() {
    let slow_rows = |seed| Profile { write_rate: Rate::Fixed(20.0), ..busy(seed) };
    must_be_found(Mutant::RowsNotGated, slow_rows);
}

#[test]
fn n2_deletes_that_leave_no_tombstone() {
    let slow_rows = |seed| Profile { write_rate: Rate::Fixed(20.0), deletes: 0.6, ..busy(seed) };
    must_be_found(Mutant::NoTombstones, slow_rows);
}

#[test]
fn n3_touches_that_are_forgotten_when_their_change_is_acknowledged() {
    let slow_pages = |seed| {
        let reads = Peer { latency_ms: 2000, faults: 0.0 };
        Profile { reads, unseen_ms: 10, gap_ms: 40, page_items: 12, ..busy(seed) }
    };
    must_be_found(Mutant::TouchForgotten, slow_pages);
}

#[test]
fn n4_unprocessed_items_that_are_ignored() {
    let throttled = |seed| Profile { writes: Peer { latency_ms: 40, faults: 0.3 }, ..busy(seed) };
    must_be_found(Mutant::UnprocessedIgnored, throttled);
}

#[test]
fn n5_outputs_of_old_images_that_stay() {
    must_be_found(Mutant::OldOutputsKept, |seed| Profile { transform: Kind::Derived, ..busy(seed) });
}

#[test]
fn n6_deletes_by_the_source_key() {
    must_be_found(Mutant::RawDelete, |seed| Profile { transform: Kind::Derived, ..busy(seed) });
}

#[test]
fn n7_a_tail_that_begins_some_time_after_the_copy() {
    // The listings that the tail begins with take so long that changes are made meanwhile.
    let slow_stream = |seed| Profile { stream: Peer { latency_ms: 2000, faults: 0.0 }, ..busy(seed) };
    must_be_found(Mutant::LateStart, slow_stream);
}

#[test]
fn n8_a_tail_that_begins_when_the_copy_ends() {
    must_be_found(Mutant::TailAfterCopy, |seed| Profile { write_rate: Rate::Fixed(20.0), ..busy(seed) });
}

#[test]
fn n9_start_positions_that_are_not_durable() {
    must_be_found(Mutant::StartNotDurable, |seed| Profile { stops: crashes(seed, 600), ..busy(seed) });
}

#[test]
fn n10_checkpoints_before_the_acknowledgement() {
    must_be_found(Mutant::CheckpointEarly, |seed| Profile { stops: crashes(seed, 2000), ..busy(seed) });
}

#[test]
fn n11_checkpoints_at_the_highest_page_that_is_done() {
    let uneven = |seed| {
        let writes = Peer { latency_ms: 400, faults: 0.3 };
        Profile { writes, page_changes: 1, page_items: 1, batch_items: 1, stops: crashes(seed, 3000), ..busy(seed) }
    };
    must_be_found(Mutant::CheckpointHighest, uneven);
}

#[test]
fn n12_children_that_are_read_beside_their_parents() {
    let rolling = |seed| Profile { rolls: 0.3, unseen_ms: 1500, hot: 0.8, ..busy(seed) };
    must_be_found(Mutant::ChildBesideParent, rolling);
}

#[test]
fn n13_stale_pages_without_a_hold() {
    // Changes are applied at once, and the pages requested after them still show the items as they were before.
    let stale = |seed| Profile {
        stale_ms: 2000,
        visibility_ms: 2000,
        unseen_ms: 0,
        changes: 120,
        gap_ms: 30,
        deletes: 0.5,
        segments: 1,
        page_items: 1,
        reads: Peer { latency_ms: 400, faults: 0.0 },
        stream: Peer { latency_ms: 5, faults: 0.0 },
        writes: Peer { latency_ms: 5, faults: 0.0 },
        ..busy(seed)
    };
    must_be_found(Mutant::NoHold, stale);
}

#[test]
fn n14_attempts_that_are_not_waited_for() {
    let late = |seed| {
        let writes = Peer { latency_ms: 40, faults: 0.3 };
        Profile {
            writes,
            late: 0.9,
            keys: 3,
            hot: 0.8,
            gap_ms: 40,
            request_timeout_ms: 1000,
            stops: crashes(seed, 3000),
            longest_pause_ms: 50,
            ..busy(seed)
        }
    };
    must_be_found(Mutant::NoSettle, late);
}

#[test]
fn n15_a_put_and_a_delete_that_become_nothing() {
    let waiting =
        |seed| Profile { writes: Peer { latency_ms: 400, faults: 0.0 }, hot: 0.8, deletes: 0.5, ..busy(seed) };
    must_be_found(Mutant::CoalescedAway, waiting);
}

#[test]
fn n16_free_keys_without_claims() {
    must_be_found(Mutant::NoClaims, |seed| Profile { transform: Kind::Free, rolls: 0.1, hot: 0.5, ..busy(seed) });
}

#[test]
fn n17_claims_that_are_given_up_before_the_delete_is_acknowledged() {
    let slow_writes = |seed| {
        let writes = Peer { latency_ms: 400, faults: 0.0 };
        Profile { transform: Kind::Free, writes, stops: crashes(seed, 4000), longest_pause_ms: 50, ..busy(seed) }
    };
    must_be_found(Mutant::ClaimDroppedEarly, slow_writes);
}
