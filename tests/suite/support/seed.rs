//! Items of every shape that DynamoDB allows, as its JSON. The same seed gives the same items.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use super::table::Key;

/// One item of so many is odd, the rest are text of ordinary sizes.
const ODD_EVERY: usize = 4;
/// Kinds of odd items.
const ODD_KINDS: usize = 9;
/// Levels of maps and lists that DynamoDB takes.
const NESTING: usize = 32;

/// `count` items with keys for `keys`, numbered from `first`; no key occurs twice.
pub fn items(keys: &[Key], first: usize, count: usize, seed: u64) -> Vec<Value> {
    (first..first + count)
        .map(|number| {
            let mut rng = StdRng::seed_from_u64(seed ^ (number as u64) << 20);
            let mut item = attributes(number, &mut rng);
            for (place, key) in keys.iter().enumerate() {
                item.insert(key.name.clone(), json!({ &key.kind: key_value(&key.kind, number, place) }));
            }
            Value::Object(item)
        })
        .collect()
}

/// Text of a key: the partition key groups some items, the sort key tells all apart.
fn key_value(kind: &str, number: usize, place: usize) -> String {
    let group = if place == 0 && kind == "S" { number - number % 3 } else { number };
    match kind {
        "S" if place == 0 => format!("case|{group} \"é\\"),
        "S" => format!("entry|{number:06}/\t😀"),
        "N" if number.is_multiple_of(2) => format!("-{number}.00000000000000000000000000000001"),
        "N" => number.to_string(),
        "B" => base64(&[b"\0\xff".as_slice(), &(number as u64).to_be_bytes()].concat()),
        other => panic!("keys of type {other} do not exist"),
    }
}

fn attributes(number: usize, rng: &mut StdRng) -> Map<String, Value> {
    let odd = match (number / ODD_EVERY) % ODD_KINDS {
        _ if !number.is_multiple_of(ODD_EVERY) => ordinary(rng),
        0 => numbers(rng),
        1 => sets(rng),
        2 => json!({ "blob": { "B": base64(&bytes(rng, 700)) }, "one": { "B": "/w==" }, "none": { "B": "" } }),
        3 => json!({ "text": { "S": "" }, "list": { "L": [] }, "map": { "M": {} }, "null": { "NULL": true },
                     "no": { "BOOL": false }, "inner": { "L": [{ "S": "" }, { "M": {} }, { "NULL": true }] } }),
        4 => json!({ "nested": nested() }),
        5 => json!({ "emoji": { "S": "👩‍⚖️ 𝕏 \u{10ffff}" }, "controls": { "S": controls() },
                     "escapes": { "S": "\"q\" \\b\\ /s/ \\u0041 {\"S\":\"no\"} ]}" },
                     "separators": { "S": "\u{2028}\u{2029}\u{feff}\u{fffd}\u{7f}\u{85}" } }),
        6 => json!({ "a b.c[0]#:": { "S": "odd name" }, "ü\"\\\n": { "S": "odder name" },
                     "S": { "M": { "S": { "S": "S" }, "N": { "N": "1" } } }, "Pk": { "S": "not the key" },
                     "inside": { "M": { "pk": { "S": "not the key" }, "sk": { "N": "5" } } } }),
        7 => json!({ "brief": { "S": text(rng, 9_000) } }),
        _ => json!({ "brief": { "S": text(rng, 1_020) } }),
    };
    let Value::Object(mut item) = odd else { panic!("attributes are an object") };
    item.insert("salt".to_owned(), json!({ "N": rng.random::<u64>().to_string() }));
    item
}

fn ordinary(rng: &mut StdRng) -> Value {
    let length = rng.random_range(20..700);
    json!({
        "entityName": { "S": "DocketEntry" },
        "isPaper": { "BOOL": rng.random_bool(0.5) },
        "title": { "S": text(rng, length) },
        "servedParties": { "L": [{ "M": { "name": { "S": text(rng, 12) } } }] },
    })
}

fn numbers(rng: &mut StdRng) -> Value {
    json!({
        "integer": { "N": digits(rng) },
        "negative": { "N": format!("-{}", digits(rng)) },
        "fraction": { "N": format!("0.{}", digits(rng)) },
        "largest": { "N": "9.9999999999999999999999999999999999999E+125" },
        "smallest": { "N": "1E-130" },
        "money": { "N": "1234567.10" },
        "zero": { "N": "0" },
        "beyondFloat": { "N": "9007199254740993" },
    })
}

fn sets(rng: &mut StdRng) -> Value {
    json!({
        "strings": { "SS": ["b", "a", "", "é", "a b"] },
        "numbers": { "NS": [digits(rng), "-0.5", "100", "3"] },
        "blobs": { "BS": [base64(&bytes(rng, 9)), base64(&bytes(rng, 300)), "AA=="] },
        "single": { "SS": ["alone"] },
    })
}

/// The deepest value that DynamoDB takes.
fn nested() -> Value {
    (1..NESTING).fold(json!({ "S": "the bottom" }), |inner, level| match level % 2 {
        0 => json!({ "L": [inner, { "BOOL": true }] }),
        _ => json!({ "M": { format!("level{level}"): inner } }),
    })
}

fn controls() -> String {
    (0..32).map(|code| char::from(code as u8)).collect()
}

/// Thirty-eight digits, the first and last of them not 0.
fn digits(rng: &mut StdRng) -> String {
    let middle: String = (0..36).map(|_| char::from(rng.random_range(b'0'..=b'9'))).collect();
    format!("{}{middle}{}", rng.random_range(1..10), rng.random_range(1..10))
}

/// Printable ASCII of this many characters.
pub fn text(rng: &mut StdRng, length: usize) -> String {
    (0..length).map(|_| char::from(rng.random_range(b' '..=b'~'))).collect()
}

fn bytes(rng: &mut StdRng, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Standard Base64 with padding, as DynamoDB's JSON has it.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
