//! The operations that carry items, as bytes: Scan, GetItem, Query, BatchWriteItem and GetRecords.
//!
//! The SDK keeps what it is good at (credentials, endpoint, signing, TLS, time-outs); its serializer and deserializer are
//! swapped for ours by an interceptor, call by call. The answer's body is handed out as it came, checked against
//! DynamoDB's own CRC-32 where the header is there. Every call is one attempt.

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::ConfigBag;
use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextMut;
use aws_sdk_dynamodb::config::{Intercept, RuntimeComponents};
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemOutput;
use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodbstreams::Client as StreamsClient;
use aws_sdk_dynamodbstreams::operation::get_records::GetRecordsOutput;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{Error as ErasedError, Input, Output};
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;

use crate::dynamodb::error;
use crate::error::{Error, ErrorKind, Result};

/// Sends `body` as a Scan and returns the body of a successful answer.
///
/// `table` is what the SDK resolves the endpoint for; the service reads the name in the body.
pub async fn scan(client: &Client, table: &str, body: Vec<u8>) -> Result<Bytes> {
    let exchange = Exchange::new(Operation::Scan, body);
    let call = client.scan().table_name(table).customize().interceptor(exchange.clone());
    let sent = call.send().await.map(drop).map_err(error::from_sdk);
    exchange.finish(sent).await.map_err(|error| error.context(on_table(Operation::Scan, table)))
}

/// Like [`scan`], for GetItem.
pub async fn get_item(client: &Client, table: &str, body: Vec<u8>) -> Result<Bytes> {
    let exchange = Exchange::new(Operation::GetItem, body);
    let call = client.get_item().table_name(table).customize().interceptor(exchange.clone());
    let sent = call.send().await.map(drop).map_err(error::from_sdk);
    exchange.finish(sent).await.map_err(|error| error.context(on_table(Operation::GetItem, table)))
}

/// Like [`scan`], for Query.
pub async fn query(client: &Client, table: &str, body: Vec<u8>) -> Result<Bytes> {
    let exchange = Exchange::new(Operation::Query, body);
    let call = client.query().table_name(table).customize().interceptor(exchange.clone());
    let sent = call.send().await.map(drop).map_err(error::from_sdk);
    exchange.finish(sent).await.map_err(|error| error.context(on_table(Operation::Query, table)))
}

/// Like [`scan`], for BatchWriteItem.
pub async fn batch_write_item(client: &Client, table: &str, body: Vec<u8>) -> Result<Bytes> {
    let exchange = Exchange::new(Operation::BatchWriteItem, body);
    let call = client.batch_write_item().request_items(table, Vec::new()).customize().interceptor(exchange.clone());
    let sent = call.send().await.map(drop).map_err(error::from_sdk);
    exchange.finish(sent).await.map_err(|error| error.context(on_table(Operation::BatchWriteItem, table)))
}

/// Sends `body` as a GetRecords and returns the body of a successful answer; errors are those of a stream.
///
/// `stream` is named in errors; the service reads the iterator in the body.
pub async fn get_records(client: &StreamsClient, stream: &str, body: Vec<u8>) -> Result<Bytes> {
    let exchange = Exchange::new(Operation::GetRecords, body);
    let call = client.get_records().customize().interceptor(exchange.clone());
    let sent = call.send().await.map(drop).map_err(error::from_sdk);
    let place = || format!("{} on stream {stream}", Operation::GetRecords.name());
    exchange.finish(sent).await.map_err(|error| error::on_stream(error).context(place()))
}

fn on_table(operation: Operation, table: &str) -> impl Display {
    format!("{} on table {table}", operation.name())
}

/// What can be sent as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Scan,
    GetItem,
    Query,
    BatchWriteItem,
    GetRecords,
}

impl Operation {
    /// DynamoDB's name of it.
    fn name(self) -> &'static str {
        match self {
            Self::Scan => "Scan",
            Self::GetItem => "GetItem",
            Self::Query => "Query",
            Self::BatchWriteItem => "BatchWriteItem",
            Self::GetRecords => "GetRecords",
        }
    }

    fn target(self) -> &'static str {
        match self {
            Self::Scan => "DynamoDB_20120810.Scan",
            Self::GetItem => "DynamoDB_20120810.GetItem",
            Self::Query => "DynamoDB_20120810.Query",
            Self::BatchWriteItem => "DynamoDB_20120810.BatchWriteItem",
            Self::GetRecords => "DynamoDBStreams_20120810.GetRecords",
        }
    }

    /// The typed output that the SDK's caller expects; it stays empty, the answer goes another way.
    fn no_output(self) -> Output {
        match self {
            Self::Scan => Output::erase(ScanOutput::builder().build()),
            Self::GetItem => Output::erase(GetItemOutput::builder().build()),
            Self::Query => Output::erase(QueryOutput::builder().build()),
            Self::BatchWriteItem => Output::erase(BatchWriteItemOutput::builder().build()),
            Self::GetRecords => Output::erase(GetRecordsOutput::builder().build()),
        }
    }
}

/// What the deserializer saw: taken out of the SDK before it could parse it.
#[derive(Debug)]
struct Answer {
    status: u16,
    crc32: Option<u32>,
    body: Option<SdkBody>,
}

impl Answer {
    async fn check(self) -> Result<Bytes> {
        let broken = |what: &str| Error::new(ErrorKind::MalformedAnswer, what.to_owned());
        let body = self.body.ok_or_else(|| broken("the answer has no body"))?;
        // The SDK has read the body already: collecting only unwraps it, without a copy.
        let body = ByteStream::new(body).collect().await;
        let body = body.map_err(|_| broken("the answer's body broke off"))?.into_bytes();
        if let Some(expected) = self.crc32
            && crc32fast::hash(&body) != expected
        {
            return Err(broken("the answer does not match its checksum (x-amz-crc32)"));
        }
        if self.status == 200 { Ok(body) } else { Err(error::from_answer(self.status, &body)) }
    }
}

type Slot = Arc<Mutex<Option<Answer>>>;

fn lock(slot: &Slot) -> std::sync::MutexGuard<'_, Option<Answer>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request and the place for its answer. Clones share both.
#[derive(Debug, Clone)]
struct Exchange {
    operation: Operation,
    request: Arc<RawRequest>,
    answer: Slot,
}

impl Exchange {
    fn new(operation: Operation, body: Vec<u8>) -> Self {
        Self {
            operation,
            request: Arc::new(RawRequest { operation, body: Bytes::from(body) }),
            answer: Slot::default(),
        }
    }

    /// The answer's body, after the SDK has returned with `sent`.
    async fn finish(self, sent: Result<()>) -> Result<Bytes> {
        sent?;
        let answer = lock(&self.answer).take();
        let answer = answer.ok_or_else(|| Error::new(ErrorKind::Internal, "the SDK returned without an answer"))?;
        answer.check().await
    }
}

#[dyn_dispatch_hint]
impl Intercept for Exchange {
    fn name(&self) -> &'static str {
        "RawExchange"
    }

    fn modify_before_serialization(
        &self,
        _context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = RawAnswer { operation: self.operation, slot: self.answer.clone() };
        config
            .interceptor_state()
            .store_put(SharedRequestSerializer::new(Shared(self.request.clone())))
            .store_put(SharedResponseDeserializer::new(answer));
        Ok(())
    }
}

struct RawRequest {
    operation: Operation,
    body: Bytes,
}

/// Item data must not reach a log, so the body is left out.
impl std::fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RawRequest({}, {} bytes)", self.operation.name(), self.body.len())
    }
}

#[derive(Debug)]
struct Shared(Arc<RawRequest>);

impl SerializeRequest for Shared {
    fn serialize_input(&self, _input: Input, _config: &mut ConfigBag) -> Result<HttpRequest, BoxError> {
        let RawRequest { operation, body } = self.0.as_ref();
        let length = body.len();
        let mut request = HttpRequest::new(SdkBody::from(body.clone()));
        request.set_method("POST")?;
        request.set_uri("/")?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/x-amz-json-1.0");
        headers.insert("x-amz-target", operation.target());
        headers.insert("content-length", length.to_string());
        Ok(request)
    }
}

#[derive(Debug)]
struct RawAnswer {
    operation: Operation,
    slot: Slot,
}

impl DeserializeResponse for RawAnswer {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _config: &ConfigBag,
    ) -> Result<Output, OrchestratorError<ErasedError>> {
        *lock(&self.slot) = Some(Answer {
            status: response.status().as_u16(),
            crc32: response.headers().get("x-amz-crc32").and_then(|crc| crc.parse().ok()),
            body: response.body().try_clone(),
        });
        Ok(self.operation.no_output())
    }
}
