//! The script of the benchmark in Node, run beside.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Names the directory with the package.
const VARIABLE: &str = "TABLEFERRY_NODE_MODULES";

/// What Node made of it.
pub struct Node {
    /// Of Node.
    pub version: String,
    /// Of one item.
    pub micros: f64,
    /// What came of the first item.
    pub first: Value,
}

/// Runs the script in Node on a file of items; the error says what is missing.
pub fn run(items: &Path) -> Result<Node, String> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/transforms/node.mjs");
    let directory = std::env::var(VARIABLE).unwrap_or_else(|_| ".".to_owned());
    let ended = Command::new("node").arg(program).arg(items).arg(&directory).output();
    let ended = ended.map_err(|error| format!("node: {error}"))?;
    if !ended.status.success() {
        let text = String::from_utf8_lossy(&ended.stderr);
        let reason = text.lines().find(|line| line.starts_with("Error")).unwrap_or("it failed").to_owned();
        let remedy = format!("npm install --prefix DIR @aws-sdk/util-dynamodb, then {VARIABLE}=DIR");
        return Err(format!("{reason}; {remedy}"));
    }
    let answer: Value = serde_json::from_slice(&ended.stdout).map_err(|error| error.to_string())?;
    let (version, micros) = (answer["node"].as_str(), answer["micros"].as_f64());
    let first = answer["first"].as_str().and_then(|text| serde_json::from_str(text).ok());
    match (version, micros, first) {
        (Some(version), Some(micros), Some(first)) => Ok(Node { version: version.to_owned(), micros, first }),
        _ => Err(format!("node answered {answer}")),
    }
}
