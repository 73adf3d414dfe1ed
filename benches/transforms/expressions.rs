//! Expressions alone, outside of any chain.

use std::hint::black_box;

use bytes::Bytes;
use tableferry::expression::{Condition, Template, Update};
use tableferry::item::{Attributes, RawItem};

use super::items::schema;
use super::turns::Subject;
use super::ways::UNMET;

const MET: [(&str, &str); 2] = [
    ("key and attribute hold", r#"begins_with(pk, "case|") AND attribute_exists(orderForOds)"#),
    ("four attributes hold", r#"total >= 0 AND orders[0].open = true AND attribute16 <> "x" AND size(remarks) > 1"#),
];
const UPDATES: [(&str, &str); 2] = [
    ("set one from another, remove it", "SET orderForCds = orderForOds REMOVE orderForOds"),
    ("sum, list and map", "SET total = total + 1, orders[9] = 5, judge.title = 'Judge'"),
];

/// Conditions, updates, a template, and the reading of an item to compare with.
pub fn subjects(item: &RawItem) -> Vec<Subject<'static>> {
    let mut subjects = Vec::new();
    let conditions = UNMET.into_iter().map(|case| (case, false)).chain(MET.into_iter().map(|case| (case, true)));
    for ((name, text), is_met) in conditions {
        let condition = Condition::parse(text).expect("a condition");
        assert_eq!(condition.matches(item), Ok(is_met), "{text}");
        let act = move |item: &RawItem| drop(black_box(condition.matches(item)));
        subjects.push(Subject::new(&format!("condition: {name}"), act));
    }
    for (name, text) in UPDATES {
        let (update, schema) = (Update::parse(text).expect("an update"), schema());
        let bare = move |item: &RawItem| {
            let mut attributes = Attributes::from(item);
            update.apply(&mut attributes, &schema).expect("it applies");
            black_box(attributes.to_item(&schema).expect("an item"));
        };
        subjects.push(Subject::new(&format!("update: {name}"), bare));
        let (update, schema) = (Update::parse(text).expect("an update"), self::schema());
        let checked = move |item: &RawItem| drop(black_box(update.apply_to(item, &schema).expect("it applies")));
        subjects.push(Subject::new(&format!("update, limits checked: {name}"), checked));
    }
    let template = Template::parse("{pk}_{sk}").expect("a template");
    subjects.push(Subject::new("template: {pk}_{sk}", move |item| drop(black_box(template.render(item)))));
    let schema = schema();
    subjects.push(Subject::new("for comparison: reading an item from text", move |item| {
        black_box(RawItem::parse(Bytes::copy_from_slice(item.json()), &schema).expect("an item"));
    }));
    subjects
}
