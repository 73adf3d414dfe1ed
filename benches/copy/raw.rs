//! The floor: raw bytes through the SDK in a bare loop, without limits, journal, retries or any check.

use aws_sdk_dynamodb::Client;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::value::RawValue;
use tableferry::dynamodb::wire;

use crate::support::{DESTINATION, SEGMENTS, SOURCE};
use crate::{BATCH_ITEMS, BATCHES_PER_READER, READERS};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    #[serde(borrow)]
    last_evaluated_key: Option<&'a RawValue>,
}

/// Copies everything; the number of items.
pub async fn copy(client: &Client) -> usize {
    let segments = (0..SEGMENTS).map(|segment| {
        let client = client.clone();
        // Tasks, so that both cores take part.
        async move { tokio::spawn(copy_segment(client, segment)).await.expect("the copy does not panic") }
    });
    stream::iter(segments).buffer_unordered(READERS).fold(0, |sum, items| async move { sum + items }).await
}

async fn copy_segment(client: Client, segment: u32) -> usize {
    let mut items = 0;
    let mut cursor = String::new();
    loop {
        let request = format!(
            r#"{{"TableName":"{SOURCE}","Segment":{segment},"TotalSegments":{SEGMENTS},"ConsistentRead":true,"ReturnConsumedCapacity":"TOTAL"{cursor}}}"#
        );
        let answer: Bytes = wire::scan(&client, SOURCE, request.into_bytes()).await.expect("the responder answers");
        let page: Page<'_> = serde_json::from_slice(&answer).expect("a page");
        items += page.items.len();
        stream::iter(page.items.chunks(BATCH_ITEMS))
            .for_each_concurrent(BATCHES_PER_READER, |batch| write(&client, batch))
            .await;
        match page.last_evaluated_key {
            Some(key) => cursor = format!(r#","ExclusiveStartKey":{key}"#),
            None => return items,
        }
    }
}

async fn write(client: &Client, batch: &[&RawValue]) {
    let bytes: usize = batch.iter().map(|item| item.get().len() + 32).sum();
    let mut body = String::with_capacity(bytes + 100);
    body.push_str(r#"{"RequestItems":{""#);
    body.push_str(DESTINATION);
    body.push_str(r#"":["#);
    for item in batch {
        body.push_str(r#"{"PutRequest":{"Item":"#);
        body.push_str(item.get());
        body.push_str("}},");
    }
    body.pop();
    body.push_str(r#"]},"ReturnConsumedCapacity":"TOTAL"}"#);
    let answer = wire::batch_write_item(client, DESTINATION, body.into_bytes()).await;
    assert!(answer.expect("the responder answers").starts_with(br#"{"UnprocessedItems":{}"#));
}
