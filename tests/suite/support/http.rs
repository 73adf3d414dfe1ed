//! HTTP/1.1 messages on blocking sockets: enough for DynamoDB's protocol, and simple enough to be trusted.
//!
//! Requests carry a Content-Length; answers may be chunked. [`send`] opens a connection for one request, which keeps
//! the oracle free of the state that it is there to examine.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No emulator needs longer for one request, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Header names in lower case, with their values.
pub type Headers = Vec<(String, String)>;

/// A request or an answer.
#[derive(Debug, Clone)]
pub struct Message {
    /// Request or status line, without the line end.
    pub first_line: String,
    /// Headers in the order they came.
    pub headers: Headers,
    /// The body, without transfer encoding.
    pub body: Vec<u8>,
}

impl Message {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Adds a header or replaces its value.
    pub fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Removes a header if it is there.
    pub fn remove_header(&mut self, name: &str) {
        self.headers.retain(|(header, _)| header != name);
    }

    /// The status of an answer; 0 if this is none.
    pub fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// Body as JSON, for messages that have one.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} has no JSON body: {error}", self.first_line))
    }

    /// The message with a Content-Length that fits its body.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes_declaring(self.body.len())
    }

    /// The message with any Content-Length.
    pub fn bytes_declaring(&self, length: usize) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first_line);
        for (name, value) in &self.headers {
            if name != "content-length" && name != "transfer-encoding" {
                text += &format!("{name}: {value}\r\n");
            }
        }
        text += &format!("content-length: {length}\r\n\r\n");
        [text.as_bytes(), &self.body].concat()
    }
}

/// Reads the next message, or `None` when the connection ends before one begins.
///
/// `buffer` holds what was read beyond the message; pass the same one again.
pub fn read_message(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<Message>> {
    let head_length = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if !read_more(stream, buffer)? {
            return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    };
    let head: Vec<u8> = buffer.drain(..head_length).collect();
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.trim_end().split("\r\n");
    let first_line = lines.next().unwrap_or_default().to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut message = Message { first_line, headers, body: Vec::new() };
    message.body = match message.header("transfer-encoding") {
        Some("chunked") => read_chunks(stream, buffer)?,
        _ => {
            let length = message.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            take(stream, buffer, length)?
        }
    };
    Ok(Some(message))
}

/// Sends one request over a connection of its own and reads the answer.
pub fn send(address: SocketAddr, request: &Message) -> io::Result<Message> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.set_nodelay(true)?;
    let mut request = request.clone();
    request.set_header("connection", "close");
    stream.write_all(&request.bytes())?;
    read_message(&mut stream, &mut Vec::new())?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A DynamoDB request with credentials that an emulator accepts.
pub fn dynamodb_request(operation: &str, body: &serde_json::Value) -> Message {
    let credential = format!("{}/20250101/{}/dynamodb/aws4_request", super::ACCESS_KEY, super::REGION);
    let authorization = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
    let headers = [
        ("host", "127.0.0.1"),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-date", "20250101T000000Z"),
        ("x-amz-target", &format!("DynamoDB_20120810.{operation}")),
        ("authorization", &authorization),
    ];
    Message {
        first_line: "POST / HTTP/1.1".to_owned(),
        headers: headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        body: body.to_string().into_bytes(),
    }
}

/// The address in `http://127.0.0.1:PORT`.
pub fn address_of(endpoint: &str) -> SocketAddr {
    let address = endpoint.trim_start_matches("http://").trim_end_matches('/');
    address.parse().unwrap_or_else(|_| panic!("{endpoint} is no loopback endpoint"))
}

fn read_more(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut part = [0; 64 * 1024];
    let count = stream.read(&mut part)?;
    buffer.extend_from_slice(&part[..count]);
    Ok(count > 0)
}

fn take(stream: &mut impl Read, buffer: &mut Vec<u8>, length: usize) -> io::Result<Vec<u8>> {
    while buffer.len() < length {
        if !read_more(stream, buffer)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(buffer.drain(..length).collect())
}

fn read_chunks(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_length = loop {
            if let Some(end) = buffer.windows(2).position(|window| window == b"\r\n") {
                break end;
            }
            if !read_more(stream, buffer)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let line = take(stream, buffer, line_length + 2)?;
        let size = String::from_utf8_lossy(&line[..line_length]).into_owned();
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
        body.extend(take(stream, buffer, size)?);
        take(stream, buffer, 2)?;
        if size == 0 {
            return Ok(body);
        }
    }
}
