//! Amazon's DynamoDB Local in a process of its own, one for the whole test binary.
//!
//! `tests/servers/start` ends the server when its standard input does. This process holds the only other end of that
//! pipe and never closes it, so the server ends with this process, however that ends.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::http;

/// Java needs a few seconds, a first fetch of the jars minutes.
const START_LIMIT: Duration = Duration::from_secs(300);
/// Another process may take the free port before the server does.
const ATTEMPTS: u32 = 3;

struct Local {
    endpoint: String,
    /// Held for its standard input.
    _server: Child,
}

/// The endpoint of the shared server, which the first caller starts.
///
/// Tables are shared too: use [`super::unique`] names.
///
/// # Panics
///
/// If the server cannot be started. A test that needs the real server never passes without it.
pub fn endpoint() -> &'static str {
    static LOCAL: OnceLock<Result<Local, String>> = OnceLock::new();
    match LOCAL.get_or_init(start) {
        Ok(local) => &local.endpoint,
        Err(reason) => panic!("DynamoDB Local does not run, and these tests need it: {reason}"),
    }
}

fn start() -> Result<Local, String> {
    let mut reason = String::new();
    for _ in 0..ATTEMPTS {
        match attempt() {
            Ok(local) => return Ok(local),
            Err(failure) => reason = failure,
        }
    }
    Err(reason)
}

fn attempt() -> Result<Local, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    drop(listener);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/start");
    let mut server = Command::new(script)
        .args(["dynamodb-local", &address.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("{script}: {error}"))?;
    let begun = Instant::now();
    while begun.elapsed() < START_LIMIT {
        if let Ok(Some(status)) = server.try_wait() {
            return Err(format!("{script} ended with {status}; what it said is above"));
        }
        let request = http::dynamodb_request("ListTables", &serde_json::json!({}));
        if http::send(address, &request).is_ok_and(|answer| answer.status() == 200) {
            return Ok(Local { endpoint: format!("http://{address}"), _server: server });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(format!("it does not answer {START_LIMIT:?} after its start"))
}
