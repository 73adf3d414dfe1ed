//! The answer to GetRecords, split into changes whose images are slices of it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::{damaged, unfit};
use crate::change::Change;
use crate::error::Result;
use crate::item::{Fault, KeySchema, RawItem, Walker};
use crate::stream::{ChangePage, ShardIterator};

/// What a record says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Insert,
    Modify,
    Remove,
}

impl Event {
    fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"INSERT" => Some(Self::Insert),
            b"MODIFY" => Some(Self::Modify),
            b"REMOVE" => Some(Self::Remove),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Modify => "MODIFY",
            Self::Remove => "REMOVE",
        }
    }

    /// Whether there is an item before it, and one after it.
    fn images(self) -> (bool, bool) {
        match self {
            Self::Insert => (false, true),
            Self::Modify => (true, true),
            Self::Remove => (true, false),
        }
    }
}

/// Members of a record, in whatever order they come.
#[derive(Default)]
struct Record {
    event: Option<Event>,
    sequence: Option<Arc<str>>,
    created_ms: Option<i64>,
    old: Option<RawItem>,
    new: Option<RawItem>,
    keys: Option<Range<usize>>,
    has_both_images: bool,
}

/// Splits the answer to a GetRecords. Everything is checked: an answer that was cut or altered is an error, not a short
/// page or the end of a shard.
pub fn parse_page(answer: Bytes, schema: &KeySchema) -> Result<ChangePage> {
    let mut lacking = None;
    match walk_page(&answer, schema, &mut lacking) {
        Ok(page) => lacking.map_or(Ok(page), |what| Err(unfit(what))),
        Err(fault) => Err(damaged(&fault.to_string())),
    }
}

/// `lacking` tells of the first record that has not the images it should have.
fn walk_page(answer: &Bytes, schema: &KeySchema, lacking: &mut Option<String>) -> Result<ChangePage, Fault> {
    let mut walker = Walker::new(answer);
    let mut page = ChangePage { bytes: answer.len(), ..ChangePage::default() };
    let mut seen_records = false;
    walker.object(|walker, name| {
        if name.is("Records") {
            seen_records = true;
            walker.array(|walker| {
                let record = walk_record(answer, walker, schema)?;
                match record.into_change(answer, walker, schema)? {
                    Ok(change) => page.changes.push(change),
                    Err(what) => drop(lacking.get_or_insert(what)),
                }
                Ok(())
            })
        } else if name.is("NextShardIterator") && !is_null(answer, walker) {
            page.next = Some(ShardIterator(text(walker)?));
            Ok(())
        } else {
            walker.skip()
        }
    })?;
    walker.end()?;
    if !seen_records {
        return Err(walker.fault("a member called Records"));
    }
    Ok(page)
}

fn walk_record(answer: &Bytes, walker: &mut Walker<'_>, schema: &KeySchema) -> Result<Record, Fault> {
    let mut record = Record::default();
    walker.object(|walker, name| {
        if name.is("eventName") {
            let event = Event::from_name(&walker.text()?.decoded());
            record.event = Some(event.ok_or_else(|| walker.fault("INSERT, MODIFY or REMOVE"))?);
            return Ok(());
        }
        if !name.is("dynamodb") {
            return walker.skip();
        }
        walker.object(|walker, name| {
            if name.is("SequenceNumber") {
                record.sequence = Some(text(walker)?);
            } else if name.is("ApproximateCreationDateTime") {
                record.created_ms = Some(time_ms(answer, walker)?);
            } else if name.is("NewImage") {
                record.new = image(answer, walker, schema)?;
            } else if name.is("OldImage") {
                record.old = image(answer, walker, schema)?;
            } else if name.is("Keys") {
                let start = walker.position();
                walker.skip()?;
                record.keys = Some(start..walker.position());
            } else if name.is("StreamViewType") {
                record.has_both_images = walker.text()?.is("NEW_AND_OLD_IMAGES");
            } else {
                walker.skip()?;
            }
            Ok(())
        })
    })?;
    Ok(record)
}

impl Record {
    /// The change; the inner error is the text for a record that lacks an image.
    fn into_change(
        self,
        answer: &Bytes,
        walker: &Walker<'_>,
        schema: &KeySchema,
    ) -> Result<Result<Change, String>, Fault> {
        let Self { event, sequence, created_ms, mut old, new, keys, has_both_images } = self;
        let event = event.ok_or_else(|| walker.fault("a record with its eventName"))?;
        let sequence = sequence.ok_or_else(|| walker.fault("a record with its SequenceNumber"))?;
        let created_ms = created_ms.ok_or_else(|| walker.fault("a record with its ApproximateCreationDateTime"))?;
        let (has_old, has_new) = event.images();
        if (old.is_some() && !has_old) || (new.is_some() && !has_new) {
            return Err(walker.fault("a record with the images of its event alone"));
        }
        let lacks = |image| Ok(Err(format!("record {sequence} ({}) has no {image}", event.name())));
        if has_new && new.is_none() {
            return lacks("NewImage");
        }
        if event == Event::Remove
            && old.is_none()
            && has_both_images
            && let Some(keys) = keys
        {
            // DynamoDB Local records so that an item was deleted which another writer had just deleted.
            old = Some(RawItem::parse(answer.slice(keys), schema)?);
        }
        if has_old && old.is_none() {
            return lacks("OldImage");
        }
        if let (Some(old), Some(new)) = (&old, &new)
            && old.key_hash() != new.key_hash()
        {
            return Err(walker.fault("a record with two images of one key"));
        }
        Ok(Ok(Change { sequence, created_ms, old, new }))
    }
}

fn image(answer: &Bytes, walker: &mut Walker<'_>, schema: &KeySchema) -> Result<Option<RawItem>, Fault> {
    if is_null(answer, walker) {
        walker.skip()?;
        return Ok(None);
    }
    RawItem::walk(answer, walker, schema).map(Some)
}

fn is_null(answer: &Bytes, walker: &Walker<'_>) -> bool {
    answer.get(walker.position()) == Some(&b'n')
}

fn text(walker: &mut Walker<'_>) -> Result<Arc<str>, Fault> {
    let text = walker.text()?;
    let text = text.decoded();
    let text = std::str::from_utf8(&text).map_err(|_| walker.fault("text in UTF-8"))?;
    Ok(text.into())
}

/// A time in seconds, as `1700000000`, `1700000000.125` or `1.7E9`.
fn time_ms(answer: &Bytes, walker: &mut Walker<'_>) -> Result<i64, Fault> {
    let start = walker.position();
    walker.skip()?;
    let seconds = std::str::from_utf8(&answer[start..walker.position()]).ok().and_then(|text| text.parse::<f64>().ok());
    // Up to the year 9999; an f64 of this size tells milliseconds apart.
    let seconds = seconds.filter(|seconds| (0.0..253_402_300_800.0).contains(seconds));
    seconds.map(|seconds| (seconds * 1000.0).round() as i64).ok_or_else(|| walker.fault("a time in seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::item::{KeyAttribute, KeyKind};

    const PAGE: &str = r#"{"NextShardIterator":"arn|1|\u0061==","Records":[{"eventID":"1","eventName":"INSERT","eventVersion":"1.1","dynamodb":{"ApproximateCreationDateTime":1.7E9,"Keys":{"pk":{"S":"a"}},"NewImage":{"n":{"N":"1.50"},"pk":{"S":"a"}},"SequenceNumber":"100","SizeBytes":9,"StreamViewType":"NEW_AND_OLD_IMAGES"}},{"dynamodb":{"OldImage":{"pk":{"S":"a"}},"SequenceNumber":"101","NewImage":{"pk":{"S":"\u0061"},"e":{"S":""}},"ApproximateCreationDateTime":1700000000.125},"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},"eventName":"MODIFY"},{"eventName":"REMOVE","dynamodb":{"SequenceNumber":"102","ApproximateCreationDateTime":1700000001,"OldImage":{"pk":{"S":"a"}},"NewImage":null}}]}"#;

    fn parse(answer: impl Into<Bytes>) -> Result<ChangePage> {
        let schema = KeySchema { partition: KeyAttribute::new("pk", KeyKind::String), sort: None };
        parse_page(answer.into(), &schema)
    }

    fn json(image: &Option<RawItem>) -> Option<&str> {
        image.as_ref().map(|item| std::str::from_utf8(item.json()).expect("JSON"))
    }

    #[test]
    fn records_are_changes_whatever_the_order_of_their_members() {
        let page = parse(PAGE).expect("valid");
        let found: Vec<_> =
            page.changes.iter().map(|c| (&*c.sequence, c.created_ms, json(&c.old), json(&c.new))).collect();
        let a = r#"{"pk":{"S":"a"}}"#;
        assert_eq!(
            found,
            [
                ("100", 1_700_000_000_000, None, Some(r#"{"n":{"N":"1.50"},"pk":{"S":"a"}}"#)),
                ("101", 1_700_000_000_125, Some(a), Some(r#"{"pk":{"S":"\u0061"},"e":{"S":""}}"#)),
                ("102", 1_700_000_001_000, Some(a), None),
            ]
        );
        assert_eq!(page.next, Some(ShardIterator("arn|1|a==".into())));
        assert_eq!(page.bytes, PAGE.len());
    }

    #[test]
    fn an_empty_page_may_go_on_or_be_the_end() {
        let page = parse(r#"{"Records":[],"NextShardIterator":"next"}"#).expect("valid");
        assert!(page.changes.is_empty() && page.next.is_some());
        for end in [r#"{"Records":[]}"#, r#"{"Records":[],"NextShardIterator":null}"#] {
            let page = parse(end).expect("valid");
            assert!(page.changes.is_empty() && page.next.is_none());
        }
    }

    #[test]
    fn every_cut_of_a_page_is_found() {
        for length in 0..PAGE.len() {
            let error = parse(&PAGE.as_bytes()[..length]).expect_err("cut");
            assert_eq!(error.kind(), ErrorKind::MalformedAnswer, "cut at {length}");
        }
    }

    #[test]
    fn what_is_no_page_of_records_is_malformed() {
        let record = |record: &str| format!(r#"{{"Records":[{record}]}}"#);
        let with = |from: &str, to: &str| PAGE.replacen(from, to, 1);
        for wrong in [
            "{}".to_owned(),
            "<html>".to_owned(),
            r#"{"Records":null}"#.to_owned(),
            r#"{"Records":[],"NextShardIterator":7}"#.to_owned(),
            record("{}"),
            record(r#"{"eventName":"INSERT"}"#),
            with("INSERT", "UPSERT"),
            with("INSERT", "REMOVE"),
            with(r#""SequenceNumber":"100""#, r#""SequenceNumber":100"#),
            with(r#""SequenceNumber":"100","#, ""),
            with(r#""ApproximateCreationDateTime":1.7E9,"#, ""),
            with("1.7E9", r#""1.7E9""#),
            with("1.7E9", "1.7E99"),
            with("1.7E9", "-1"),
            with(r#"{"pk":{"S":"\u0061"},"e""#, r#"{"pk":{"S":"b"},"e""#),
            with(r#"{"pk":{"S":"\u0061"},"e""#, r#"{"e""#),
        ] {
            assert_eq!(parse(wrong.clone()).expect_err(&wrong).kind(), ErrorKind::MalformedAnswer, "{wrong}");
        }
    }

    #[test]
    fn a_delete_of_what_was_deleted_already_is_one_of_its_key() {
        let record = r#"{"Records":[{"eventName":"REMOVE","dynamodb":{"ApproximateCreationDateTime":1,"Keys":{"pk":{"S":"a"}},"SequenceNumber":"7","StreamViewType":"NEW_AND_OLD_IMAGES"}}]}"#;
        let page = parse(record).expect("valid");
        assert_eq!(json(&page.changes[0].old), Some(r#"{"pk":{"S":"a"}}"#));
        assert!(page.changes[0].new.is_none());
        let other_view = parse(record.replace("NEW_AND_OLD_IMAGES", "NEW_IMAGE")).expect_err("lacks an image");
        assert_eq!(other_view.kind(), ErrorKind::StreamUnfit);
    }

    #[test]
    fn a_record_without_its_images_says_which_view_type_is_needed() {
        let lacking = [
            (r#""NewImage":{"n":{"N":"1.50"},"pk":{"S":"a"}},"#, "record 100 (INSERT) has no NewImage"),
            (r#""OldImage":{"pk":{"S":"a"}},"#, "record 101 (MODIFY) has no OldImage"),
            (r#""NewImage":{"pk":{"S":"\u0061"},"e":{"S":""}},"#, "record 101 (MODIFY) has no NewImage"),
            (r#","OldImage":{"pk":{"S":"a"}},"NewImage":null"#, "record 102 (REMOVE) has no OldImage"),
        ];
        for (image, message) in lacking {
            let error = parse(PAGE.replacen(image, "", 1)).expect_err("lacks an image");
            assert_eq!((error.kind(), error.message()), (ErrorKind::StreamUnfit, message));
            assert!(error.remedy().is_some_and(|remedy| remedy.contains("NEW_AND_OLD_IMAGES")));
        }
    }
}
