use std::time::Duration;

use bytes::Bytes;

mod examples;
mod isolation;
mod loading;
mod looking_up;
mod values;

use super::*;
use crate::item::{KeyAttribute, KeyKind};
use crate::memory::LookupTable;

fn schema() -> KeySchema {
    KeySchema {
        partition: KeyAttribute::new("pk", KeyKind::String),
        sort: Some(KeyAttribute::new("sk", KeyKind::String)),
    }
}

/// Attributes in DynamoDB's JSON, behind a key.
fn item(attributes: &str) -> RawItem {
    let comma = if attributes.is_empty() { "" } else { "," };
    let json = format!(r#"{{"pk":{{"S":"p"}},"sk":{{"S":"s"}}{comma}{attributes}}}"#);
    RawItem::parse(Bytes::from(json.clone()), &schema()).unwrap_or_else(|fault| panic!("{json}: {fault}"))
}

fn load(files: &[(&str, &str)], limits: Limits) -> Result<Script> {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).expect("written");
    }
    Script::load_within(directory.path(), files[0].0, &schema(), "court", limits)
}

fn script(text: &str) -> Script {
    load(&[("0001-test.ts", text)], Limits::default()).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// A script that does this to each item.
fn each(body: &str) -> Script {
    script(&format!("export const migrateItems = (items: any[]) => items.map(item => {{ {body}; return item }})"))
}

fn occasion(lookup: impl Lookup + 'static) -> Occasion {
    Occasion { lookup: Some(Arc::new(lookup)), ..Occasion::default() }
}

/// With a table to look items up in, for scripts that do.
fn apply(script: &Script, item: &RawItem) -> Result<Vec<String>, String> {
    apply_on(script, item, &occasion(looking_up::table().with_pages_of(2)))
}

fn apply_on(script: &Script, item: &RawItem, occasion: &Occasion) -> Result<Vec<String>, String> {
    let mut outputs = Vec::new();
    script.apply(item.clone(), occasion, &mut outputs)?;
    Ok(outputs.iter().map(|output| String::from_utf8_lossy(output.json()).into_owned()).collect())
}

/// The attributes behind the key of the only output.
fn result(script: &Script, item: &RawItem) -> String {
    let outputs = apply(script, item).unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    let rest = outputs[0].strip_prefix(r#"{"pk":{"S":"p"},"sk":{"S":"s"}"#).expect("the key first");
    rest.trim_start_matches(',').strip_suffix('}').expect("an object").to_owned()
}

fn refusal(script: &Script, item: &RawItem) -> String {
    match apply(script, item) {
        Ok(outputs) => panic!("accepted: {outputs:?}"),
        Err(reason) => reason,
    }
}
