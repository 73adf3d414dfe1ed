//! `documentClient`.

use super::*;
use crate::lookup::{LookupPage, LookupQuery};

pub fn table() -> LookupTable {
    let row = |sk: &str| {
        let json = format!(r#"{{"pk":{{"S":"case|1"}},"sk":{{"S":"{sk}"}},"n":{{"N":"1.0"}}}}"#);
        RawItem::parse(Bytes::from(json), &schema()).expect("an item")
    };
    LookupTable::new("court", schema(), ["case|1", "user|1", "user|2", "docket|1", "user|3"].map(row).into())
}

fn asking(body: &str) -> Script {
    let text = format!(
        "export const migrateItems = async (items, documentClient) => {{ {body}; return items.map(item => ({{ ...item, x }})) }}"
    );
    script(&text)
}

#[test]
fn get_query_and_batch_get_answer_as_the_document_client_does() {
    let query = "TableName: process.env.SOURCE_TABLE, KeyConditionExpression: '#pk = :pk and begins_with(#sk, :u)',
        ExpressionAttributeNames: { '#pk': 'pk', '#sk': 'sk' }, ExpressionAttributeValues: { ':pk': 'case|1', ':u': 'user|' }";
    let paged = format!(
        "const x = []; let ExclusiveStartKey; do {{ const page = await documentClient.query({{ {query}, ExclusiveStartKey }}).promise();
           x.push(page.Items.map(i => i.sk).join('+')); ExclusiveStartKey = page.LastEvaluatedKey }} while (ExclusiveStartKey)"
    );
    let descending =
        format!("const x = (await documentClient.query({{ {query}, ScanIndexForward: false, Limit: 1 }})).Items[0].sk");
    for (body, x) in [
        (
            "const x = await documentClient.get({ TableName: 'court', Key: { pk: 'case|1', sk: 'user|2' } }).promise().then(r => r.Item.n)",
            r#"{"N":"1"}"#,
        ),
        (
            "const x = Object.keys(await documentClient.get({ Key: { pk: 'case|1', sk: 'none' }, ConsistentRead: true })).length",
            r#"{"N":"0"}"#,
        ),
        (paged.as_str(), r#"{"L":[{"S":"user|1+user|2"},{"S":"user|3"}]}"#),
        (descending.as_str(), r#"{"S":"user|3"}"#),
        (
            "const Keys = ['user|1', 'none', 'docket|1'].map(sk => ({ pk: 'case|1', sk }));
             const { Responses, UnprocessedKeys } = await documentClient.batchGet({ RequestItems: { court: { Keys } } }).promise();
             const x = Responses.court.map(i => i.sk).join() + Object.keys(UnprocessedKeys).length",
            r#"{"S":"user|1,docket|10"}"#,
        ),
    ] {
        assert_eq!(result(&asking(body), &item("")), format!(r#""x":{x}"#), "{body}");
    }
}

#[test]
fn questions_that_cannot_be_answered_are_refused_and_said() {
    let long = "KeyConditionExpression: 'pk = :a', ExpressionAttributeValues: { ':a': 1 }";
    for (body, part) in [
        ("get({ TableName: 'other', Key: { pk: 'a', sk: 'b' } })", "only the source table court"),
        ("get({ Key: { pk: 'a' } })", "a key has these attributes"),
        ("get({ Key: { pk: 'a', sk: 'b', x: 1 } })", "a key has these attributes"),
        ("get({ Key: { pk: 'a', sk: 1 } })", "a key has these attributes"),
        ("get({ Key: { pk: 'a', sk: NaN } })", "NaN"),
        ("get()", "its parameters are an object"),
        ("get({ Key: { pk: 'a', sk: 'b' }, ProjectionExpression: 'a' })", "ProjectionExpression is not supported"),
        ("query({ IndexName: 'gsi1' })", "an index cannot be read consistently"),
        ("query({ FilterExpression: 'a' })", "filter in the script"),
        ("query({})", "KeyConditionExpression is missing"),
        (&format!("query({{ {long} }})"), "compared with a value of type N"),
        (&format!("query({{ {} , Limit: 0 }})", long.replace('1', "'b'")), "Limit is at least 1"),
        ("scan({})", "documentClient.scan is not available"),
        ("get({ Key: { pk: 'a', get sk() { documentClient.get({ Key: this }); return 'b' } } })", ""),
    ] {
        let script = asking(&format!("const x = await documentClient.{body}"));
        match apply(&script, &item("")) {
            Err(reason) => assert!(reason.contains(part) && reason.contains("documentClient"), "{body}: {reason}"),
            Ok(outputs) => assert!(part.is_empty(), "{body}: {outputs:?}"),
        }
    }
    let caught = asking("let x; try { await documentClient.query({}) } catch (e) { x = e.message.length > 9 }");
    assert_eq!(result(&caught, &item("")), r#""x":{"BOOL":true}"#);
}

#[test]
fn who_does_not_ask_for_the_client_has_none() {
    let sneaky = script(
        "export const migrateItems = async (...all) => { await all[1].get({ Key: { pk: 'a', sk: 'b' } }); return all[0] }",
    );
    assert!(!sneaky.has_lookups());
    let reason = refusal(&sneaky, &item(""));
    assert!(reason.contains("has to declare the parameter documentClient"), "{reason}");
}

/// Takes its time.
struct Slow(LookupTable);

impl Lookup for Slow {
    fn table(&self) -> &str {
        self.0.table()
    }

    fn schema(&self) -> &KeySchema {
        self.0.schema()
    }

    fn get(&self, key: &RawItem) -> Result<Option<RawItem>> {
        std::thread::sleep(Duration::from_millis(80));
        self.0.get(key)
    }

    fn query(&self, _: &LookupQuery) -> Result<LookupPage> {
        Err(Error::new(ErrorKind::Throttled, "the table is busy"))
    }
}

#[test]
fn waiting_for_an_answer_is_not_the_scripts_time() {
    let limits = Limits { time: Duration::from_millis(60), ..Limits::default() };
    let text = "export const migrateItems = async (items, documentClient) => {
        for (let i = 0; i < 3; i++) await documentClient.get({ Key: { pk: 'case|1', sk: 'user|1' } });
        if (items[0].loop) for (;;);
        return items }";
    let script = load(&[("0001-test.js", text)], limits).expect("loads");
    let slow = occasion(Slow(table()));
    assert_eq!(apply_on(&script, &item(""), &slow).map(|outputs| outputs.len()), Ok(1));
    let reason = apply_on(&script, &item(r#""loop":{"BOOL":true}"#), &slow).expect_err("too long");
    assert!(reason.contains("did not finish"), "{reason}");
    let failing = self::script(
        "export const migrateItems = async (items, documentClient) => { await documentClient.query({
           KeyConditionExpression: 'pk = :a', ExpressionAttributeValues: { ':a': 'b' } }); return items }",
    );
    let reason = apply_on(&failing, &item(""), &slow).expect_err("an error");
    assert!(reason.contains("documentClient.query: the table is busy"), "{reason}");
}
