//! What a run would do.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::to_stdout;
use super::words::{count, duration, plain, round};

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanView {
    /// The run's name.
    pub run: String,
    /// Whether such a run was begun: then the same command resumes it.
    pub is_begun: bool,
    /// Source table.
    pub source: String,
    /// Its items by the service's estimate; 0 when unknown.
    pub items_estimated: u64,
    /// Their bytes by the same estimate.
    pub bytes_estimated: u64,
    /// The stream to follow, if any.
    pub stream: Option<String>,
    /// Destination table.
    pub destination: String,
    /// What is there now.
    pub destination_state: DestinationState,
    /// Parts that the source is read in.
    pub segments: u32,
    /// Of the copy, without the changes made meanwhile.
    pub read: Capacity,
    /// Of the copy, if items come out as large as they were.
    pub write: Capacity,
    /// The shortest time for the copy at these rates; `None` when it cannot be told.
    pub copy_seconds: Option<f64>,
    /// Directory of the transforms.
    pub transforms_directory: Option<String>,
    /// Transforms in their order.
    pub transforms: Vec<TransformView>,
    /// Whether there is anything to migrate.
    pub is_needed: bool,
}

/// The destination before the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DestinationState {
    /// There and empty.
    Empty,
    /// There, with items.
    HoldsItems,
    /// Not there; to be created like the source.
    ToBeCreated,
}

/// Capacity of one side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Capacity {
    /// Units that the copy needs, estimated.
    pub units_estimated: f64,
    /// Units a second that it may use; at first, with `auto`. `None` is no limit.
    pub units_per_second: Option<f64>,
    /// Whether the rate is found by probing.
    pub is_auto: bool,
}

/// What becomes of a transform.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TransformView {
    /// Its file.
    pub name: String,
    /// Whether an earlier migration has applied it, so that it is skipped.
    pub is_applied: bool,
    /// When, if that is recorded.
    pub applied_at: Option<String>,
    /// What it does to keys.
    pub keys: &'static str,
    /// Whether it looks other items up, so that what comes of an item is what they were at the moment.
    pub looks_up: bool,
    /// Its examples.
    pub cases: usize,
}

/// Prints the plan on stdout.
pub fn print_plan(plan: &PlanView, as_json: bool) {
    match as_json {
        true => to_stdout(&format!("{}\n", serde_json::json!(plan))),
        false => to_stdout(&text(plan)),
    }
}

fn text(plan: &PlanView) -> String {
    let begun = if plan.is_begun { "; it was begun already, `run` resumes it" } else { "" };
    let stream = plan.stream.as_deref().map_or("not followed: nobody may write to the source", plain_stream);
    let state = match plan.destination_state {
        DestinationState::Empty => "is there and empty",
        DestinationState::HoldsItems => "holds items",
        DestinationState::ToBeCreated => "will be created like the source",
    };
    let size = match plan.bytes_estimated {
        0 => "of a size that is not known".to_owned(),
        bytes => format!("about {} items, {} bytes in all", count(plan.items_estimated), count(bytes)),
    };
    let mut out = format!(
        "run          {}{begun}\nsource       {}, {size}\nstream       {stream}\n\
         destination  {} {state}\nsegments     {}\n",
        plan.run,
        plain(&plan.source),
        plain(&plan.destination),
        count(plan.segments.into()),
    );
    let _ = writeln!(out, "read         {}", capacity(&plan.read));
    let _ = writeln!(out, "write        {}", capacity(&plan.write));
    if let Some(seconds) = plan.copy_seconds {
        let begin = if plan.read.is_auto || plan.write.is_auto { " at the rates that it begins with" } else { "" };
        let _ = writeln!(out, "copy         about {}{begin}", duration(Duration::from_secs_f64(seconds)));
    }
    match &plan.transforms_directory {
        None => out.push_str("transforms   none: every item stays as it is\n"),
        Some(directory) => {
            let _ = writeln!(out, "transforms   {}", plain(directory));
            transforms(&mut out, &plan.transforms);
        }
    }
    let new = plan.transforms.iter().filter(|transform| !transform.is_applied).count();
    let _ = match (plan.is_needed, plan.transforms.len()) {
        (_, 0) => writeln!(out, "\na migration copies the table"),
        (true, 0..) if new == 0 => writeln!(out, "\nno transform is new; --force migrates all the same"),
        (true, all) => writeln!(out, "\na migration is needed: {new} of {all} transforms are new"),
        (false, all) => writeln!(out, "\nno migration is needed: all {all} transforms are applied already"),
    };
    out
}

/// A stream's label is all that an ARN tells beyond the table's name.
fn plain_stream(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn capacity(capacity: &Capacity) -> String {
    let rate = match (capacity.units_per_second, capacity.is_auto) {
        (None, _) => "without a limit".to_owned(),
        (Some(rate), false) => format!("at {} a second", round(rate)),
        (Some(rate), true) => format!("auto, from {} a second", round(rate)),
    };
    format!("about {} units, {rate}", round(capacity.units_estimated))
}

fn transforms(out: &mut String, transforms: &[TransformView]) {
    let width = transforms.iter().map(|transform| transform.name.len()).max().unwrap_or(0);
    for transform in transforms {
        let mut words = Vec::new();
        match (&transform.applied_at, transform.is_applied) {
            (Some(when), _) => words.push(format!("applied on {}, skipped", plain(when))),
            (None, true) => words.push("applied, skipped".to_owned()),
            (None, false) => words.push("new".to_owned()),
        }
        if transform.keys != "identity" {
            words.push(format!("changes keys ({})", transform.keys));
        }
        if transform.looks_up {
            words.push("looks other items up".to_owned());
        }
        words.push(match transform.cases {
            0 => "no cases".to_owned(),
            1 => "1 case".to_owned(),
            cases => format!("{cases} cases"),
        });
        let _ = writeln!(out, "  {:<width$}  {}", plain(&transform.name), words.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capacity(units: f64, rate: f64, is_auto: bool) -> Capacity {
        Capacity { units_estimated: units, units_per_second: Some(rate), is_auto }
    }

    fn transform(name: &str, applied_at: Option<&str>, keys: &'static str, looks_up: bool) -> TransformView {
        let applied_at = applied_at.map(str::to_owned);
        TransformView { name: name.into(), is_applied: applied_at.is_some(), applied_at, keys, looks_up, cases: 2 }
    }

    fn plan() -> PlanView {
        PlanView {
            run: "a-to-b".into(),
            is_begun: false,
            source: "a".into(),
            items_estimated: 16_000_000,
            bytes_estimated: 15_040_000_000,
            stream: Some("arn:aws:dynamodb:us-east-1:1:table/a/stream/2026-01-01T00:00:00.000".into()),
            destination: "b".into(),
            destination_state: DestinationState::ToBeCreated,
            segments: 1793,
            read: capacity(3_671_875.0, 6000.0, false),
            write: capacity(22_687_500.0, 2500.0, true),
            copy_seconds: Some(9075.0),
            transforms_directory: Some("/work/transforms".into()),
            transforms: vec![
                transform("0001-working-copy.ts", Some("2025-02-03"), "identity", false),
                transform("0002-upper.toml", None, "free", false),
                transform("0003-lead-case.ts", None, "identity", true),
            ],
            is_needed: true,
        }
    }

    #[test]
    fn a_plan_says_what_a_run_would_do() {
        insta::assert_snapshot!(text(&plan()), @r"
        run          a-to-b
        source       a, about 16,000,000 items, 15,040,000,000 bytes in all
        stream       2026-01-01T00:00:00.000
        destination  b will be created like the source
        segments     1,793
        read         about 3,671,875 units, at 6,000 a second
        write        about 22,687,500 units, auto, from 2,500 a second
        copy         about 2h 31m at the rates that it begins with
        transforms   /work/transforms
          0001-working-copy.ts  applied on 2025-02-03, skipped, 2 cases
          0002-upper.toml       new, changes keys (free), 2 cases
          0003-lead-case.ts     new, looks other items up, 2 cases

        a migration is needed: 2 of 3 transforms are new
        ");
        let unknown = PlanView { items_estimated: 0, bytes_estimated: 0, copy_seconds: None, ..plan() };
        assert!(text(&unknown).contains("source       a, of a size that is not known\n"));
    }

    #[test]
    fn without_new_transforms_there_is_nothing_to_do() {
        let mut plan = plan();
        plan.transforms.truncate(1);
        plan.is_needed = false;
        assert!(text(&plan).ends_with("\nno migration is needed: all 1 transforms are applied already\n"));
        plan.is_needed = true;
        assert!(text(&plan).ends_with("\nno transform is new; --force migrates all the same\n"));
        plan.transforms.clear();
        plan.transforms_directory = None;
        assert!(text(&plan).ends_with("\na migration copies the table\n"));
    }
}
