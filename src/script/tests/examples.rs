//! The scripts of `transforms/`, and one that changes keys, do what they say.

use std::path::Path;

use super::*;
use crate::item::{Attributes, Value};

fn example(directory: &str, file: &str) -> Script {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let script = Script::load(&directory, file, &schema(), "court").unwrap_or_else(|error| panic!("{error}"));
    assert!(!script.description().is_empty() && script.when().is_some());
    script
}

/// Attributes by their names, to compare items by value.
fn attributes(item: &RawItem) -> Vec<(String, Value)> {
    let attributes = Attributes::from(item);
    let value = |name: &String| attributes.get(name).expect("there").to_value().expect("a value");
    let mut list: Vec<(String, Value)> = attributes.names().map(|name| (name.clone(), value(&name))).collect();
    list.sort_by(|one, other| one.0.cmp(&other.0));
    list
}

#[test]
fn the_cases_of_the_examples_hold() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("transforms");
    let mut checked = 0;
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let file = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        if !file.ends_with(".ts") {
            continue;
        }
        let script = example("transforms", &file);
        assert!(!script.cases().is_empty(), "{file}");
        for case in script.cases() {
            let occasion = occasion(LookupTable::new("court", schema(), case.table.clone()));
            for is_afresh in [false, true] {
                let mut outputs = Vec::new();
                let occasion = Occasion { is_afresh, ..occasion.clone() };
                let done = script.apply(case.given.clone(), &occasion, &mut outputs);
                match (&done, &case.expected) {
                    (Ok(()), Ok(expected)) => {
                        let (found, expected): (Vec<_>, Vec<_>) =
                            (outputs.iter().map(attributes).collect(), expected.iter().map(attributes).collect());
                        assert_eq!(found, expected, "{file}: {}", case.name);
                    }
                    (Err(reason), Err(part)) => assert!(reason.contains(part), "{file}: {}: {reason}", case.name),
                    _ => panic!("{file}: {}: {done:?}", case.name),
                }
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 2 * 8);
}

#[test]
fn ready_cases_own_their_catalog_records() {
    let script = example("src/script/tests/eligible", "0006-eligible-cases.ts");
    assert_eq!(script.keys(), KeyRule::Derived);
    let row = |json: &str| {
        RawItem::parse(Bytes::copy_from_slice(json.as_bytes()), &schema())
            .unwrap_or_else(|fault| panic!("{json}: {fault}"))
    };
    let case = |status: &str| {
        format!(
            r#"{{"pk":{{"S":"case|101-20"}},"sk":{{"S":"case|101-20"}},"status":{{"S":"General Docket - {status}"}},"preferredTrialCity":{{"S":"Birmingham, Alabama"}},"procedureType":{{"S":"Regular"}},"caseType":{{"S":"CDP"}}}}"#
        )
    };
    let ready = case("At Issue (Ready for Trial)");
    let record = |sk: &str| {
        format!(
            r#"{{"docketNumber":{{"S":"101-20"}},"pk":{{"S":"eligible-for-trial-case-catalog"}},"sk":{{"S":"{sk}"}}}}"#
        )
    };
    let expected = [
        ready.clone(),
        record("byType|BirminghamAlabama-R-CDP-2020-00101|101-20"),
        record("byCity|BirminghamAlabama-2020-00101|101-20"),
    ];
    assert_eq!(apply(&script, &row(&ready)).expect("three"), expected);
    for output in &expected {
        let owner = script.owner(&row(output)).expect("an owner");
        assert_eq!(owner.key(), row(&ready).key(), "{output}");
    }
    let other = case("Not at Issue");
    assert_eq!(apply(&script, &row(&other)), Ok(vec![other]));
    assert_eq!(apply(&script, &row(&record("byCity|Elsewhere-2020-00101|101-20"))), Ok(Vec::new()));
}
