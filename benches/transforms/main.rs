//! What transforms cost for one item of 940 bytes with 25 attributes.
//!
//! `cargo bench --bench transforms [-- --rounds 5]`
//!
//! All take turns, and the least of each counts, so that ratios come from one run. Prints `LIMIT MISSED` where a limit is
//! missed, and fails then. Node is run between the rounds when it is there,
//! with the package that the AWS document client marshals with: `npm install --prefix DIR @aws-sdk/util-dynamodb`, then
//! `TABLEFERRY_NODE_MODULES=DIR`. Whatever is measured is checked first, and a wrong result ends it with a panic. With
//! `--test`, or from `cargo test`: a few items, not judged.

#[path = "../support/arguments.rs"]
mod arguments;
mod expressions;
mod items;
mod loading;
mod node;
mod table;
mod threads;
mod turns;
mod ways;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arguments::{is_bench, value};
use node::Node;
use table::{Limit, Table};
use tableferry::item::RawItem;
use turns::{Subject, take_turns};
use ways::{Effect, Way};

/// More than an item needs that passes no transform, in µs, where no condition selects it.
const MOST_NOT_SELECTED: Limit = Limit::AtMost(0.5);
/// A recipe that sets and removes an attribute, in µs.
const MOST_RECIPE: Limit = Limit::AtMost(8.0);
/// A script that does the same, in µs.
const MOST_SCRIPT: Limit = Limit::AtMost(40.0);
/// Time in Node over ours.
const FASTER_THAN_NODE: Limit = Limit::MoreThan(1.0);

/// How much is measured.
struct Size {
    items: usize,
    rounds: usize,
    /// In a round, over all items.
    turns: usize,
    /// Items for Node to warm up.
    warm_up: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let is_judged = is_bench(&words);
    let mut size = match is_judged {
        true => Size { items: 1000, rounds: 5, turns: 8, warm_up: 20_000 },
        false => Size { items: 20, rounds: 1, turns: 1, warm_up: 0 },
    };
    size.rounds = value(&words, "--rounds").unwrap_or(size.rounds).max(1);
    let items = items::items(size.items);
    let directory = tempfile::tempdir().expect("a directory");
    let ways = ways::ways(directory.path());
    ways::check(&ways, &items);

    let mut chains: Vec<Subject<'_>> = ways.iter().map(Way::subject).collect();
    let mut from_text = [ways::of(&ways, Effect::Script).subject_from_text()];
    let mut expressions = expressions::subjects(&items[0]);
    let file = written(directory.path(), &items);
    let mut node: Option<Result<Node, String>> = None;
    for _ in 0..size.rounds {
        take_turns(&mut chains, &items, size.turns);
        take_turns(&mut from_text, &items, size.turns);
        take_turns(&mut expressions, &items, size.turns);
        let found = node::run(&file, size.turns, size.warm_up);
        node = Some(match node {
            Some(before) => before.and_then(|before| Ok(before.faster(found?))),
            None => found,
        });
    }
    let node = node.expect("one round at least");
    if let Ok(node) = &node {
        check_node(node, ways::of(&ways, Effect::Script), &items);
    }

    let mut table = Table::new(is_judged);
    let turns = size.rounds * size.turns;
    println!("an item of 940 bytes with 25 attributes, {} different ones, the least of {turns} turns", size.items);
    print_chains(&mut table, &ways, &chains);
    print_node(&mut table, &node, &from_text[0]);
    let both = [("recipe", ways::of(&ways, Effect::Recipe)), ("script", ways::of(&ways, Effect::Script))];
    threads::print(&mut table, &both, size.items, 3 * turns);
    loading::print(&table, directory.path(), &items[0], turns);
    table.section("an expression alone", ["ns", ""]);
    for subject in &expressions {
        table.line(&subject.name, [format!("{:.0}", subject.nanos), String::new()]);
    }
    table.end()
}

fn written(directory: &Path, items: &[RawItem]) -> PathBuf {
    let file = directory.join("items.jsonl");
    let mut lines = fs::File::create(&file).expect("created");
    items.iter().for_each(|item| writeln!(lines, "{}", String::from_utf8_lossy(item.json())).expect("written"));
    file
}

fn check_node(node: &Node, script: &Way, items: &[RawItem]) {
    assert_eq!(node.results.len(), items.len(), "Node answers for every item");
    for (item, found) in items.iter().zip(&node.results) {
        assert_eq!(*found, script.result(item), "Node does the same");
    }
}

fn print_chains(table: &mut Table, ways: &[Way], chains: &[Subject<'_>]) {
    let pass_through = chains[0].micros();
    let columns = |micros: f64| [format!("{micros:.2}"), format!("{:.2}", micros - pass_through)];
    table.section("a chain", ["µs", "extra µs"]);
    let mut worst = 0.0_f64;
    for (way, subject) in ways.iter().zip(chains) {
        let micros = subject.micros();
        match way.effect {
            Effect::Recipe => drop(table.limited(&way.name, columns(micros), micros, MOST_RECIPE)),
            Effect::Script => drop(table.limited(&way.name, columns(micros), micros, MOST_SCRIPT)),
            Effect::NoneOfSeveral => {
                let extra = worst - pass_through;
                let name = "the worst that does not select";
                table.limited(name, columns(worst), extra, MOST_NOT_SELECTED);
                table.line(&way.name, columns(micros));
            }
            Effect::NotSelected => {
                worst = worst.max(micros);
                table.line(&way.name, columns(micros));
            }
            Effect::PassThrough | Effect::Same | Effect::Other => table.line(&way.name, columns(micros)),
        }
    }
}

/// Both from the text of an item to that of what comes of it.
fn print_node(table: &mut Table, node: &Result<Node, String>, ours: &Subject<'_>) {
    table.section("beside Node, from text to text", ["µs", "Node / ours"]);
    table.line(&ours.name, [format!("{:.2}", ours.micros()), String::new()]);
    match node {
        Ok(node) => {
            let ratio = node.micros / ours.micros();
            let name = format!("the same in Node {}, marshalling as the AWS client", node.version);
            table.limited(&name, [format!("{:.2}", node.micros), format!("{ratio:.2}")], ratio, FASTER_THAN_NODE);
        }
        Err(missing) => println!("  NOT COMPARED WITH NODE: {missing}"),
    }
}
