//! What it costs to copy an item, in three ways and in one run: by the engine, by a bare loop, by the SDK's typed items.
//!
//! `cargo bench --bench copy [-- --items 1000000] [--rounds 3]`
//!
//! A responder in its own process serves canned pages and swallows batches; each way of copying runs in a process of its
//! own, so that processor time and peak memory are its own. The rounds alternate and the median by processor time
//! counts. Fails when a promise at the end is not kept. With `--test`, or from `cargo test`: few items, no verdict.

mod engine;
mod measure;
mod page;
mod raw;
mod responder;
mod typed;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use measure::{HEADER, Measurement};
use tableferry::dynamodb::{ClientOptions, connect};

/// The table read.
pub const SOURCE: &str = "source";
/// The table written.
pub const DESTINATION: &str = "destination";
/// Segments of the scan.
pub const SEGMENTS: u32 = 64;
/// Segments read at once by the loops; the engine finds its own number.
pub const READERS: usize = 4;
/// Batches that each reader of the loops has under way; the engine finds its own number.
pub const BATCHES_PER_READER: usize = 8;
/// DynamoDB's limit for a BatchWriteItem.
pub const BATCH_ITEMS: usize = 25;

/// The engine may cost so much more than the bare loop.
const MOST_OVER_RAW: f64 = 1.3;
/// Typed items cost at least so many times the engine.
const LEAST_TYPED: f64 = 3.0;
/// Peak memory of the engine.
const MOST_PEAK_MIB: f64 = 150.0;

const WAYS: [(&str, &str); 3] = [
    ("engine", "(a) the engine"),
    ("raw", "(b) bare loop, raw bytes"),
    ("typed", "(c) bare loop, the SDK's typed items"),
];

struct Options {
    items: usize,
    rounds: usize,
    verdict: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["responder", items] => {
            responder::serve(items.parse().expect("a number of items")).expect("a port of the loopback interface");
            ExitCode::SUCCESS
        }
        ["copy", way, items, url] => {
            println!("{}", copy(way, items.parse().expect("a number of items"), url).line());
            ExitCode::SUCCESS
        }
        _ => compare(&options(&words)),
    }
}

fn options(words: &[&str]) -> Options {
    let value = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.replace('_', "").parse::<usize>().ok()
    };
    // Cargo passes `--bench` only when it is asked for a benchmark.
    let verdict = words.contains(&"--bench") && !words.contains(&"--test");
    let (items, rounds) = if verdict { (1_000_000, 3) } else { (20_000, 1) };
    Options { items: value("--items").unwrap_or(items), rounds: value("--rounds").unwrap_or(rounds).max(1), verdict }
}

/// Runs one way of copying in this process.
#[tokio::main]
async fn copy(way: &str, items: usize, url: &str) -> Measurement {
    let options = ClientOptions {
        endpoint_url: Some(url.to_owned()),
        region: Some("us-east-1".to_owned()),
        profile: None,
        request_timeout: Duration::from_secs(10),
    };
    let client = connect(&options).await.expect("the credentials are in the environment").data;
    match way {
        "engine" => Measurement::of(engine::copy(&client, items)).await,
        "raw" => Measurement::of(raw::copy(&client)).await,
        _ => Measurement::of(typed::copy(&client)).await,
    }
}

/// This program again, with other arguments.
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

fn compare(options: &Options) -> ExitCode {
    let items = options.items.to_string();
    let mut responder = start(&["responder", &items]);
    let url = first_line(&mut responder);
    assert!(url.starts_with("http://"), "the responder did not start");
    let mut rounds = WAYS.map(|_| Vec::new());
    for _ in 0..options.rounds {
        for ((way, name), measured) in WAYS.iter().zip(&mut rounds) {
            let mut child = start(&["copy", way, &items, &url]);
            let line = first_line(&mut child);
            let ended = child.wait().expect("it ends");
            assert!(ended.success(), "{name}: ended with {ended}");
            let measurement = Measurement::parse(&line).expect("a line of figures");
            assert!(measurement.items >= options.items, "{name}: copied only {} items", measurement.items);
            measured.push(measurement);
        }
    }
    // It ends when its standard input does.
    drop(responder.stdin.take());
    responder.wait().expect("the responder ends");

    let [a, b, c] = rounds.map(median);
    println!("copying {} items of 940 bytes, median of {} round(s)\n\n{HEADER}", a.items, options.rounds);
    for ((_, name), measurement) in WAYS.iter().zip([&a, &b, &c]) {
        println!("{}", measurement.row(name));
    }
    let over_raw = a.micros_per_item() / b.micros_per_item();
    let typed = c.micros_per_item() / a.micros_per_item();
    if !options.verdict {
        println!("\na / b = {over_raw:.2}, c / a = {typed:.2}");
        return ExitCode::SUCCESS;
    }
    println!();
    let kept = [
        promise(&format!("a / b = {over_raw:.2} (at most {MOST_OVER_RAW})"), over_raw <= MOST_OVER_RAW),
        promise(&format!("c / a = {typed:.2} (at least {LEAST_TYPED})"), typed >= LEAST_TYPED),
        promise(
            &format!("peak of a = {:.0} MiB (at most {MOST_PEAK_MIB:.0})", a.peak_mib),
            a.peak_mib <= MOST_PEAK_MIB,
        ),
    ];
    if kept.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn promise(words: &str, kept: bool) -> bool {
    println!("{} {words}", if kept { "kept  " } else { "BROKEN" });
    kept
}

fn median(mut measured: Vec<Measurement>) -> Measurement {
    measured.sort_by(|one, other| one.cpu_seconds.total_cmp(&other.cpu_seconds));
    measured[measured.len() / 2]
}
