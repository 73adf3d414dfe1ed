//! Items that a careless copy would damage: numbers no float holds, binary, empty values, deep nesting, odd letters.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use super::seed::TypedItem;

/// Kinds of odd items, numbered from 0; the last is the large one.
pub(super) const KINDS: usize = 9;

/// Levels of maps and lists in the nested item. DynamoDB allows 32, this leaves one for a transform.
const NESTING: usize = 30;
/// Characters of the large item's text. DynamoDB's limit for an item is 400 KB.
const LARGE_TEXT: usize = 300_000;

/// The odd item of `kind` for a position in the table; other positions give other keys.
pub(super) fn item(kind: usize, position: usize, rng: &mut StdRng) -> TypedItem {
    let (name, mut attributes) = match kind {
        0 => ("numbers", numbers(rng)),
        1 => ("sets", sets(rng)),
        2 => ("binary", binary(rng)),
        3 => ("empty", empty()),
        4 => ("nested", HashMap::from([("nested".into(), nested())])),
        5 => ("unicode", unicode()),
        6 => ("names", names()),
        7 => ("keys", HashMap::new()),
        _ => ("large", large(rng)),
    };
    let (pk, sk) = match kind {
        // The longest keys that DynamoDB takes: 2,048 and 1,024 bytes.
        7 => (format!("odd|{position:08}{}", "é".repeat(1018)), format!("{position:024}{}", "\u{1}\"\\/".repeat(250))),
        _ => (format!("odd|{name}|{position}"), format!("\"{name}\" / \\ \t😀 {position}")),
    };
    attributes.insert("pk".into(), string(pk));
    attributes.insert("sk".into(), string(sk));
    attributes.insert("entityName".into(), string("Oddity"));
    attributes.insert("position".into(), number(position));
    attributes.insert("salt".into(), number(rng.random::<u64>()));
    attributes
}

fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn bytes(rng: &mut StdRng, count: usize) -> Blob {
    let mut bytes = vec![0; count];
    rng.fill_bytes(&mut bytes);
    Blob::new(bytes)
}

/// Thirty-eight digits, the first of them not 0.
fn digits(rng: &mut StdRng) -> String {
    let tail: String = (0..37).map(|_| char::from(b'0' + rng.random_range(0..10u8))).collect();
    format!("{}{tail}", rng.random_range(1..10u8))
}

fn numbers(rng: &mut StdRng) -> TypedItem {
    let fraction = digits(rng);
    HashMap::from([
        ("integer".into(), number(digits(rng))),
        ("negative".into(), number(format!("-{}", digits(rng)))),
        ("fraction".into(), number(format!("{}.{}7", &fraction[..18], &fraction[18..37]))),
        ("largest".into(), number("9.9999999999999999999999999999999999999E+125")),
        ("smallest".into(), number("1E-130")),
        ("leastNegative".into(), number("-1E-130")),
        ("money".into(), number("1234567.10")),
        ("zero".into(), number("0")),
        ("beyondFloat".into(), number("9007199254740993")),
    ])
}

fn sets(rng: &mut StdRng) -> TypedItem {
    let strings = ["b", "a", "", "é", "a b"].map(String::from).to_vec();
    let numbers = vec![digits(rng), "-0.5".into(), "100".into(), "3".into()];
    let blobs = vec![bytes(rng, 9), bytes(rng, 300), Blob::new([0])];
    HashMap::from([
        ("strings".into(), AttributeValue::Ss(strings)),
        ("numbers".into(), AttributeValue::Ns(numbers)),
        ("blobs".into(), AttributeValue::Bs(blobs)),
        ("single".into(), AttributeValue::Ss(vec!["alone".into()])),
        ("many".into(), AttributeValue::Ns((0..100).map(|number| number.to_string()).collect())),
    ])
}

fn binary(rng: &mut StdRng) -> TypedItem {
    HashMap::from([
        ("scan".into(), AttributeValue::B(bytes(rng, 512))),
        ("everyByte".into(), AttributeValue::B(Blob::new((0..=255).collect::<Vec<u8>>()))),
        ("oneByte".into(), AttributeValue::B(Blob::new([255]))),
        ("none".into(), AttributeValue::B(Blob::new([]))),
    ])
}

fn empty() -> TypedItem {
    HashMap::from([
        ("string".into(), string("")),
        ("list".into(), AttributeValue::L(Vec::new())),
        ("map".into(), AttributeValue::M(HashMap::new())),
        ("null".into(), AttributeValue::Null(true)),
        ("no".into(), AttributeValue::Bool(false)),
        ("listOfEmpty".into(), AttributeValue::L(vec![string(""), AttributeValue::M(HashMap::new())])),
    ])
}

fn nested() -> AttributeValue {
    (0..NESTING).fold(string("the bottom"), |inner, level| match level % 2 {
        0 => AttributeValue::L(vec![inner, AttributeValue::Bool(true)]),
        _ => AttributeValue::M(HashMap::from([(format!("level{level}"), inner)])),
    })
}

fn unicode() -> TypedItem {
    HashMap::from([
        ("emoji".into(), string("👩‍⚖️ 🏛️ 𝕏 \u{10ffff}")),
        ("rightToLeft".into(), string("בית המשפט · المحكمة")),
        ("combining".into(), string("e\u{301} is not \u{e9}")),
        ("controls".into(), string((0..32).map(|code| char::from(code as u8)).collect::<String>())),
        ("escapes".into(), string("\"quoted\" \\back\\ /slash/ \\u0041 {\"S\":\"no\"} ]}")),
        ("separators".into(), string("\u{2028}\u{2029}\u{feff}\u{fffd}\u{7f}\u{85}")),
    ])
}

fn names() -> TypedItem {
    HashMap::from([
        ("a b.c[0]#:".into(), string("the name needs a placeholder")),
        ("ü\"\\\n".into(), string("the name needs escapes")),
        ("S".into(), AttributeValue::M(HashMap::from([("S".into(), string("S")), ("N".into(), number(1))]))),
        ("x".repeat(255), string("a long name")),
        ("Pk".into(), string("not the key")),
    ])
}

fn large(rng: &mut StdRng) -> TypedItem {
    let text: String = (0..LARGE_TEXT).map(|_| char::from(rng.random_range(b' '..=b'~'))).collect();
    HashMap::from([("opinion".into(), string(text))])
}
