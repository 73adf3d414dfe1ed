//! What the benchmarks of the engine share: a responder, processes, figures.

pub mod arguments;
pub mod measure;
pub mod migration;
pub mod page;
pub mod records;
pub mod responder;
pub mod verdict;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tableferry::dynamodb::{ClientOptions, Connection, connect};

use measure::Measurement;

/// The table read.
pub const SOURCE: &str = "source";
/// The table written.
pub const DESTINATION: &str = "destination";
/// Segments of the scan.
pub const SEGMENTS: u32 = 64;

/// A program of this benchmark that serves canned answers until it is stopped.
pub struct Responder {
    process: Child,
    /// Where it listens.
    pub url: String,
}

impl Responder {
    /// Starts this program again with these arguments, which make it a responder.
    pub fn start(arguments: &[&str]) -> Self {
        let mut process = start(arguments);
        let url = first_line(&mut process);
        assert!(url.starts_with("http://"), "the responder did not start");
        Self { process, url }
    }

    /// Stops it.
    pub fn stop(mut self) {
        // It ends when its standard input does.
        drop(self.process.stdin.take());
        self.process.wait().expect("the responder ends");
    }
}

/// Starts this program again with these arguments, which make it measure something in a process of its own.
pub fn measured(arguments: &[&str]) -> Measurement {
    let mut child = start(arguments);
    let line = first_line(&mut child);
    let ended = child.wait().expect("it ends");
    assert!(ended.success(), "{arguments:?}: ended with {ended}");
    Measurement::parse(&line).expect("a line of figures")
}

/// Clients of a responder.
pub async fn connection(url: &str) -> Connection {
    let options = ClientOptions {
        endpoint_url: Some(url.to_owned()),
        region: Some("us-east-1".to_owned()),
        profile: None,
        request_timeout: Duration::from_secs(10),
    };
    connect(&options).await.expect("the credentials are in the environment")
}

fn start(arguments: &[&str]) -> Child {
    Command::new(std::env::current_exe().expect("this program has a path"))
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", "benchmark")
        .env("AWS_SECRET_ACCESS_KEY", "benchmark")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started")
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let output = child.stdout.as_mut().expect("its output is piped");
    BufReader::new(output).read_line(&mut line).expect("its output can be read");
    line.trim_end().to_owned()
}
