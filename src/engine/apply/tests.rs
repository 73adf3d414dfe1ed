use std::sync::atomic::AtomicU32;

use bytes::Bytes;

use super::*;
use crate::item::{KeyAttribute, KeyKind};

fn schema() -> KeySchema {
    KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None }
}

fn item(name: &str, rest: &str) -> RawItem {
    RawItem::parse(Bytes::from(format!(r#"{{"pk":{{"S":"{name}"}}{rest}}}"#)), &schema()).expect("an item")
}

type Act = dyn Fn(&RawItem) -> Result<Vec<RawItem>, String> + Send + Sync;

/// A transform as a user writes one.
struct Written {
    rule: KeyRule,
    act: Box<Act>,
}

impl Transform for Written {
    fn name(&self) -> &str {
        "0001-x.js"
    }

    fn keys(&self) -> KeyRule {
        self.rule
    }

    /// Of `a#1` it is `a`.
    fn owner(&self, output: &RawItem) -> Option<RawItem> {
        let name = std::str::from_utf8(output.partition_value()).ok()?.strip_prefix(r#"{"S":""#)?;
        Some(item(name.split(['#', '"']).next()?, ""))
    }

    fn apply(&self, item: RawItem, _: &Occasion, outputs: &mut Vec<RawItem>) -> Result<(), String> {
        outputs.extend((self.act)(&item)?);
        Ok(())
    }

    fn files(&self) -> Vec<(String, String)> {
        vec![("0001-x.js".to_owned(), "hash".to_owned())]
    }
}

fn applier(
    rule: KeyRule,
    act: impl Fn(&RawItem) -> Result<Vec<RawItem>, String> + Send + Sync + 'static,
) -> (Applier, Arc<Shutdown>) {
    let shutdown = Arc::new(Shutdown::default());
    let transform = Arc::new(Written { rule, act: Box::new(act) });
    (Applier::new(transform, None, schema(), shutdown.clone()), shutdown)
}

#[test]
fn an_item_whose_outputs_break_the_rule_of_their_keys_is_refused() {
    use KeyRule::{Derived, Free, Identity};
    for (rule, names, broken) in [
        (Identity, &["a"][..], None),
        (Identity, &["b"], Some("does not declare that it changes keys")),
        (Identity, &["a", "a"], Some("two of its outputs have the same key")),
        (Derived, &["a#1", "a#2", "a"], None),
        (Derived, &["a#1", "b#2"], Some("does not tell that it comes from this item")),
        (Derived, &["a#1", "a#2", "a#1"], Some("two of its outputs have the same key")),
        (Free, &["y", "z"], None),
        (Free, &["y", "z", "y"], Some("two of its outputs have the same key")),
    ] {
        let act = move |_: &RawItem| Ok(names.iter().map(|name| item(name, "")).collect());
        let (applier, _) = applier(rule, act);
        let row = applier.row(item("a", ""), &Occasion::default(), &mut Vec::new());
        let tried = try_out(&*applier.transform, &item("a", ""), &Occasion::default());
        match broken {
            None => {
                assert_eq!((row.writes.len(), row.rejected), (names.len(), None), "{names:?}");
                assert_eq!(tried.map(|outputs| outputs.len()), Ok(names.len()), "{names:?}");
            }
            Some(broken) => {
                assert!(row.writes.is_empty() && row.rejected.is_some_and(|why| why.contains(broken)), "{names:?}");
                assert!(tried.is_err_and(|why| why.contains(broken)), "{names:?}");
            }
        }
    }
}

#[test]
fn a_marker_is_never_copied() {
    let (applier, _) = applier(KeyRule::Identity, |item| Ok(vec![item.clone()]));
    let row = |name: &str| applier.row(item(name, ""), &Occasion::default(), &mut Vec::new());
    let marker = row(&format!("{MARKER_PREFIX}0123|1"));
    assert!(marker.writes.is_empty() && marker.rejected.is_none());
    assert_eq!(row(MARKER_PREFIX.trim_end_matches('|')).writes.len(), 1);
}

/// Whatever is different the second time ends the run, also when it is a refusal.
#[test]
fn an_item_that_comes_out_otherwise_when_it_is_transformed_again_ends_the_run() {
    let one = |rest: &str| Ok(vec![item("odd", rest)]);
    let refused = || Err("no such court".to_owned());
    for (first, second, difference) in [
        (one(r#","n":{"N":"1"}"#), one(r#","n":{"N":"1"}"#), None),
        (refused(), refused(), None),
        (one(r#","n":{"N":"1"}"#), one(r#","n":{"N":"2"}"#), Some("its attribute n was different")),
        (one(""), one(r#","n":{"N":"2"}"#), Some("its attribute n was different")),
        (one(r#","n":{"N":"1"}"#), Ok(Vec::new()), Some("0 items came of it and not 1")),
        (Ok(Vec::new()), one(""), Some("1 items came of it and not 0")),
        (one(""), refused(), Some("it was refused: no such court")),
        (refused(), one(""), Some("it was no longer refused")),
        (
            one(r#","n":{"N":"1"},"m":{"N":"2"}"#),
            one(r#","m":{"N":"2"},"n":{"N":"1"}"#),
            Some("its attributes came in another order"),
        ),
    ] {
        let calls = AtomicU32::new(0);
        let results = [first.clone(), second.clone()];
        let (applier, shutdown) = applier(KeyRule::Identity, move |given| match given.key() == item("odd", "").key() {
            true => results[calls.fetch_add(1, Ordering::Relaxed).min(1) as usize].clone(),
            false => Ok(vec![given.clone()]),
        });
        // Not only the first of all items.
        for _ in 0..SAMPLE {
            applier.row(item("even", ""), &Occasion::default(), &mut Vec::new());
        }
        assert!(shutdown.error().is_none());
        applier.row(item("odd", ""), &Occasion::default(), &mut Vec::new());
        let error = shutdown.error().map(|error| (error.kind(), error.to_string()));
        match difference {
            None => assert_eq!(error, None, "{first:?} {second:?}"),
            Some(difference) => {
                let (kind, told) = error.unwrap_or_else(|| panic!("not noticed: {difference}"));
                assert_eq!(kind, ErrorKind::Impure);
                assert!(told.contains(difference) && told.contains(r#"{"pk":{"S":"odd"}}"#), "{told}");
            }
        }
    }
}
