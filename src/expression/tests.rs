//! What no server is needed for: places of mistakes, our own notation and functions, bytes that stay.
//! `tests/expression` compares verdicts and items with DynamoDB's.

mod conditions;
mod templates;
mod updates;

use bytes::Bytes;

use super::ExpressionError;
use crate::item::{KeyAttribute, KeyKind, KeySchema, RawItem};

fn schema() -> KeySchema {
    KeySchema {
        partition: KeyAttribute::new("pk", KeyKind::String),
        sort: Some(KeyAttribute::new("sk", KeyKind::String)),
    }
}

fn item(json: &str) -> RawItem {
    RawItem::parse(Bytes::copy_from_slice(json.as_bytes()), &schema()).expect("an item")
}

/// The key, and then these attributes.
fn item_with(attributes: &str) -> RawItem {
    item(&format!(r#"{{"pk":{{"S":"case|1"}},{attributes},"sk":{{"S":"a"}}}}"#))
}

/// The text under the caret, the message, the hint.
fn mistake(error: &ExpressionError) -> (String, String, String) {
    let shown = error.render();
    let lines: Vec<&str> = shown.lines().collect();
    let (text, carets) = (lines[2], lines[3]);
    let marked = text.chars().zip(carets.chars().chain(std::iter::repeat(' '))).filter(|(_, caret)| *caret == '^');
    let marked = marked.map(|(character, _)| character).collect();
    (marked, error.message().to_owned(), error.remedy().unwrap_or_default().to_owned())
}

/// Checks the mistake of each text: what is marked, and a part of the message or the hint.
fn check_mistakes(parse: fn(&str) -> Option<ExpressionError>, cases: &[(&str, &str, &str)]) {
    for (text, marked, said) in cases {
        let error = parse(text).unwrap_or_else(|| panic!("{text} is accepted"));
        let (found, message, hint) = mistake(&error);
        assert_eq!(found, *marked, "{text}: {message}");
        assert!(message.contains(said) || hint.contains(said), "{text}: {message}; {hint}");
    }
}
