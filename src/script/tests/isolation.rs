//! Limits, errors, and what a script does not get.

use std::time::Instant;

use super::*;

fn limited(body: &str, time_ms: u64) -> Script {
    let limits = Limits { time: Duration::from_millis(time_ms), memory_bytes: 8 << 20, ..Limits::default() };
    let text = format!("export const migrateItems = (items, documentClient) => {{ {body}; return items }}");
    load(&[("0001-test.js", &text)], limits).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_script_that_does_not_end_is_ended() {
    for body in [
        "for (;;);",
        "try { for (;;); } catch (e) { } finally { for (;;); }",
        "const f = () => { try { f() } finally { f() } }; f()",
        "/(a+)+$/.test('a'.repeat(40) + 'b')",
        "items[0].x = new Proxy({}, { ownKeys() { for (;;); } })",
        "return (async () => { for (;;) await 0 })()",
        "return new Promise(() => { const f = () => { Promise.resolve().then(f) }; f() })",
        "throw { toJSON() { for (;;); } }",
    ] {
        let script = limited(&format!("if (items[0].loop) {{ {body} }}"), 250);
        let looping = item(r#""loop":{"BOOL":true}"#);
        let started = Instant::now();
        let reason = refusal(&script, &looping);
        assert!(reason.contains("did not finish within 250ms"), "{body}: {reason}");
        assert!(started.elapsed() < Duration::from_secs(2), "{body}: {:?}", started.elapsed());
        // The next item does not suffer for it.
        assert_eq!(apply(&script, &item("")).map(|outputs| outputs.len()), Ok(1), "{body}");
        assert!(refusal(&script, &looping).contains("did not finish"), "{body}");
    }
}

#[test]
fn each_call_has_its_own_time() {
    let script = limited("for (let i = 0; i < 300000; i++);", 1_000);
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1_400) {
        assert_eq!(apply(&script, &item("")).map(|outputs| outputs.len()), Ok(1));
    }
}

#[test]
fn a_script_that_eats_memory_is_stopped() {
    for body in [
        "const all = []; for (;;) all.push(new Array(1000).fill(0))",
        "let s = 'x'; for (;;) { s += s; s.at(-1) }",
        "const m = new Map(); for (let i = 0; ; i++) m.set({}, i)",
        "new Uint8Array(1e9)",
        "items[0].x = 'x'.repeat(1e7)",
        "const all = []; try { for (;;) all.push({ a: { b: [1] } }) } catch (e) { for (;;) all.push({}) }",
        "const all = []; const f = async () => { for (;;) { all.push(new Uint8Array(1000)); await 0 } }; return f()",
    ] {
        let script = limited(&format!("if (items[0].eat) {{ {body} }}"), 5_000);
        for _ in 0..2 {
            let reason = refusal(&script, &item(r#""eat":{"BOOL":true}"#));
            assert!(reason.contains("more than 8 MB of memory"), "{body}: {reason}");
            assert_eq!(apply(&script, &item("")).map(|outputs| outputs.len()), Ok(1), "{body}");
        }
    }
}

#[test]
fn running_out_of_memory_anywhere_is_no_worse() {
    let text = "const big = items[0].l.map(x => ({ ...x, s: new Set(['a' + x.n]), b: Uint8Array.of(1), n: 10n ** 20n }));
        items[0].l = big; items[0].t = JSON.stringify(items[0].l.length) + /a(b)?/.exec('ab').join(); return items.map(i => structuredClone(i))";
    let elements: Vec<String> = (0..300).map(|number| format!(r#"{{"M":{{"n":{{"N":"{number}"}}}}}}"#)).collect();
    let item = item(&format!(r#""l":{{"L":[{}]}}"#, elements.join(",")));
    let (mut fitting, mut failing) = (0, 0);
    for kilobytes in (400..1400).step_by(7) {
        let limits = Limits { memory_bytes: kilobytes << 10, ..Limits::default() };
        let text = format!("export const migrateItems = async items => {{ {text} }}");
        let Ok(script) = load(&[("0001-test.js", &text)], limits) else { continue };
        match apply(&script, &item) {
            Ok(_) => fitting += 1,
            Err(reason) => {
                assert!(reason.contains("of memory"), "{kilobytes} KB: {reason}");
                failing += 1;
            }
        }
    }
    assert!(fitting > 10 && failing > 10, "{fitting} {failing}");
}

#[test]
fn what_others_left_behind_is_not_an_items_fault() {
    let text =
        "const all = []; export const migrateItems = items => { all.push(new Uint8Array(500000)); return items }";
    let limits = Limits { memory_bytes: 8 << 20, ..Limits::default() };
    let script = load(&[("0001-test.js", text)], limits).expect("loads");
    for _ in 0..60 {
        assert_eq!(apply(&script, &item("")).map(|outputs| outputs.len()), Ok(1));
    }
}

/// A call that was ended in the middle may leave anything behind; the next item is not to see it.
#[test]
fn a_context_that_has_reached_a_limit_is_not_used_again() {
    for (body, reason) in
        [("for (;;);", "did not finish"), ("const all = []; for (;;) all.push(new Uint8Array(1e5))", "of memory")]
    {
        let text = format!(
            "let busy = false; export const migrateItems = items => {{ if (busy) throw new Error('half done');
               busy = true; if (items[0].loop) {{ {body} }} busy = false; return items }}"
        );
        let limits = Limits { time: Duration::from_millis(500), memory_bytes: 8 << 20, ..Limits::default() };
        let script = load(&[("0001-test.js", &text)], limits).expect("loads");
        assert_eq!(apply(&script, &item("")).map(|outputs| outputs.len()), Ok(1), "{body}");
        let refused = refusal(&script, &item(r#""loop":{"BOOL":true}"#));
        assert!(refused.contains(reason), "{body}: {refused}");
        assert_eq!(apply(&script, &item("")).map(|outputs| outputs.len()), Ok(1), "{body}");
    }
}

/// What the first attempt gave until it reached a limit does not stand beside what the second one gives.
#[test]
fn an_item_that_is_tried_again_comes_out_once() {
    let text = "const all = []; export const keys = 'free'; export const migrateItems = ([item]) =>
        [item, { ...item, sk: 'copy', get big() { all.push(new Uint8Array(500000)); return 1 } }]";
    let limits = Limits { memory_bytes: 8 << 20, ..Limits::default() };
    let script = load(&[("0001-test.js", text)], limits).expect("loads");
    for _ in 0..40 {
        assert_eq!(apply(&script, &item("")).map(|outputs| outputs.len()), Ok(2));
    }
}

#[test]
fn the_time_of_a_call_begins_with_the_call() {
    let time = Duration::from_millis(500);
    let limits = Limits { time, ..Limits::default() };
    let work = "let sum = 0; for (let i = 0; i < 50000; i++) sum += i";
    let text = format!(
        "export const migrateItems = async items => {{ {work}; await 0; return items }};
         export const owner = key => {{ {work}; return key }}"
    );
    let applied = load(&[("0001-test.js", &text)], limits).expect("loads");
    let owned = load(&[("0001-test.js", &text)], limits).expect("loads");
    std::thread::sleep(time * 2);
    assert_eq!(apply(&applied, &item("")).map(|outputs| outputs.len()), Ok(1));
    assert!(owned.owner(&item("")).is_some());
}

#[test]
fn an_error_says_what_and_where() {
    let files = [
        (
            "0001-test.ts",
            "import { fail } from './helper';\n\nexport const migrateItems = (items: { é: string }[]) => {\n  /* é */ const x: number = fail(items[0]);\n  return items;\n};\n",
        ),
        (
            "helper.ts",
            "type A = {\n  b: string;\n};\nexport const fail = (item: any): number =>\n  /* é */ item.a.b.c;\n",
        ),
    ];
    let script = load(&files, Limits::default()).expect("loads");
    let reason = refusal(&script, &item(""));
    assert_eq!(reason, "0001-test.ts: TypeError: cannot read property 'b' of undefined (helper.ts:5:11)");
    // The body begins in this column.
    let body_column = 67;
    for (body, reason, place) in [
        ("throw new Error('no such case')", "Error: no such case", Some(10)),
        ("throw 'a text'", "it threw \"a text\", which is not an Error", None),
        ("throw { code: 7 }", "it threw {\"code\":7}, which is not an Error", None),
        ("throw undefined", "it threw undefined, which is not an Error", None),
        ("throw null", "it threw null, or needs more than 64 MB of memory", None),
        ("const o = {}; o.o = o; throw o", "it threw an object, which is not an Error", None),
        ("throw Object.assign(new RangeError('x'), { name: 'Odd' })", "Odd: x", Some(24)),
        ("(function f() { f() })()", "RangeError: Maximum call stack size exceeded", Some(15)),
        ("/* é */ item.a.b", "TypeError: cannot read property 'b' of undefined", Some(8)),
    ] {
        let found = refusal(&each(body), &item(""));
        let place = place.map(|offset| format!(" (0001-test.ts:1:{})", body_column + offset)).unwrap_or_default();
        assert_eq!(found, format!("0001-test.ts: {reason}{place}"), "{body}");
    }
}

#[test]
fn a_rejection_is_seen_wherever_it_happens() {
    for (text, reason) in [
        ("async () => { throw new Error('a') }", "Error: a (0001-test.ts:1:"),
        ("async items => { await null; throw new Error('b') }", "Error: b (0001-test.ts:1:"),
        ("() => Promise.reject('c')", "it threw \"c\""),
        (
            "items => { items.forEach(async () => { throw new Error('d') }); return items }",
            "Error: d; it happened where nothing waits",
        ),
        (
            "items => { items.forEach(async () => { await 0; throw new Error('e') }); return items }",
            "Error: e; it happened",
        ),
    ] {
        let script = script(&format!("export const migrateItems = {text}"));
        let found = refusal(&script, &item(""));
        assert!(found.contains(reason), "{text}: {found}");
    }
    let late = script(
        "export const migrateItems = ([item]) => { if (!item.fail) return [item];
           Promise.resolve().then(() => { throw new Error('late') }); throw new Error('now') }",
    );
    assert!(refusal(&late, &item(r#""fail":{"BOOL":true}"#)).contains("Error: now"));
    assert_eq!(apply(&late, &item("")).map(|outputs| outputs.len()), Ok(1), "the next item has no part in it");
    let handled = script(
        "export const migrateItems = async items => { const p = Promise.reject(1); await p.catch(() => 0); return items }",
    );
    assert_eq!(apply(&handled, &item("")).map(|outputs| outputs.len()), Ok(1));
}

#[test]
fn what_would_differ_from_time_to_time_is_not_there() {
    for (body, part) in [
        ("Math.random()", "Math.random is not available in a transform: the same item"),
        ("setTimeout(() => 0, 1)", "setTimeout is not available"),
        ("fetch('http://localhost')", "fetch is not available"),
        ("require('fs')", "import { name }"),
        ("new Date().toLocaleString()", "toISOString"),
        ("import('./other')", "import statements"),
        ("applicationContext.getUtilities()", "applicationContext.getUtilities is not available"),
        ("documentClient.put({})", "documentClient.put is not available"),
    ] {
        let text = format!(
            "export const migrateItems = async (items, documentClient, applicationContext) => {{ await ({body}); return items }}"
        );
        let reason = refusal(&script(&text), &item(""));
        assert!(
            reason.contains(part) || part == "import statements" && reason.contains("`import` statements"),
            "{body}: {reason}"
        );
    }
    let absent = each(
        "item.x = ['performance', 'Atomics', 'SharedArrayBuffer', 'WeakRef', 'FinalizationRegistry', 'std', 'os'].filter(n => globalThis[n])",
    );
    assert_eq!(result(&absent, &item("")), r#""x":{"L":[]}"#);
}

#[test]
fn the_clock_stands_still_in_utc() {
    for (expression, text) in [
        ("new Date().toISOString()", "2000-01-01T00:00:00.000Z"),
        ("Date.now()", "946684800000"),
        ("Date()", "Sat Jan 01 2000 00:00:00 GMT+0000 (Coordinated Universal Time)"),
        ("new Date(2020, 6, 1, 12).toISOString()", "2020-07-01T12:00:00.000Z"),
        ("new Date('2020-07-01T12:00:00').getHours()", "12"),
        ("new Date('2020-07-01').toISOString()", "2020-07-01T00:00:00.000Z"),
        ("new Date('2020-07-01T12:00:00+02:00').toISOString()", "2020-07-01T10:00:00.000Z"),
        ("new Date('Jul 1, 2020 12:00').toISOString()", "2020-07-01T12:00:00.000Z"),
        ("new Date(0).getTimezoneOffset()", "0"),
        ("new Date(new Date(5)).getTime()", "5"),
        ("new Date(2020, 6, 31).getDate() + ' ' + new Date(0).toDateString()", "31 Thu Jan 01 1970"),
        ("new Date(NaN) + ''", "Invalid Date"),
        ("new Date(0) instanceof Date && Date.name + Date.length + new Date(0).constructor.name", "Date7Date"),
        ("class D extends Date {}; new D(7).getTime() + (new D() instanceof D)", "8"),
        ("JSON.stringify(new Date(0))", "\\\"1970-01-01T00:00:00.000Z\\\""),
    ] {
        let (before, expression) = expression.rsplit_once("; ").unwrap_or(("", expression));
        let script = each(&format!("{before}; item.x = String({expression})"));
        assert_eq!(result(&script, &item("")), format!(r#""x":{{"S":"{text}"}}"#), "{expression}");
    }
}

#[test]
fn what_a_script_prints_is_there_to_read() {
    let script = each(
        "console.log('item', item, 1n, [new Set(['a']), Uint8Array.of(1)], undefined, () => 0); console.error(new Error('x'));
         console.log('y'.repeat(5000)); for (let i = 0; i < 500; i++) console.log(i)",
    );
    let printed = |script: &Script, item: &RawItem| {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let occasion = Occasion { console: Some(lines.clone()), ..Occasion::default() };
        let done = apply_on(script, item, &occasion);
        (done.map(|outputs| outputs.len()), lock(&lines).clone())
    };
    assert_eq!(apply(&script, &item("")).map(|outputs| outputs.len()), Ok(1), "where nobody listens");
    let (done, lines) = printed(&script, &item(r#""big":{"N":"12345678901234567890"}"#));
    assert_eq!(done, Ok(1));
    assert_eq!(
        lines[0],
        "item {pk: \"p\", sk: \"s\", big: 12345678901234567890} 1n [Set {\"a\"}, Uint8Array [1]] undefined [function ]"
    );
    assert_eq!(lines[1], "Error: x");
    assert_eq!(lines[2].len(), 2_003);
    assert_eq!(lines.len(), 200);
    let (done, lines) = printed(&each("console.log('before'); throw new Error('x')"), &item(""));
    assert_eq!((done.is_err(), lines), (true, vec!["before".to_owned()]));
}

#[test]
fn four_threads_do_what_one_does() {
    let script = script(
        "let n = 0; export const migrateItems = async items => { n++; await 0; for (const i of items) i.x = i.n * 2; return items }",
    );
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let script = &script;
            scope.spawn(move || {
                for number in 0..500 {
                    let number = thread * 1000 + number;
                    let item = item(&format!(r#""n":{{"N":"{number}.0"}}"#));
                    let doubled = format!(r#""n":{{"N":"{number}.0"}},"x":{{"N":"{}"}}"#, number * 2);
                    assert_eq!(result(script, &item), doubled);
                }
            });
        }
    });
    assert!((1..=4).contains(&lock(&script.idle).len()));
}

#[test]
fn a_fresh_context_remembers_nothing() {
    let script =
        script("let n = 0; export const migrateItems = items => { for (const i of items) i.n = ++n; return items }");
    for count in 1..4 {
        assert_eq!(result(&script, &item("")), format!(r#""n":{{"N":"{count}"}}"#));
    }
    let mut outputs = Vec::new();
    let occasion = Occasion { is_afresh: true, ..Occasion::default() };
    for _ in 0..5 {
        script.apply(item(""), &occasion, &mut outputs).expect("applied");
        let output = outputs.pop().expect("an output");
        assert!(String::from_utf8_lossy(output.json()).contains(r#""n":{"N":"1"}"#));
    }
    assert_eq!(lock(&script.idle).len(), 1, "a fresh context serves once");
    assert_eq!(result(&script, &item("")), r#""n":{"N":"4"}"#);
}
