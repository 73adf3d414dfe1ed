//! Holds the layer table of `src/lib.rs`: imports point downwards only.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Module, what it may use of this crate, and foreign crates it must not name.
struct Rule {
    module: &'static str,
    may_use: &'static [&'static str],
    must_not_name: &'static [&'static str],
}

const WORDS: &[&str] = &["item", "change", "units", "error", "policy", "event"];
const SEAMS: &[&str] = &["source", "stream", "transform", "lookup", "sink", "checkpoint"];
const ENGINE_AND_BELOW: &[&str] = &[
    "item",
    "change",
    "units",
    "error",
    "policy",
    "event",
    "source",
    "stream",
    "transform",
    "lookup",
    "sink",
    "checkpoint",
    "engine",
];
const FRONT_CRATES: &[&str] = &["clap", "indicatif"];
const OUTSIDE: &[&str] = &[
    "clap",
    "indicatif",
    "aws_sdk_dynamodb",
    "aws_sdk_dynamodbstreams",
    "aws_config",
    "aws_smithy_types",
    "rusqlite",
    "dynoxide",
    "tokio",
];
const NOT_IN_ENGINE: &[&str] = &[
    "clap",
    "indicatif",
    "aws_sdk_dynamodb",
    "aws_sdk_dynamodbstreams",
    "aws_config",
    "aws_smithy_types",
    "rusqlite",
    "dynoxide",
];

fn rules() -> Vec<Rule> {
    let words = [
        ("error", &[][..]),
        ("policy", &["error"][..]),
        ("units", &["error"][..]),
        ("event", &["error"][..]),
        ("item", &["error"][..]),
        ("change", &["item", "stream"][..]),
    ];
    let mut rules: Vec<Rule> =
        words.into_iter().map(|(module, may_use)| Rule { module, may_use, must_not_name: OUTSIDE }).collect();
    for module in SEAMS {
        rules.push(Rule {
            module,
            may_use: ENGINE_AND_BELOW.split_last().expect("not empty").1,
            must_not_name: OUTSIDE,
        });
    }
    rules.push(Rule { module: "engine", may_use: ENGINE_AND_BELOW, must_not_name: NOT_IN_ENGINE });
    let adapter = |module, own: &'static [&'static str], must_not_name| Rule { module, may_use: own, must_not_name };
    rules.push(adapter("dynamodb", &["dynamodb"], FRONT_CRATES));
    rules.push(adapter("journal", &["journal"], FRONT_CRATES));
    rules.push(adapter("expression", &["expression"], OUTSIDE));
    rules.push(adapter("recipe", &["recipe", "expression"], OUTSIDE));
    rules.push(adapter("script", &["script", "expression"], OUTSIDE));
    rules.push(adapter("memory", &["memory"], NOT_IN_ENGINE));
    rules.push(adapter("embedded", &["embedded"], FRONT_CRATES));
    rules
}

fn rust_files(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The files of a module, and their text without comments and without the tests at the end.
fn sources(module: &str) -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = rust_files(&src.join(module));
    files.push(src.join(format!("{module}.rs")));
    let is_test = |path: &PathBuf| path.ends_with("tests.rs");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a module has its file");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        (path, lines.join("\n"))
    };
    files.into_iter().filter(|path| !is_test(path)).map(read).collect()
}

fn names_after<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let name = |rest: &'a str| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    let mut names: BTreeSet<&str> = text.split(prefix).skip(1).map(name).filter(|name| !name.is_empty()).collect();
    // `use crate::{a, b::c}`
    for group in text.split(&format!("{prefix}{{")).skip(1) {
        let group = group.split('}').next().unwrap_or_default();
        names.extend(group.split(',').map(|part| name(part.trim())).filter(|name| !name.is_empty()));
    }
    names
}

#[test]
fn imports_point_downwards() {
    let mut wrong = Vec::new();
    for rule in rules() {
        let is_adapter =
            ["dynamodb", "journal", "expression", "recipe", "script", "memory", "embedded"].contains(&rule.module);
        for (path, text) in sources(rule.module) {
            for used in names_after(&text, "crate::") {
                let is_below = is_adapter && (WORDS.contains(&used) || SEAMS.contains(&used));
                if used != rule.module && !rule.may_use.contains(&used) && !is_below {
                    wrong.push(format!("{}: {} must not use {used}", path.display(), rule.module));
                }
            }
            for name in rule.must_not_name {
                if text.contains(&format!("{name}::")) {
                    wrong.push(format!("{}: {} must not name the crate {name}", path.display(), rule.module));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_place_in_the_table() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("there");
    let declared = names_after(&text, "pub mod ");
    let ruled: BTreeSet<&str> = rules().iter().map(|rule| rule.module).collect();
    let front = BTreeSet::from(["cli", "config", "report"]);
    let missing: Vec<_> =
        declared.iter().filter(|module| !ruled.contains(*module) && !front.contains(*module)).collect();
    assert!(missing.is_empty(), "no rule for {missing:?}");
}

#[test]
fn a_file_stays_short_enough_to_read() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let long: Vec<String> = rust_files(&src)
        .into_iter()
        .map(|path| (fs::read_to_string(&path).unwrap_or_default().lines().count(), path))
        .filter(|(lines, _)| *lines > 500)
        .map(|(lines, path)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}
