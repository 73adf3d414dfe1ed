//! What a script costs before its first item.

use std::path::Path;
use std::time::Instant;

use tableferry::item::RawItem;
use tableferry::transform::{Occasion, Transform};

use super::table::Table;
use super::ways::{SCRIPT, load};

/// Prints the least times to load a script, and to transform an item in a context of its own, in ms.
pub fn print(table: &Table, directory: &Path, item: &RawItem, turns: usize) {
    let helpers: String = (0..300).map(|number| format!("function f{number}(a) {{ return a + {number} }}\n")).collect();
    let texts = [("the script", SCRIPT.to_owned()), ("the script and 300 functions", format!("{helpers}{SCRIPT}"))];
    let mut least = [[f64::INFINITY; 2]; 2];
    let occasion = Occasion { is_afresh: true, ..Occasion::default() };
    for _ in 0..turns {
        for ((_, text), [loading, afresh]) in texts.iter().zip(&mut least) {
            let begun = Instant::now();
            let script = load(directory, text);
            *loading = loading.min(begun.elapsed().as_secs_f64() * 1e3);
            let begun = Instant::now();
            script.apply(item.clone(), &occasion, &mut Vec::new()).expect("it applies");
            *afresh = afresh.min(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    table.section("ms before the first item", ["loading", "new context"]);
    for ((name, _), figures) in texts.iter().zip(least) {
        table.line(name, figures.map(|millis| format!("{millis:.2}")));
    }
}
