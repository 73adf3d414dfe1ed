//! What items are to a script, and what it may give back.

use proptest::prelude::*;

use super::*;

fn identities() -> Vec<Script> {
    [
        "export const migrateItems = items => items",
        "export const migrateItems = async items => items",
        "export const migrateItems = items => items.map(item => ({ ...item }))",
        "export const migrateItems = items => structuredClone(items)",
    ]
    .map(script)
    .into()
}

#[test]
fn an_item_that_comes_back_is_the_item_that_went_in() {
    let odd = item(
        r#""n":{"N":"1.0"},"big":{"N":"12345678901234567890123456789012345678"},"e":{"N":"1E+2"},"s":{"S":"\u00e9\/\n"},
           "b":{"B":"AAECAw=="},"ss":{"SS":["z","a"]},"ns":{"NS":["2.50","1e1"]},"bs":{"BS":["AQ==","AA=="]},"nul":{"NULL":true},
           "t":{"BOOL":true},"l":{"L":[{"N":"-0.0"},{"M":{}},{"L":[]}]},"m":{"M":{"x":{"N":"007"},"1":{"S":""},"__proto__":{"M":{"a":{"N":"1"}}}}},
           "__proto__":{"S":"p"},"constructor":{"S":"c"},"length":{"N":"3"},"10":{"S":"ten"},"a b":{"S":"\ud83d\ude00"},"":{"S":""}"#,
    );
    let touching = script(
        "export const migrateItems = items => { for (const i of items) { i.n += 1; i.n -= 1; i.m.x = '7'; i.m.x = 7;
           i.ss = new Set(['a', 'z']); i.ns = new Set([10n, 2.5]); i.b = Uint8Array.of(0, 1, 2, 3); i.s = 'é' + '/\\n';
           i.big = NumberValue.from('1.2345678901234567890123456789012345678e37'); i.e = 100n; i.l = [...i.l] } return items }",
    );
    let json = String::from_utf8_lossy(odd.json()).into_owned();
    for script in identities().iter().chain([&touching]) {
        assert_eq!(apply(script, &odd), Ok(vec![json.clone()]), "{script:?}");
    }
}

/// An attribute value in DynamoDB's JSON, spelled as only few would.
fn value() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        Just(r#""\u00e9\/""#.to_owned())
    ];
    let number = prop_oneof![
        "-?[0-9]{1,38}",
        "-?[0-9]{1,10}\\.[0-9]{1,20}",
        "-?[0-9]\\.[0-9]{0,3}[eE]-?[0-9]{1,2}",
        any::<i64>().prop_map(|number| number.to_string()),
    ];
    let binary = proptest::collection::vec(any::<u8>(), 0..20);
    let binary = binary.prop_map(|bytes| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes));
    let leaf = prop_oneof![
        text.prop_map(|text| format!(r#"{{"S":{text}}}"#)),
        number.clone().prop_map(|number| format!(r#"{{"N":"{number}"}}"#)),
        binary.prop_map(|text| format!(r#"{{"B":"{text}"}}"#)),
        any::<bool>().prop_map(|flag| format!(r#"{{ "BOOL" : {flag} }}"#)),
        Just(r#"{"NULL":true}"#.to_owned()),
        proptest::collection::btree_set("[a-z]{0,4}", 1..4)
            .prop_map(|set| format!(r#"{{"SS":["{}"]}}"#, set.into_iter().rev().collect::<Vec<_>>().join("\",\""))),
        proptest::collection::btree_set(-999i32..999, 1..4).prop_map(|set| {
            let written: Vec<String> = set.iter().map(|number| format!("\"{number}.0\"")).collect();
            format!(r#"{{"NS":[{}]}}"#, written.join(", "))
        }),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|list| format!(r#"{{"L":[{}]}}"#, list.join(","))),
            proptest::collection::btree_map("[a-z0-9_]{1,3}", inner, 0..4).prop_map(|map| {
                let members: Vec<String> = map.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
                format!(r#"{{"M":{{{}}}}}"#, members.join(" , "))
            }),
        ]
    })
}

#[test]
fn any_item_comes_back_byte_for_byte_and_so_does_what_is_left_alone() {
    let scripts = identities();
    let adding = each("item.added = { deep: [1] }; if (item.z9) delete item.z9");
    let attributes = proptest::collection::btree_map("[a-j]{1,4}|[0-9]{1,2}|__proto__|é", value(), 0..6);
    let mut runner = proptest::test_runner::TestRunner::new(proptest::test_runner::Config::with_cases(300));
    let tested = runner.run(&attributes, |attributes| {
        let listed: Vec<String> = attributes.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        let item = item(&listed.join(","));
        let json = String::from_utf8_lossy(item.json()).into_owned();
        for script in &scripts {
            prop_assert_eq!(apply(script, &item), Ok(vec![json.clone()]));
        }
        let added = apply(&adding, &item).map_err(TestCaseError::fail)?.remove(0);
        let parsed = RawItem::parse(Bytes::from(added), &schema()).expect("an item");
        let found = crate::item::Attributes::from(&parsed);
        for (name, value) in &attributes {
            let Some(crate::item::Attribute::Raw(raw)) = found.get(name) else { panic!("{name} is gone") };
            prop_assert_eq!(String::from_utf8_lossy(raw), value.trim());
        }
        Ok(())
    });
    tested.expect("byte for byte");
}

#[test]
fn values_are_what_the_document_client_gives() {
    let checks = each(
        "const kinds = [typeof item.n, item.n, item.b instanceof Uint8Array, [...item.b].join(), item.ss instanceof Set,
           [...item.ns].reduce((a, b) => a + b), [...item.bs][0] instanceof Uint8Array, item.nul, item.t, Array.isArray(item.l), item.m.x,
           item.big instanceof NumberValue, item.big.value, `${item.big}`, item.big.toBigInt() + 1n, JSON.stringify(item.l), item.s.length];
         for (const name of Object.keys(item)) if (name.length < 4 && name !== 'pk' && name !== 'sk') delete item[name];
         item.kinds = kinds.map(String)",
    );
    let item = item(
        r#""n":{"N":"1.50"},"b":{"B":"AAEC"},"ss":{"SS":["x"]},"ns":{"NS":["1","2"]},"bs":{"BS":["AA=="]},"nul":{"NULL":true},
           "t":{"BOOL":true},"l":{"L":[{"N":"1"},{"NULL":true}]},"m":{"M":{"x":{"S":"y"}}},"big":{"N":"12345678901234567890"},"s":{"S":"\u00e9\ud83d\ude00"}"#,
    );
    let words = result(&checks, &item);
    let expected = [
        "number",
        "1.5",
        "true",
        "0,1,2",
        "true",
        "3",
        "true",
        "null",
        "true",
        "true",
        "y",
        "true",
        "12345678901234567890",
        "12345678901234567890",
        "12345678901234567891",
        "[1,null]",
        "3",
    ];
    let listed: Vec<String> = expected.iter().map(|word| format!(r#"{{"S":"{word}"}}"#)).collect();
    assert_eq!(words, format!(r#""kinds":{{"L":[{}]}}"#, listed.join(",")));
}

#[test]
fn what_a_script_sets_is_written_as_dynamodb_has_it() {
    for (body, attributes) in [
        ("item.x = 'a\\n\"é'", r#""x":{"S":"a\n\"é"}"#),
        ("item.x = 0.1 + 0.2", r#""x":{"N":"0.30000000000000004"}"#),
        ("item.x = -0", r#""x":{"N":"0"}"#),
        ("item.x = 123456789012345678901234567890n", r#""x":{"N":"123456789012345678901234567890"}"#),
        ("item.x = NumberValue.from('1.10')", r#""x":{"N":"1.10"}"#),
        ("item.x = null; item.y = false", r#""x":{"NULL":true},"y":{"BOOL":false}"#),
        ("item.x = { a: undefined, b: [] , c: {} }", r#""x":{"M":{"b":{"L":[]},"c":{"M":{}}}}"#),
        ("item.x = undefined", ""),
        ("item.x = new Set(['b', 'a'])", r#""x":{"SS":["b","a"]}"#),
        ("item.x = new Set([1, 2n, NumberValue.from('3.0')])", r#""x":{"NS":["1","2","3.0"]}"#),
        ("item.x = new Set([Uint8Array.of(1)])", r#""x":{"BS":["AQ=="]}"#),
        ("item.x = Uint8Array.of(255, 0)", r#""x":{"B":"/wA="}"#),
        ("item.x = new Uint8Array([1, 2, 3]).subarray(1)", r#""x":{"B":"AgM="}"#),
        ("item.x = Uint8Array.of(1).buffer", r#""x":{"B":"AQ=="}"#),
        ("class P { a = 1; #b = 2; get c() { return 3 } } item.x = new P()", r#""x":{"M":{"a":{"N":"1"}}}"#),
        ("item.x = Object.assign(Object.create(null), { a: 'b' })", r#""x":{"M":{"a":{"S":"b"}}}"#),
        ("item.x = new Proxy({ a: 1 }, {})", r#""x":{"M":{"a":{"N":"1"}}}"#),
        ("item.x = JSON.parse('{\"__proto__\":1}')", r#""x":{"M":{"__proto__":{"N":"1"}}}"#),
        ("const one = { a: 1 }; item.x = [one, one]", r#""x":{"L":[{"M":{"a":{"N":"1"}}},{"M":{"a":{"N":"1"}}}]}"#),
    ] {
        assert_eq!(result(&each(body), &item("")), attributes, "{body}");
    }
}

#[test]
fn parts_keep_their_bytes_where_others_change() {
    let deep = item(r#""m":{"M":{"keep":{"N":"1.0"},"list":{"L":[{"N":"2.0"},{"S":"\u0061"}]},"go":{"S":"x"}}}"#);
    assert_eq!(
        result(&each("item.m.go = 'y'; item.m.list.push(3)"), &deep),
        r#""m":{"M":{"keep":{"N":"1.0"},"list":{"L":[{"N":"2.0"},{"S":"\u0061"},{"N":"3"}]},"go":{"S":"y"}}}"#
    );
    // What is only taken away at the end leaves nothing that is different.
    for (body, list) in [
        ("item.m.list.pop()", r#"[{"N":"2.0"}]"#),
        ("item.m.list.length = 0", "[]"),
        ("item.m.list.shift()", r#"[{"S":"a"}]"#),
    ] {
        assert_eq!(
            result(&each(body), &deep),
            format!(r#""m":{{"M":{{"keep":{{"N":"1.0"}},"list":{{"L":{list}}},"go":{{"S":"x"}}}}}}"#),
            "{body}"
        );
    }
    // The same members in another order are the same map.
    assert_eq!(
        result(&each("item.m = { go: 'x', list: item.m.list, keep: 1 }"), &deep),
        r#""m":{"M":{"keep":{"N":"1.0"},"list":{"L":[{"N":"2.0"},{"S":"\u0061"}]},"go":{"S":"x"}}}"#
    );
    let emitted =
        script("export const keys = 'free'; export const migrateItems = ([item]) => [item, { ...item, sk: 'copy' }]");
    assert_eq!(
        apply(&emitted, &item(r#""n":{"N":"1.0"}"#)).expect("two"),
        [r#"{"pk":{"S":"p"},"sk":{"S":"s"},"n":{"N":"1.0"}}"#, r#"{"pk":{"S":"p"},"sk":{"S":"copy"},"n":{"N":"1.0"}}"#]
    );
    assert_eq!(apply(&script("export const migrateItems = () => []"), &deep), Ok(Vec::new()), "dropped");
}

#[test]
fn what_is_no_item_is_refused_and_said() {
    let nested = "let x = {}; for (let i = 0; i < 40; i++) x = { x }; item.x = x";
    for (body, part) in [
        ("item.a = { b: [1, NaN] }", "a.b[1]: NaN is not a number that DynamoDB stores"),
        ("item.x = 1 / 0", "x: Infinity"),
        ("item.x = 2 ** 60", "BigInt"),
        ("item.x = 10n ** 40n + 1n", "38"),
        ("item.x = item; ", "x: the value contains itself"),
        ("item.x = [[]]; item.x[0].push(item.x)", "x[0][0]: the value contains itself"),
        ("item.x = () => 1", "x: a function is no value"),
        ("item.x = Symbol('a')", "x: a symbol is no value"),
        ("item.x = new Date()", "toISOString"),
        ("item.x = new Map()", "Object.fromEntries"),
        ("item.x = Promise.resolve(1)", "await"),
        ("item.x = /a/", "x: a regular expression"),
        ("item.x = new Error('y')", "x: an Error"),
        ("item.x = Object('y')", "x: a String object"),
        ("item.x = [undefined]", "x[0]: undefined"),
        ("item.x = [, 1]", "x[0]: undefined"),
        ("item.x = new Array(1e9)", "x[0]: undefined"),
        ("item.x = new Set()", "x: DynamoDB stores no empty set"),
        ("item.x = new Set([1, 'a'])", "x: the elements of a set are all texts"),
        ("item.x = new Set([true])", "x: the elements of a set are all texts"),
        ("item.x = new Set([1, 1n])", "x: an element occurs only once"),
        ("item.x = '\\ud800'", "x: this text has half of a surrogate pair"),
        ("item.x = 'x'.repeat(500000)", "409600"),
        ("const s = 'x'.repeat(100000); item.x = Array(10000).fill(s)", "400 KB"),
        (nested, "32 levels"),
        ("delete item.pk", "its key: partition key pk (S), sort key sk (S)"),
        ("item.sk = 5", "its key"),
        ("item.pk = ''", "pk"),
        ("item = 5", "an item is an object"),
        ("item = null", "an item is an object"),
        ("item = [item]", "an item is an object"),
    ] {
        let reason = refusal(&each(body), &item(""));
        assert!(reason.starts_with("0001-test.ts: ") && reason.contains(part), "{body}: {reason}");
    }
}

#[test]
fn arithmetic_never_loses_digits_in_silence() {
    let big = item(r#""n":{"N":"9007199254740993"}"#);
    for body in ["item.n + 1", "item.n * 2", "item.n < 3", "+item.n", "item.n == 1", "item.n + ''", "Math.max(item.n)"]
    {
        let reason = refusal(&each(&format!("item.x = {body}")), &big);
        assert!(reason.contains("9007199254740993 has more digits"), "{body}: {reason}");
    }
    assert_eq!(
        result(&each("item.n = item.n.toBigInt() + 1n; item.x = `${item.n}`"), &big),
        r#""n":{"N":"9007199254740994"},"x":{"S":"9007199254740994"}"#
    );
}

#[test]
fn a_result_that_is_no_array_of_items_is_refused_and_said() {
    for (text, part) in [
        ("() => {}", "gave undefined, not an array"),
        ("() => null", "gave null"),
        ("items => items[0]", "gave an object"),
        ("() => 'text'", "gave a text"),
        ("async () => {}", "gave undefined"),
        ("() => new Promise(() => {})", "a promise that nothing will ever resolve"),
        ("items => [undefined, ...items]", "output 1: an item is an object"),
        ("items => Array(20000).fill(items[0])", "gave 20000 items of 1"),
        ("function* () { yield 1 }", "gave an object"),
    ] {
        let text = format!("export const keys = 'free'; export const migrateItems = {text}");
        let reason = refusal(&script(&text), &item(""));
        assert!(reason.contains(part), "{text}: {reason}");
    }
}
