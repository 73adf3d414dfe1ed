//! Recipes on the way: what arrives is what an oracle makes of the source, through kills and live writes.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::contents::{Contents, assert_equal, canonical};
use crate::support::dynoxide::Dynoxide;
use crate::support::fault::Fault;
use crate::support::ferry::{Ferry, STARTED};
use crate::support::local;
use crate::support::plan::{pass, random_among};
use crate::support::proxy::Proxy;
use crate::support::table::Table;
use crate::support::writers::{Load, Writers};

const RENAME: &str = r#"
description = "Titles are called headings"
[[step]]
when = 'attribute_exists(title)'
rename = { title = "heading" }
"#;

const DROP: &str = r#"
[[step]]
when = 'entityName = "DocketEntry" AND isPaper = true'
drop = true
"#;

const KEYS: &str = r#"
keys = "derived"
[[owner]]
when = 'begins_with(sk, "copy|")'
pk = 'replace(pk, "matter|", "case|")'
sk = 'replace(sk, "copy|", "")'
[[owner]]
pk = 'replace(pk, "matter|", "case|")'
sk = 'sk'
[[step]]
update = 'SET pk = replace(pk, "case|", "matter|")'
[[step]]
when = 'attribute_exists(times)'
copy = 'SET sk = join("|", "copy", sk), twice = times + times'
"#;

/// A directory of transforms in the working directory.
fn write_transforms(ferry: &Ferry, files: &[(&str, &str)]) {
    let _ = fs::create_dir(ferry.path().join("moves"));
    files.iter().for_each(|(name, text)| ferry.write(&format!("moves/{name}"), text));
}

/// What the three recipes make of an item, told in another language.
fn transformed(mut item: Value) -> Vec<Value> {
    if let Some(title) = item.as_object_mut().and_then(|item| item.remove("title")) {
        item["heading"] = title;
    }
    if item["entityName"] == json!({ "S": "DocketEntry" }) && item["isPaper"] == json!({ "BOOL": true }) {
        return Vec::new();
    }
    let pk = item["pk"]["S"].as_str().expect("a string").replace("case|", "matter|");
    item["pk"] = json!({ "S": pk });
    let mut items = vec![item.clone()];
    if let Some(times) = item["times"]["N"].as_str() {
        let twice = 2 * times.parse::<u64>().expect("a count");
        item["twice"] = json!({ "N": twice.to_string() });
        item["sk"] = json!({ "S": format!("copy|{}", item["sk"]["S"].as_str().expect("a string")) });
        items.push(item);
    }
    items
}

fn expected(source: &Table) -> Contents {
    let items = source.items().into_iter().flat_map(transformed);
    items.map(|item| (canonical(&source.key(&item)), canonical(&item))).collect()
}

#[test]
fn every_item_and_every_change_passes_the_transforms_through_kills() {
    let emulator = Dynoxide::start();
    for endpoint in [&emulator.endpoint(), local::endpoint()] {
        let (source, destination) = (Table::create(endpoint, "source"), Table::create(endpoint, "destination"));
        source.seed(600, 301);
        source.enable_stream();
        let load = Load { seed: 302, threads: 2, rate: 80.0, total: None, keys: 700 };
        let writers = Writers::start(&source, load);
        let ferry = Ferry::new();
        let files = [("0001-rename.toml", RENAME), ("0002-drop.toml", DROP), ("0010-keys.toml", KEYS)];
        write_transforms(&ferry, &files);
        let more = ["--transforms", "moves", "--request-timeout", "1", "--write-rate", "400wcu"];
        for _ in 0..3 {
            let mut running = ferry.start_migration(&source, &destination, &more);
            assert!(running.wait_for_output(STARTED), "{}", running.stderr());
            thread::sleep(Duration::from_millis(2_600));
            assert!(running.kill(), "it was still running");
        }
        let running = ferry.start_migration(&source, &destination, &more);
        thread::sleep(Duration::from_secs(1));
        writers.stop();
        ferry.drain(&["--quiet-period", "2", "--timeout", "100"]).assert_code(0);
        let expected = expected(&source);
        assert!(expected.keys().any(|key| key.contains("copy|")), "items were copied");
        assert!(expected.len() < source.count() * 2 && !expected.is_empty(), "some were dropped");
        assert_equal(&expected, &destination.contents());
        drop(running);
    }
}

#[test]
fn free_keys_move_between_items_and_a_conflict_is_a_dead_letter() {
    let emulator = Dynoxide::start();
    let source = Table::create_keyed(&emulator.endpoint(), "source", &[("pk", "S")]);
    let destination = Table::create_keyed(&emulator.endpoint(), "destination", &[("pk", "S")]);
    let item = |pk: &str, slot: &str| json!({ "pk": { "S": pk }, "slot": { "S": slot }, "who": { "S": pk } });
    source.put_all(&[item("a", "one"), item("b", "two"), item("c", "three")]);
    source.enable_stream();
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-slots.toml", "keys = 'free'\nstep = [{ update = 'SET pk = slot' }]")]);
    let more = ["--transforms", "moves", "--request-timeout", "1"];
    let mut running = ferry.start_migration(&source, &destination, &more);
    running.wait_until_copied();
    let quickly = ["--quiet-period", "1", "--timeout", "30"];
    ferry.drain(&quickly).assert_code(0);
    let owners = || {
        let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
        let mut owners: Vec<_> =
            destination.items().iter().map(|item| (text(&item["pk"]), text(&item["who"]))).collect();
        owners.sort();
        owners
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(slot, who)| (slot.to_string(), who.to_string())).collect()
    };
    assert_eq!(owners(), pairs(&[("one", "a"), ("three", "c"), ("two", "b")]));

    // The slots go round.
    source.put_all(&[item("a", "two"), item("b", "three"), item("c", "one")]);
    ferry.drain(&quickly).assert_code(0);
    assert_eq!(owners(), pairs(&[("one", "c"), ("three", "b"), ("two", "a")]));

    // Two want one: the smaller key has it, the other is a dead letter.
    source.put(&item("c", "two"));
    ferry.drain(&quickly).assert_told(3, &["1 items are dead letters"]);
    assert_eq!(owners(), pairs(&[("three", "b"), ("two", "a")]));
    assert!(running.kill(), "it was still running");

    // Resumed: who waited for the slot gets it.
    source.delete(&item("a", ""));
    ferry.drain(&quickly).assert_code(0);
    assert_eq!(owners(), pairs(&[("three", "b"), ("two", "c")]));
}

#[test]
fn a_run_is_bound_to_its_transforms() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    source.seed(50, 303);
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-rename.toml", RENAME), ("0002-drop.toml", DROP)]);
    let more = ["--transforms", "moves", "--no-tail"];
    ferry.migrate(&source, &destination, &more).assert_code(0);

    write_transforms(&ferry, &[("0002-drop.toml", &format!("{DROP}# changed"))]);
    ferry.migrate(&source, &destination, &more).assert_refused(14, &["transform 0002-drop.toml"]);
    write_transforms(&ferry, &[("0002-drop.toml", DROP), ("0003-more.toml", DROP)]);
    ferry.migrate(&source, &destination, &more).assert_refused(14, &["0003-more.toml"]);
    fs::remove_file(ferry.path().join("moves/0003-more.toml")).expect("is there");
    fs::remove_file(ferry.path().join("moves/0001-rename.toml")).expect("is there");
    ferry.migrate(&source, &destination, &more).assert_refused(14, &["0001-rename.toml"]);
    ferry.migrate(&source, &destination, &["--no-tail"]).assert_refused(14, &["no transforms"]);
}

#[test]
fn wrong_transforms_are_refused_before_anything_is_written() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    source.seed(5, 304);
    for (name, text, words) in [
        (
            "0001-a.toml",
            "[[step]]\nwhen = 'begin_with(pk, \"case|\")'\ndrop = true",
            &["0001-a.toml", "line 2", "^"][..],
        ),
        ("0001-a.toml", "[[step]]\nwen = 'a = 1'\ndrop = true", &["0001-a.toml", "wen", "did you mean `when`?"]),
        ("0001-a.toml", "[[step]]\nupdate = 'SET sk = \"x\"'", &["sk is part of the key", "derived"]),
        ("drop.toml", "[[step]]\ndrop = true", &["drop.toml has no number"]),
    ] {
        let ferry = Ferry::new();
        write_transforms(&ferry, &[(name, text)]);
        let more = ["--transforms", "moves", "--no-tail"];
        ferry.migrate(&source, &destination, &more).assert_refused(2, words);
        assert_eq!(destination.count(), 0);
    }
    let ferry = Ferry::new();
    ferry.migrate(&source, &destination, &["--transforms", "nowhere", "--no-tail"]).assert_refused(16, &["nowhere"]);
}

#[test]
fn what_a_transform_refuses_is_a_dead_letter_until_a_change_mends_it() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    let item = |count: Value| json!({ "pk": { "S": "a" }, "sk": { "S": "b" }, "count": count });
    source.put(&item(json!({ "S": "many" })));
    source.enable_stream();
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-count.toml", "step = [{ update = 'SET count = count + 1' }]")]);
    let mut running = ferry.start_migration(&source, &destination, &["--transforms", "moves"]);
    running.wait_until_copied();
    let quickly = ["--quiet-period", "1", "--timeout", "30"];
    ferry.drain(&quickly).assert_told(3, &["1 items are dead letters"]);
    let status = ferry.status().expect("a run").to_string();
    assert!(status.contains("transform 0001-count.toml: step 1: "), "{status}");
    source.put(&item(json!({ "N": "7" })));
    ferry.drain(&quickly).assert_code(0);
    assert_eq!(destination.items(), [item(json!({ "N": "8" }))]);
}

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
    ferry.run(&[&bench[..4], &["--table", "none", "--endpoint-url", &endpoint]].concat()).assert_refused(11, &["none"]);
}

const SCRIPT: &str = r#"
export const when = 'attribute_exists(title) OR entityName = "DocketEntry"';
export const migrateItems = async (items: any[]) =>
  items.flatMap(({ title, ...item }) => {
    if (item.entityName === 'DocketEntry' && item.isPaper) return [];
    return [title === undefined ? item : { ...item, heading: title }];
  });
"#;

const LOOKING_UP: &str = r#"
export const migrateItems = async (items: any[], documentClient: any) => {
  for (const item of items) {
    const { Item: whole } = await documentClient
      .get({ TableName: process.env.SOURCE_TABLE, Key: { pk: item.pk, sk: 'whole' } })
      .promise();
    const { Items: parts } = await documentClient.query({
      TableName: process.env.SOURCE_TABLE,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :part)',
      ExpressionAttributeValues: { ':pk': item.pk, ':part': 'part|' },
    });
    item.seen = `${whole?.name ?? 'nobody'} of ${parts.length}`;
  }
  return items;
};
"#;

#[test]
fn scripts_change_items_as_recipes_do_through_a_kill() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    source.seed(600, 306);
    source.enable_stream();
    let load = Load { seed: 307, threads: 2, rate: 80.0, total: None, keys: 700 };
    let writers = Writers::start(&source, load);
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-headings.ts", SCRIPT), ("0010-keys.toml", KEYS)]);
    let more = ["--transforms", "moves", "--request-timeout", "1", "--write-rate", "400wcu"];
    let mut running = ferry.start_migration(&source, &destination, &more);
    assert!(running.wait_for_output(STARTED), "{}", running.stderr());
    thread::sleep(Duration::from_millis(2_600));
    assert!(running.kill(), "it was still running");
    let running = ferry.start_migration(&source, &destination, &more);
    thread::sleep(Duration::from_secs(1));
    writers.stop();
    ferry.drain(&["--quiet-period", "2", "--timeout", "100"]).assert_code(0);
    assert_equal(&expected(&source), &destination.contents());
    drop(running);
}

#[test]
fn scripts_look_items_up_in_the_source() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    let item = |sk: &str| json!({ "pk": { "S": "a" }, "sk": { "S": sk }, "name": { "S": "the whole" } });
    source.put_all(&["whole", "part|1", "part|2", "other"].map(item));
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-look.ts", LOOKING_UP)]);
    ferry.migrate(&source, &destination, &["--transforms", "moves", "--no-tail"]).assert_code(0);
    let found = destination.items();
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|item| item["seen"]["S"] == "the whole of 2"), "{found:?}");
}

/// Twenty collections of thirty parts and a whole.
fn collections() -> Vec<Value> {
    let item = |number: usize| {
        let sk = if number.is_multiple_of(31) { "whole".to_owned() } else { format!("part|{:02}", number % 31) };
        json!({ "pk": { "S": format!("c{}", number / 31) }, "sk": { "S": sk }, "name": { "S": format!("n{}", number / 31) } })
    };
    (0..620).map(item).collect()
}

#[test]
fn look_ups_wait_for_a_source_that_fails_and_ask_once_for_what_several_items_want() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    source.put_all(&collections());
    let proxy = Proxy::start(&emulator.endpoint(), pass());
    let more = ["--transforms", "moves", "--no-tail", "--request-timeout", "1"];
    for is_faulty in [false, true] {
        let destination = Table::create(&emulator.endpoint(), "destination");
        let ferry = Ferry::new();
        write_transforms(&ferry, &[("0001-look.ts", LOOKING_UP)]);
        if is_faulty {
            let hang = Fault::LateLanding(Duration::from_millis(100));
            let faults = vec![Fault::Throttled, Fault::ServerError, Fault::ResetBefore, Fault::Garbage, hang];
            proxy.follow(random_among(&["GetItem", "Query"], 309, 0.3, faults));
        }
        let ended = ferry.migrate(&source.at(&proxy.endpoint()), &destination, &more);
        let finished = ended.assert_code(0).event("finished");
        let (asked, sent) = (&finished["progress"]["lookups"], finished["progress"]["lookup_requests"].as_u64());
        // Each of the twenty collections is met on a page or two.
        assert!(*asked == 1240 && (40..=120).contains(&sent.expect("a count")), "{finished}");
        let found = destination.items();
        let is_right =
            |item: &Value| item["seen"]["S"] == format!("{} of 30", item["name"]["S"].as_str().unwrap_or(""));
        assert!(found.len() == 620 && found.iter().all(is_right), "{found:?}");
    }
    assert!(proxy.injected().values().sum::<u64>() > 10, "{:?}", proxy.injected());
}

/// Not one item becomes a dead letter because a look-up was not answered.
#[test]
fn a_run_that_cannot_look_up_ends_and_resumes() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    source.put_all(&collections());
    source.enable_stream();
    let proxy = Proxy::start(&emulator.endpoint(), pass());
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-look.ts", LOOKING_UP)]);
    let more = ["--transforms", "moves", "--request-timeout", "1", "--give-up-after", "1", "--until", "caught-up"];
    let through = source.at(&proxy.endpoint());
    // In the middle of the copy, then at once, then in the tail.
    proxy.follow(Box::new(|call| (call.operation == "Query" && call.ordinal > 8).then_some(Fault::Unavailable)));
    for _ in 0..2 {
        ferry.migrate(&through, &destination, &more).assert_refused(12, &["looking up an item for a transform"]);
        assert_eq!(ferry.status().expect("a run")["dead_letters"], json!([]));
    }
    proxy.follow(pass());
    ferry.migrate(&through, &destination, &more).assert_code(0);
    let changed = json!({ "pk": { "S": "c3" }, "sk": { "S": "part|31" }, "name": { "S": "n3" } });
    source.put(&changed);
    proxy.follow(random_among(&["Query"], 310, 1.0, vec![Fault::Unavailable]));
    ferry.migrate(&through, &destination, &more).assert_refused(12, &["looking up an item for a transform"]);
    assert_eq!(destination.count(), 620);
    // Interrupted while an answer is waited for.
    proxy.follow(random_among(&["Query"], 311, 1.0, vec![Fault::Hang]));
    let before = proxy.requests("Query");
    let waiting = ferry.start_migration(&through, &destination, &more[..4]);
    let is_asked = || proxy.requests("Query") > before;
    assert!(
        (0..1000).any(|_| is_asked() || {
            thread::sleep(Duration::from_millis(20));
            false
        }),
        "it looks nothing up"
    );
    waiting.interrupt();
    waiting.end().assert_code(4);
    assert_eq!(ferry.status().expect("a run")["dead_letters"], json!([]));
    proxy.follow(pass());
    ferry.migrate(&through, &destination, &more).assert_code(0);
    let found = destination.items();
    let of_31 = found.iter().filter(|item| item["seen"]["S"] == "n3 of 31").count();
    assert_eq!((found.len(), of_31), (621, 1), "only the item that changed is looked at again");
}

const JUDGES: &str = r#"
export const when = 'pk = "section|judge"';
export const migrateItems = async (items: any[], documentClient: any) => {
  const { Item } = await documentClient.get({ TableName: process.env.SOURCE_TABLE, Key: { pk: items[0].sk, sk: 'x' } });
  return Item?.role === 'judge' ? items : [];
};
"#;

/// What an item came to when it was copied cannot be told from what it would come to now.
#[test]
fn an_item_that_a_look_up_drops_later_is_deleted() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    let user = |role: &str| json!({ "pk": { "S": "user|7" }, "sk": { "S": "x" }, "role": { "S": role } });
    let member = |edit: &str| json!({ "pk": { "S": "section|judge" }, "sk": { "S": "user|7" }, "edit": { "N": edit } });
    source.put_all(&[user("judge"), member("1")]);
    source.enable_stream();
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-judges.ts", JUDGES)]);
    let mut running = ferry.start_migration(&source, &destination, &["--transforms", "moves"]);
    running.wait_until_copied();
    let quickly = ["--quiet-period", "1", "--timeout", "30"];
    ferry.drain(&quickly).assert_code(0);
    assert_eq!(destination.count(), 2);
    source.put(&user("clerk"));
    source.put(&member("2"));
    ferry.drain(&quickly).assert_code(0);
    assert_eq!(destination.items(), [user("clerk")]);
}

#[test]
fn what_a_script_does_wrong_ends_with_a_dead_letter_or_the_run() {
    let emulator = Dynoxide::start();
    let cases = [
        ("throw new Error('no such court')", "no such court"),
        ("throw 'text'", "text"),
        ("return undefined", "0001-x.js"),
        ("while (true) {}", "0001-x.js"),
        ("const all = []; while (true) all.push('x'.repeat(1e6) + all.length)", "0001-x.js"),
        ("return items.map(item => ({ ...item, n: NaN }))", "NaN"),
        ("return items.map(item => ({ ...item, f: () => 1 }))", "function"),
        ("items[0].self = items[0]; return items", "0001-x.js"),
        ("return items.map(({ pk, ...item }) => item)", "pk"),
        ("return items.map(item => ({ ...item, pk: 'other' }))", "changed the item's key"),
        ("return items.map(item => ({ ...item, t: 'x'.repeat(410000) }))", "0001-x.js"),
    ];
    for (body, reason) in cases {
        let source = Table::create(&emulator.endpoint(), "source");
        let destination = Table::create(&emulator.endpoint(), "destination");
        source.put(&json!({ "pk": { "S": "a" }, "sk": { "S": "b" } }));
        let ferry = Ferry::new();
        write_transforms(&ferry, &[("0001-x.js", &format!("export const migrateItems = items => {{ {body} }}"))]);
        ferry.migrate(&source, &destination, &["--transforms", "moves", "--no-tail"]).assert_code(5);
        let status = ferry.status().expect("a run").to_string();
        assert!(status.contains(reason), "{body}: {status}");
        assert_eq!(destination.count(), 0, "{body}");
    }
    let (source, destination) =
        (Table::create(&emulator.endpoint(), "source"), Table::create(&emulator.endpoint(), "destination"));
    source.seed(300, 308);
    let ferry = Ferry::new();
    let impure = "let seen = 0; export const migrateItems = items => items.map(item => ({ ...item, seen: seen++ }))";
    write_transforms(&ferry, &[("0001-x.js", impure)]);
    let more = ["--transforms", "moves", "--no-tail"];
    ferry.migrate(&source, &destination, &more).assert_refused(19, &["0001-x.js is not pure", "seen"]);
    write_transforms(&ferry, &[("0001-x.js", "export const migrateItems = items => {")]);
    ferry.migrate(&source, &destination, &[&more[..], &["--restart"]].concat()).assert_refused(2, &["0001-x.js:1:"]);
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

    // One record among the items, under the name that the file had when it was JavaScript.
    let text = |text: &str| json!({ "S": text });
    let record = |key: &str, file: &str| json!({ "pk": text(key), "sk": text(&format!("migration|{file}")), "createdAt": text("2025-02-03") });
    source.put(&record("migration", "0001-headings.js"));
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
