//! The fault proxy: stands between the binary and an emulator and spoils the requests that a [`Plan`] names.
//!
//! One thread a connection, keep-alive towards the client, a connection for each request towards the emulator.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fault::{self, Fault};
use super::http::{self, Message};
use super::plan::{Call, Plan};

/// How long a host that refuses goes on refusing.
const REFUSAL: Duration = Duration::from_millis(150);
/// A client that neither speaks nor leaves is left after this long.
const IDLE_LIMIT: Duration = Duration::from_secs(120);

/// A running proxy. Dropping it stops it.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    backend: SocketAddr,
    stopping: AtomicBool,
    state: Mutex<State>,
}

struct State {
    plan: Plan,
    requests: BTreeMap<String, u64>,
    injected: BTreeMap<&'static str, u64>,
    connections: u64,
    refusing_until: Instant,
    /// What the cursors of empty pages stand for: the cursor of the page that comes next.
    cursors: BTreeMap<String, Value>,
}

/// What becomes of a connection after a request.
enum Next {
    Keep,
    Close,
    Reset,
}

impl Proxy {
    /// Starts on a free port in front of `endpoint`.
    pub fn start(endpoint: &str, plan: Plan) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
        let address = listener.local_addr().expect("the listener has an address");
        let state = State {
            plan,
            requests: BTreeMap::new(),
            injected: BTreeMap::new(),
            connections: 0,
            refusing_until: Instant::now(),
            cursors: BTreeMap::new(),
        };
        let backend = http::address_of(endpoint);
        let shared = Arc::new(Shared { backend, stopping: AtomicBool::new(false), state: Mutex::new(state) });
        let acceptor = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &acceptor));
        Self { address, shared }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Follows another plan from now on.
    pub fn follow(&self, plan: Plan) {
        self.shared.state().plan = plan;
    }

    /// Faults injected so far, by name.
    pub fn injected(&self) -> BTreeMap<&'static str, u64> {
        self.shared.state().injected.clone()
    }

    /// Requests of an operation so far.
    pub fn requests(&self, operation: &str) -> u64 {
        self.shared.state().requests.get(operation).copied().unwrap_or(0)
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.shared.state().connections
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let refusing = {
            let mut state = shared.state();
            state.connections += 1;
            Instant::now() < state.refusing_until
        };
        if refusing {
            reset(stream);
            continue;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A client that breaks off is its own affair.
            let _ = serve(stream, &shared);
        });
    }
}

fn serve(mut stream: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE_LIMIT))?;
    let mut buffer = Vec::new();
    while let Some(request) = http::read_message(&mut stream, &mut buffer)? {
        let fault = shared.choose(&request);
        match shared.answer(request, fault, &mut stream)? {
            Next::Keep if !shared.stopping.load(Ordering::SeqCst) => {}
            Next::Keep | Next::Close => return Ok(()),
            Next::Reset => {
                reset(stream);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Closes with RST instead of FIN.
fn reset(stream: TcpStream) {
    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

fn operation_of(request: &Message) -> &str {
    request.header("x-amz-target").and_then(|target| target.rsplit('.').next()).unwrap_or("unknown")
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A plan that panics fails its own test, not the proxy.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn choose(&self, request: &Message) -> Option<Fault> {
        let operation = operation_of(request);
        let mut state = self.state();
        let count = state.requests.entry(operation.to_owned()).or_default();
        let ordinal = *count;
        *count += 1;
        let fault = (state.plan)(&Call { operation, ordinal, request }).filter(|fault| fault.concerns(operation))?;
        *state.injected.entry(fault.name()).or_default() += 1;
        Some(fault)
    }

    fn answer(&self, mut request: Message, fault: Option<Fault>, stream: &mut TcpStream) -> io::Result<Next> {
        self.restore_cursor(&mut request);
        if let Some(answer) = fault.and_then(Fault::answer) {
            stream.write_all(&answer.bytes())?;
            return Ok(Next::Keep);
        }
        match fault {
            None => stream.write_all(&self.forward(&request)?.bytes())?,
            Some(Fault::Refused) => {
                self.state().refusing_until = Instant::now() + REFUSAL;
                return Ok(Next::Reset);
            }
            Some(Fault::ResetBefore) => return Ok(Next::Reset),
            Some(Fault::LostAck) => {
                self.forward(&request)?;
                return Ok(Next::Close);
            }
            Some(Fault::Slow(delay)) => {
                let answer = self.forward(&request)?;
                thread::sleep(delay);
                stream.write_all(&answer.bytes())?;
            }
            Some(Fault::Hang) => return self.wait_for_client(stream),
            Some(Fault::LateLanding(delay)) => {
                let backend = self.backend;
                thread::spawn(move || {
                    thread::sleep(delay);
                    // The test, and the emulator with it, may have ended.
                    let _ = send_on(backend, &request);
                });
                return self.wait_for_client(stream);
            }
            Some(Fault::Duplicate) => {
                self.forward(&request)?;
                stream.write_all(&self.forward(&request)?.bytes())?;
            }
            Some(Fault::TruncatedBody) => {
                let mut answer = self.forward(&request)?;
                let length = answer.body.len();
                answer.body.truncate(length / 2);
                stream.write_all(&answer.bytes_declaring(length))?;
                return Ok(Next::Close);
            }
            Some(Fault::ShortJson) => {
                let mut answer = self.forward(&request)?;
                answer.body.truncate(answer.body.len() / 2);
                answer.remove_header("x-amz-crc32");
                stream.write_all(&answer.bytes())?;
            }
            Some(Fault::Garbage) => {
                let mut answer = self.forward(&request)?;
                answer.body = (0..=255).collect();
                answer.remove_header("x-amz-crc32");
                stream.write_all(&answer.bytes())?;
            }
            Some(Fault::BadChecksum) => {
                let mut answer = self.forward(&request)?;
                let wrong = crc32fast::hash(&answer.body) ^ 1;
                answer.set_header("x-amz-crc32", &wrong.to_string());
                stream.write_all(&answer.bytes())?;
            }
            Some(Fault::ServerError) => {
                self.forward(&request)?;
                stream.write_all(&fault::server_error().bytes())?;
            }
            Some(Fault::PartialUnprocessed) => stream.write_all(&self.partly(request, 1)?.bytes())?,
            Some(Fault::AllUnprocessed) => stream.write_all(&self.partly(request, 0)?.bytes())?,
            Some(Fault::KeysUnprocessed) => {
                let body = json!({ "Responses": {}, "UnprocessedKeys": request.json()["RequestItems"] });
                stream.write_all(&fault::answer("200 OK", &body).bytes())?;
            }
            Some(Fault::EmptyPage) => stream.write_all(&self.empty_page(&request).bytes())?,
            Some(Fault::EmptyRecords) => stream.write_all(&empty_records(&request).bytes())?,
            Some(other) => unreachable!("{other:?} has an answer of its own"),
        }
        Ok(Next::Keep)
    }

    fn forward(&self, request: &Message) -> io::Result<Message> {
        send_on(self.backend, request)
    }

    /// Waits until the client gives up.
    fn wait_for_client(&self, stream: &TcpStream) -> io::Result<Next> {
        stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        let begun = Instant::now();
        while begun.elapsed() < IDLE_LIMIT && !self.stopping.load(Ordering::SeqCst) {
            match stream.peek(&mut [0]) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                _ => break,
            }
        }
        Ok(Next::Close)
    }

    /// Forwards some operations of a BatchWriteItem (of `share` in 1, a changing part) and answers that the others are
    /// unprocessed.
    fn partly(&self, mut request: Message, share: usize) -> io::Result<Message> {
        let mut body = request.json();
        let nonce = self.state().requests["BatchWriteItem"] as usize;
        let mut held_back = serde_json::Map::new();
        for (table, operations) in body["RequestItems"].as_object_mut().into_iter().flatten() {
            let operations = operations.as_array_mut().expect("operations are a list");
            let count = operations.len();
            let done = if count > 1 { share * (1 + nonce % (count - 1)) } else { 0 };
            operations.rotate_left(nonce % count);
            let rest = operations.split_off(done);
            held_back.insert(table.clone(), rest.into());
        }
        let forwarded: usize = body["RequestItems"]
            .as_object()
            .map_or(0, |tables| tables.values().flat_map(Value::as_array).map(Vec::len).sum());
        if forwarded == 0 {
            return Ok(fault::answer("200 OK", &json!({ "UnprocessedItems": held_back })));
        }
        request.body = body.to_string().into_bytes();
        let mut answer = self.forward(&request)?;
        if answer.status() == 200 {
            let mut body = answer.json();
            for (table, operations) in body["UnprocessedItems"].as_object().into_iter().flatten() {
                let held_back = held_back.get_mut(table).and_then(Value::as_array_mut);
                held_back.expect("the table was asked for").extend(operations.as_array().cloned().unwrap_or_default());
            }
            body["UnprocessedItems"] = held_back.into();
            fault::set_body(&mut answer, body.to_string().into_bytes());
        }
        Ok(answer)
    }

    /// A page without items. Its cursor is made up and stands for the request's own.
    fn empty_page(&self, request: &Message) -> Message {
        let mut state = self.state();
        let cursor = json!({ "pk": { "S": format!("~{}", state.cursors.len()) }, "sk": { "S": "~" } });
        state.cursors.insert(cursor.to_string(), request.json()["ExclusiveStartKey"].take());
        let body = json!({ "Items": [], "Count": 0, "ScannedCount": 0, "LastEvaluatedKey": cursor });
        fault::answer("200 OK", &body)
    }

    /// Puts the cursor that is meant in the place of one that [`Self::empty_page`] made up.
    fn restore_cursor(&self, request: &mut Message) {
        if operation_of(request) != "Scan" {
            return;
        }
        let mut body = request.json();
        let Some(meant) = self.state().cursors.get(&body["ExclusiveStartKey"].to_string()).cloned() else { return };
        if let Some(members) = body.as_object_mut() {
            match meant {
                Value::Null => members.remove("ExclusiveStartKey"),
                cursor => members.insert("ExclusiveStartKey".to_owned(), cursor),
            };
        }
        request.body = body.to_string().into_bytes();
    }
}

/// An answer to GetRecords that leads back to where the request stood.
fn empty_records(request: &Message) -> Message {
    let body = json!({ "Records": [], "NextShardIterator": request.json()["ShardIterator"] });
    fault::answer("200 OK", &body)
}

fn send_on(backend: SocketAddr, request: &Message) -> io::Result<Message> {
    let mut answer = http::send(backend, request)?;
    // The emulator closes its connection, the proxy keeps the client's.
    answer.remove_header("connection");
    Ok(answer)
}
