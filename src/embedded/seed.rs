//! A table as ef-cms has it: one table for everything, with ordinary items and the oddest that DynamoDB allows.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, PutRequest, ScalarAttributeType, StreamSpecification, StreamViewType, TableStatus, WriteRequest,
};
use futures::{StreamExt, TryStreamExt, stream};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::court::Court;
use super::{oddities, request_failure};
use crate::error::{Error, ErrorKind, Result};

/// An item as the typed client takes it.
pub type TypedItem = HashMap<String, AttributeValue>;

/// Position of the first odd item; one of each kind follows in a row.
const FIRST_ODD: usize = 10;
/// After the row, one item of so many is odd.
const ODD_EVERY: usize = 100;
/// DynamoDB's limit for a BatchWriteItem.
const BATCH_ITEMS: usize = 25;
/// Batches under way at once: enough to keep the server's threads busy.
const BATCHES_IN_FLIGHT: usize = 8;
/// Times that unprocessed items are sent again before seeding gives up.
const MAX_ATTEMPTS: u32 = 12;
/// Pause before the first repetition; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Times that a table is asked for its status, once in 100 ms.
const MAX_STATUS_CHECKS: u32 = 600;

/// The items of a court: cases with their docket entries, messages and work items, users, and some odd ones.
///
/// No key occurs twice. The same `seed` gives the same items in the same order, and a smaller `count` a prefix of a
/// larger one. Every kind of odd item is among the first 20.
pub fn items(count: usize, seed: u64) -> impl Iterator<Item = TypedItem> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut court = Court::default();
    (0..count).map(move |position| match odd_kind(position) {
        Some(kind) => oddities::item(kind, position, &mut rng),
        None => court.next_item(&mut rng),
    })
}

/// Which kind of odd item stands at a position, if any.
fn odd_kind(position: usize) -> Option<usize> {
    let row = FIRST_ODD..FIRST_ODD + oddities::KINDS;
    if row.contains(&position) {
        Some(position - FIRST_ODD)
    } else if position > row.end && position.is_multiple_of(ODD_EVERY) {
        // The largest kind stands in the row only.
        Some(position / ODD_EVERY % (oddities::KINDS - 1))
    } else {
        None
    }
}

/// Creates `table` (on demand, no stream; keys `pk` and `sk`; index `gsi1` on `gsi1pk` and `pk`) and loads
/// [`items`]`(count, seed)` into it.
///
/// # Errors
///
/// The request's own failure; [`ErrorKind::TableUnfit`] when the table exists, [`ErrorKind::Throttled`] when items
/// stay unprocessed.
pub async fn seed_table(client: &Client, table: &str, count: usize, seed: u64) -> Result<()> {
    create_table(client, table).await?;
    stream::iter(items(count, seed))
        .chunks(BATCH_ITEMS)
        .map(|batch| Ok(write_batch(client, table, batch)))
        .try_buffer_unordered(BATCHES_IN_FLIGHT)
        .try_collect()
        .await
}

/// Gives `table` a stream that carries both images of every change from now on.
///
/// # Errors
///
/// The request's own failure.
pub async fn switch_stream_on(client: &Client, table: &str) -> Result<()> {
    let both = StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages);
    let both =
        both.build().map_err(|error| Error::new(ErrorKind::Internal, format!("describing a stream: {error}")))?;
    let updated = client.update_table().table_name(table).stream_specification(both).send().await;
    updated.map_err(|error| request_failure("switching on the stream of", table, error))?;
    wait_until_active(client, table).await
}

async fn create_table(client: &Client, table: &str) -> Result<()> {
    let invalid = |error| Error::new(ErrorKind::Internal, format!("describing table `{table}`: {error}"));
    let key =
        |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().map_err(invalid);
    let string = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(invalid)
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name("gsi1")
        .key_schema(key("gsi1pk", KeyType::Hash)?)
        .key_schema(key("pk", KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .map_err(invalid)?;
    let created = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(string("pk")?)
        .attribute_definitions(string("sk")?)
        .attribute_definitions(string("gsi1pk")?)
        .key_schema(key("pk", KeyType::Hash)?)
        .key_schema(key("sk", KeyType::Range)?)
        .global_secondary_indexes(index)
        .send()
        .await;
    if let Err(error) = created {
        if error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception()) {
            return Err(Error::new(ErrorKind::TableUnfit, format!("table `{table}` exists already")));
        }
        return Err(request_failure("creating", table, error));
    }
    wait_until_active(client, table).await
}

async fn wait_until_active(client: &Client, table: &str) -> Result<()> {
    for _ in 0..MAX_STATUS_CHECKS {
        let described = client
            .describe_table()
            .table_name(table)
            .send()
            .await
            .map_err(|error| request_failure("describing", table, error))?;
        if described.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(Error::new(ErrorKind::TimedOut, format!("table `{table}` does not become ACTIVE")))
}

async fn write_batch(client: &Client, table: &str, batch: Vec<TypedItem>) -> Result<()> {
    let mut requests = batch
        .into_iter()
        .map(|item| {
            let put = PutRequest::builder().set_item(Some(item)).build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::new(ErrorKind::Internal, format!("filling table `{table}`: {error}")))?;
    let mut pause = FIRST_PAUSE;
    for _ in 0..MAX_ATTEMPTS {
        let answer = client
            .batch_write_item()
            .request_items(table, requests)
            .send()
            .await
            .map_err(|error| request_failure("filling", table, error))?;
        requests = answer.unprocessed_items.and_then(|mut tables| tables.remove(table)).unwrap_or_default();
        if requests.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Err(Error::new(ErrorKind::Throttled, format!("filling table `{table}`: {} items stay unprocessed", requests.len())))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn text(item: &TypedItem, name: &str) -> String {
        item[name].as_s().expect("is a string").clone()
    }

    #[test]
    fn no_key_occurs_twice() {
        let keys: HashSet<_> = items(20_000, 1).map(|item| (text(&item, "pk"), text(&item, "sk"))).collect();
        assert_eq!(keys.len(), 20_000);
    }

    #[test]
    fn the_same_seed_gives_the_same_items_and_another_seed_others() {
        assert!(items(500, 7).eq(items(500, 7)));
        assert!(items(100, 7).eq(items(500, 7).take(100)));
        assert!(items(100, 7).zip(items(100, 8)).all(|(one, other)| one != other));
    }

    #[test]
    fn every_kind_of_item_is_among_them() {
        let names: HashSet<_> = items(400, 3).map(|item| text(&item, "entityName")).collect();
        for name in ["Case", "DocketEntry", "Message", "WorkItem", "User", "Oddity"] {
            assert!(names.contains(name), "{name}");
        }
        let odd: HashSet<_> = (0..FIRST_ODD + oddities::KINDS).filter_map(odd_kind).collect();
        assert_eq!(odd.len(), oddities::KINDS);
    }

    #[tokio::test]
    async fn a_seeded_table_holds_every_item_as_it_was_made() {
        let server = crate::embedded::EmbeddedDynamoDb::start().await.expect("starts");
        let client = server.client();
        seed_table(&client, "one", 300, 5).await.expect("is seeded");
        for expected in items(300, 5) {
            let answer = client
                .get_item()
                .table_name("one")
                .key("pk", expected["pk"].clone())
                .key("sk", expected["sk"].clone())
                .send()
                .await
                .expect("answers");
            let found = answer.item.expect("is there");
            assert!(crate::embedded::compare::same(&found, &expected), "{}", text(&expected, "sk"));
        }
        let again = seed_table(&client, "one", 1, 5).await.expect_err("exists");
        assert_eq!(again.kind(), ErrorKind::TableUnfit);
    }
}
