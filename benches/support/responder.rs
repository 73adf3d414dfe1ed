//! A DynamoDB that costs next to nothing: canned pages for Scan and GetRecords, a nod for BatchWriteItem.
//!
//! A thread for each connection, blocking sockets, of a request only what is needed. It keeps no state: the page to send
//! is in the request's cursor. Keys are unique over the whole table, as a real one's are.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use memchr::memmem;

use super::page::{CannedPage, PAGE_ITEMS, empty_answer};
use super::records::{CannedRecords, Stream};

/// Room for the largest usual request, a batch of 25 items.
const REQUEST_BYTES: usize = 64 * 1024;

const WRITTEN: &[u8] = br#"{"UnprocessedItems":{},"ConsumedCapacity":[{"TableName":"d","CapacityUnits":25.0}]}"#;

/// Serves a table of `items` items, rounded up to whole pages, and its stream, until standard input ends. Prints its URL
/// first.
pub fn serve(items: usize, stream: Stream) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}", listener.local_addr()?);
    io::stdout().flush()?;
    let pages = items.div_ceil(PAGE_ITEMS) as u64;
    let (page, records) = (CannedPage::new(), CannedRecords::new(stream));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (page, records) = (page.clone(), records.clone());
            let connection = Connection { stream, pages, page, records, request: vec![0; REQUEST_BYTES], filled: 0 };
            // A client that is gone is no failure of ours.
            thread::spawn(move || connection.serve());
        }
    });
    // Ends with the process that started it, however that ends.
    io::copy(&mut io::stdin(), &mut io::sink()).map(drop)
}

struct Connection {
    stream: TcpStream,
    /// Pages of the table.
    pages: u64,
    page: CannedPage,
    records: CannedRecords,
    request: Vec<u8>,
    /// Bytes of `request` that have been received.
    filled: usize,
}

impl Connection {
    fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        while let Some((head, length)) = self.read_request()? {
            let target = header(&self.request[..head], b"x-amz-target:").unwrap_or_default();
            if target.ends_with(b".BatchWriteItem") {
                send(&mut self.stream, WRITTEN)?;
            } else if target.ends_with(b".Scan") {
                let (serial, next) = place(&self.request[head..length], self.pages);
                match serial {
                    Some(serial) => send(&mut self.stream, self.page.answer(serial, next))?,
                    None => send(&mut self.stream, &empty_answer())?,
                }
            } else if target.ends_with(b".GetRecords") {
                send(&mut self.stream, self.records.answer(&self.request[head..length]))?;
            } else if target.ends_with(b".GetShardIterator") {
                send(&mut self.stream, &self.records.iterator(&self.request[head..length]))?;
            } else if target.ends_with(b".DescribeStream") {
                send(&mut self.stream, &self.records.description())?;
            } else {
                return Err(io::Error::other("this operation is not served"));
            }
            self.request.copy_within(length..self.filled, 0);
            self.filled -= length;
        }
        Ok(())
    }

    /// Receives a whole request: where its head ends and where it ends. `None` when the client has closed.
    fn read_request(&mut self) -> io::Result<Option<(usize, usize)>> {
        let mut ends = None;
        loop {
            let received = &self.request[..self.filled];
            if ends.is_none() {
                ends = memmem::find(received, b"\r\n\r\n").map(|end| {
                    let head = end + 4;
                    let length = header(&received[..head], b"content-length:").and_then(number).unwrap_or(0);
                    (head, head + length as usize)
                });
            }
            if let Some((_, length)) = ends {
                if length <= self.filled {
                    return Ok(ends);
                }
                if length > self.request.len() {
                    self.request.resize(length, 0);
                }
            }
            match self.stream.read(&mut self.request[self.filled..])? {
                0 => return Ok(None),
                count => self.filled += count,
            }
        }
    }
}

/// The value of a header; `name` in lower case with its colon.
fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name))?;
    Some(line[name.len()..].trim_ascii())
}

/// The number that `text` begins with.
pub fn number(text: &[u8]) -> Option<u64> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    std::str::from_utf8(&text[..end]).ok()?.parse().ok()
}

/// The number of the page that a Scan asks for, in the table, and the page that comes next in its segment.
///
/// Segment `s` of `n` has the pages `s`, `s + n`, `s + 2n`, ...
fn place(body: &[u8], pages: u64) -> (Option<u64>, Option<u64>) {
    let after = |mark: &[u8]| memmem::find(body, mark).and_then(|at| number(&body[at + mark.len()..]));
    let segments = after(b"\"TotalSegments\":").unwrap_or(1).max(1);
    let segment = after(b"\"Segment\":").unwrap_or(0);
    let page = after(b"\"page|").unwrap_or(0);
    let serial = segment + page * segments;
    (Some(serial).filter(|serial| *serial < pages), Some(page + 1).filter(|_| serial + segments < pages))
}

fn send(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\nx-amz-crc32: {}\r\ncontent-length: {}\r\n\r\n",
        crc32fast::hash(body),
        body.len()
    );
    if body.len() < 1_000 {
        return stream.write_all(&[head.as_bytes(), body].concat());
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}
