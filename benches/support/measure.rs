//! What work cost its process. Reads `/proc`, so Linux only.

use std::fs;
use std::time::{Duration, Instant};

/// Clock ticks a second in `/proc/self/stat`: 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// What copying cost.
#[derive(Debug, Clone, Copy)]
pub struct Measurement {
    /// Items copied.
    pub items: usize,
    /// Wall time, in seconds.
    pub seconds: f64,
    /// Processor time of the process while it copied, user and system, in seconds.
    pub cpu_seconds: f64,
    /// The most memory that the process ever held (resident), in MiB.
    pub peak_mib: f64,
}

impl Measurement {
    /// Runs `copy`, which returns how many items it copied.
    pub async fn of(copy: impl Future<Output = usize>) -> Self {
        let (cpu, begun) = (cpu_time(), Instant::now());
        let items = copy.await;
        let (elapsed, cpu) = (begun.elapsed(), cpu_time() - cpu);
        Self { items, seconds: elapsed.as_secs_f64(), cpu_seconds: cpu.as_secs_f64(), peak_mib: peak_mib() }
    }

    /// Processor time for an item, in microseconds.
    pub fn micros_per_item(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.items as f64
    }

    /// One line from which [`parse`](Self::parse) makes the same.
    pub fn line(&self) -> String {
        format!("measured {} {} {} {}", self.items, self.seconds, self.cpu_seconds, self.peak_mib)
    }

    /// Reads a [`line`](Self::line); nothing when it is another.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("measured ")?.split(' ');
        Some(Self {
            items: words.next()?.parse().ok()?,
            seconds: words.next()?.parse().ok()?,
            cpu_seconds: words.next()?.parse().ok()?,
            peak_mib: words.next()?.parse().ok()?,
        })
    }
}

fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("this benchmark needs Linux's /proc");
    // The program's name comes second, in brackets, and may hold anything; time in user mode is the 14th field.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|ticks| ticks.parse::<f64>().expect("a count of ticks")).sum();
    Duration::from_secs_f64(ticks / TICKS_PER_SECOND)
}

fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("this benchmark needs Linux's /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux reports peak memory");
    let kib = line.trim().trim_end_matches(" kB").parse::<f64>().expect("a count of KiB");
    kib / 1024.0
}
