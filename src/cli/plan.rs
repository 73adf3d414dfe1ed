//! `tableferry plan`: what `run` would do, and whether there is anything to do. Writes nothing.

use std::time::Duration;

use crate::cli::applied::Transforms;
use crate::cli::args::RunArgs;
use crate::cli::chain::Link;
use crate::cli::preflight::{self, Survey};
use crate::config::{self, Consistency, RunSpec};
use crate::dynamodb::applied::Record;
use crate::error::Result;
use crate::journal::RunDirectory;
use crate::policy::{EXIT_DONE, EXIT_NOT_NEEDED};
use crate::report::{Capacity, DestinationState, PlanView, TransformView, print_plan};
use crate::transform::KeyRule;
use crate::units::{Rate, Side};

/// Bytes that a strongly consistent read unit reads.
const READ_UNIT_BYTES: f64 = 4096.0;
/// Bytes that a write unit writes.
const WRITE_UNIT_BYTES: f64 = 1024.0;

/// Runs the command; the exit code, unless it fails.
pub async fn plan(args: RunArgs) -> Result<u8> {
    let spec = config::resolve(&args, &config::process_environment)?;
    let connections = preflight::connections(&spec).await?;
    let survey = preflight::survey(&connections, &spec).await?;
    let transforms = Transforms::load(&spec, &connections, &survey.source).await?;
    let destination_state = match &survey.destination {
        None => DestinationState::ToBeCreated,
        Some(table) if table.is_empty(&connections.destination.control).await? => DestinationState::Empty,
        Some(_) => DestinationState::HoldsItems,
    };
    let plan = planned(&spec, &survey, &transforms, destination_state)?;
    print_plan(&plan, args.json);
    if !plan.is_needed {
        return Ok(EXIT_NOT_NEEDED);
    }
    match plan.destination_state {
        DestinationState::HoldsItems if !plan.is_begun && !spec.into_nonempty => {
            Err(preflight::not_empty(&plan.destination))
        }
        _ => Ok(EXIT_DONE),
    }
}

fn planned(spec: &RunSpec, survey: &Survey, transforms: &Transforms, state: DestinationState) -> Result<PlanView> {
    let Survey { source, destination, stream } = survey;
    let (items, bytes) = (source.items_estimated(), source.bytes_estimated());
    let side = |units_estimated: f64, rate: Rate| {
        let (units_per_second, is_auto) = match rate {
            Rate::Unlimited => (None, false),
            Rate::Fixed(units) => (Some(units), false),
            Rate::Auto { start } => (Some(start), true),
        };
        Capacity { units_estimated, units_per_second, is_auto }
    };
    let price = if spec.consistency == Consistency::Strong { 1.0 } else { 0.5 };
    let read = preflight::rate(source, Side::Read, spec.read_rate)?;
    let read = side(price * bytes as f64 / READ_UNIT_BYTES, read);
    // Each item is rounded up to whole units, by half a unit on average.
    let write = preflight::rate(destination.as_ref().unwrap_or(source), Side::Write, spec.write_rate)?;
    let write = side(bytes as f64 / WRITE_UNIT_BYTES + items as f64 / 2.0, write);
    let seconds =
        |side: &Capacity| side.units_per_second.map(|rate| Duration::from_secs_f64(side.units_estimated / rate));
    let copy_time = seconds(&read).max(seconds(&write)).filter(|_| bytes > 0);
    let transform = |(link, record): &(Link, Option<Record>)| TransformView {
        name: link.transform.name().to_owned(),
        is_applied: record.is_some(),
        applied_at: record.as_ref().and_then(|record| record.created_at.clone()),
        keys: match link.transform.keys() {
            KeyRule::Identity => "identity",
            KeyRule::Derived => "derived",
            KeyRule::Free => "free",
        },
        looks_up: link.transform.has_lookups(),
        cases: link.cases.len(),
    };
    Ok(PlanView {
        run: spec.run.clone(),
        is_begun: RunDirectory::new(&spec.state_dir, &spec.run).journal().exists() && !spec.restart,
        source: source.name.clone(),
        items_estimated: items,
        bytes_estimated: bytes,
        stream: stream.clone(),
        destination: spec.destination.table.clone(),
        destination_state: state,
        segments: spec.segments.unwrap_or_else(|| preflight::choose_segments(source)),
        read,
        write,
        copy_seconds: copy_time.map(|time| time.as_secs_f64()),
        transforms_directory: spec.transforms.as_ref().map(|directory| directory.display().to_string()),
        transforms: transforms.all.iter().map(transform).collect(),
        is_needed: !transforms.is_nothing_new() || spec.force,
    })
}
