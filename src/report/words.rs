//! Figures and foreign texts as a person reads them.

use std::time::Duration;

use crate::event::Progress;

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A rate or amount without decimals.
pub fn round(number: f64) -> String {
    count(number.max(0.0).round() as u64)
}

/// `95 s` as `1m 35s`; under ten seconds with one decimal.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", time.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Keys and service messages can hold anything: what could drive a terminal is made visible instead.
pub fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// `12,345 items, 5,000/s, read 120 of 250 rcu/s, write 400 rcu/s; write rate reached; 2m 05s left`
pub fn progress(progress: &Progress) -> String {
    let units = |used: f64, allowed: Option<f64>, unit: &str| match allowed {
        Some(allowed) => format!("{} of {} {unit}/s", round(used), round(allowed)),
        None => format!("{} {unit}/s", round(used)),
    };
    let mut text = format!(
        "{} items, {}/s, segments {}/{}, read {}, write {}",
        count(progress.items_written),
        round(progress.items_per_second),
        progress.segments_done,
        progress.segments,
        units(progress.read_units_per_second, progress.read_units_allowed, "rcu"),
        units(progress.write_units_per_second, progress.write_units_allowed, "wcu"),
    );
    if progress.dead_letters > 0 {
        text.push_str(&format!(", {} dead letters", count(progress.dead_letters)));
    }
    if let Some(wait) = progress.wait {
        text.push_str(&format!("; {}", wait.words()));
    }
    if let Some(eta) = progress.eta
        && progress.fraction < 1.0
    {
        text.push_str(&format!("; {} left", duration(eta)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::WaitReason;

    #[test]
    fn figures_read_well() {
        assert_eq!([count(0), count(999), count(1000), count(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        let times = [1.25, 42.0, 95.0, 3700.0].map(|seconds| duration(Duration::from_secs_f64(seconds)));
        assert_eq!(times, ["1.2s", "42s", "1m 35s", "1h 01m"]);
    }

    #[test]
    fn a_progress_line_says_what_is_used_of_what_is_allowed_and_why_we_wait() {
        let mut state = Progress {
            items_written: 12_345,
            items_per_second: 5000.4,
            segments_done: 3,
            segments: 64,
            read_units_per_second: 120.0,
            read_units_allowed: Some(250.0),
            write_units_per_second: 4000.0,
            dead_letters: 2,
            wait: Some(WaitReason::ReadRate),
            fraction: 0.2,
            eta: Some(Duration::from_secs(125)),
            ..Progress::default()
        };
        insta::assert_snapshot!(progress(&state), @"12,345 items, 5,000/s, segments 3/64, read 120 of 250 rcu/s, write 4,000 wcu/s, 2 dead letters; read rate reached; 2m 05s left");
        state = Progress { items_written: 1, segments: 1, ..Progress::default() };
        insta::assert_snapshot!(progress(&state), @"1 items, 0/s, segments 0/1, read 0 rcu/s, write 0 wcu/s");
    }

    #[test]
    fn a_key_cannot_drive_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
    }
}
