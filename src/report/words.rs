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

/// Everything on one line: `12,345 items, 5,000/s, segments 3/64, read 120 of 250 rcu/s, ...; 2m 05s left`
pub fn progress(progress: &Progress) -> String {
    let mut text = format!(
        "{} items, {}/s, segments {}/{}, {}",
        count(progress.items_written),
        round(progress.items_per_second),
        count(progress.segments_done.into()),
        count(progress.segments.into()),
        units(progress),
    );
    if let Some(tail) = tail(progress) {
        text.push_str(&format!(", {tail}"));
    }
    if progress.dead_letters > 0 {
        text.push_str(&format!(", {} dead letters", count(progress.dead_letters)));
    }
    if let Some(wait) = progress.wait {
        text.push_str(&format!("; {}", wait.words()));
    }
    text + &left(progress)
}

/// Beside the bar: `12,345 items, 5,000/s; 2m 05s left`
pub fn pace(progress: &Progress) -> String {
    let (items, rate) = (count(progress.items_written), round(progress.items_per_second));
    format!("{items} items, {rate}/s{}", left(progress))
}

/// Below the bar, what matters most first, as a narrow terminal cuts the end:
/// `write rate reached; 2 dead letters; read 120 of 250 rcu/s, write 400 wcu/s; segments 3/64`
pub fn details(progress: &Progress) -> String {
    let mut text = String::new();
    if let Some(wait) = progress.wait {
        text.push_str(&format!("{}; ", wait.words()));
    }
    if progress.dead_letters > 0 {
        text.push_str(&format!("{} dead letters; ", count(progress.dead_letters)));
    }
    if let Some(tail) = tail(progress) {
        text.push_str(&format!("{tail}; "));
    }
    let (done, all) = (count(progress.segments_done.into()), count(progress.segments.into()));
    text + &format!("{}; segments {done}/{all}", units(progress))
}

/// `tail 0.8s behind, 1,234 changes`, if there is a tail.
fn tail(progress: &Progress) -> Option<String> {
    let lag = progress.lag?;
    Some(format!("tail {} behind, {} changes", duration(lag), count(progress.changes_applied)))
}

/// `read 120 of 250 rcu/s, write 400 wcu/s`
fn units(progress: &Progress) -> String {
    let side = |used: f64, allowed: Option<f64>| match allowed {
        Some(allowed) => format!("{} of {}", round(used), round(allowed)),
        None => round(used),
    };
    format!(
        "read {} rcu/s, write {} wcu/s",
        side(progress.read_units_per_second, progress.read_units_allowed),
        side(progress.write_units_per_second, progress.write_units_allowed),
    )
}

/// `; 2m 05s left`, if that is known.
fn left(progress: &Progress) -> String {
    match progress.eta {
        Some(eta) if progress.fraction < 1.0 => format!("; {} left", duration(eta)),
        _ => String::new(),
    }
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
    fn a_terminal_of_80_columns_shows_why_we_wait_and_what_is_used_of_what_is_allowed() {
        let state = Progress {
            items_written: 123_456_789,
            items_per_second: 12_345.0,
            segments: 4096,
            segments_done: 1234,
            read_units_per_second: 3000.0,
            read_units_allowed: Some(3000.0),
            write_units_per_second: 4000.0,
            write_units_allowed: Some(4000.0),
            wait: Some(WaitReason::DestinationThrottles),
            fraction: 0.3,
            eta: Some(Duration::from_secs(125)),
            ..Progress::default()
        };
        insta::assert_snapshot!(pace(&state), @"123,456,789 items, 12,345/s; 2m 05s left");
        insta::assert_snapshot!(details(&state), @"destination throttles; read 3,000 of 3,000 rcu/s, write 4,000 of 4,000 wcu/s; segments 1,234/4,096");
        let cut: String = details(&state).chars().take(78).collect();
        assert!(cut.contains("4,000 of 4,000 wcu/s"), "{cut}");
        let state = Progress { dead_letters: 2, wait: None, ..state };
        assert!(details(&state).starts_with("2 dead letters; read "), "{}", details(&state));
    }

    #[test]
    fn a_key_cannot_drive_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
    }
}
