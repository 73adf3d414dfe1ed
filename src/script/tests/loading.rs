//! What a script may be, and mistakes that are seen when it is loaded.

use super::*;

fn error(text: &str) -> String {
    match load(&[("0001-test.ts", text)], Limits { time: Duration::from_millis(100), ..Limits::default() }) {
        Ok(script) => panic!("loaded: {script:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    assert_eq!(
        error("export const migrateItems = items =>\n  items.map(item => { x = = 1 });\n"),
        "0001-test.ts:2:27: Unexpected token\n  |   items.map(item => { x = = 1 });\n  |                           ^"
    );
    for (text, start, part) in [
        ("let a = 1;\nlet a: string = 2;", "0001-test.ts:2:", "redefinition"),
        ("const a: number = b.c;", "0001-test.ts:1:", "b is not defined"),
        ("throw new Error('at once')", "0001-test.ts:1:", "Error: at once"),
        ("export const a = 1", "0001-test.ts: ", "exports no function migrateItems"),
        ("export const migrateItems = 1", "0001-test.ts: ", "exports no function migrateItems"),
        ("for (;;);", "0001-test.ts: ", "did not finish"),
        (
            "await new Promise(() => {}); export const migrateItems = i => i",
            "0001-test.ts: ",
            "nothing will ever resolve",
        ),
        ("export const when = 5; export const migrateItems = i => i", "0001-test.ts: ", "`when` is a number"),
        ("export const batch = 'yes'; export const migrateItems = i => i", "0001-test.ts: ", "`batch` is a text"),
        (
            "export const keys = 'all'; export const migrateItems = i => i",
            "0001-test.ts: ",
            "'identity', 'derived' and 'free'",
        ),
        ("export const keys = 'derived'; export const migrateItems = i => i", "0001-test.ts: ", "export const owner"),
        ("export const owner = 1; export const migrateItems = i => i", "0001-test.ts: ", "`owner` is not a function"),
        (
            "export const keys = 'free'; export const owner = i => i; export const migrateItems = i => i",
            "0001-test.ts: ",
            "not derived",
        ),
        (
            "export const keys = 'free'; export const migrateItems = (i, documentClient) => i",
            "0001-test.ts: ",
            "nobody could tell",
        ),
        (
            "export const cases = 1; export const migrateItems = i => i",
            "0001-test.ts: ",
            "`cases` is a number, not an array",
        ),
        (
            "export const cases = [1]; export const migrateItems = i => i",
            "0001-test.ts: ",
            "case 1: a case is an object",
        ),
        (
            "export const cases = [{ given: { pk: 'p' } }]; export const migrateItems = i => i",
            "0001-test.ts: ",
            "case 1: given: an item has to have its key",
        ),
        (
            "export const cases = [{ given: { pk: 'p', sk: 's', x: NaN } }]; export const migrateItems = i => i",
            "0001-test.ts: ",
            "case 1: given: x: NaN",
        ),
        (
            "export const cases = [{ given: { pk: 'p', sk: 's' } }]; export const migrateItems = i => i",
            "0001-test.ts: ",
            "neither what to `expect` nor",
        ),
        (
            "export const cases = [{ expects: [] }]; export const migrateItems = i => i",
            "0001-test.ts: ",
            "\"expects\" is none of name, given",
        ),
        ("import { a } from 'lodash';\na()", "0001-test.ts:1:19: ", "a package"),
        ("enum A { B }", "0001-test.ts:1:1: ", "an enum is not supported"),
    ] {
        let found = error(text);
        assert!(found.starts_with(start) && found.contains(part), "{text}: {found}");
    }
    let files = [
        ("0001-test.ts", "import { b } from './helper'; export const migrateItems = () => b"),
        ("helper.ts", "export const a = 1"),
    ];
    let error = load(&files, Limits::default()).expect_err("no b").to_string();
    assert!(error.contains("b") && error.contains("helper.ts"), "{error}");
}

#[test]
fn exports_are_found_in_modules_and_in_commonjs() {
    for text in [
        "export const migrateItems = items => []",
        "export async function migrateItems(items: unknown[]): Promise<unknown[]> { return [] }",
        "const migrateItems = () => []; export { migrateItems }",
        "export default () => []",
        "export default { migrateItems: () => [] }",
        "exports.migrateItems = async () => []",
        "module.exports = { migrateItems() { return [] } }",
        "module.exports = () => []",
    ] {
        assert_eq!(apply(&script(text), &item("")), Ok(Vec::new()), "{text}");
    }
    let said = script(
        "exports.when = 'attribute_exists(a)'; exports.batch = true; exports.description = 'What for';
         exports.migrateItems = (items, documentClient) => items",
    );
    assert_eq!(said.when(), Some("attribute_exists(a)"));
    assert_eq!((said.description(), said.is_batch(), said.has_lookups()), ("What for", true, true));
    assert_eq!(said.keys(), KeyRule::Identity);
    let silent = script("export const migrateItems = items => items");
    assert_eq!((silent.when(), silent.is_batch(), silent.has_lookups()), (None, false, false));
}

#[test]
fn an_export_that_is_nearly_a_right_one_is_refused() {
    for (wrong, right) in [
        ("kyes = 'free'", "keys"),
        ("wehn = 'a = 1'", "when"),
        ("drop = true", "drops"),
        ("owners = key => key", "owner"),
        ("migrateItem = () => []", "migrateItems"),
    ] {
        let text = format!("export const {wrong}; export const migrateItems = items => items");
        let error = load(&[("0001-test.ts", &text)], Limits::default()).expect_err(wrong).to_string();
        assert!(error.contains(&format!("did you mean `{right}`?")), "{error}");
    }
    let own = "export const helper = 1, version = 'x'; export const migrateItems = items => items";
    assert_eq!(apply(&script(own), &item("")).map(|outputs| outputs.len()), Ok(1));
}

#[test]
fn the_files_of_a_script_are_listed_with_their_hashes() {
    let files = |helper: &str| {
        let files =
            [("0001-test.ts", "import './helper'; export const migrateItems = (i: any) => i"), ("helper.ts", helper)];
        load(&files, Limits::default()).expect("loads").files()
    };
    let (one, other) = (files("export {}"), files("export {} "));
    assert_eq!(one.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["0001-test.ts", "helper.ts"]);
    assert_eq!(one[0], other[0]);
    assert_ne!(one[1], other[1]);
    assert_eq!(one[1].1.len(), 64);
}

#[test]
fn an_output_tells_its_owner() {
    let script = script(
        "export const owner = ({ pk, sk }) => { if (pk === 'X') throw new Error('no'); return { pk: pk.toLowerCase(), sk } };
         export const migrateItems = items => items.map(item => ({ ...item, pk: item.pk.toUpperCase() }))",
    );
    assert_eq!(script.keys(), KeyRule::Derived);
    let mut outputs = Vec::new();
    script.apply(item(r#""a":{"N":"1.0"}"#), &Occasion::default(), &mut outputs).expect("applied");
    assert_eq!(outputs[0].partition_value(), br#"{"S":"P"}"#);
    let owner = script.owner(&outputs[0]).expect("an owner");
    assert_eq!(owner.key(), item("").key());
    let nobodys = RawItem::parse(Bytes::from(r#"{"pk":{"S":"X"},"sk":{"S":"s"}}"#), &schema()).expect("an item");
    assert!(script.owner(&nobodys).is_none());
}

#[test]
fn a_page_is_compared_item_by_item() {
    let script = script(
        "export const batch = true;
         export const migrateItems = items => [...items].reverse().map((item, at) => at ? { ...item, n: 1 } : item)",
    );
    let item = |sk: &str, n: &str| {
        let json = format!(r#"{{"pk":{{"S":"p"}},"sk":{{"S":"{sk}"}},"n":{{"N":"{n}"}}}}"#);
        RawItem::parse(Bytes::from(json), &schema()).expect("an item")
    };
    let mut outputs = Vec::new();
    let items = [item("a", "1.0"), item("b", "2"), item("c", "3.00")];
    script.apply_page(&items, &Occasion::default(), &mut outputs).expect("applied");
    let outputs: Vec<String> = outputs.iter().map(|item| String::from_utf8_lossy(item.json()).into_owned()).collect();
    assert_eq!(
        outputs,
        [
            r#"{"pk":{"S":"p"},"sk":{"S":"c"},"n":{"N":"3.00"}}"#,
            r#"{"pk":{"S":"p"},"sk":{"S":"b"},"n":{"N":"1"}}"#,
            r#"{"pk":{"S":"p"},"sk":{"S":"a"},"n":{"N":"1.0"}}"#
        ]
    );
}
