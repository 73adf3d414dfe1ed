//! What transforms cost for one item of 940 bytes with 25 attributes.
//!
//! `cargo bench --bench transforms [-- --rounds 5]`
//!
//! All ways take turns in rounds, the least of each counts, so that ratios come from one run. Fails when a promise at the
//! end is not kept. Node is run beside when it is there, with the package that the AWS document client marshals with:
//! `npm install --prefix DIR @aws-sdk/util-dynamodb`, then `TABLEFERRY_NODE_MODULES=DIR`. With `--test`, or from
//! `cargo test`: a few items, results compared, no verdict.

mod items;
mod node;
#[path = "../support/verdict.rs"]
mod verdict;

use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use items::{items, schema};
use serde_json::Value;
use tableferry::expression::{Condition, Template, Update};
use tableferry::item::{Attributes, RawItem};
use tableferry::recipe::Recipe;
use tableferry::script::Script;
use tableferry::transform::{Chain, Occasion, Transform};
use verdict::{is_bench, promise, value};

/// More than an item needs that passes no transform, in µs, where no condition selects it.
const MOST_NOT_SELECTED: f64 = 0.5;
/// A recipe that sets and removes an attribute.
const MOST_RECIPE: f64 = 8.0;
/// A script that does the same.
const MOST_SCRIPT: f64 = 40.0;
/// Items a second of two threads over those of one.
const LEAST_SCALING: f64 = 1.6;

const RECIPE: &str = "step = [{ update = 'SET orderForCds = orderForOds REMOVE orderForOds' }]";
const SCRIPT: &str = "export const migrateItems = items => items.map(item => {
  item.orderForCds = item.orderForOds; delete item.orderForOds; return item });";
const SPREAD: &str = "export const migrateItems = items => items.map(({ orderForOds, ...item }) => ({ ...item, orderForCds: orderForOds }));";
const ASYNC: &str = "export const migrateItems = async items => {
  for (const item of items) { item.orderForCds = item.orderForOds; delete item.orderForOds } return items };";
const READING: &str = "export const migrateItems = items => { for (const item of items) {
  let n = 0; for (const name of Object.keys(item)) n += String(item[name]).length; item.n = n } return items };";

/// Conditions that select nothing.
const UNMET: [(&str, &str); 4] = [
    ("its condition on the key does not hold", r#"begins_with(pk, "user|") AND attribute_exists(orderForOds)"#),
    ("the attribute is not there", "attribute_exists(orderForCds)"),
    ("an attribute at the front differs", r#"status = "Closed""#),
    ("an attribute at the end differs", r#"remarks = "none""#),
];

/// One way to transform, and the least time that an item took.
struct Way {
    name: String,
    chain: Chain,
    micros: f64,
}

impl Way {
    fn new(name: &str, links: Vec<Arc<dyn Transform>>) -> Self {
        Self { name: name.to_owned(), chain: Chain::new(links), micros: f64::INFINITY }
    }
}

/// What is measured how long.
struct Size {
    items: usize,
    rounds: usize,
    passes: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let verdict = is_bench(&words);
    let rounds = value(&words, "--rounds");
    let size = match verdict {
        true => Size { items: 1000, rounds: rounds.unwrap_or(5), passes: 10 },
        false => Size { items: 20, rounds: 1, passes: 1 },
    };
    let items = items(size.items);
    let directory = tempfile::tempdir().expect("a directory");
    check(&items[0], directory.path());
    let mut ways = ways(directory.path());
    let file = directory.path().join("items.jsonl");
    let mut lines = fs::File::create(&file).expect("created");
    items.iter().for_each(|item| writeln!(lines, "{}", String::from_utf8_lossy(item.json())).expect("written"));
    let mut nodes = Vec::new();
    for _ in 0..size.rounds {
        ways.iter_mut().for_each(|way| way.micros = way.micros.min(micros(&way.chain, &items, size.passes)));
        nodes.push(node::run(&file));
    }
    let pass_through = ways[0].micros;
    println!("µs for an item of 940 bytes, the least of {} rounds\n", size.rounds);
    for way in &ways {
        println!("  {:<52}{:>8.2}{:>9.2} more than none", way.name, way.micros, way.micros - pass_through);
    }
    let node = nodes.into_iter().reduce(|one, other| match (one, other) {
        (Ok(one), Ok(other)) => Ok(if one.micros < other.micros { one } else { other }),
        (Err(missing), _) | (_, Err(missing)) => Err(missing),
    });
    let node = node.expect("one round at least");
    match &node {
        Ok(node) => println!("  {:<52}{:>8.2}", format!("the script in Node {}", node.version), node.micros),
        Err(missing) => println!("\n  NOT COMPARED WITH NODE: {missing}"),
    }
    if let Ok(node) = &node {
        assert_eq!(node.first, transformed(&named(&ways, "script: set").chain, &items[0]), "Node does the same");
    }
    expressions(&items, &size);
    loading(directory.path(), &items, &size);
    let scaling = threads(&ways, &size);
    if !verdict {
        return ExitCode::SUCCESS;
    }
    println!();
    let worst = ways.iter().filter(|way| way.name.starts_with("not selected")).map(|way| way.micros - pass_through);
    let worst = worst.fold(0.0, f64::max);
    let (recipe, script) = (named(&ways, "recipe: set").micros, named(&ways, "script: set").micros);
    let mut kept = vec![
        promise(&format!("not selected: {worst:.2} µs more (at most {MOST_NOT_SELECTED})"), worst <= MOST_NOT_SELECTED),
        promise(&format!("recipe: {recipe:.2} µs (at most {MOST_RECIPE})"), recipe <= MOST_RECIPE),
        promise(&format!("script: {script:.2} µs (at most {MOST_SCRIPT})"), script <= MOST_SCRIPT),
    ];
    if let Ok(node) = &node {
        let ratio = node.micros / script;
        kept.push(promise(&format!("the script: {ratio:.2} times as fast as in Node (more than 1)"), ratio > 1.0));
    }
    for (name, scaling) in scaling {
        let words = format!("{name}: two threads do {scaling:.2} times what one does (at least {LEAST_SCALING})");
        kept.push(promise(&words, scaling >= LEAST_SCALING));
    }
    if kept.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn ways(directory: &Path) -> Vec<Way> {
    let recipe = |text: &str| -> Arc<dyn Transform> {
        Arc::new(Recipe::parse("0001-recipe.toml", text, &schema()).expect("a recipe"))
    };
    let script = |text: &str| -> Arc<dyn Transform> { Arc::new(load(directory, text)) };
    let mut ways = vec![Way::new("no transform", Vec::new())];
    let unmet = |when: &str| recipe(&format!("step = [{{ when = '{when}', drop = true }}]"));
    for (name, when) in UNMET {
        ways.push(Way::new(&format!("not selected: {name}"), vec![unmet(when)]));
    }
    let six = std::iter::repeat_with(|| unmet(UNMET[0].1)).take(6).collect();
    ways.push(Way::new("for comparison: six recipes that do not select it", six));
    let unmet = format!("export const when = '{}';\n{SCRIPT}", UNMET[0].1);
    ways.push(Way::new("not selected: a script", vec![script(&unmet)]));
    ways.push(Way::new("recipe: set one attribute, remove one", vec![recipe(RECIPE)]));
    ways.push(Way::new("script: set one attribute, remove one", vec![script(SCRIPT)]));
    ways.push(Way::new("script: the same by spreading", vec![script(SPREAD)]));
    ways.push(Way::new("script: the same, async", vec![script(ASYNC)]));
    ways.push(Way::new("script: read every attribute", vec![script(READING)]));
    ways.push(Way::new("script: nothing", vec![script("export const migrateItems = items => items")]));
    ways
}

fn named<'w>(ways: &'w [Way], start: &str) -> &'w Way {
    ways.iter().find(|way| way.name.starts_with(start)).expect("there is one")
}

fn load(directory: &Path, text: &str) -> Script {
    fs::write(directory.join("0001-bench.js"), text).expect("written");
    Script::load(directory, "0001-bench.js", &schema(), "bench").expect("a script")
}

/// All ways do what they should: the same where they do the same, and nothing where they select nothing.
fn check(item: &RawItem, directory: &Path) {
    let ways = ways(directory);
    let expected = transformed(&named(&ways, "recipe: set").chain, item);
    assert!(expected["orderForCds"].is_object() && expected["orderForOds"].is_null(), "{expected}");
    for way in &ways {
        let found = transformed(&way.chain, item);
        match way.name.as_str() {
            name if name.starts_with("script: set") || name.starts_with("script: the same") => {
                assert_eq!(found, expected, "{name}");
            }
            name if name.contains("not select") => assert_eq!(found, json(item), "{name}"),
            _ => {}
        }
    }
}

fn json(item: &RawItem) -> Value {
    serde_json::from_slice(item.json()).expect("JSON")
}

fn transformed(chain: &Chain, item: &RawItem) -> Value {
    let mut outputs = Vec::new();
    chain.apply(item.clone(), &Occasion::default(), &mut outputs).expect("it applies");
    assert_eq!(outputs.len(), 1);
    json(&outputs[0])
}

fn micros(chain: &Chain, items: &[RawItem], passes: usize) -> f64 {
    let (occasion, mut outputs) = (Occasion::default(), Vec::new());
    let begun = Instant::now();
    for item in std::iter::repeat_n(items, passes).flatten() {
        chain.apply(black_box(item.clone()), &occasion, &mut outputs).expect("it applies");
        black_box(&outputs);
        outputs.clear();
    }
    begun.elapsed().as_secs_f64() * 1e6 / (items.len() * passes) as f64
}

/// The least time of an item, in ns.
fn nanos(items: &[RawItem], size: &Size, act: impl Fn(&RawItem)) -> f64 {
    let round = || {
        let begun = Instant::now();
        std::iter::repeat_n(items, size.passes).flatten().for_each(&act);
        begun.elapsed().as_secs_f64() * 1e9 / (items.len() * size.passes) as f64
    };
    (0..size.rounds).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn expressions(items: &[RawItem], size: &Size) {
    println!("\nns for an expression alone\n");
    let line = |name: &str, nanos: f64| println!("  {name:<60}{nanos:>8.0}");
    let met = [
        ("key and attribute hold", r#"begins_with(pk, "case|") AND attribute_exists(orderForOds)"#),
        (
            "four attributes hold",
            r#"total >= 0 AND orders[0].open = true AND attribute16 <> "x" AND size(remarks) > 1"#,
        ),
    ];
    for (name, text) in UNMET.into_iter().chain(met) {
        let condition = Condition::parse(text).expect("a condition");
        line(&format!("condition: {name}"), nanos(items, size, |item| drop(black_box(condition.matches(item)))));
    }
    let updates = [
        ("set one from another, remove it", "SET orderForCds = orderForOds REMOVE orderForOds"),
        ("sum, list and map", "SET total = total + 1, orders[9] = 5, judge.title = 'Judge'"),
    ];
    for (name, text) in updates {
        let update = Update::parse(text).expect("an update");
        let bare = |item: &RawItem| {
            let mut attributes = Attributes::from(item);
            update.apply(&mut attributes, &schema()).expect("it applies");
            black_box(attributes.to_item(&schema()).expect("an item"));
        };
        line(&format!("update: {name}"), nanos(items, size, bare));
        let checked = |item: &RawItem| drop(black_box(update.apply_to(item, &schema()).expect("it applies")));
        line(&format!("update, limits checked: {name}"), nanos(items, size, checked));
    }
    let template = Template::parse("{pk}_{sk}").expect("a template");
    line("template: {pk}_{sk}", nanos(items, size, |item| drop(black_box(template.render(item)))));
    let read = |item: &RawItem| {
        black_box(RawItem::parse(bytes::Bytes::copy_from_slice(item.json()), &schema()).expect("an item"));
    };
    line("for comparison: reading an item from an answer", nanos(items, size, read));
}

fn loading(directory: &Path, items: &[RawItem], size: &Size) {
    let helpers: String = (0..300).map(|number| format!("function f{number}(a) {{ return a + {number} }}\n")).collect();
    let large = format!("{helpers}{SCRIPT}");
    println!("\nms for a script to be loaded, and for an item in a context of its own\n");
    for (name, text) in [("the script", SCRIPT), ("the script and 300 functions", large.as_str())] {
        let begun = Instant::now();
        let script = load(directory, text);
        let loaded = begun.elapsed();
        let (occasion, mut outputs) = (Occasion { is_afresh: true, ..Occasion::default() }, Vec::new());
        let few = &items[..size.rounds.min(items.len())];
        let begun = Instant::now();
        few.iter().for_each(|item| script.apply(item.clone(), &occasion, &mut outputs).expect("it applies"));
        let afresh = begun.elapsed() / few.len() as u32;
        println!("  {name:<52}{:>8.2}{:>8.2}", loaded.as_secs_f64() * 1e3, afresh.as_secs_f64() * 1e3);
    }
}

/// Prints items a second of several threads; returns what two do over what one does.
fn threads(ways: &[Way], size: &Size) -> Vec<(String, f64)> {
    // Each has its own, as threads that read pages of their own have.
    let sets: Vec<Vec<RawItem>> = (0..4).map(|_| items(size.items)).collect();
    println!("\nitems a second with 1, 2 and 4 threads\n");
    let mut scaling = Vec::new();
    for start in ["recipe: set", "script: set"] {
        let way = named(ways, start);
        let per_second = |threads: usize| {
            let begun = Instant::now();
            std::thread::scope(|scope| {
                for items in &sets[..threads] {
                    scope.spawn(|| micros(&way.chain, items, size.passes));
                }
            });
            (threads * size.items * size.passes) as f64 / begun.elapsed().as_secs_f64()
        };
        let mut best = [0.0_f64; 3];
        for _ in 0..size.rounds {
            for (best, threads) in best.iter_mut().zip([1, 2, 4]) {
                *best = best.max(per_second(threads));
            }
        }
        println!("  {:<52}{:>12.0}{:>12.0}{:>12.0}", way.name, best[0], best[1], best[2]);
        scaling.push((start.split(':').next().unwrap_or(start).to_owned(), best[1] / best[0]));
    }
    scaling
}
