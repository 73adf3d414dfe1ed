//! What can go wrong between a client and DynamoDB, and the answers that say so.

use std::time::Duration;

use serde_json::{Value, json};

use super::http::Message;

/// One way to spoil one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is reset and for a moment every new one too, as by a host that is restarting.
    Refused,
    /// The connection is reset before the server saw the request.
    ResetBefore,
    /// The server acts on the request; the connection ends without an answer.
    LostAck,
    /// The answer comes late.
    Slow(Duration),
    /// No answer ever comes, and the request is dropped.
    Hang,
    /// No answer ever comes; the server sees the request this much later.
    LateLanding(Duration),
    /// The server sees the request twice.
    Duplicate,
    /// The connection ends in the middle of the body that was announced.
    TruncatedBody,
    /// Half of the body, announced as if it were all, without a checksum.
    ShortJson,
    /// The server acts; the answer is 200 with bytes that are no JSON.
    Garbage,
    /// 200 with a web page.
    Html,
    /// 502 with a web page.
    BadGateway,
    /// The right answer under a wrong `x-amz-crc32`.
    BadChecksum,
    /// The server acts; the answer is 500.
    ServerError,
    /// 503; the server does not act.
    Unavailable,
    /// `ProvisionedThroughputExceededException`.
    ThroughputExceeded,
    /// `ThrottlingException`.
    Throttled,
    /// `ExpiredTokenException`.
    ExpiredToken,
    /// BatchWriteItem: some operations are done, the others come back.
    PartialUnprocessed,
    /// BatchWriteItem: every operation comes back.
    AllUnprocessed,
    /// BatchGetItem: no key is looked up, all of them come back.
    KeysUnprocessed,
    /// Scan: a page without items whose cursor leads on.
    EmptyPage,
    /// `ValidationException`; the server does not act.
    Rejected,
    /// GetRecords: `ExpiredIteratorException`.
    ExpiredIterator,
    /// `LimitExceededException`, as when a shard has too many readers.
    TooManyReaders,
    /// GetRecords, GetShardIterator: `TrimmedDataAccessException`.
    TrimmedData,
    /// GetRecords: no records, and the iterator again, although there may be some.
    EmptyRecords,
}

/// The operations of DynamoDB Streams.
pub const STREAM_OPERATIONS: [&str; 3] = ["GetRecords", "GetShardIterator", "DescribeStream"];

impl Fault {
    /// Its name in counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::ResetBefore => "reset before",
            Self::LostAck => "lost acknowledgement",
            Self::Slow(_) => "slow answer",
            Self::Hang => "no answer",
            Self::LateLanding(_) => "late landing",
            Self::Duplicate => "duplicate delivery",
            Self::TruncatedBody => "truncated body",
            Self::ShortJson => "short JSON",
            Self::Garbage => "garbage",
            Self::Html => "HTML 200",
            Self::BadGateway => "HTML 502",
            Self::BadChecksum => "bad checksum",
            Self::ServerError => "500",
            Self::Unavailable => "503",
            Self::ThroughputExceeded => "throughput exceeded",
            Self::Throttled => "throttled",
            Self::ExpiredToken => "expired token",
            Self::PartialUnprocessed => "partially unprocessed",
            Self::AllUnprocessed => "all unprocessed",
            Self::KeysUnprocessed => "keys unprocessed",
            Self::EmptyPage => "empty page",
            Self::Rejected => "rejected",
            Self::ExpiredIterator => "expired iterator",
            Self::TooManyReaders => "too many readers",
            Self::TrimmedData => "trimmed data",
            Self::EmptyRecords => "empty records",
        }
    }

    /// Whether it can happen to this operation.
    pub fn concerns(self, operation: &str) -> bool {
        match self {
            Self::PartialUnprocessed | Self::AllUnprocessed => operation == "BatchWriteItem",
            Self::KeysUnprocessed => operation == "BatchGetItem",
            Self::EmptyPage => operation == "Scan",
            Self::ExpiredIterator | Self::EmptyRecords => operation == "GetRecords",
            Self::TrimmedData => ["GetRecords", "GetShardIterator"].contains(&operation),
            Self::TooManyReaders => STREAM_OPERATIONS.contains(&operation),
            _ => true,
        }
    }

    /// The whole answer, for faults that leave the server out.
    pub fn answer(self) -> Option<Message> {
        let typed = |status, kind: &str, text: &str| {
            let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
            Some(answer(status, &json!({ "__type": kind, "message": text })))
        };
        match self {
            Self::Html => Some(page("200 OK")),
            Self::BadGateway => Some(page("502 Bad Gateway")),
            Self::Unavailable => typed("503 Service Unavailable", "ServiceUnavailable", "try again"),
            Self::ThroughputExceeded => {
                typed("400 Bad Request", "ProvisionedThroughputExceededException", "the level is exceeded")
            }
            Self::Throttled => typed("400 Bad Request", "ThrottlingException", "rate exceeded"),
            Self::ExpiredToken => typed("400 Bad Request", "ExpiredTokenException", "the token is expired"),
            Self::Rejected => typed("400 Bad Request", "ValidationException", "planted: one item is invalid"),
            Self::ExpiredIterator => {
                typed("400 Bad Request", "ExpiredIteratorException", "planted: older than 15 minutes")
            }
            Self::TooManyReaders => typed("400 Bad Request", "LimitExceededException", "planted: too many readers"),
            Self::TrimmedData => {
                typed("400 Bad Request", "TrimmedDataAccessException", "planted: beyond the trim horizon")
            }
            _ => None,
        }
    }
}

/// The answer of a server that failed after it had acted.
pub fn server_error() -> Message {
    answer("500 Internal Server Error", &json!({ "__type": "InternalServerError", "message": "planted" }))
}

/// An answer of DynamoDB, with its checksum.
pub fn answer(status: &str, body: &Value) -> Message {
    let mut message = Message {
        first_line: format!("HTTP/1.1 {status}"),
        headers: vec![("content-type".to_owned(), "application/x-amz-json-1.0".to_owned())],
        body: Vec::new(),
    };
    set_body(&mut message, body.to_string().into_bytes());
    message
}

/// Replaces a body and the checksum that vouches for it.
pub fn set_body(message: &mut Message, body: Vec<u8>) {
    message.set_header("x-amz-crc32", &crc32fast::hash(&body).to_string());
    message.body = body;
}

fn page(status: &str) -> Message {
    Message {
        first_line: format!("HTTP/1.1 {status}"),
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: b"<!doctype html><html><body><h1>Please log in</h1></body></html>".to_vec(),
    }
}
