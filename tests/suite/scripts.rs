//! Scripts on the way, and what they look up.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::contents::{Contents, assert_equal, canonical};
use crate::support::dynoxide::Dynoxide;
use crate::support::fault::Fault;
use crate::support::ferry::{Ferry, STARTED};
use crate::support::moves::{KEYS, LOOKING_UP, SCRIPT, expected, write_transforms};
use crate::support::plan::{Call, pass, random_among};
use crate::support::proxy::Proxy;
use crate::support::table::Table;
use crate::support::wait_for;
use crate::support::writers::{Load, Writers};

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

/// Not the question which transforms were applied.
fn is_look_up(call: &Call) -> bool {
    call.operation == "Query" && String::from_utf8_lossy(&call.request.body).contains("part|")
}

/// It shows no refusals that a run would not have.
#[test]
fn a_preview_fails_when_the_table_does_not_answer() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    source.put_all(&collections());
    let proxy = Proxy::start(&emulator.endpoint(), Box::new(|call| is_look_up(call).then_some(Fault::Unavailable)));
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-look.ts", LOOKING_UP)]);
    let endpoint = proxy.endpoint();
    let on_table = ["--transforms", "moves", "--table", &source.name, "--endpoint-url", &endpoint];
    ferry.run(&[&["transform", "preview"], &on_table[..]].concat()).assert_refused(12, &["looking up an item"]);
    proxy.follow(pass());
    ferry
        .run(&[&["transform", "preview"], &on_table[..]].concat())
        .assert_told(0, &["620 changed", "1,240 look-ups, 40 requests"]);
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
    let mut asked = 0;
    proxy.follow(Box::new(move |call| {
        asked += u32::from(is_look_up(call));
        (is_look_up(call) && asked > 8).then_some(Fault::Unavailable)
    }));
    for _ in 0..2 {
        ferry.migrate(&through, &destination, &more).assert_refused(12, &["looking up an item for a transform"]);
        assert_eq!(ferry.status().expect("a run")["dead_letters"], json!([]));
    }
    proxy.follow(pass());
    ferry.migrate(&through, &destination, &more).assert_code(0);
    let changed = json!({ "pk": { "S": "c3" }, "sk": { "S": "part|31" }, "name": { "S": "n3" } });
    source.put(&changed);
    proxy.follow(Box::new(|call| is_look_up(call).then_some(Fault::Unavailable)));
    ferry.migrate(&through, &destination, &more).assert_refused(12, &["looking up an item for a transform"]);
    assert_eq!(destination.count(), 620);
    // Interrupted while an answer is waited for.
    proxy.follow(Box::new(|call| is_look_up(call).then_some(Fault::Hang)));
    let before = proxy.injected().get(Fault::Hang.name()).copied().unwrap_or(0);
    let waiting = ferry.start_migration(&through, &destination, &more[..4]);
    let is_asked = || proxy.injected().get(Fault::Hang.name()).copied().unwrap_or(0) > before;
    wait_for(Duration::from_secs(20), || is_asked().then_some(())).expect("it looks something up");
    waiting.interrupt();
    waiting.end().assert_code(4);
    assert_eq!(ferry.status().expect("a run")["dead_letters"], json!([]));
    proxy.follow(pass());
    ferry.migrate(&through, &destination, &more).assert_code(0);
    let found = destination.items();
    let of_31 = found.iter().filter(|item| item["seen"]["S"] == "n3 of 31").count();
    assert_eq!((found.len(), of_31), (621, 1), "only the item that changed is looked at again");
}

/// An item that was not looked at to the end is neither written nor refused, and the next run begins with it.
#[test]
fn a_copy_that_is_interrupted_while_it_looks_up_resumes_with_the_same_items() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    source.put_all(&collections());
    let proxy = Proxy::start(&emulator.endpoint(), pass());
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-look.ts", LOOKING_UP)]);
    let more = ["--transforms", "moves", "--no-tail"];
    let through = source.at(&proxy.endpoint());
    let mut asked = 0;
    proxy.follow(Box::new(move |call| {
        asked += u32::from(is_look_up(call));
        (is_look_up(call) && asked > 4).then_some(Fault::Hang)
    }));
    let waiting = ferry.start_migration(&through, &destination, &more);
    let is_asked = || proxy.injected().get(Fault::Hang.name()).is_some_and(|hanging| *hanging > 0);
    assert!((0..1000).any(|_| is_asked() || {
        thread::sleep(Duration::from_millis(20));
        false
    }));
    waiting.interrupt();
    waiting.end().assert_code(4);
    assert_eq!(ferry.status().expect("a run")["dead_letters"], json!([]));
    proxy.follow(pass());
    ferry.migrate(&through, &destination, &more).assert_code(0);
    let found = destination.items();
    assert!(found.len() == 620 && found.iter().all(|item| item["seen"].is_object()), "{}", found.len());
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

const UPPER: &str = r#"
keys = "derived"
owner = [{ pk = 'lower(pk)', sk = 'sk' }]
step = [{ update = 'SET pk = upper(pk)' }]
"#;

const SCATTERED: &str = r#"
keys = "derived"
owner = [{ when = 'begins_with(sk, "editor|")', pk = 'lower(pk)', sk = '"user|7"' }, { pk = 'lower(pk)', sk = 'sk' }]
step = [{ when = 'attribute_exists(editor)', update = 'SET sk = join("|", "editor", editor)' }]
"#;

const EDITORS: &str = r#"
export const migrateItems = async (items: any[], documentClient: any) => {
  const { Item } = await documentClient.get({ Key: { pk: items[0].sk, sk: 'x' } });
  return items.map(item => (Item?.editor ? { ...item, editor: Item.editor } : item));
};
"#;

/// The same where other transforms change keys; and no key may depend on what was looked up.
#[test]
fn a_look_up_may_stand_beside_transforms_that_change_keys() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    let text = |text: &str| json!({ "S": text });
    let user = |pk: &str, role: &str| json!({ "pk": text(pk), "sk": text("x"), "role": text(role) });
    let member = |pk: &str, edit: &str| json!({ "pk": text(pk), "sk": text("user|7"), "edit": { "N": edit } });
    source.put_all(&[user("user|7", "judge"), member("section|judge", "1")]);
    source.enable_stream();
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-judges.ts", JUDGES), ("0002-upper.toml", UPPER)]);
    let mut running = ferry.start_migration(&source, &destination, &["--transforms", "moves"]);
    running.wait_until_copied();
    let quickly = ["--quiet-period", "1", "--timeout", "30"];
    ferry.drain(&quickly).assert_code(0);
    let both = [member("SECTION|JUDGE", "1"), user("USER|7", "judge")];
    assert_equal(&contents_of(&destination, &both), &destination.contents());
    source.put(&user("user|7", "clerk"));
    source.put(&member("section|judge", "2"));
    ferry.drain(&quickly).assert_code(0);
    assert_eq!(destination.items(), [user("USER|7", "clerk")]);
    drop(running);

    let mut editor = user("user|7", "clerk");
    editor["editor"] = text("ada");
    source.put(&editor);
    let elsewhere = Table::create(&emulator.endpoint(), "elsewhere");
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-editors.ts", EDITORS), ("0002-scattered.toml", SCATTERED)]);
    ferry.migrate(&source, &elsewhere, &["--transforms", "moves", "--no-tail"]).assert_code(5);
    let status = ferry.status().expect("a run").to_string();
    assert!(status.contains("depends on what was looked up"), "{status}");
}

const ONE_KEY: &str = r#"
keys = "free"
step = [{ when = 'begins_with(sk, "part|")', update = 'SET sk = "part"' }]
"#;

/// The one who has a key goes, and who has it next cannot be told when the run is stopped: it must not be nobody.
#[test]
fn a_key_that_changes_hands_waits_for_what_has_to_be_looked_up() {
    let emulator = Dynoxide::start();
    let source = Table::create(&emulator.endpoint(), "source");
    let destination = Table::create(&emulator.endpoint(), "destination");
    let item = |sk: &str| json!({ "pk": { "S": "a" }, "sk": { "S": sk }, "name": { "S": sk } });
    source.put_all(&["whole", "part|1", "part|2"].map(item));
    source.enable_stream();
    let proxy = Proxy::start(&emulator.endpoint(), pass());
    let ferry = Ferry::new();
    write_transforms(&ferry, &[("0001-look.ts", LOOKING_UP), ("0002-one.toml", ONE_KEY)]);
    let through = source.at(&proxy.endpoint());
    let more = ["--transforms", "moves", "--request-timeout", "1", "--until", "caught-up"];
    ferry.migrate(&through, &destination, &more).assert_code(5);
    let name = || {
        let items = destination.items();
        items.into_iter().find(|item| item["sk"]["S"] == "part").map(|item| item["name"]["S"].clone())
    };
    assert_eq!(name(), Some(json!("part|1")));

    source.delete(&item("part|1"));
    proxy.follow(Box::new(|call| is_look_up(call).then_some(Fault::Hang)));
    let waiting = ferry.start_migration(&through, &destination, &more[..4]);
    let is_asked = || proxy.injected().contains_key(Fault::Hang.name());
    wait_for(Duration::from_secs(20), || is_asked().then_some(())).expect("it looks something up");
    waiting.interrupt();
    waiting.end().assert_code(4);
    assert_eq!(name(), Some(json!("part|1")), "what stood there stands there still");
    proxy.follow(pass());
    ferry.migrate(&through, &destination, &more).assert_code(0);
    assert_eq!(name(), Some(json!("part|2")));
}

/// As a table with these items has it.
fn contents_of(table: &Table, items: &[Value]) -> Contents {
    items.iter().map(|item| (canonical(&table.key(item)), canonical(item))).collect()
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
        ("return [...items, ...items]", "two of its outputs have the same key"),
        (
            "return items }; export const owner = () => ({ pk: 'a', sk: 'x' }); {",
            "does not tell that it comes from this",
        ),
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
