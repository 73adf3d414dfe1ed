//! What a script costs per item: 940 bytes, 25 attributes, one of them set and one removed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tableferry::item::{KeyAttribute, KeyKind, KeySchema, RawItem};
use tableferry::script::Script;
use tableferry::transform::{Occasion, Transform};

const CASES: [(&str, &str); 6] = [
    ("identity", "export const migrateItems = items => items;"),
    (
        "set and remove one attribute",
        "export const migrateItems = items => items.map(item => { item.migrated = true; delete item.orderForOds; return item });",
    ),
    (
        "the same, async",
        "export const migrateItems = async items => { for (const item of items) { item.migrated = true; delete item.orderForOds } return items };",
    ),
    (
        "the same by spreading",
        "export const migrateItems = items => items.map(({ orderForOds, ...item }) => ({ ...item, migrated: true }));",
    ),
    (
        "read every attribute",
        "export const migrateItems = items => { for (const item of items) { let n = 0; for (const k of Object.keys(item)) n += String(item[k]).length; item.n = n } return items };",
    ),
    ("drop", "export const migrateItems = () => [];"),
];

fn schema() -> KeySchema {
    KeySchema {
        partition: KeyAttribute::new("pk", KeyKind::String),
        sort: Some(KeyAttribute::new("sk", KeyKind::String)),
    }
}

/// A case of a court, about 940 bytes of JSON in 25 attributes.
fn item(number: usize, schema: &KeySchema) -> RawItem {
    let text = format!(
        r#"{{"pk":{{"S":"case|{number}-20"}},"sk":{{"S":"case|{number}-20"}},"docketNumber":{{"S":"{number}-20"}},"entityName":{{"S":"Case"}},"caseCaption":{{"S":"Petitioner {number}, Petitioner"}},"status":{{"S":"General Docket - Not at Issue"}},"caseType":{{"S":"CDP (Lien/Levy)"}},"procedureType":{{"S":"Regular"}},"preferredTrialCity":{{"S":"Birmingham, Alabama"}},"receivedAt":{{"S":"2020-03-01T21:40:46.415Z"}},"createdAt":{{"S":"2020-03-01T21:40:46.415Z"}},"isPaper":{{"BOOL":false}},"isSealed":{{"BOOL":false}},"orderForOds":{{"BOOL":true}},"noticeOfAttachments":{{"BOOL":false}},"qcCompleteForTrial":{{"M":{{}}}},"statistics":{{"L":[]}},"petitioners":{{"L":[{{"M":{{"name":{{"S":"A. Person"}},"city":{{"S":"Somewhere"}},"state":{{"S":"AL"}}}}}}]}},"sortableDocketNumber":{{"N":"{number}"}},"docketNumberSuffix":{{"NULL":true}},"hasVerifiedIrsNotice":{{"BOOL":false}},"highPriority":{{"BOOL":false}},"leadDocketNumber":{{"S":"101-20"}},"gsi1pk":{{"S":"leadCase|101-20"}},"partyType":{{"S":"Petitioner"}}}}"#
    );
    RawItem::parse(Bytes::from(text), schema).expect("an item")
}

fn time(script: &Script, items: &[RawItem], total: usize) -> Duration {
    let mut outputs = Vec::new();
    let started = Instant::now();
    for at in 0..total {
        script.apply(items[at % items.len()].clone(), &Occasion::default(), &mut outputs).expect("applied");
        outputs.clear();
    }
    started.elapsed()
}

fn main() {
    let schema = schema();
    let items: Vec<RawItem> = (0..1000).map(|number| item(10_000 + number, &schema)).collect();
    let bytes: usize = items.iter().map(|item| item.json().len()).sum::<usize>() / items.len();
    println!("{bytes} bytes of JSON per item");
    let directory = tempfile::tempdir().expect("a directory");
    let mut texts: Vec<(String, String)> =
        CASES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let helpers: String = (0..300).map(|number| format!("function f{number}(a) {{ return a + {number} }}\n")).collect();
    texts.push(("the same, and 300 functions".to_owned(), format!("{helpers}{}", CASES[1].1)));
    for (number, (name, text)) in texts.iter().enumerate() {
        let file = format!("{number:04}-bench.js");
        std::fs::write(directory.path().join(&file), text).expect("written");
        let started = Instant::now();
        let script = Script::load(directory.path(), &file, &schema, "bench").expect("loads");
        let load = started.elapsed();
        time(&script, &items, 2_000);
        let best = (0..3).map(|_| time(&script, &items, 10_000)).min().unwrap_or_default();
        let started = Instant::now();
        let mut outputs = Vec::new();
        for item in &items[..20] {
            script
                .apply(item.clone(), &Occasion { is_afresh: true, ..Occasion::default() }, &mut outputs)
                .expect("applied");
        }
        println!(
            "{name:<32} {:>7.2} us per item; loaded in {:.2} ms; {:.2} ms in a fresh context",
            best.as_secs_f64() * 1e6 / 1e4,
            load.as_secs_f64() * 1e3,
            started.elapsed().as_secs_f64() * 1e3 / 20.0
        );
    }
    let script = Arc::new(Script::load(directory.path(), "0001-bench.js", &schema, "bench").expect("loads"));
    for threads in [1, 2, 4] {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| time(&script, &items, 20_000));
            }
        });
        let seconds = started.elapsed().as_secs_f64();
        println!("{threads} threads: {:.0} items/s", f64::from(threads) * 20_000.0 / seconds);
    }
}
