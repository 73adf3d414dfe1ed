//! The stream of the responder: canned records, so many a second, all of the same moment.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use memchr::memmem;

use super::page::{SERIAL_DIGITS, item};
use super::responder::number;

/// Records of a page, at the most; DynamoDB's own limit is 1 MB, which these fill.
const PAGE_RECORDS: u64 = 500;
/// Keys of changed items begin above those of the table.
const FIRST_SERIAL: u64 = 5_000_000_000;
/// What stands where a number of so many digits belongs.
const SLOT: &str = "0000000000";

/// How much the stream has.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// Shards, all open.
    pub shards: u64,
    /// Changes that each shard has from the first moment.
    pub ready: u64,
    /// Changes that come to each shard in a second.
    pub per_second: u64,
}

/// Answers to requests for the stream. An iterator is `SHARD|NEXT RECORD`.
#[derive(Clone)]
pub struct CannedRecords {
    stream: Stream,
    begun: Instant,
    page: Vec<u8>,
    /// Where each record ends in `page`, and the places for its serial number.
    records: Vec<(usize, Vec<usize>)>,
    answer: Vec<u8>,
}

impl CannedRecords {
    /// Makes the page.
    pub fn new(stream: Stream) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut page = br#"{"Records":["#.to_vec();
        let mut records = Vec::new();
        for _ in 0..PAGE_RECORDS {
            let image = item(1);
            let key = &image[1..image.find(r#","entityName""#).expect("the key comes first")];
            let record = format!(
                concat!(
                    r#"{{"awsRegion":"us-east-1","dynamodb":{{"ApproximateCreationDateTime":{now},"Keys":{{{key}}},"#,
                    r#""NewImage":{image},"OldImage":{image},"SequenceNumber":"1{slot}","SizeBytes":1900,"#,
                    r#""StreamViewType":"NEW_AND_OLD_IMAGES"}},"eventID":"e","eventName":"MODIFY","#,
                    r#""eventSource":"aws:dynamodb","eventVersion":"1.1"}},"#
                ),
                now = now,
                key = key,
                image = image,
                slot = SLOT
            );
            let slots = memmem::find_iter(record.as_bytes(), SLOT.as_bytes()).map(|at| page.len() + at).collect();
            page.extend_from_slice(record.as_bytes());
            records.push((page.len() - 1, slots));
        }
        Self { stream, begun: Instant::now(), page, records, answer: Vec::new() }
    }

    /// The answer to DescribeStream.
    pub fn description(&self) -> Vec<u8> {
        let shard = |number| {
            format!(r#"{{"SequenceNumberRange":{{"StartingSequenceNumber":"1"}},"ShardId":"shard-{number}"}}"#)
        };
        let shards: Vec<String> = (0..self.stream.shards).map(shard).collect();
        let shards = shards.join(",");
        format!(
            r#"{{"StreamDescription":{{"Shards":[{shards}],"StreamArn":"arn","StreamStatus":"ENABLED","StreamViewType":"NEW_AND_OLD_IMAGES"}}}}"#
        )
        .into_bytes()
    }

    /// The answer to GetShardIterator: the beginning, whatever was asked for.
    pub fn iterator(&self, request: &[u8]) -> Vec<u8> {
        let shard = after(request, b"shard-");
        format!(r#"{{"ShardIterator":"iterator-{shard}|0"}}"#).into_bytes()
    }

    /// The answer to GetRecords.
    pub fn answer(&mut self, request: &[u8]) -> &[u8] {
        let (shard, next) = (after(request, b"iterator-"), after(request, b"|"));
        let come = (self.begun.elapsed().as_secs_f64() * self.stream.per_second as f64) as u64;
        let count = (self.stream.ready + come).saturating_sub(next).min(PAGE_RECORDS);
        for (at, (_, slots)) in self.records.iter().take(count as usize).enumerate() {
            let serial = FIRST_SERIAL + (next + at as u64) * self.stream.shards + shard;
            let digits = format!("{serial:0SERIAL_DIGITS$}");
            for slot in slots {
                self.page[*slot..slot + SERIAL_DIGITS].copy_from_slice(digits.as_bytes());
            }
        }
        // Without the comma behind the last record.
        let end = if count == 0 { br#"{"Records":["#.len() } else { self.records[count as usize - 1].0 };
        self.answer.clear();
        self.answer.extend_from_slice(&self.page[..end]);
        let next = next + count;
        self.answer.extend_from_slice(format!(r#"],"NextShardIterator":"iterator-{shard}|{next}"}}"#).as_bytes());
        &self.answer
    }
}

fn after(request: &[u8], mark: &[u8]) -> u64 {
    memmem::find(request, mark).and_then(|at| number(&request[at + mark.len()..])).expect("a number follows the mark")
}
