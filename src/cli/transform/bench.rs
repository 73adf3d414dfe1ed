//! `tableferry transform bench`: what transforms cost.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::args::TransformBenchArgs;
use crate::cli::chain::{self, Link};
use crate::error::Result;
use crate::item::RawItem;
use crate::policy::EXIT_DONE;
use crate::report::{count, round, to_stdout};
use crate::transform::Occasion;

use super::items::Items;

/// Runs the command; the exit code, unless it fails.
pub async fn bench(args: &TransformBenchArgs) -> Result<u8> {
    let found = super::items::items(&args.items).await?;
    let links = chain::links(&args.transforms, &found.schema, &found.table)?;
    let old =
        args.compare.as_ref().map(|directory| chain::links(directory, &found.schema, &found.table)).transpose()?;
    // One pass of each to warm up, then by turns, so that both have the same luck with the machine.
    let (mut best, mut best_old) = (Measured::of(&links, &found), old.as_ref().map(|old| Measured::of(old, &found)));
    for _ in 0..args.rounds {
        best = best.min(Measured::of(&links, &found));
        if let (Some(old), Some(best_old)) = (&old, &mut best_old) {
            *best_old = best_old.clone().min(Measured::of(old, &found));
        }
    }
    best.parallel_items_per_second = parallel(&links, &found);
    if let (Some(old), Some(best_old)) = (&old, &mut best_old) {
        best_old.parallel_items_per_second = parallel(old, &found);
    }
    found.check_answered()?;
    let lookups = found.asked();
    if args.json {
        let report = serde_json::json!({ "items": found.origin, "new": best, "old": best_old, "lookups": lookups.0, "lookup_requests": lookups.1 });
        to_stdout(&format!("{report}\n"));
        return Ok(EXIT_DONE);
    }
    to_stdout(&format!(
        "{}, {} bytes each on average; the best of {} rounds\n\n",
        found.origin,
        best.bytes_in / best.items_in.max(1),
        args.rounds
    ));
    to_stdout(&table(&best));
    if let Some(old) = best_old {
        to_stdout(&format!("\nbefore, from {}\n\n", args.compare.as_deref().unwrap_or(&args.transforms).display()));
        to_stdout(&table(&old));
        let ratio = best.mean_ns / old.mean_ns;
        to_stdout(&format!("\ntime of an item, new / old: {ratio:.2}\n"));
    }
    if let (asked @ 1.., sent) = lookups {
        to_stdout(&format!("\n{} look-ups in all passes, {} requests, whose time counts\n", count(asked), count(sent)));
    }
    Ok(EXIT_DONE)
}

/// What one pass over all items took.
#[derive(Debug, Clone, Default, Serialize)]
struct Measured {
    items_in: u64,
    items_out: u64,
    refused: u64,
    bytes_in: u64,
    bytes_out: u64,
    mean_ns: f64,
    items_per_second: f64,
    parallel_items_per_second: f64,
    percentiles_ns: Percentiles,
    transforms: Vec<Part>,
}

/// One transform's part in it.
#[derive(Debug, Clone, Default, Serialize)]
struct Part {
    name: String,
    /// Items that its own condition selects.
    selected: u64,
    /// Items that came out otherwise, or not at all, or more than one.
    changed: u64,
    seen: u64,
    /// Of memory for an item, without what the interpreter of scripts has of its own; `None` when they are not counted.
    allocations: Option<f64>,
    mean_ns: f64,
    percentiles_ns: Percentiles,
}

/// Time of an item; of so many per cent it is not longer.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Percentiles {
    p50: u64,
    p95: u64,
    p99: u64,
}

impl Percentiles {
    fn of(times: &mut [u64]) -> Self {
        times.sort_unstable();
        let at = |share: f64| times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1)));
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| at(share).copied().unwrap_or(0));
        Self { p50, p95, p99 }
    }
}

impl Measured {
    fn of(links: &[Link], found: &Items) -> Self {
        let (items, occasion) = (&found.items, found.occasion());
        let mut measured = Self { items_in: items.len() as u64, ..Self::default() };
        let mut whole = Vec::with_capacity(items.len());
        let mut times: Vec<Vec<u64>> = links.iter().map(|_| Vec::with_capacity(items.len())).collect();
        measured.transforms =
            links.iter().map(|link| Part { name: link.transform.name().to_owned(), ..Part::default() }).collect();
        let mut allocated = vec![0; links.len()];
        let overhead = clock_overhead();
        for item in items {
            let mut current = vec![item.clone()];
            let mut total = 0;
            for (at, ((link, part), times)) in links.iter().zip(&mut measured.transforms).zip(&mut times).enumerate() {
                // With room, so that only what the transform allocates is counted.
                let mut outputs = Vec::with_capacity(4 * current.len());
                for item in std::mem::take(&mut current) {
                    let before = outputs.len();
                    let kept = item.clone();
                    part.selected += u64::from(link.transform.selects(&item));
                    let begun = Instant::now();
                    let (done, counted) = densa_alloc::measure(|| link.transform.apply(item, &occasion, &mut outputs));
                    let took = (begun.elapsed().saturating_sub(overhead)).as_nanos() as u64;
                    allocated[at] += counted.allocs + counted.reallocs;
                    times.push(took);
                    total += took;
                    part.seen += 1;
                    if done.is_err() {
                        outputs.truncate(before);
                        measured.refused += 1;
                    }
                    let is_same = matches!(&outputs[before..], [output] if output.json() == kept.json());
                    part.changed += u64::from(!is_same);
                }
                current = outputs;
            }
            measured.bytes_in += item.json().len() as u64;
            measured.bytes_out += current.iter().map(|item| item.json().len() as u64).sum::<u64>();
            measured.items_out += current.len() as u64;
            whole.push(total);
        }
        let is_counted = densa_alloc::is_active();
        for ((part, times), allocated) in measured.transforms.iter_mut().zip(&mut times).zip(allocated) {
            part.allocations = is_counted.then(|| allocated as f64 / part.seen.max(1) as f64);
            part.mean_ns = times.iter().sum::<u64>() as f64 / part.seen.max(1) as f64;
            part.percentiles_ns = Percentiles::of(times);
        }
        measured.mean_ns = whole.iter().sum::<u64>() as f64 / items.len().max(1) as f64;
        measured.items_per_second = 1e9 / measured.mean_ns.max(1.0);
        measured.percentiles_ns = Percentiles::of(&mut whole);
        measured
    }

    fn min(self, other: Self) -> Self {
        if other.mean_ns < self.mean_ns { other } else { self }
    }
}

/// What looking at the clock twice takes.
fn clock_overhead() -> Duration {
    (0..1000).map(|_| Instant::now().elapsed()).min().unwrap_or_default()
}

/// Items a second with all cores at work, nothing being measured within.
fn parallel(links: &[Link], found: &Items) -> f64 {
    let (items, occasion) = (&found.items, &found.occasion());
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let begun = Instant::now();
    thread::scope(|scope| {
        for part in items.chunks(items.len().div_ceil(cores).max(1)) {
            scope.spawn(move || part.iter().for_each(|item| apply_all(links, item.clone(), occasion)));
        }
    });
    items.len() as f64 / begun.elapsed().as_secs_f64()
}

fn apply_all(links: &[Link], item: RawItem, occasion: &Occasion) {
    let mut current = vec![item];
    for link in links {
        let mut outputs = Vec::with_capacity(current.len());
        for item in current {
            // A refusal is counted elsewhere.
            let _ = link.transform.apply(item, occasion, &mut outputs);
        }
        current = outputs;
    }
    std::hint::black_box(current);
}

fn table(measured: &Measured) -> String {
    let width = measured.transforms.iter().map(|part| part.name.len()).max().unwrap_or(0).max(13);
    let micros = |ns: f64| format!("{:.2}", ns / 1000.0);
    let mut text = format!("{:<width$}", "µs per item");
    for head in ["selected", "changed", "mean", "p50", "p95", "p99", "allocations"] {
        text.push_str(&format!("{head:>12}"));
    }
    text.push('\n');
    let mut line = |name: &str, shares: [String; 2], mean: f64, times: Percentiles, allocations: String| {
        let Percentiles { p50, p95, p99 } = times;
        let times = [mean, p50 as f64, p95 as f64, p99 as f64].map(micros);
        text.push_str(&format!("{name:<width$}"));
        shares.iter().chain(&times).chain([&allocations]).for_each(|cell| text.push_str(&format!("{cell:>12}")));
        text.push('\n');
    };
    for part in &measured.transforms {
        let share = |count: u64| format!("{:.1} %", 100.0 * count as f64 / part.seen.max(1) as f64);
        let allocations = part.allocations.map_or("-".to_owned(), |count| format!("{count:.1}"));
        let shares = [share(part.selected), share(part.changed)];
        line(&part.name, shares, part.mean_ns, part.percentiles_ns, allocations);
    }
    line("all", Default::default(), measured.mean_ns, measured.percentiles_ns, String::new());
    text.push_str(&format!(
        "\n{} items/s on one core, {} on all; {} items and {} bytes in, {} items and {} bytes out, {} refused\n",
        round(measured.items_per_second),
        round(measured.parallel_items_per_second),
        count(measured.items_in),
        count(measured.bytes_in),
        count(measured.items_out),
        count(measured.bytes_out),
        count(measured.refused)
    ));
    text
}
