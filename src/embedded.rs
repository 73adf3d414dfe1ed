//! The in-process DynamoDB of `demo`: an emulator in memory behind real HTTP on a loopback port.
//!
//! [`EmbeddedDynamoDb`] is the server, [`seed`] fills a table with the items of an imagined court, [`Application`] goes on
//! writing to it, [`compare()`] says whether two tables hold the same. The server has its own thread and its own runtime, so that its SQLite calls, which
//! block, never hold up the tasks of whoever talks to it. Nothing is written to disk; what the server holds is gone when
//! it stops.

mod application;
mod compare;
mod court;
mod oddities;
mod raw;
pub mod seed;

pub use application::{Application, Writes};
pub use compare::{Comparison, compare};
pub use raw::{raw_items, schema};

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use dynoxide::Database;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};

/// One request is served at a time by the database; the second thread reads and parses the next one meanwhile.
const SERVER_THREADS: usize = 2;

/// How long a request that is under way may hold up a stop.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// The region that the server's client signs for; the server takes any.
const REGION: &str = "us-east-1";

/// A running emulator. Dropping it stops the server without waiting; [`stop`](Self::stop) waits.
#[derive(Debug)]
pub struct EmbeddedDynamoDb {
    address: SocketAddr,
    /// Ends the server when it is sent or dropped.
    shutdown: Option<oneshot::Sender<()>>,
    stopped: Option<oneshot::Receiver<()>>,
}

impl EmbeddedDynamoDb {
    /// Starts an empty server on a free loopback port; it answers when this returns.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] when no port, thread or memory is to be had.
    pub async fn start() -> Result<Self> {
        let database = database()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| failure("binding a port", error))?;
        let address = listener.local_addr().map_err(|error| failure("binding a port", error))?;
        listener.set_nonblocking(true).map_err(|error| failure("binding a port", error))?;

        let (shutdown, shut_down) = oneshot::channel();
        let (report_stopped, stopped) = oneshot::channel();
        let (report_ready, ready) = oneshot::channel();
        thread::Builder::new()
            .name("embedded-dynamodb".into())
            .spawn(move || {
                run(listener, database, report_ready, shut_down);
                // Nobody may be waiting any more.
                let _ = report_stopped.send(());
            })
            .map_err(|error| failure("starting its thread", error))?;
        ready.await.unwrap_or_else(|_| Err(failure("starting its thread", "it ended at once")))?;
        Ok(Self { address, shutdown: Some(shutdown), stopped: Some(stopped) })
    }

    /// Where it listens: `http://127.0.0.1:<port>`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A typed client for this server, with made-up credentials.
    pub fn client(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(self.endpoint_url())
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new("embedded", "embedded", None, None, "embedded"))
            .build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    /// A typed client for this server's streams.
    pub fn streams_client(&self) -> aws_sdk_dynamodbstreams::Client {
        let config = aws_sdk_dynamodbstreams::Config::builder()
            .behavior_version(aws_sdk_dynamodbstreams::config::BehaviorVersion::latest())
            .endpoint_url(self.endpoint_url())
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new("embedded", "embedded", None, None, "embedded"))
            .retry_config(RetryConfig::disabled())
            .build();
        aws_sdk_dynamodbstreams::Client::from_conf(config)
    }

    /// Takes no more requests, lets those under way finish (for two seconds at most) and frees everything.
    pub async fn stop(mut self) {
        drop(self.shutdown.take());
        if let Some(stopped) = self.stopped.take() {
            // An error means that the thread has ended already.
            let _ = stopped.await;
        }
    }
}

/// An empty database in memory, for an emulator that serves a stream.
///
/// The emulator looks for the newest record of a stream by reading all of them, at every write. An index of its own table
/// spares it that.
///
/// # Errors
///
/// [`ErrorKind::Io`] when there is no memory for it.
pub fn database() -> Result<Database> {
    static DATABASES: AtomicU64 = AtomicU64::new(0);
    let opening = |error: &dyn std::fmt::Display| failure("opening its database", error);
    // A name by which a second connection finds it.
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("file:embedded-{number}?mode=memory&cache=shared");
    let database = Database::new(&name).map_err(|error| opening(&error))?;
    let index = "CREATE INDEX newest_stream_record ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";
    let connection = Connection::open(&name).map_err(|error| opening(&error))?;
    connection.execute_batch(index).map_err(|error| opening(&error))?;
    Ok(database)
}

/// Serves until `shut_down` resolves, then until the last connection ends or patience does.
fn run(
    listener: TcpListener,
    database: Database,
    ready: oneshot::Sender<Result<()>>,
    shut_down: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SERVER_THREADS)
        .thread_name("embedded-dynamodb")
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(failure("starting its runtime", error)));
            return;
        }
    };
    runtime.block_on(async {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                let _ = ready.send(Err(failure("listening", error)));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        let (begin_stop, stop_begun) = oneshot::channel();
        let serve = dynoxide::server::serve_with_shutdown(listener, database, async move {
            let _ = shut_down.await;
            let _ = begin_stop.send(());
        });
        let lose_patience = async {
            let _ = stop_begun.await;
            tokio::time::sleep(STOP_PATIENCE).await;
        };
        tokio::select! {
            result = serve => {
                if let Err(error) = result {
                    tracing::error!(%error, "embedded DynamoDB failed");
                }
            }
            () = lose_patience => {}
        }
    });
    runtime.shutdown_timeout(STOP_PATIENCE);
}

fn failure(doing: &str, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("embedded DynamoDB: {doing}: {error}"))
}

/// What an SDK call against an embedded table failed with, in our terms; never with item data.
fn request_failure<E, R>(doing: &str, table: &str, error: SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let (kind, why) = match &error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("no error code");
            (ErrorKind::Rejected, format!("{code}: {}", service.err().message().unwrap_or_default()))
        }
        SdkError::TimeoutError(_) => (ErrorKind::TimedOut, "no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) => {
            let cause = failure.as_connector_error().map(|cause| DisplayErrorContext(cause).to_string());
            (ErrorKind::Unreachable, cause.unwrap_or_default())
        }
        SdkError::ResponseError(_) => (ErrorKind::MalformedAnswer, "the answer is malformed".to_owned()),
        _ => (ErrorKind::Internal, "the request could not be built".to_owned()),
    };
    Error::new(kind, format!("{doing} table `{table}`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stopped_server_no_longer_answers() {
        let server = EmbeddedDynamoDb::start().await.expect("starts");
        let client = server.client();
        client.list_tables().send().await.expect("answers");
        let address = server.address;
        server.stop().await;
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[tokio::test]
    async fn a_dropped_server_stops_by_itself() {
        let mut server = EmbeddedDynamoDb::start().await.expect("starts");
        let stopped = server.stopped.take().expect("is running");
        drop(server);
        stopped.await.expect("the server's thread ends");
    }

    #[tokio::test]
    async fn two_servers_share_nothing() {
        let (one, other) =
            (EmbeddedDynamoDb::start().await.expect("starts"), EmbeddedDynamoDb::start().await.expect("starts"));
        seed::seed_table(&one.client(), "cases", 10, 1).await.expect("is seeded");
        let tables = other.client().list_tables().send().await.expect("answers");
        assert!(tables.table_names().is_empty());
    }
}
