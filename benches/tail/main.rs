//! What the tail takes in and what it keeps in memory, against a responder that costs next to nothing.
//!
//! `cargo bench --bench tail [-- --changes 400000] [--seconds 40]`
//!
//! First as many changes as there are, as fast as they can be applied; then 5,000 a second beside a copy that is held to
//! so many seconds, and to a quarter of them: the gate remembers recent changes only, so both peaks should be equal.
//! Responder and engine have a process each. Fails when a promise at the end is not kept. With `--test`, or from
//! `cargo test`: few changes, no verdict.

#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::sync::Arc;

use support::arguments::{is_bench, value};
use support::measure::Measurement;
use support::migration::{journal, migration, schema};
use support::records::Stream;
use support::verdict::promise;
use support::{Responder, connection, measured, responder};
use tableferry::dynamodb::TableStream;
use tableferry::engine::Shutdown;
use tableferry::event::{End, Event, Observer};
use tableferry::units::Rate;

/// Shards of the stream.
const SHARDS: u64 = 8;
/// Changes a second beside the copy.
const PACE: u64 = 5_000;
/// Items of the copy that is held back, and the read units that they take.
const ITEMS: usize = 100_000;
const UNITS: f64 = 14_700.0;

/// Applied in a second, at least.
const LEAST_PER_SECOND: f64 = 20_000.0;
/// The longer peak over the shorter one, at the most.
const MOST_GROWTH: f64 = 1.15;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<u64>().expect("a number");
    match words[..] {
        ["responder", items, ready, per_second] => {
            let stream = Stream { shards: SHARDS, ready: number(ready), per_second: number(per_second) };
            responder::serve(number(items) as usize, stream).expect("a port of the loopback interface");
            ExitCode::SUCCESS
        }
        ["apply", changes, url] => {
            println!("{}", migrate(url, Goal::Changes(number(changes)), Rate::Unlimited).line());
            ExitCode::SUCCESS
        }
        ["beside", seconds, url] => {
            let rate = Rate::Fixed(UNITS / number(seconds) as f64);
            println!("{}", migrate(url, Goal::Copy, rate).line());
            ExitCode::SUCCESS
        }
        _ => bench(&words),
    }
}

fn bench(words: &[&str]) -> ExitCode {
    let verdict = is_bench(words);
    let (changes, seconds) = if verdict { (400_000, 40) } else { (8_000, 4) };
    let changes = (value(words, "--changes").unwrap_or(changes) as u64).div_ceil(SHARDS) * SHARDS;
    let seconds = (value(words, "--seconds").unwrap_or(seconds) as u64).max(4);

    let applied = with_stream(0, changes / SHARDS, 0, &["apply", &changes.to_string()]);
    println!("{changes} changes of {SHARDS} shards, two images of 940 bytes each, applied as fast as they can be\n");
    let per_second = applied.items as f64 / applied.seconds;
    let cores = applied.cpu_seconds / applied.seconds;
    let (micros, peak) = (applied.micros_per_item(), applied.peak_mib);
    println!("{per_second:.0} changes/s, {micros:.2} µs CPU a change, {cores:.2} cores busy, peak {peak:.0} MiB\n");

    let beside = |seconds: u64| with_stream(ITEMS, 0, PACE / SHARDS, &["beside", &seconds.to_string()]);
    let (short, long) = (beside(seconds / 4), beside(seconds));
    println!("a copy of {ITEMS} items, held back, with {PACE} changes a second beside it\n");
    for Measurement { seconds, items, peak_mib, .. } in [&short, &long] {
        println!("{seconds:>6.0} s: {items:>7} changes, peak {peak_mib:.0} MiB");
    }
    let growth = long.peak_mib / short.peak_mib;
    if !verdict {
        return ExitCode::SUCCESS;
    }
    println!();
    let kept = [
        promise(
            &format!("{per_second:.0} changes a second (at least {LEAST_PER_SECOND:.0})"),
            per_second >= LEAST_PER_SECOND,
        ),
        promise(
            &format!("the longer peak is {growth:.2} of the shorter (at most {MOST_GROWTH})"),
            growth <= MOST_GROWTH,
        ),
    ];
    if kept.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Measures the engine on a table of so many items, whose shards have so many changes and get so many a second.
fn with_stream(items: usize, ready: u64, per_second: u64, engine: &[&str]) -> Measurement {
    let figures = [items.to_string(), ready.to_string(), per_second.to_string()];
    let responder = Responder::start(&["responder", &figures[0], &figures[1], &figures[2]]);
    let measurement = measured(&[engine, &[responder.url.as_str()]].concat());
    responder.stop();
    measurement
}

/// When a migration has done what is measured.
#[derive(Debug, Clone, Copy)]
enum Goal {
    Changes(u64),
    Copy,
}

/// Ends the migration at its goal.
struct AtGoal {
    goal: Goal,
    shutdown: Arc<Shutdown>,
}

impl Observer for AtGoal {
    fn observe(&self, event: Event) {
        let Event::Progress(now) = event else { return };
        let is_reached = match self.goal {
            Goal::Changes(changes) => now.changes_applied >= changes,
            Goal::Copy => now.segments_done == now.segments,
        };
        if is_reached {
            self.shutdown.drain();
        }
    }
}

/// Migrates in this process up to the goal; the items of the measurement are changes applied.
#[tokio::main]
async fn migrate(url: &str, goal: Goal, read_rate: Rate) -> Measurement {
    let connection = connection(url).await;
    let state = tempfile::tempdir().expect("a temporary directory");
    let shutdown = Arc::new(Shutdown::default());
    let observer = AtGoal { goal, shutdown: shutdown.clone() };
    let mut migration = migration(&connection.data, journal(state.path(), ITEMS), Arc::new(observer));
    migration.shutdown = shutdown;
    migration.options.read_rate = read_rate;
    migration.changes = Some(Arc::new(TableStream::new(connection.streams, "arn", schema())));
    Measurement::of(async {
        let (summary, error) = migration.run().await;
        assert_eq!((summary.end, error), (End::Interrupted, None));
        summary.progress.changes_applied as usize
    })
    .await
}
