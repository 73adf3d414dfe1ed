//! An in-memory emulator in this process, behind real HTTP on a free port.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use ::dynoxide::Database;
use tokio::runtime::{Builder, Runtime};

/// A running emulator with a database of its own. Dropping it stops it.
pub struct Dynoxide {
    address: SocketAddr,
    database: Database,
    runtime: Option<Runtime>,
}

impl Dynoxide {
    /// Starts an empty emulator; it answers when this returns.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
        listener.set_nonblocking(true).expect("the listener takes options");
        let address = listener.local_addr().expect("the listener has an address");
        let database = tableferry::embedded::database().expect("an empty database opens");
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts");
        let served = database.clone();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("the listener registers");
            ::dynoxide::server::serve_on(listener, served).await;
        });
        Self { address, database, runtime: Some(runtime) }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Deletes what has expired, as DynamoDB does from time to time; how many items.
    pub fn delete_expired(&self) -> usize {
        self.database.sweep_ttl().expect("expired items can be deleted")
    }
}

impl Drop for Dynoxide {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
