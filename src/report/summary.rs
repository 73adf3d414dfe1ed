//! The last word about a run.

use std::fmt::Write as _;

use super::to_stdout;
use super::words::{count, duration, plain, round};
use crate::event::{DeadLetterGroup, End, Summary};

/// Groups shown; the rest is counted.
const GROUPS_SHOWN: usize = 10;

/// Prints the summary on stdout.
pub fn print(summary: &Summary) {
    to_stdout(&text(summary));
}

fn text(summary: &Summary) -> String {
    let progress = &summary.progress;
    let head = match (summary.end, progress.dead_letters) {
        (End::Done, 0) => "done",
        (End::Done, _) => "done, but some items could not be written",
        (End::Interrupted, _) => "interrupted: run the same command again to resume",
        (End::Failed, _) => "stopped by an error: mend it and run the same command again to resume",
    };
    let mut out = format!(
        "{head}\n  run       {}\n  items     {} read, {} written, {} dead letters\n  segments  {} of {} done\n  units     {} read, {} write\n  time      {} ({} items/s)\n",
        summary.run,
        count(progress.items_read),
        count(progress.items_written),
        count(progress.dead_letters),
        count(progress.segments_done.into()),
        count(progress.segments.into()),
        round(summary.read_units),
        round(summary.write_units),
        duration(progress.elapsed),
        round(progress.items_per_second),
    );
    if let Some(lag) = progress.lag {
        let _ = writeln!(
            out,
            "  changes   {} applied, {} items superseded by them, {} behind",
            count(progress.changes_applied),
            count(progress.items_superseded),
            duration(lag),
        );
    }
    if progress.lookups > 0 {
        let (asked, sent) = (count(progress.lookups), count(progress.lookup_requests));
        let _ = writeln!(out, "  look-ups  {asked} by transforms, {sent} requests");
    }
    dead_letters(&mut out, &summary.dead_letters);
    out
}

/// Appends dead letters by reason, if there are any.
pub fn dead_letters(out: &mut String, groups: &[DeadLetterGroup]) {
    if groups.is_empty() {
        return;
    }
    out.push_str("dead letters by reason:\n");
    for group in groups.iter().take(GROUPS_SHOWN) {
        let _ = writeln!(out, "  {} x {}", count(group.count), plain(&group.reason));
        let _ = writeln!(out, "      for example {}", plain(&group.example_key));
    }
    if groups.len() > GROUPS_SHOWN {
        let _ = writeln!(out, "  and {} more reasons", groups.len() - GROUPS_SHOWN);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::Progress;

    fn summary(end: End) -> Summary {
        Summary {
            end,
            run: "a-to-b".into(),
            progress: Progress {
                elapsed: Duration::from_secs(90),
                items_read: 20_000,
                items_written: 20_000,
                segments_done: 16,
                segments: 16,
                items_per_second: 222.2,
                ..Progress::default()
            },
            read_units: 2500.5,
            write_units: 20_000.0,
            dead_letters: Vec::new(),
        }
    }

    #[test]
    fn a_finished_run_says_what_it_did() {
        insta::assert_snapshot!(text(&summary(End::Done)), @r"
        done
          run       a-to-b
          items     20,000 read, 20,000 written, 0 dead letters
          segments  16 of 16 done
          units     2,501 read, 20,000 write
          time      1m 30s (222 items/s)
        ");
    }

    #[test]
    fn dead_letters_are_grouped_with_an_example() {
        let mut summary = summary(End::Done);
        summary.progress.items_written = 19_998;
        summary.progress.dead_letters = 2;
        summary.dead_letters = vec![DeadLetterGroup {
            reason: "ValidationException: too large".into(),
            count: 2,
            example_key: r#"{"pk":{"S":"x"}}"#.into(),
        }];
        insta::assert_snapshot!(text(&summary), @r#"
        done, but some items could not be written
          run       a-to-b
          items     20,000 read, 19,998 written, 2 dead letters
          segments  16 of 16 done
          units     2,501 read, 20,000 write
          time      1m 30s (222 items/s)
        dead letters by reason:
          2 x ValidationException: too large
              for example {"pk":{"S":"x"}}
        "#);
    }

    #[test]
    fn an_unfinished_run_says_how_to_go_on() {
        let mut unfinished = summary(End::Interrupted);
        unfinished.progress.segments_done = 7;
        insta::assert_snapshot!(text(&unfinished), @r"
        interrupted: run the same command again to resume
          run       a-to-b
          items     20,000 read, 20,000 written, 0 dead letters
          segments  7 of 16 done
          units     2,501 read, 20,000 write
          time      1m 30s (222 items/s)
        ");
        unfinished.end = End::Failed;
        insta::assert_snapshot!(text(&unfinished), @r"
        stopped by an error: mend it and run the same command again to resume
          run       a-to-b
          items     20,000 read, 20,000 written, 0 dead letters
          segments  7 of 16 done
          units     2,501 read, 20,000 write
          time      1m 30s (222 items/s)
        ");
    }

    #[test]
    fn a_key_or_reason_cannot_drive_the_terminal() {
        let mut out = String::new();
        let (reason, example_key) = ("bad\u{1b}[2J".to_owned(), "{\"pk\":\"\u{9b}31m\"}".to_owned());
        dead_letters(&mut out, &[DeadLetterGroup { reason, count: 1, example_key }]);
        assert!(out.chars().all(|character| character == '\n' || !character.is_control()), "{out:?}");
    }
}
