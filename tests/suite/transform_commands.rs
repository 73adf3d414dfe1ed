//! Writing transforms, trying them, and what is new about them: `transform new/test/preview/bench`, `plan`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::contents::assert_equal;
use crate::support::dynoxide::Dynoxide;
use crate::support::fault::Fault;
use crate::support::ferry::Ferry;
use crate::support::moves::{DROP, LOOKING_UP, RENAME, SCRIPT, write_transforms};
use crate::support::plan::{next, pass};
use crate::support::proxy::Proxy;
use crate::support::table::Table;

#[test]
fn the_cases_of_the_examples_pass() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/transforms");
    let ended = Ferry::new().run(&["transform", "test", "--transforms", examples]);
    ended.assert_told(
        0,
        &["0002-document-types-and-orders.toml: 4 cases passed", "0004-practitioner-lead-case.ts: 3 cases passed"],
    );
    assert!(!ended.stdout.contains("no case"), "{}", ended.stdout);
}

#[test]
fn a_new_transform_passes_its_cases_and_a_failing_one_shows_what_came() {
    let ferry = Ferry::new();
    ferry.run(&["transform", "new", "rename-status"]).assert_told(0, &["transforms/0001-rename-status.toml"]);
    ferry.run(&["transform", "new", "more"]).assert_told(0, &["transforms/0002-more.toml"]);
    ferry.run(&["transform", "new", "third", "--script"]).assert_told(0, &["transforms/0003-third.ts"]);
    let passed = ["0001-rename-status.toml: 2 cases passed", "0003-third.ts: 2 cases passed"];
    ferry.run(&["transform", "test"]).assert_told(0, &passed);
    ferry.run(&["transform", "new", "a/b"]).assert_refused(2, &["`a/b` cannot name a transform"]);
    ferry.run(&["transform", "test", "--keys", "pk"]).assert_refused(2, &["no primary key"]);
    ferry.run(&["transform", "test", "--transforms", "nowhere"]).assert_refused(16, &["nowhere"]);

    let path = "transforms/0001-rename-status.toml";
    let text = fs::read_to_string(ferry.path().join(path)).expect("was written");
    ferry.write(path, &text.replace("SET status = \"Docket\"", "SET status = \"Dokcet\""));
    let lines = [
        "0001-rename-status.toml: 1 of 2 cases FAILED",
        "line 9, case 1",
        "- status: {\"S\":\"Docket\"}",
        "+ status: {\"S\":\"Dokcet\"}",
        "1 of 6 cases failed",
    ];
    ferry.run(&["transform", "test"]).assert_told(6, &lines);
}

#[test]
fn transforms_are_looked_at_and_timed_on_a_table_and_on_made_up_items() {
    let emulator = Dynoxide::start();
    let table = Table::create(&emulator.endpoint(), "source");
    table.seed(120, 305);
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-rename.toml", RENAME), ("0002-drop.toml", DROP)]);
    let endpoint = emulator.endpoint();
    let from = ["--transforms", "moves", "--table", &table.name, "--endpoint-url", &endpoint];
    let preview = ferry.run(&[&["transform", "preview"], &from[..]].concat());
    let summary = format!("of 120 items of table {}: ", table.name);
    preview.assert_told(0, &["    - title: ", "    + heading: ", "    dropped\n", &summary]);
    // A file that everybody may read is no longer one.
    ferry.write("page.html", "old");
    let page = ferry.run(&[&["transform", "preview", "--html", "page.html"], &from[..]].concat());
    page.assert_told(0, &["page.html", &summary]);
    let file = ferry.path().join("page.html");
    let page = fs::read_to_string(&file).expect("was written");
    assert!(page.starts_with("<!doctype html>") && page.contains("<td>heading<td><td class=\"after\">"), "{page}");
    let mode = fs::metadata(&file).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds items");
    let nowhere = ["transform", "preview", "--html", "no/such/page.html"];
    ferry.run(&[&nowhere[..], &from].concat()).assert_refused(16, &["no/such/page.html"]);
    assert_eq!(table.count(), 120, "it is only read");

    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/transforms");
    let bench = ["transform", "bench", "--items", "500", "--rounds", "1", "--transforms", examples];
    ferry
        .run(&[&bench, &["--compare", "moves"][..]].concat())
        .assert_told(0, &["0006-eligible", "0001-rename", "new / old"]);
    let report = ferry.run(&[&bench, &["--json"][..]].concat());
    let report: Value = serde_json::from_str(&report.assert_code(0).stdout).expect("JSON");
    assert_eq!(report["new"]["items_in"], 500);
    let changed = |at: usize| report["new"]["transforms"][at]["changed"].as_u64().expect("a count");
    assert!(changed(1) > 0 && changed(5) > 0, "{report}");
    let selected = |at: usize| report["new"]["transforms"][at]["selected"].as_u64().expect("a count");
    assert!((0..6).all(|at| (changed(at)..500).contains(&selected(at))), "{report}");
    assert!(report["new"]["transforms"][1]["allocations"].as_f64().expect("counted") > 0.1, "{report}");
    ferry.run(&[&bench[..4], &["--table", "none", "--endpoint-url", &endpoint]].concat()).assert_refused(11, &["none"]);
}

const MISTAKES: &str = r#"
let n = 0;
export const migrateItems = (items: any[]) => {
  console.log('saw', items.length);
  const found = [];
  for (const item of items) {
    if (item.entityName !== 'Case') return found;
    if (item.status === 'Closed') throw new Error('closed');
    found.push({ ...item, n: ++n });
  }
  return found;
};
export const cases = [{ given: { pk: 'a', sk: 'b', entityName: 'Case' }, expect: { pk: 'a', sk: 'b', n: 1 } }];
"#;

const SAME_KEY: &str = r#"
keys = "free"
step = [{ when = 'entityName = "Case"', update = 'SET pk = "same", sk = "same"' }]
"#;

#[test]
fn a_sample_of_items_shows_the_mistakes_that_transforms_are_prone_to() {
    let emulator = Dynoxide::start();
    let table = Table::create(&emulator.endpoint(), "source");
    let item = |number: usize| {
        let (kind, status) = (["Case", "User"][number % 2], ["New", "New", "Closed", "New"][number % 4]);
        json!({ "pk": { "S": format!("p{number}") }, "sk": { "S": "s" }, "entityName": { "S": kind }, "status": { "S": status } })
    };
    table.put_all(&(0..40).map(item).collect::<Vec<_>>());
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-mistakes.ts", MISTAKES)]);
    let endpoint = emulator.endpoint();
    let test = ["transform", "test", "--transforms", "moves"];
    let on_table = [&test[..], &["--table", &table.name, "--endpoint-url", &endpoint]].concat();
    // Users are not given back, closed cases are refused, the others are counted.
    let lines = [
        "0001-mistakes.ts: 1 of 1 cases FAILED",
        "+ entityName",
        "console: saw 1",
        "10 items come out",
        "lost      20 FOUND",
        "0001-mistakes.ts does not give it back",
        "twice     none",
        "refused   10 FOUND",
        "Error: closed (0001-mistakes.ts:8:",
        "unstable  9 FOUND",
        "attribute n is different",
    ];
    ferry.run(&on_table).assert_told(6, &lines);
    let chosen = ferry.run(&[&on_table[..], &["--check", "twice"]].concat());
    chosen.assert_told(6, &["twice     none"]);
    assert!(!chosen.stdout.contains("lost"), "{}", chosen.stdout);

    let meant = MISTAKES
        .replace("let n", "export const drops = true;\nlet n")
        .replace("++n", "1")
        .replace("throw new Error('closed')", "continue");
    let meant = meant.replace("expect: { pk", "expect: { entityName: 'Case', pk");
    write_transforms(&ferry, &[("0001-mistakes.ts", &meant)]);
    ferry.run(&on_table).assert_told(0, &["1 case passed", "lost      none", "refused   none", "unstable  none"]);
    write_transforms(&ferry, &[("0002-same.toml", SAME_KEY)]);
    ferry.run(&on_table).assert_told(6, &["twice     9 FOUND", "{\"pk\":{\"S\":\"same\"}"]);
    // What a recipe drops it means to drop; a changed key is refused as a run would refuse it.
    write_transforms(&ferry, &[("0002-same.toml", "step = [{ when = 'n = 1', drop = true }]")]);
    ferry.run(&on_table).assert_told(0, &["0 items come out", "lost      none"]);
    write_transforms(&ferry, &[("0002-same.toml", "step = [{ when = 'n = 1', update = 'SET sk = \"x\"' }]")]);
    ferry.run(&on_table).assert_refused(2, &["keys"]);
    let moved = "export const migrateItems = (items: any[]) => items.map(item => ({ ...item, sk: 'other' }))";
    write_transforms(&ferry, &[("0002-same.toml", DROP), ("0003-moved.ts", moved)]);
    ferry.run(&on_table).assert_told(6, &["refused   10 FOUND", "changed the item's key"]);
    fs::remove_file(ferry.path().join("moves/0003-moved.ts")).expect("is there");
    write_transforms(&ferry, &[("0002-same.toml", SAME_KEY)]);
    // Without a table on made up items; the rules by their names.
    ferry.run(&[&test[..], &["--check", "--items", "500"]].concat()).assert_told(6, &["imagined court", "twice     "]);
    ferry.run(&[&test[..], &["--check", "nonsense"]].concat()).assert_told(2, &["lost, twice, refused, unstable"]);
}

#[test]
fn what_was_applied_is_skipped_and_when_nothing_is_new_there_is_nothing_to_migrate() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let deploy = Table::create(&emulator.endpoint(), "deploy");
    source.seed(100, 312);
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-headings.ts", SCRIPT), ("0002-drop.toml", DROP), ("0003-look.ts", LOOKING_UP)]);
    let plan = |destination: &Table, more: &[&str]| {
        let endpoint = emulator.endpoint();
        let tables =
            ["plan", "--source", &source.name, "--destination", &destination.name, "--endpoint-url", &endpoint];
        ferry.run(&[&tables[..], &["--transforms", "moves", "--no-tail"], more].concat())
    };
    let empty = Table::create(&emulator.endpoint(), "destination");
    plan(&empty, &[]).assert_told(
        0,
        &[
            "a migration is needed: 3 of 3 transforms are new",
            "0001-headings.ts  new, no cases",
            "0003-look.ts      new, looks other items up, no cases",
            "is there and empty",
        ],
    );
    assert!(!ferry.path().join(".tableferry").exists(), "a plan writes nothing");

    let nothing = ["plan", "--source", &source.name, "--destination", &empty.name, "--no-tail", "--endpoint-url"];
    let copies = "a migration copies the table";
    ferry.run(&[&nothing[..], &[&emulator.endpoint()]].concat()).assert_told(0, &["transforms   none", copies]);

    // One record among the items, under the name that the file had when it was JavaScript; and what only looks like one.
    let text = |text: &str| json!({ "S": text });
    let record = |key: &str, file: &str| json!({ "pk": text(key), "sk": text(&format!("migration|{file}")), "createdAt": text("2025-02-03") });
    source.put(&record("migration", "0001-headings.js"));
    source.put(&json!({ "pk": text("migration"), "sk": text("other|0002-drop.toml") }));
    source.put(&record("migrations", "0003-look.ts"));
    let skipped = ["0001-headings.ts  applied on 2025-02-03, skipped", "2 of 3 transforms are new"];
    plan(&empty, &[]).assert_told(0, &skipped);
    let moved = ferry.migrate(&source, &empty, &["--transforms", "moves", "--no-tail"]);
    moved.assert_code(0).assert_says(&["0001-headings.ts is skipped", "2025-02-03"]);
    let found = empty.items();
    assert!(found.iter().any(|item| item["title"].is_object()) && found.iter().all(|item| item["seen"].is_object()));
    assert!(found.iter().any(|item| item["sk"]["S"] == "migration|0001-headings.js"), "the record goes along");

    // A run is bound to what was new when it began.
    source.put(&record("migration", "0002-drop"));
    ferry.migrate(&source, &empty, &["--transforms", "moves", "--no-tail"]).assert_refused(14, &["0002-drop.toml"]);

    // The last one in the deploy table.
    deploy.put(&record("migration|0003-look.ts", "0003-look.ts"));
    let elsewhere = Table::create(&emulator.endpoint(), "elsewhere");
    plan(&elsewhere, &[]).assert_told(0, &["1 of 3 transforms are new"]);
    let named = ["--deploy-table", deploy.name.as_str()];
    plan(&elsewhere, &named).assert_told(7, &["no migration is needed: all 3 transforms are applied already"]);
    let told = plan(&elsewhere, &[&named[..], &["--json"]].concat());
    let told: Value = serde_json::from_str(&told.assert_code(7).stdout).expect("JSON");
    assert_eq!((&told["is_needed"], &told["transforms"][2]["looks_up"]), (&json!(false), &json!(true)));
    let more = [&["--transforms", "moves", "--no-tail"], &named[..]].concat();
    ferry.migrate(&source, &elsewhere, &more).assert_refused(7, &["no migration is needed", "--force"]);
    assert_eq!(elsewhere.count(), 0);
    ferry.migrate(&source, &elsewhere, &[&more[..], &["--force"]].concat()).assert_code(0);
    assert_equal(&source.contents(), &elsewhere.contents());

    plan(&empty, &["--force"]).assert_told(0, &["holds items", "`run` resumes it"]);
    plan(&empty, &["--run", "another"]).assert_refused(11, &["is not empty", "--into-nonempty"]);
    plan(&empty, &["--deploy-table", "none"]).assert_refused(11, &["deploy table", "none"]);
    let numbers = Table::create_keyed(&emulator.endpoint(), "numbers", &[("id", "N")]);
    plan(&empty, &["--deploy-table", &numbers.name]).assert_refused(11, &[&numbers.name, "deploy table"]);
}

/// A record that is overlooked would apply its transform to items that it was applied to.
#[test]
fn records_that_come_back_unprocessed_are_asked_for_again() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    let deploy = Table::create(&emulator.endpoint(), "deploy");
    let key = "migration|0002-drop.toml";
    deploy.put(&json!({ "pk": { "S": key }, "sk": { "S": key }, "createdAt": { "S": "2025-02-03" } }));
    let proxy = Proxy::start(&emulator.endpoint(), pass());
    let (ferry, endpoint) = (Ferry::new(), proxy.endpoint());
    write_transforms(&ferry, &[("0002-drop.toml", DROP)]);
    let tables = ["plan", "--source", &source.name, "--destination", &destination.name, "--endpoint-url", &endpoint];
    let plan = [&tables[..], &["--transforms", "moves", "--no-tail", "--deploy-table", &deploy.name]].concat();
    proxy.follow(next("BatchGetItem", 2, Fault::KeysUnprocessed));
    ferry.run(&plan).assert_told(7, &["no migration is needed"]);
    proxy.follow(next("BatchGetItem", u64::MAX, Fault::KeysUnprocessed));
    let words = [deploy.name.as_str(), "again and again", "read capacity"];
    ferry.run(&plan).assert_refused(12, &words);
}
