//! The SDK's way: pages parsed into typed items, batches written from typed items.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, ReturnConsumedCapacity, WriteRequest};
use futures::{StreamExt, stream};

use crate::support::{DESTINATION, SEGMENTS, SOURCE};
use crate::{BATCH_ITEMS, BATCHES_PER_READER, READERS};

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
    let mut cursor = None;
    loop {
        let page = client
            .scan()
            .table_name(SOURCE)
            .segment(segment as i32)
            .total_segments(SEGMENTS as i32)
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_exclusive_start_key(cursor)
            .send()
            .await
            .expect("the responder answers");
        let page_items = page.items.unwrap_or_default();
        items += page_items.len();
        stream::iter(page_items)
            .chunks(BATCH_ITEMS)
            .for_each_concurrent(BATCHES_PER_READER, |batch| write(&client, batch))
            .await;
        cursor = page.last_evaluated_key;
        if cursor.is_none() {
            return items;
        }
    }
}

async fn write(client: &Client, batch: Vec<HashMap<String, AttributeValue>>) {
    let puts = batch.into_iter().map(|item| {
        let put = PutRequest::builder().set_item(Some(item)).build().expect("an item is all it needs");
        WriteRequest::builder().put_request(put).build()
    });
    let answer = client
        .batch_write_item()
        .request_items(DESTINATION, puts.collect())
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await
        .expect("the responder answers");
    assert!(answer.unprocessed_items.unwrap_or_default().is_empty());
}
