//! What is checked before anything is written: both tables are there, fit together, and are not one.

use crate::config::{RunSpec, TableSpec, TailSpec};
use crate::dynamodb::{ClientOptions, Connection, Table, connect};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Identity;
use crate::report::to_stderr;
use crate::transform::{Chain, Transform};
use crate::units::{Rate, RateSpec, Side};

/// Data that one segment should hold: small enough that many of them keep all workers busy to the end.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
/// Bounds of the number of segments that is chosen. Each costs at least one request, even when it is empty.
const SEGMENTS: (u64, u64) = (16, 4096);
/// When the table's size is not known (it is measured every six hours or so).
const SEGMENTS_UNKNOWN: u32 = 64;

/// `auto` begins at this share of the capacity ...
const AUTO_SHARE: f64 = 0.25;
/// ... or here, when the capacity is not known.
const AUTO_UNITS: f64 = 500.0;

/// Both ends, connected and described.
#[derive(Debug)]
pub struct Ends {
    /// Clients of both sides.
    pub connections: Connections,
    /// The table to read.
    pub source: Table,
    /// The table to write.
    pub destination: Table,
    /// ARN of the stream to follow; `None` for a source to which nobody writes.
    pub stream: Option<String>,
}

/// The clients of both sides.
#[derive(Debug, Clone)]
pub struct Connections {
    /// Clients of the source side.
    pub source: Connection,
    /// Clients of the destination side.
    pub destination: Connection,
}

/// Finds region and credentials of both sides.
pub async fn connections(spec: &RunSpec) -> Result<Connections> {
    let side = |place: &'static str| move |error: Error| error.context(place);
    Ok(Connections {
        source: connect(&options(&spec.source, spec)).await.map_err(side("source"))?,
        destination: connect(&options(&spec.destination, spec)).await.map_err(side("destination"))?,
    })
}

/// What is there before anything is created.
#[derive(Debug)]
pub struct Survey {
    /// The table to read.
    pub source: Table,
    /// The table to write, if it exists.
    pub destination: Option<Table>,
    /// ARN of the stream to follow; `None` for a source to which nobody writes.
    pub stream: Option<String>,
}

/// Describes both tables and checks that they fit.
pub async fn survey(connections: &Connections, spec: &RunSpec) -> Result<Survey> {
    let source = Table::describe(&connections.source.control, &spec.source.table).await;
    let source = source.map_err(|error| error.context("source"))?;
    let stream = match &spec.tail {
        TailSpec::Off => None,
        TailSpec::Latest => Some(source.check_stream()?),
        TailSpec::Arn(arn) => {
            source.check_stream_arn(arn)?;
            Some(arn.clone())
        }
    };
    let destination = match Table::describe(&connections.destination.control, &spec.destination.table).await {
        Ok(table) => Some(table),
        Err(error) if error.kind() == ErrorKind::TableMissing && spec.create_destination => None,
        Err(error) => return Err(missing(error)),
    };
    if let Some(destination) = &destination {
        check_fit(&source, destination)?;
    }
    Ok(Survey { source, destination, stream })
}

fn missing(error: Error) -> Error {
    match error.kind() {
        ErrorKind::TableMissing => error.context("destination").hint(
            "create it, or let tableferry create it like the source with --create-destination; check the region and \
             account if it should be there",
        ),
        _ => error.context("destination"),
    }
}

/// Describes both tables and checks that they fit. With `create`, a missing destination is created first.
pub async fn ends(connections: Connections, spec: &RunSpec, create: bool) -> Result<Ends> {
    let Survey { source, destination, stream } = survey(&connections, spec).await?;
    let (from, to) = (&connections.source.control, &connections.destination.control);
    let destination = match destination {
        Some(destination) if !create => destination,
        None if !create => {
            let message = format!("table {}: it is gone", spec.destination.table);
            return Err(missing(Error::new(ErrorKind::TableMissing, message)));
        }
        // One that is there may be half made.
        _ => {
            let (table, warnings) = source.create_like(from, to, &spec.destination.table).await?;
            warnings.iter().for_each(|warning| to_stderr(&format!("warning: {warning}")));
            table
        }
    };
    check_fit(&source, &destination)?;
    Ok(Ends { connections, source, destination, stream })
}

fn options(table: &TableSpec, spec: &RunSpec) -> ClientOptions {
    ClientOptions {
        endpoint_url: table.endpoint_url.clone(),
        region: table.region.clone(),
        profile: table.profile.clone(),
        request_timeout: spec.request_timeout,
    }
}

fn check_fit(source: &Table, destination: &Table) -> Result<()> {
    if source.is_same_as(destination) {
        let message = format!("source and destination are the same table ({})", source.arn());
        return Err(Error::new(ErrorKind::TableUnfit, message).hint("name another table as --destination"));
    }
    let (from, to) = (&source.schema, &destination.schema);
    if from != to {
        let message = format!("the key schemas differ: {} has {from}, {} has {to}", source.name, destination.name);
        return Err(Error::new(ErrorKind::TableUnfit, message)
            .hint("names and types of the keys must be equal; create the destination with --create-destination"));
    }
    Ok(())
}

impl Ends {
    /// Refuses a destination that holds items.
    pub async fn check_empty(&self) -> Result<()> {
        if self.destination.is_empty(&self.connections.destination.control).await? {
            return Ok(());
        }
        Err(not_empty(&self.destination.name))
    }

    /// What a resumed run must find unchanged.
    pub fn identity(&self, segments: u32, chain: &Chain) -> Identity {
        let pairs = [
            ("source table", self.source.name.clone()),
            ("source ARN", self.source.arn().to_owned()),
            ("source id", self.source.identity()),
            ("destination table", self.destination.name.clone()),
            ("destination ARN", self.destination.arn().to_owned()),
            ("destination id", self.destination.identity()),
            ("segments", segments.to_string()),
            ("stream", self.stream.clone().unwrap_or_else(|| "none".to_owned())),
            ("transforms", chain.name().to_owned()),
        ];
        let files = chain.files().into_iter().map(|(file, hash)| (format!("transform {file}"), hash));
        Identity(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(files).collect())
    }

    /// The rate to enforce on one side.
    pub fn rate(&self, side: Side, asked: RateSpec) -> Result<Rate> {
        match side {
            Side::Read => rate(&self.source, side, asked),
            Side::Write => rate(&self.destination, side, asked),
        }
    }
}

/// A destination that holds items is refused.
pub fn not_empty(destination: &str) -> Error {
    let message = format!("the destination {destination} is not empty");
    Error::new(ErrorKind::TableUnfit, message).hint(
        "name an empty table; or write over what is there with --into-nonempty (items that the source does not have will \
         stay)",
    )
}

/// Segments for a new run.
pub fn choose_segments(source: &Table) -> u32 {
    match source.bytes_estimated() {
        0 => SEGMENTS_UNKNOWN,
        bytes => bytes.div_ceil(SEGMENT_BYTES).clamp(SEGMENTS.0, SEGMENTS.1) as u32,
    }
}

/// What was asked for, in units of the table.
pub fn rate(table: &Table, side: Side, asked: RateSpec) -> Result<Rate> {
    match (asked, table.capacity(side)) {
        (RateSpec::Unlimited, _) => Ok(Rate::Unlimited),
        (RateSpec::Units(units), _) => Ok(Rate::Fixed(units)),
        (RateSpec::Auto, capacity) => {
            Ok(Rate::Auto { start: capacity.map_or(AUTO_UNITS, |capacity| capacity * AUTO_SHARE) })
        }
        (RateSpec::Percent(percent), Some(capacity)) => Ok(Rate::Fixed(capacity * percent / 100.0)),
        (RateSpec::Percent(percent), None) => {
            let flag = match side {
                Side::Read => "--read-rate",
                Side::Write => "--write-rate",
            };
            let message = format!("{flag} {percent}%: the capacity of table {} is not known", table.name);
            let unit = side.unit();
            Err(Error::new(ErrorKind::Usage, message)
                .hint(format!("give it in units, such as {flag} 4000{unit}, or auto")))
        }
    }
}
