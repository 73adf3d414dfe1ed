//! Chains that are measured, and what each should do to an item.

use std::cell::RefCell;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tableferry::item::RawItem;
use tableferry::recipe::Recipe;
use tableferry::script::Script;
use tableferry::transform::{Chain, Occasion, Transform};

use super::items::schema;
use super::turns::Subject;

const RECIPE: &str = "step = [{ update = 'SET orderForCds = orderForOds REMOVE orderForOds' }]";
/// Does what the recipe does.
pub const SCRIPT: &str = "export const migrateItems = items => items.map(item => {
  item.orderForCds = item.orderForOds; delete item.orderForOds; return item });";
const SPREAD: &str = "export const migrateItems = items => items.map(({ orderForOds, ...item }) => ({ ...item, orderForCds: orderForOds }));";
const ASYNC: &str = "export const migrateItems = async items => {
  for (const item of items) { item.orderForCds = item.orderForOds; delete item.orderForOds } return items };";
const READING: &str = "export const migrateItems = items => { for (const item of items) {
  let n = 0; for (const name of Object.keys(item)) n += String(item[name]).length; item.n = n } return items };";

/// Conditions that select nothing.
pub const UNMET: [(&str, &str); 4] = [
    ("its condition on the key does not hold", r#"begins_with(pk, "user|") AND attribute_exists(orderForOds)"#),
    ("the attribute is not there", "attribute_exists(orderForCds)"),
    ("an attribute at the front differs", r#"status = "Closed""#),
    ("an attribute at the end differs", r#"remarks = "none""#),
];

/// What a chain should do to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It holds no transform.
    PassThrough,
    /// One transform does not select it.
    NotSelected,
    /// Several do not.
    NoneOfSeveral,
    /// The recipe sets an attribute and removes one.
    Recipe,
    /// The script does the same.
    Script,
    /// Another script does the same.
    Same,
    /// Something else.
    Other,
}

/// A chain to be measured.
pub struct Way {
    /// What it is called in the table.
    pub name: String,
    /// What it should do.
    pub effect: Effect,
    /// What does it.
    pub chain: Chain,
}

impl Way {
    /// The chain's `apply`.
    pub fn subject(&self) -> Subject<'_> {
        let (occasion, outputs) = (Occasion::default(), RefCell::default());
        Subject::new(&self.name, move |item| apply(&self.chain, item.clone(), &occasion, &mut outputs.borrow_mut()))
    }

    /// The same from the text that DynamoDB answers with, as a program in Node has it.
    pub fn subject_from_text(&self) -> Subject<'_> {
        let (occasion, outputs, schema) = (Occasion::default(), RefCell::default(), schema());
        let name = format!("{}, from text", self.name);
        Subject::new(&name, move |item| {
            let item = RawItem::parse(Bytes::copy_from_slice(item.json()), &schema).expect("an item");
            apply(&self.chain, item, &occasion, &mut outputs.borrow_mut());
        })
    }

    /// What comes of an item.
    pub fn result(&self, item: &RawItem) -> Value {
        let mut outputs = Vec::new();
        self.chain.apply(item.clone(), &Occasion::default(), &mut outputs).expect("it applies");
        assert_eq!(outputs.len(), 1, "{}", self.name);
        json(&outputs[0])
    }
}

/// All of them, the empty chain first.
pub fn ways(directory: &Path) -> Vec<Way> {
    let recipe = |text: &str| -> Arc<dyn Transform> {
        Arc::new(Recipe::parse("0001-recipe.toml", text, &schema()).expect("a recipe"))
    };
    let script = |text: &str| -> Arc<dyn Transform> { Arc::new(load(directory, text)) };
    let unmet = |when: &str| recipe(&format!("step = [{{ when = '{when}', drop = true }}]"));
    let way = |name: &str, effect, links| Way { name: name.to_owned(), effect, chain: Chain::new(links) };
    let mut ways = vec![way("pass-through: no transform", Effect::PassThrough, Vec::new())];
    for (name, when) in UNMET {
        ways.push(way(&format!("recipe does not select: {name}"), Effect::NotSelected, vec![unmet(when)]));
    }
    let unmet_script = format!("export const when = '{}';\n{SCRIPT}", UNMET[3].1);
    let name = format!("script does not select: {}", UNMET[3].0);
    ways.push(way(&name, Effect::NotSelected, vec![script(&unmet_script)]));
    let six = std::iter::repeat_with(|| unmet(UNMET[0].1)).take(6).collect();
    ways.push(way("six recipes do not select: conditions on the key", Effect::NoneOfSeveral, six));
    ways.push(way("recipe: set one attribute, remove one", Effect::Recipe, vec![recipe(RECIPE)]));
    ways.push(way("script: set one attribute, remove one", Effect::Script, vec![script(SCRIPT)]));
    ways.push(way("script: the same by spreading", Effect::Same, vec![script(SPREAD)]));
    ways.push(way("script: the same, async", Effect::Same, vec![script(ASYNC)]));
    ways.push(way("script: read every attribute", Effect::Other, vec![script(READING)]));
    ways.push(way("script: identity", Effect::Other, vec![script("export const migrateItems = items => items")]));
    ways
}

/// The one that has this effect; of several the first.
pub fn of(ways: &[Way], effect: Effect) -> &Way {
    ways.iter().find(|way| way.effect == effect).expect("there is one")
}

/// Writes a script and loads it.
pub fn load(directory: &Path, text: &str) -> Script {
    fs::write(directory.join("0001-bench.js"), text).expect("written");
    Script::load(directory, "0001-bench.js", &schema(), "bench").expect("a script")
}

/// Every way does what it should to every item.
pub fn check(ways: &[Way], items: &[RawItem]) {
    for item in items {
        let mut expected = json(item);
        let moved = expected.as_object_mut().and_then(|attributes| attributes.remove("orderForOds"));
        expected["orderForCds"] = moved.expect("the attribute to be removed");
        for way in ways {
            match way.effect {
                Effect::PassThrough | Effect::NotSelected | Effect::NoneOfSeveral => {
                    assert_eq!(way.result(item), json(item), "{}", way.name);
                }
                Effect::Recipe | Effect::Script | Effect::Same => {
                    assert_eq!(way.result(item), expected, "{}", way.name);
                }
                Effect::Other => drop(way.result(item)),
            }
        }
    }
}

fn apply(chain: &Chain, item: RawItem, occasion: &Occasion, outputs: &mut Vec<RawItem>) {
    chain.apply(black_box(item), occasion, outputs).expect("it applies");
    black_box(&outputs);
    outputs.clear();
}

fn json(item: &RawItem) -> Value {
    serde_json::from_slice(item.json()).expect("JSON")
}
