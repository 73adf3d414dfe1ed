//! A table's stream as a source of changes: typed calls for shards and iterators, GetRecords as bytes.

mod date;
mod records;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::error::ProvideErrorMetadata;
use aws_sdk_dynamodbstreams::primitives::DateTime;
use aws_sdk_dynamodbstreams::types::{
    Shard as ShardDescription, ShardIteratorType, StreamDescription, StreamStatus, StreamViewType,
};
use futures::future::BoxFuture;

use crate::dynamodb::error::{from_sdk, on_stream};
use crate::dynamodb::wire;
use crate::error::{Error, ErrorKind, Result};
use crate::item::KeySchema;
use crate::stream::{ChangePage, ChangeSource, Position, Shard, ShardIterator, ShardList};

use date::AnswerDate;

/// GetRecords takes no larger limit (DynamoDB API reference).
const MAX_RECORDS: usize = 1000;

/// Reads the stream of a table.
#[derive(Debug)]
pub struct TableStream {
    client: Client,
    arn: String,
    schema: KeySchema,
    /// The service has refused `AT_TIMESTAMP` as a type that it does not know; emulators do.
    knows_no_timestamps: AtomicBool,
}

impl TableStream {
    /// Reads the stream `arn` of a table whose items have keys of `schema`.
    pub fn new(client: Client, arn: impl Into<String>, schema: KeySchema) -> Self {
        Self { client, arn: arn.into(), schema, knows_no_timestamps: AtomicBool::new(false) }
    }

    fn at(&self, operation: &str) -> impl Fn(Error) -> Error {
        let place = format!("{operation} on stream {}", self.arn);
        move |error| error.context(&place)
    }

    async fn list(&self) -> Result<ShardList> {
        let mut list = ShardList { shards: Vec::new(), is_enabled: false, now_ms: 0 };
        let mut after: Option<String> = None;
        loop {
            let date = AnswerDate::default();
            let page = self.client.describe_stream().stream_arn(&self.arn).set_exclusive_start_shard_id(after.clone());
            let page = page.customize().interceptor(date.clone()).send().await;
            let page = page.map_err(|error| on_stream(from_sdk(error)))?;
            let page = page.stream_description.ok_or_else(|| damaged("no StreamDescription"))?;
            check_view(&page)?;
            let status = page.stream_status();
            list.is_enabled = matches!(status, Some(StreamStatus::Enabled | StreamStatus::Enabling));
            list.now_ms = date.get_or_now_ms();
            for shard in page.shards() {
                list.shards.push(named(shard)?);
            }
            match page.last_evaluated_shard_id {
                None => return Ok(list),
                next if next == after => return Err(damaged("the same LastEvaluatedShardId twice")),
                next => after = next,
            }
        }
    }

    async fn iterator(&self, shard: &str, position: &Position) -> Result<ShardIterator> {
        let call = self.client.get_shard_iterator().stream_arn(&self.arn).shard_id(shard);
        let (horizon, timestamp) = (ShardIteratorType::TrimHorizon, ShardIteratorType::AtTimestamp);
        let call = match position {
            Position::Horizon => call.shard_iterator_type(horizon),
            Position::After(sequence) => {
                call.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(&**sequence)
            }
            Position::Since(_) if self.knows_no_timestamps.load(Ordering::Relaxed) => call.shard_iterator_type(horizon),
            Position::Since(ms) => {
                let since = call.clone().shard_iterator_type(timestamp).timestamp(DateTime::from_millis(*ms));
                match since.send().await {
                    Err(error) if error.code() == Some("ValidationException") => {
                        // Either the type is refused, always, or this time, which is in the service's future. The
                        // horizon is before every time; a request that is wrong otherwise fails again.
                        let text = error.message().unwrap_or_default().to_ascii_lowercase();
                        if text.contains("sharditeratortype") {
                            self.knows_no_timestamps.store(true, Ordering::Relaxed);
                        }
                        call.shard_iterator_type(horizon)
                    }
                    answer => return answered(answer.map_err(from_sdk)?.shard_iterator),
                }
            }
        };
        answered(call.send().await.map_err(from_sdk)?.shard_iterator)
    }

    fn request(iterator: &ShardIterator) -> Vec<u8> {
        let iterator = serde_json::Value::from(&*iterator.0);
        format!(r#"{{"ShardIterator":{iterator},"Limit":{MAX_RECORDS}}}"#).into_bytes()
    }
}

impl ChangeSource for TableStream {
    fn list_shards(&self) -> BoxFuture<'_, Result<ShardList>> {
        Box::pin(async move { self.list().await.map_err(self.at("DescribeStream")) })
    }

    fn open<'a>(&'a self, shard: &'a str, position: &'a Position) -> BoxFuture<'a, Result<ShardIterator>> {
        Box::pin(async move {
            let iterator = self.iterator(shard, position).await.map_err(on_stream);
            iterator.map_err(|error| self.at("GetShardIterator")(error.context(format!("shard {shard}"))))
        })
    }

    fn read<'a>(&'a self, iterator: &'a ShardIterator) -> BoxFuture<'a, Result<ChangePage>> {
        Box::pin(async move {
            let answer = wire::get_records(&self.client, &self.arn, Self::request(iterator)).await?;
            records::parse_page(answer, &self.schema).map_err(self.at("GetRecords"))
        })
    }
}

/// Records would be refused one by one; a listing shows it before anything is read.
fn check_view(description: &StreamDescription) -> Result<()> {
    match description.stream_view_type() {
        None | Some(StreamViewType::NewAndOldImages) => Ok(()),
        Some(other) => Err(unfit(format!("the stream's view type is {other}"))),
    }
}

fn named(shard: &ShardDescription) -> Result<Shard> {
    let id = shard.shard_id().ok_or_else(|| damaged("a shard without a ShardId"))?;
    let parent = shard.parent_shard_id().filter(|parent| !parent.is_empty());
    Ok(Shard { id: id.into(), parent: parent.map(Into::into) })
}

fn answered(iterator: Option<String>) -> Result<ShardIterator> {
    iterator.map(|iterator| ShardIterator(iterator.into())).ok_or_else(|| damaged("no ShardIterator"))
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::MalformedAnswer, format!("the answer is damaged: {what}"))
        .hint("check that the endpoint is a DynamoDB endpoint")
}

/// A stream without both images.
fn unfit(message: String) -> Error {
    Error::new(ErrorKind::StreamUnfit, message).hint(
        "a tail needs the view type NEW_AND_OLD_IMAGES, and a stream keeps its view type: switch the stream off and on \
         again with that view type, then start a new run",
    )
}
