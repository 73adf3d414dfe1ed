//! A stream in an emulator, from put to delete; and what emulators do not do, from a server with prepared answers.

use std::collections::HashMap;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::Client as TableClient;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType,
};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::change::Change;
use crate::dynamodb::marker::{delete_marker, put_marker};
use crate::dynamodb::{Table, TableReader, TableSink};
use crate::embedded::EmbeddedDynamoDb;
use crate::item::{KeyAttribute, KeyKind, RawItem};
use crate::sink::{Outcome, Sink, Write};

/// Clients of the emulator at `endpoint`, with credentials that are made up.
fn clients(endpoint: &str) -> (TableClient, Client) {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::disabled())
        .endpoint_url(endpoint)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .build();
    (TableClient::new(&config), Client::new(&config))
}

async fn create(client: &TableClient, name: &str, view: Option<StreamViewType>) -> Table {
    let create = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let mut create = create.set_stream_specification(view.map(|view| {
        let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(view);
        stream.build().expect("complete")
    }));
    for (name, kind, role) in
        [("pk", ScalarAttributeType::S, KeyType::Hash), ("sk", ScalarAttributeType::N, KeyType::Range)]
    {
        let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(kind);
        let element = KeySchemaElement::builder().attribute_name(name).key_type(role);
        create = create
            .attribute_definitions(attribute.build().expect("complete"))
            .key_schema(element.build().expect("complete"));
    }
    create.send().await.expect("is created");
    Table::describe(client, name).await.expect("is there")
}

fn item(table: &Table, json: &str) -> RawItem {
    RawItem::parse(Bytes::copy_from_slice(json.as_bytes()), &table.schema).expect("an item")
}

/// Everything that follows `position` in all shards, and whether they have ended.
async fn read_all(stream: &TableStream, position: &Position) -> (Vec<Change>, bool) {
    let (mut changes, mut is_end) = (Vec::new(), true);
    for shard in stream.list_shards().await.expect("is listed").shards {
        let mut iterator = stream.open(&shard.id, position).await.expect("opens");
        loop {
            let page = stream.read(&iterator).await.expect("is read");
            let is_empty = page.changes.is_empty();
            changes.extend(page.changes);
            match page.next {
                Some(next) if !is_empty => iterator = next,
                Some(_) => break is_end = false,
                None => break,
            }
        }
    }
    (changes, is_end)
}

async fn follow_a_table(endpoint: &str) {
    let (client, streams) = clients(endpoint);
    let table = create(&client, "orders", Some(StreamViewType::NewAndOldImages)).await;
    let arn = table.check_stream().expect("fit");
    table.check_stream_arn(&arn).expect("its own");
    let stream = TableStream::new(streams, &arn, table.schema.clone());
    let list = stream.list_shards().await.expect("is listed");
    let now = std::time::UNIX_EPOCH.elapsed().expect("a time").as_millis() as i64;
    assert!(list.is_enabled && !list.shards.is_empty() && (list.now_ms - now).abs() < 60_000);

    // The header's time is in whole seconds; this machine's hardly ever is.
    assert_eq!(list.now_ms % 1000, 0);

    // Put, changed, deleted; and put through the sink, with all that is unusual.
    let sink = TableSink::new(client.clone(), "orders", table.schema.clone());
    let first = r#"{"pk":{"S":"a\u2028\"/é"},"sk":{"N":"-1.5"},"b":{"B":"AAECAw=="},"ss":{"SS":["x","y"]},"l":{"L":[{"M":{}},{"NULL":true}]},"n":{"N":"12345678901234567890123456789012345678"},"e":{"S":""}}"#;
    let second = r#"{"pk":{"S":"a\u2028\"/é"},"sk":{"N":"-1.5"},"v":{"N":"2"}}"#;
    let other = r#"{"pk":{"S":"b"},"sk":{"N":"0"}}"#;
    for batch in [
        vec![Write::Put(item(&table, first)), Write::Put(item(&table, other))],
        vec![Write::Put(item(&table, second))],
        vec![Write::Delete(item(&table, first)), Write::Delete(item(&table, r#"{"pk":{"S":"none"},"sk":{"N":"0"}}"#))],
    ] {
        let reply = sink.write(&batch).await.expect("is written");
        assert!(reply.outcomes.iter().all(|outcome| *outcome == Outcome::Written));
    }

    let (changes, is_end) = read_all(&stream, &Position::Horizon).await;
    assert!(!is_end);
    let key = item(&table, first).key();
    let of_first: Vec<&Change> = changes.iter().filter(|change| change.item().key() == key).collect();
    let same = |found: &Option<RawItem>, expected: Option<&str>| {
        let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).expect("JSON");
        assert_eq!(found.as_ref().map(|found| value(found.json())), expected.map(|json| value(json.as_bytes())));
    };
    let expected = [(None, Some(first)), (Some(first), Some(second)), (Some(second), None)];
    assert_eq!(of_first.len(), expected.len());
    for (change, (old, new)) in of_first.iter().zip(expected) {
        same(&change.old, old);
        same(&change.new, new);
        assert!((change.created_ms - now).abs() < 120_000);
    }
    assert_eq!(changes.len(), expected.len() + 1);

    // What the stream tells is what a reader of the table finds, byte for byte.
    let reader = TableReader::new(client.clone(), "orders", table.schema.clone());
    let other = item(&table, other);
    let change = changes.iter().find(|change| change.item().key() == other.key()).expect("its change");
    let found = reader.get(&other).await.expect("is read").item.expect("is there");
    let attributes = |item: &RawItem| -> HashMap<String, Box<serde_json::value::RawValue>> {
        serde_json::from_slice(item.json()).expect("an object")
    };
    let text = |item: &RawItem| {
        let mut text: Vec<String> =
            attributes(item).into_iter().map(|(name, value)| format!("{name}{value}")).collect();
        text.sort();
        text
    };
    assert_eq!(text(change.item()), text(&found));
    assert!(reader.get(&item(&table, first)).await.expect("is read").item.is_none());

    // Every position; a time that the service knows nothing of comes down to the horizon.
    let count = async |position| read_all(&stream, &position).await.0.len();
    assert_eq!(count(Position::Since(now - 600_000)).await, 4);
    assert_eq!(count(Position::Since(now + 600_000)).await, 4);
    assert_eq!(count(Position::After(changes[0].sequence.clone())).await, 3);
    assert_eq!(count(Position::After(changes[3].sequence.clone())).await, 0);

    put_marker(&client, "orders", &table.schema, "marker-1", "one").await.expect("is put");
    put_marker(&client, "orders", &table.schema, "marker-1", "two").await.expect("is put");
    delete_marker(&client, "orders", &table.schema, "marker-1").await.expect("is deleted");
    let (markers, _) = read_all(&stream, &Position::After(changes[3].sequence.clone())).await;
    assert_eq!(markers.len(), 3);
    assert!(markers.iter().all(|change| change.item().partition_value() == br#"{"S":"marker-1"}"#));
}

#[tokio::test]
async fn a_table_is_followed_from_put_to_delete() {
    let server = EmbeddedDynamoDb::start().await.expect("starts");
    follow_a_table(&server.endpoint_url()).await;
}

#[tokio::test]
async fn a_stream_that_is_unfit_or_gone_says_so() {
    let server = EmbeddedDynamoDb::start().await.expect("starts");
    let (client, streams) = clients(&server.endpoint_url());
    let plain = create(&client, "plain", None).await;
    assert_eq!(plain.check_stream().expect_err("off").kind(), ErrorKind::StreamUnfit);
    let keys = create(&client, "keys", Some(StreamViewType::KeysOnly)).await;
    assert_eq!(keys.check_stream().expect_err("no images").kind(), ErrorKind::StreamUnfit);

    let open = |arn: String| TableStream::new(streams.clone(), arn, keys.schema.clone());
    let stream = open(format!("{}/stream/2026", keys.arn()));
    assert_eq!(stream.list_shards().await.expect_err("no images").kind(), ErrorKind::StreamUnfit);
    let garbage = ShardIterator("garbage".into());
    assert_eq!(stream.read(&garbage).await.expect_err("no iterator").kind(), ErrorKind::Rejected);

    let gone = open(format!("{}/stream/2026", plain.arn()));
    assert_eq!(gone.list_shards().await.expect_err("gone").kind(), ErrorKind::PositionLost);
    let error = gone.open("shard-1", &Position::Horizon).await.expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::PositionLost);
    assert!(error.message().contains("shard-1") && error.message().contains(plain.arn()));
}

/// Serves prepared answers, one a request, in order: status, headers and body. Returns the bodies of the requests.
async fn prepared(answers: Vec<(u16, &'static str, String)>) -> (TableStream, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (_, client) = clients(&format!("http://{}", listener.local_addr().expect("an address")));
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        for (status, headers, body) in answers {
            let (mut connection, _) = listener.accept().await.expect("a request");
            let mut request = Vec::new();
            let whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request).into_owned();
                let (head, body) = text.split_once("\r\n\r\n")?;
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse::<usize>().ok()?;
                (body.len() == length).then(|| body.to_owned())
            };
            let request = loop {
                match whole(&request) {
                    Some(body) => break body,
                    None => assert!(connection.read_buf(&mut request).await.expect("is read") > 0, "a whole request"),
                }
            };
            requests.push(request);
            let length = body.len();
            let head = format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
            connection.write_all((head + &body).as_bytes()).await.expect("is sent");
        }
        requests
    });
    let partition = KeyAttribute::new("pk", KeyKind::String);
    (TableStream::new(client, "arn:s", KeySchema { partition, sort: None }), served)
}

fn listing(shards: &str, last: &str) -> String {
    format!(r#"{{"StreamDescription":{{"StreamStatus":"DISABLED","Shards":[{shards}]{last}}}}}"#)
}

fn refusal(code: &str, message: &str) -> (u16, &'static str, String) {
    (400, "", format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"{message}"}}"#))
}

#[tokio::test]
async fn a_listing_has_the_shards_of_all_its_pages() {
    let date = "date: Tue, 14 Nov 2023 22:13:20 GMT\r\n";
    let first = listing(r#"{"ShardId":"1","ParentShardId":"0"},{"ShardId":"2"}"#, r#","LastEvaluatedShardId":"2""#);
    let second = listing(r#"{"ShardId":"3","ParentShardId":"1"}"#, "");
    let (stream, served) = prepared(vec![(200, "", first), (200, date, second)]).await;
    let list = stream.list_shards().await.expect("is listed");
    let found: Vec<_> = list.shards.iter().map(|shard| (&*shard.id, shard.parent.as_deref())).collect();
    assert_eq!(found, [("1", Some("0")), ("2", None), ("3", Some("1"))]);
    assert_eq!((list.is_enabled, list.now_ms), (false, 1_700_000_000_000));
    let requests = served.await.expect("served");
    assert!(requests[1].contains(r#""ExclusiveStartShardId":"2""#), "{requests:?}");
}

#[tokio::test]
async fn a_listing_that_goes_round_in_circles_or_is_none_is_malformed() {
    let page = || (200, "", listing(r#"{"ShardId":"1"}"#, r#","LastEvaluatedShardId":"1""#));
    let nameless = (200, "", listing(r#"{"ParentShardId":"1"}"#, ""));
    for answers in [vec![page(), page()], vec![nameless], vec![(200, "", "{}".into())], vec![(200, "", "<p>".into())]] {
        let (stream, _) = prepared(answers).await;
        assert_eq!(stream.list_shards().await.expect_err("malformed").kind(), ErrorKind::MalformedAnswer);
    }
}

#[tokio::test]
async fn a_refused_time_comes_down_to_the_horizon_and_a_refused_type_is_not_asked_for_again() {
    let opened = || (200, "", r#"{"ShardIterator":"i"}"#.to_owned());
    let (stream, served) = prepared(vec![
        opened(),
        refusal("ValidationException", "Timestamp is in the future"),
        opened(),
        refusal("ValidationException", "Invalid ShardIteratorType."),
        opened(),
        opened(),
        opened(),
    ])
    .await;
    for _ in 0..4 {
        let iterator = stream.open("shard", &Position::Since(1_700_000_000_125)).await.expect("opens");
        assert_eq!(iterator, ShardIterator("i".into()));
    }
    stream.open("shard", &Position::After("7".into())).await.expect("opens");
    let requests = served.await.expect("served");
    let kinds: Vec<_> = requests
        .iter()
        .map(|request| serde_json::from_str::<serde_json::Value>(request).expect("JSON")["ShardIteratorType"].clone())
        .collect();
    let (timestamp, horizon) = ("AT_TIMESTAMP", "TRIM_HORIZON");
    assert_eq!(kinds, [timestamp, timestamp, horizon, timestamp, horizon, horizon, "AFTER_SEQUENCE_NUMBER"]);
    assert!(requests[0].contains(r#""Timestamp":1700000000.125"#), "{requests:?}");
}

#[tokio::test]
async fn errors_that_concern_the_position_have_kinds_of_their_own_and_nothing_is_sent_twice() {
    for (code, kind) in [
        ("ExpiredIteratorException", ErrorKind::IteratorExpired),
        ("TrimmedDataAccessException", ErrorKind::PositionLost),
        ("ResourceNotFoundException", ErrorKind::PositionLost),
        ("LimitExceededException", ErrorKind::Throttled),
        ("ProvisionedThroughputExceededException", ErrorKind::Throttled),
        ("ThrottlingException", ErrorKind::Throttled),
        ("AccessDeniedException", ErrorKind::Access),
    ] {
        let (stream, served) = prepared(vec![refusal(code, "m"), refusal(code, "m"), refusal(code, "m")]).await;
        let iterator = ShardIterator("\"i\"".into());
        assert_eq!(stream.read(&iterator).await.expect_err(code).kind(), kind, "{code}");
        assert_eq!(stream.open("shard", &Position::Since(1)).await.expect_err(code).kind(), kind, "{code}");
        assert_eq!(stream.list_shards().await.expect_err(code).kind(), kind, "{code}");
        assert_eq!(served.await.expect("served")[0], r#"{"ShardIterator":"\"i\"","Limit":1000}"#);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_match_its_checksum_is_malformed() {
    let page = || r#"{"Records":[]}"#.to_owned();
    let (stream, _) = prepared(vec![(200, "x-amz-crc32: 1\r\n", page()), (200, "", page())]).await;
    let iterator = ShardIterator("i".into());
    assert_eq!(stream.read(&iterator).await.expect_err("altered").kind(), ErrorKind::MalformedAnswer);
    assert!(stream.read(&iterator).await.expect("whole").next.is_none());
}
