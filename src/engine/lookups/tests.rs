use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use futures::future::{BoxFuture, ready};

use super::*;
use crate::item::{KeyAttribute, KeyKind, Value};
use crate::lookup::{SortRange, sort_order};
use crate::source::{Cursor, ItemRead, Page};

/// Two items a page.
const PAGE: usize = 2;

fn schema() -> KeySchema {
    KeySchema {
        partition: KeyAttribute::new("pk", KeyKind::String),
        sort: Some(KeyAttribute::new("sk", KeyKind::String)),
    }
}

fn item(sk: &str, value: &str) -> RawItem {
    let json = format!(r#"{{"pk":{{"S":"case"}},"sk":{{"S":"{sk}"}},"a":{{"S":"{value}"}}}}"#);
    RawItem::parse(Bytes::from(json), &schema()).expect("an item")
}

/// A table with one collection, which counts requests and fails as it is told to.
#[derive(Default)]
struct Court {
    items: Mutex<Vec<RawItem>>,
    requests: AtomicU64,
    failures: Mutex<Vec<ErrorKind>>,
    /// How long an answer is on its way.
    delay: Mutex<Duration>,
}

impl Court {
    fn put(&self, item: RawItem) {
        let mut items = self.items.lock().expect("lock");
        items.retain(|other| other.key() != item.key());
        items.push(item);
        items.sort_by(sort_order);
    }

    fn answer<T: Send + 'static>(&self, answer: impl FnOnce(&[RawItem]) -> T) -> BoxFuture<'static, Result<T>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = match self.failures.lock().expect("lock").pop() {
            Some(kind) => Err(Error::new(kind, "planted")),
            None => Ok(answer(&self.items.lock().expect("lock"))),
        };
        let delay = *self.delay.lock().expect("lock");
        if delay.is_zero() {
            return Box::pin(ready(answer));
        }
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            answer
        })
    }

    fn fail(&self, kind: ErrorKind, times: usize) {
        self.failures.lock().expect("lock").extend(std::iter::repeat_n(kind, times));
    }
}

impl ScanSource for Court {
    fn read_page<'a>(&'a self, _: u32, _: u32, _: Option<&'a Cursor>) -> BoxFuture<'a, Result<Page>> {
        unreachable!("nothing is scanned")
    }

    fn read_item<'a>(&'a self, key: &'a RawItem) -> BoxFuture<'a, Result<ItemRead>> {
        self.answer(|items| ItemRead { item: items.iter().find(|item| item.key() == key.key()).cloned(), units: 1.0 })
    }

    fn query<'a>(&'a self, query: &'a LookupQuery) -> BoxFuture<'a, Result<Page>> {
        self.answer(|items| {
            let page = query.answer(items, &schema(), PAGE);
            let next = page.last.map(|last| Cursor(Bytes::copy_from_slice(last.json())));
            Page { items: page.items, next, units: 2.0, bytes: 0 }
        })
    }
}

fn lookups(court: &Arc<Court>, give_up_after: Duration) -> Arc<Lookups> {
    let limiter = Arc::new(Limiter::new(Side::Read, Rate::Unlimited));
    let stats = Arc::new(Stats::new(&RunState::default(), 0));
    let reads = Reads { source: court.clone(), limiter, stats, give_up_after };
    Arc::new(Lookups::new("court", schema(), reads, Arc::default()))
}

fn patient(court: &Arc<Court>) -> Arc<Lookups> {
    lookups(court, Duration::from_secs(60))
}

fn court(items: &[&str]) -> Arc<Court> {
    let court = Arc::new(Court::default());
    items.iter().for_each(|sk| court.put(item(sk, "old")));
    court
}

fn now(lookups: &Arc<Lookups>) -> Arc<dyn Lookup> {
    lookups.occasion().lookup.expect("there is one")
}

fn query(sort: SortRange) -> LookupQuery {
    LookupQuery { partition: Value::from("case"), sort, descending: false, limit: None, after: None }
}

/// Sort key and value, `a old`.
fn short(item: &RawItem) -> String {
    let text = String::from_utf8_lossy(item.json()).into_owned();
    let texts: Vec<&str> = text.split('"').filter(|part| part.chars().all(|c| c.is_ascii_lowercase())).collect();
    [texts[texts.len() - 3], texts[texts.len() - 1]].join(" ")
}

fn get(lookup: &Arc<dyn Lookup>, sk: &str) -> Option<String> {
    lookup.get(&item(sk, "")).expect("answered").as_ref().map(short)
}

/// The items and whether there are more.
fn ask(lookup: &Arc<dyn Lookup>, query: &LookupQuery) -> (String, Option<RawItem>) {
    let page = lookup.query(query).expect("answered");
    (page.items.iter().map(short).collect::<Vec<_>>().join(", "), page.last)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_serves_items_that_were_read_before_it_was_asked_for_and_no_others() {
    let court = court(&["a"]);
    let lookups = patient(&court);
    let (first, second) = (now(&lookups), now(&lookups));
    for earlier in [&first, &second, &first] {
        assert_eq!(get(earlier, "a").as_deref(), Some("a old"));
        assert_eq!(get(earlier, "none"), None);
    }
    assert_eq!(lookups.asked(), (6, 2));
    court.put(item("a", "new"));
    let later = now(&lookups);
    assert_eq!(get(&later, "a").as_deref(), Some("a new"));
    assert_eq!(get(&first, "a").as_deref(), Some("a new"));
    assert_eq!((lookups.asked(), court.requests.load(Ordering::Relaxed)), ((8, 3), 3));

    let part = query(SortRange::BeginsWith(Value::from("a")));
    let all = query(SortRange::All);
    for question in [&part, &all] {
        court.put(item("a", "old"));
        let earlier = now(&lookups);
        assert_eq!(ask(&earlier, question).0, "a old");
        court.put(item("a", "new"));
        assert_eq!(ask(&earlier, question).0, "a old", "it is known");
        assert_eq!(ask(&now(&lookups), question).0, "a new");
    }
    // What is known of all is as old for one.
    let earlier = now(&lookups);
    assert_eq!(ask(&earlier, &all).0, "a new");
    court.put(item("a", "newest"));
    assert_eq!(get(&earlier, "a").as_deref(), Some("a new"));
    assert_eq!(get(&now(&lookups), "a").as_deref(), Some("a newest"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_known_by_everything_that_was_asked() {
    let court = court(&["a", "b"]);
    let lookups = patient(&court);
    let lookup = now(&lookups);
    let from_a = query(SortRange::AtLeast(Value::from("a")));
    assert_eq!(ask(&lookup, &from_a).0, "a old, b old");
    assert_eq!(ask(&lookup, &LookupQuery { descending: true, ..from_a.clone() }).0, "b old, a old");
    assert_eq!(ask(&lookup, &LookupQuery { limit: Some(1), ..from_a.clone() }).0, "a old");
    assert_eq!(ask(&lookup, &LookupQuery { after: Some(item("a", "")), ..from_a }).0, "b old");
    assert_eq!(lookups.asked(), (4, 4));
}

/// The oldest go first, and what is large is not kept at all.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_has_bounds() {
    let court = Arc::new(Court::default());
    let lookups = patient(&court);
    let (lookup, began) = (now(&lookups), Instant::now());
    let value = item("a", &"x".repeat(1 << 20));
    let key = |number: usize| {
        let json = format!(r#"{{"pk":{{"S":"c{number}"}},"sk":{{"S":"a"}}}}"#);
        RawItem::parse(Bytes::from(json), &schema()).expect("a key")
    };
    let is_known = |number: usize| lookups.cached(|cache| cache.get(&key(number), began)).is_some();
    for number in 0..40 {
        lookups.cached(|cache| cache.keep_item(&key(number), Some(&value), Instant::now()));
        assert!(is_known(number), "the newest is kept");
    }
    let known: Vec<usize> = (0..40).filter(|number| is_known(*number)).collect();
    assert!((10..=34).contains(&known.len()) && !is_known(0), "{known:?} are kept, of 1 MB each");

    court.put(item("a", &"x".repeat(5 << 20)));
    for _ in 0..2 {
        assert!(lookup.get(&item("a", "")).expect("answered").is_some());
    }
    assert_eq!(lookups.asked(), (2, 2), "one of 5 MB is asked for each time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_was_read_whole_answers_every_question_about_it() {
    let court = court(&["a", "b"]);
    let lookups = patient(&court);
    let lookup = now(&lookups);
    let whole = LookupQuery { descending: true, ..query(SortRange::All) };
    assert_eq!(ask(&lookup, &whole).0, "b old, a old");
    let from_b = query(SortRange::AtLeast(Value::from("b")));
    assert_eq!(ask(&lookup, &from_b).0, "b old");
    let (items, last) = ask(&lookup, &LookupQuery { limit: Some(1), ..query(SortRange::All) });
    assert_eq!((items.as_str(), last.is_some()), ("a old", true));
    assert_eq!((get(&lookup, "b").as_deref(), get(&lookup, "c")), (Some("b old"), None));
    assert_eq!(lookups.asked(), (5, 1));
    court.put(item("b", "new"));
    assert_eq!(get(&now(&lookups), "b").as_deref(), Some("b new"));
    assert_eq!(ask(&now(&lookups), &from_b).0, "b new");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_page_of_several_is_not_taken_for_the_whole() {
    let court = court(&["a", "b", "c"]);
    let lookups = patient(&court);
    let lookup = now(&lookups);
    for _ in 0..2 {
        let (items, after) = ask(&lookup, &query(SortRange::All));
        assert_eq!(items, "a old, b old");
        let (rest, last) = ask(&lookup, &LookupQuery { after, ..query(SortRange::All) });
        assert_eq!((rest.as_str(), last.is_some()), ("c old", false));
        assert_eq!(get(&lookup, "c").as_deref(), Some("c old"));
    }
    assert_eq!(lookups.asked(), (6, 5));
    for (start, items) in [("c", "c old"), ("c", "c old"), ("b", "b old")] {
        assert_eq!(ask(&lookup, &query(SortRange::BeginsWith(Value::from(start)))).0, items);
    }
    assert_eq!(lookups.asked(), (9, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_of_a_part_answers_the_same_question_and_no_other() {
    let court = court(&["aa", "ba", "bb"]);
    let lookups = patient(&court);
    let part = query(SortRange::BeginsWith(Value::from("b")));
    let others = [
        (LookupQuery { descending: true, ..part.clone() }, "bb old, ba old"),
        (LookupQuery { limit: Some(1), ..part.clone() }, "ba old"),
        (LookupQuery { after: Some(item("ba", "")), ..part.clone() }, "bb old"),
        (query(SortRange::BeginsWith(Value::from("a"))), "aa old"),
    ];
    let lookup = now(&lookups);
    for _ in 0..2 {
        assert_eq!(ask(&lookup, &part).0, "ba old, bb old");
    }
    assert_eq!(lookups.asked(), (2, 1));
    for (other, items) in &others {
        assert_eq!(ask(&lookup, other).0, *items);
    }
    court.put(item("ba", "new"));
    assert_eq!(ask(&now(&lookups), &part).0, "ba new, bb old");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_was_read_while_an_answer_was_on_its_way_is_not_served_by_it() {
    let court = court(&["a"]);
    let lookups = patient(&court);
    let everything = query(SortRange::All);
    for is_query in [false, true] {
        let (value, newer) = if is_query { ("a newer", "newest") } else { ("a old", "newer") };
        *court.delay.lock().expect("lock") = Duration::from_millis(100);
        let asking = tokio::task::spawn_blocking({
            let (lookups, everything) = (lookups.clone(), everything.clone());
            move || match is_query {
                true => ask(&now(&lookups), &everything).0,
                false => get(&now(&lookups), "a").expect("an item"),
            }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        *court.delay.lock().expect("lock") = Duration::ZERO;
        court.put(item("a", newer));
        let later = now(&lookups);
        assert_eq!(asking.await.expect("asked"), value);
        let found = if is_query { ask(&later, &everything).0 } else { get(&later, "a").expect("an item") };
        assert_eq!(found, format!("a {newer}"));
    }
}

#[test]
fn what_was_asked_long_ago_is_forgotten_before_memory_is_short() {
    let mut cache = Cache::new(schema());
    let asked_at = Instant::now();
    let row = |number: usize, text: &str| {
        let json = format!(r#"{{"pk":{{"S":"case{number}"}},"sk":{{"S":"a"}},"a":{{"S":"{text}"}}}}"#);
        RawItem::parse(Bytes::from(json), &schema()).expect("an item")
    };
    let text = "x".repeat(256 << 10);
    for number in 0..200 {
        cache.keep_item(&row(number, ""), Some(&row(number, &text)), asked_at);
    }
    let is_known = |number: usize| cache.get(&row(number, ""), asked_at).is_some();
    assert!((0..200).filter(|number| is_known(*number)).count() <= 128, "32 MB");
    assert!((150..200).all(is_known), "the last 12 MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_waited_for_and_a_wrong_question_is_the_items_own() {
    let court = court(&["a"]);
    let lookups = patient(&court);
    court.fail(ErrorKind::Throttled, 2);
    court.fail(ErrorKind::ServerFault, 2);
    assert_eq!(get(&now(&lookups), "a").as_deref(), Some("a old"));
    assert_eq!((lookups.asked(), court.requests.load(Ordering::Relaxed)), ((1, 1), 5));
    court.fail(ErrorKind::Rejected, 1);
    let error = now(&lookups).get(&item("a", "")).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(!lookups.has_given_up() && lookups.shutdown.error().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_does_not_answer_ends_the_run_and_refuses_no_item() {
    for kind in [ErrorKind::Access, ErrorKind::Unreachable] {
        let court = court(&["a"]);
        let lookups = lookups(&court, Duration::ZERO);
        court.fail(kind, 1);
        now(&lookups).get(&item("a", "")).expect_err("no answer");
        assert!(lookups.has_given_up());
        let error = lookups.shutdown.error().expect("the run's end");
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("looking up an item for a transform"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_being_stopped_waits_for_no_answer() {
    let court = court(&["a"]);
    let lookups = patient(&court);
    court.fail(ErrorKind::Throttled, 1000);
    let shutdown = lookups.shutdown.clone();
    let asking = tokio::task::spawn_blocking({
        let lookups = lookups.clone();
        move || now(&lookups).get(&item("a", "")).map(drop)
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    shutdown.drain();
    assert!(asking.await.expect("asked").is_err());
    assert!(lookups.has_given_up() && shutdown.error().is_none());
}
