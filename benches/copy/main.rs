//! What it costs to copy an item, in three ways and in one run: by the engine, by a bare loop, by the SDK's typed items.
//!
//! `cargo bench --bench copy [-- --items 1000000] [--rounds 3]`
//!
//! A responder in its own process serves canned pages and swallows batches; each way of copying runs in a process of its
//! own, so that processor time and peak memory are its own. The rounds alternate and the median by processor time
//! counts. Fails when a promise at the end is not kept. With `--test`, or from `cargo test`: few items, no verdict.

mod engine;
mod raw;
#[path = "../support/mod.rs"]
mod support;
mod typed;

use std::process::ExitCode;

use support::arguments::{is_bench, value};
use support::measure::Measurement;
use support::records::Stream;
use support::verdict::promise;
use support::{Responder, connection, measured, responder};

/// Segments read at once by the loops; the engine finds its own number.
pub const READERS: usize = 4;
/// Batches that each reader of the loops has under way; the engine finds its own number.
pub const BATCHES_PER_READER: usize = 8;
/// DynamoDB's limit for a BatchWriteItem.
pub const BATCH_ITEMS: usize = 25;

/// The engine may cost so much more than the bare loop.
const MOST_OVER_RAW: f64 = 1.3;
/// Typed items cost at least so many times the engine.
const LEAST_TYPED: f64 = 3.0;
/// Peak memory of the engine.
const MOST_PEAK_MIB: f64 = 150.0;

const WAYS: [(&str, &str); 3] = [
    ("engine", "(a) the engine"),
    ("raw", "(b) bare loop, raw bytes"),
    ("typed", "(c) bare loop, the SDK's typed items"),
];

struct Options {
    items: usize,
    rounds: usize,
    verdict: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["responder", items] => {
            let items = items.parse().expect("a number of items");
            let no_stream = Stream { shards: 0, ready: 0, per_second: 0 };
            responder::serve(items, no_stream).expect("a port of the loopback interface");
            ExitCode::SUCCESS
        }
        ["copy", way, items, url] => {
            println!("{}", copy(way, items.parse().expect("a number of items"), url).line());
            ExitCode::SUCCESS
        }
        _ => compare(&options(&words)),
    }
}

fn options(words: &[&str]) -> Options {
    let verdict = is_bench(words);
    let (items, rounds) = if verdict { (1_000_000, 3) } else { (20_000, 1) };
    let items = value(words, "--items").unwrap_or(items);
    Options { items, rounds: value(words, "--rounds").unwrap_or(rounds).max(1), verdict }
}

/// Runs one way of copying in this process.
#[tokio::main]
async fn copy(way: &str, items: usize, url: &str) -> Measurement {
    let client = connection(url).await.data;
    match way {
        "engine" => Measurement::of(engine::copy(&client, items)).await,
        "raw" => Measurement::of(raw::copy(&client)).await,
        _ => Measurement::of(typed::copy(&client)).await,
    }
}

fn compare(options: &Options) -> ExitCode {
    let items = options.items.to_string();
    let responder = Responder::start(&["responder", &items]);
    let mut rounds = WAYS.map(|_| Vec::new());
    for _ in 0..options.rounds {
        for ((way, name), found) in WAYS.iter().zip(&mut rounds) {
            let measurement = measured(&["copy", way, &items, &responder.url]);
            assert!(measurement.items >= options.items, "{name}: copied only {} items", measurement.items);
            found.push(measurement);
        }
    }
    responder.stop();

    let [a, b, c] = rounds.map(median);
    println!("copying {} items of 940 bytes, median of {} round(s)\n\n{HEADER}", a.items, options.rounds);
    for ((_, name), measurement) in WAYS.iter().zip([&a, &b, &c]) {
        println!("{}", row(name, measurement));
    }
    let over_raw = a.micros_per_item() / b.micros_per_item();
    let typed = c.micros_per_item() / a.micros_per_item();
    if !options.verdict {
        println!("\na / b = {over_raw:.2}, c / a = {typed:.2}");
        return ExitCode::SUCCESS;
    }
    println!();
    let kept = [
        promise(&format!("a / b = {over_raw:.2} (at most {MOST_OVER_RAW})"), over_raw <= MOST_OVER_RAW),
        promise(&format!("c / a = {typed:.2} (at least {LEAST_TYPED})"), typed >= LEAST_TYPED),
        promise(
            &format!("peak of a = {:.0} MiB (at most {MOST_PEAK_MIB:.0})", a.peak_mib),
            a.peak_mib <= MOST_PEAK_MIB,
        ),
    ];
    if kept.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The table's first line.
const HEADER: &str = "way of copying                     CPU µs/item     items/s  cores busy    peak MiB";

fn row(name: &str, measurement: &Measurement) -> String {
    let rate = measurement.items as f64 / measurement.seconds;
    let cores = measurement.cpu_seconds / measurement.seconds;
    let (micros, peak) = (measurement.micros_per_item(), measurement.peak_mib);
    format!("{name:<34}{micros:>11.2}{rate:>12.0}{cores:>12.2}{peak:>12.0}")
}

fn median(mut measured: Vec<Measurement>) -> Measurement {
    measured.sort_by(|one, other| one.cpu_seconds.total_cmp(&other.cpu_seconds));
    measured[measured.len() / 2]
}
