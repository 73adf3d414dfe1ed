//! How much more several threads do than one.

use std::sync::Barrier;
use std::time::Instant;
use std::{fs, thread};

use tableferry::item::RawItem;

use super::items::items;
use super::table::{Limit, Table};
use super::turns::take_turns;
use super::ways::Way;

/// Items a second of two threads over those of one, where there are two cores.
const LEAST_SCALING: Limit = Limit::AtLeast(1.6);
/// More of the time than this without a core, and the machine was too busy to tell.
const MOST_WITHHELD: f64 = 0.05;

/// What so many threads did in their best turn.
#[derive(Debug, Clone, Copy, Default)]
struct Best {
    per_second: f64,
    /// Share of the time in which the threads could run and other programs had the cores.
    withheld: f64,
}

/// Prints items a second for one thread, two, as many as there are cores, and twice as many.
pub fn print(table: &mut Table, ways: &[(&str, &Way)], item_count: usize, turns: usize) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut counts = vec![1, 2, cores, 2 * cores];
    counts.sort_unstable();
    counts.dedup();
    // Each thread has its own items, as threads have that read pages of their own.
    let sets: Vec<Vec<RawItem>> = (0..2 * cores).map(|_| items(item_count)).collect();
    table.section(&format!("threads (cores here: {cores})"), ["items/s", "to one"]);
    for (name, way) in ways {
        let mut best = vec![Best::default(); counts.len()];
        for _ in 0..turns {
            for (best, &count) in best.iter_mut().zip(&counts) {
                let turn = turn(way, &sets[..count]);
                if turn.per_second > best.per_second {
                    *best = turn;
                }
            }
        }
        for (&count, found) in counts.iter().zip(&best) {
            let threads = if count == 1 { "thread" } else { "threads" };
            print_line(table, &format!("{name}, {count} {threads}"), (count, cores), *found, best[0].per_second);
        }
    }
}

fn print_line(table: &mut Table, name: &str, (count, cores): (usize, usize), found: Best, of_one: f64) {
    let scaling = found.per_second / of_one;
    let columns = [format!("{:.0}", found.per_second), format!("{scaling:.2}")];
    if count != 2 || cores < 2 {
        return table.line(name, columns);
    }
    let holds = table.limited(name, columns, scaling, LEAST_SCALING);
    if !holds && found.withheld > MOST_WITHHELD {
        let percent = found.withheld * 100.0;
        println!("      other programs had the cores for {percent:.0} % of that time: a quieter machine can tell");
    }
}

/// Every thread goes over its items once, all from the same moment.
fn turn(way: &Way, sets: &[Vec<RawItem>]) -> Best {
    let start = Barrier::new(sets.len());
    let work = |items: &[RawItem]| {
        let mut subject = [way.subject()];
        start.wait();
        let (begun, withheld) = (Instant::now(), seconds_withheld());
        take_turns(&mut subject, items, 1);
        (begun, Instant::now(), seconds_withheld() - withheld)
    };
    let found: Vec<(Instant, Instant, f64)> = thread::scope(|scope| {
        let threads: Vec<_> = sets.iter().map(|items| scope.spawn(|| work(items))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that ends")).collect()
    });
    let begun = found.iter().map(|(begun, ..)| *begun).min().expect("one thread at least");
    let ended = found.iter().map(|(_, ended, _)| *ended).max().expect("one thread at least");
    let seconds = (ended - begun).as_secs_f64();
    let waited: f64 = found.iter().map(|(.., withheld)| withheld).sum();
    let items: usize = sets.iter().map(Vec::len).sum();
    Best { per_second: items as f64 / seconds, withheld: waited / (seconds * sets.len() as f64) }
}

/// How long this thread could run and was not let; 0 where that is not known.
fn seconds_withheld() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    // Time on a core, time waiting for one, both in ns, and how often.
    text.split_whitespace().nth(1).and_then(|nanos| nanos.parse::<f64>().ok()).map_or(0.0, |nanos| nanos / 1e9)
}
