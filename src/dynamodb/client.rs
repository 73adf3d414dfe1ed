//! Connections: one for the control plane (the SDK retries), one for data (the engine retries).

use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Builder, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodbstreams::Client as StreamsClient;
use aws_sdk_dynamodbstreams::config::Builder as StreamsBuilder;
use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use crate::dynamodb::endpoint::{check_endpoint, streams_endpoint};
use crate::dynamodb::error::credentials_hint;
use crate::error::{Error, ErrorKind, Result};

/// Attempts of a control-plane call, DescribeTable for instance, before it fails.
const CONTROL_ATTEMPTS: u32 = 3;
/// Longest wait for a TCP and TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How to reach one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// Instead of the region's public endpoint.
    pub endpoint_url: Option<String>,
    /// Instead of the environment's or profile's.
    pub region: Option<String>,
    /// Named profile of the AWS configuration files.
    pub profile: Option<String>,
    /// Longest time for one attempt of one request.
    pub request_timeout: Duration,
}

/// The clients of one side; they share credentials and connections' settings.
#[derive(Debug, Clone)]
pub struct Connection {
    /// For DescribeTable, CreateTable and the like.
    pub control: Client,
    /// For Scan, GetItem and BatchWriteItem: one attempt a call.
    pub data: Client,
    /// For a stream: one attempt a call.
    pub streams: StreamsClient,
    /// The region in force.
    pub region: String,
}

/// Loads region and credentials through the AWS default chain and builds the clients. Sends nothing to DynamoDB.
pub async fn connect(options: &ClientOptions) -> Result<Connection> {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &options.profile {
        // An explicit profile beats credentials in the environment, as with the AWS CLI, and must exist.
        let credentials = ProfileFileCredentialsProvider::builder().profile_name(profile).build();
        loader = loader.profile_name(profile).credentials_provider(credentials);
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let shared = loader.load().await;
    // Environment and profile can name endpoints too, for all services or for one.
    let of_dynamodb = endpoint_of(&shared, "DynamoDB");
    // What holds for all services is found for every one of them; only an endpoint of its own says where streams are.
    let for_all = endpoint_of(&shared, "all services");
    let of_streams = endpoint_of(&shared, "DynamoDB Streams").filter(|url| Some(url) != for_all.as_ref());
    let given =
        [options.endpoint_url.as_deref().or(shared.endpoint_url()), of_dynamodb.as_deref(), of_streams.as_deref()];
    given.into_iter().flatten().try_for_each(check_endpoint)?;
    let streams_url = streams_endpoint(options.endpoint_url.as_deref(), of_dynamodb.as_deref(), of_streams.as_deref());
    let region = shared.region().map(|region| region.as_ref().to_owned()).ok_or_else(|| {
        Error::new(ErrorKind::Access, "no region is configured")
            .hint("set --region or AWS_REGION, or a region in the profile; an emulator takes any, such as us-east-1")
    })?;
    let provider = shared.credentials_provider();
    let provider =
        provider.ok_or_else(|| credentials_hint(Error::new(ErrorKind::Access, "no credentials are configured")))?;
    provider.provide_credentials().await.map_err(|error| {
        let text = DisplayErrorContext(&error).to_string();
        // The first sentence says it; the rest is a debug dump.
        let text = text.split(" (").next().unwrap_or_default().to_owned();
        let profile = options.profile.as_ref().map_or(String::new(), |profile| format!(" from profile {profile}"));
        credentials_hint(Error::new(ErrorKind::Access, format!("no credentials could be loaded{profile}: {text}")))
    })?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(options.request_timeout))
        .operation_attempt_timeout(options.request_timeout)
        .build();
    let mut streams = StreamsBuilder::from(&shared)
        .timeout_config(timeouts.clone())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::disabled());
    streams.set_endpoint_url(streams_url);
    let base = Builder::from(&shared)
        .timeout_config(timeouts)
        // A stalled body is ended by the attempt's time-out; a second watchdog would only cost time per request.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    let control = base.clone().retry_config(RetryConfig::standard().with_max_attempts(CONTROL_ATTEMPTS));
    let data = base.retry_config(RetryConfig::disabled());
    Ok(Connection {
        control: Client::from_conf(control.build()),
        data: Client::from_conf(data.build()),
        streams: StreamsClient::from_conf(streams.build()),
        region,
    })
}

/// The endpoint that environment or profile have for a service, or for all services if they have none for this one.
fn endpoint_of(shared: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    shared.service_config()?.load_config(key.ok()?)
}
