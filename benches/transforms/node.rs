//! The script of the benchmark in Node, run beside.

use std::env;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Names the directory with the package.
const VARIABLE: &str = "TABLEFERRY_NODE_MODULES";
const REMEDY: &str = "`npm install --prefix DIR @aws-sdk/util-dynamodb`, then set TABLEFERRY_NODE_MODULES=DIR";

/// What Node made of the items.
pub struct Node {
    /// Of Node.
    pub version: String,
    /// The least time of an item, in µs.
    pub micros: f64,
    /// What came of each item.
    pub results: Vec<Value>,
}

impl Node {
    /// The faster of two.
    pub fn faster(self, other: Self) -> Self {
        if self.micros <= other.micros { self } else { other }
    }
}

/// Runs the script in Node on a file of items, so many times over all of them after so many items to warm up; the error
/// says what is missing and how to get it.
pub fn run(items: &Path, turns: usize, warm_up: usize) -> Result<Node, String> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/transforms/node.mjs");
    let directory = env::var(VARIABLE).unwrap_or_else(|_| ".".to_owned());
    let mut command = Command::new("node");
    command.arg(program).arg(items).arg(&directory).args([turns.to_string(), warm_up.to_string()]);
    let ended =
        command.output().map_err(|error| format!("node: {error}. Install Node 20 or later, and then {REMEDY}"))?;
    if !ended.status.success() {
        let text = String::from_utf8_lossy(&ended.stderr);
        let reason = text.lines().find(|line| line.starts_with("Error")).unwrap_or("it failed");
        return Err(format!("{reason}. {REMEDY}"));
    }
    let text = String::from_utf8_lossy(&ended.stdout);
    answer(&text).ok_or_else(|| format!("node answered {:?}", text.chars().take(200).collect::<String>()))
}

/// A line of figures, then one for each item.
fn answer(text: &str) -> Option<Node> {
    let mut lines = text.lines();
    let figures: Value = serde_json::from_str(lines.next()?).ok()?;
    let results = lines.map(serde_json::from_str).collect::<Result<_, _>>().ok()?;
    Some(Node { version: figures["node"].as_str()?.to_owned(), micros: figures["us_per_item"].as_f64()?, results })
}
