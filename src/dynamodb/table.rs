//! Tables: describing, comparing, creating.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, LocalSecondaryIndex, OnDemandThroughput,
    ProvisionedThroughput, ProvisionedThroughputDescription, Select, StreamViewType, TableDescription, TableStatus,
    TimeToLiveSpecification, TimeToLiveStatus,
};

use crate::dynamodb::error::from_sdk;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{KeyAttribute, KeyKind, KeySchema};
use crate::units::Side;

/// Time between two looks at a table that is being created.
const POLL: Duration = Duration::from_millis(500);
/// A table that is not ACTIVE after this long will not be.
const CREATION_LIMIT: Duration = Duration::from_secs(30 * 60);

/// What precedes the command that switches a stream on: nothing else is to be done ...
const SWITCH_ON: &str = "switch it on: ";
/// ... or it is on in another way, which cannot be changed.
const SWITCH_OVER: &str = "a stream keeps its view type: once nobody reads this one, switch it off \
                           (`--stream-specification StreamEnabled=false`) and on again: ";

/// A table as DescribeTable shows it.
#[derive(Debug, Clone)]
pub struct Table {
    description: TableDescription,
    /// The name it was asked for by: a name or an ARN.
    pub name: String,
    /// Primary key.
    pub schema: KeySchema,
}

impl Table {
    /// Describes the table; [`ErrorKind::TableMissing`] if there is none.
    pub async fn describe(client: &Client, name: &str) -> Result<Self> {
        let answer = client.describe_table().table_name(name).send().await.map_err(from_sdk);
        let answer = answer.map_err(|error| error.context(format!("table {name}")))?;
        let description = answer.table.ok_or_else(|| incomplete(name, "Table"))?;
        let schema = key_schema(name, &description)?;
        Ok(Self { description, name: name.to_owned(), schema })
    }

    /// The ARN, empty if the service gives none.
    pub fn arn(&self) -> &str {
        self.description.table_arn().unwrap_or_default()
    }

    /// What tells this table from an earlier or later one of the same name: its id, else its creation time.
    pub fn identity(&self) -> String {
        match (self.description.table_id(), self.description.creation_date_time()) {
            (Some(id), _) => id.to_owned(),
            (None, Some(created)) => format!("created {}", created.as_secs_f64()),
            (None, None) => String::new(),
        }
    }

    /// Whether both are one table. Emulators give every table of a name the same ARN, so ids decide where there are any.
    pub fn is_same_as(&self, other: &Table) -> bool {
        match (self.description.table_id(), other.description.table_id()) {
            (Some(one), Some(two)) => one == two,
            _ => !self.arn().is_empty() && self.arn() == other.arn(),
        }
    }

    /// The ARN of the stream that is switched on, if it tells what a tail must know: both images of every change.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StreamUnfit`] when the stream is off or lacks images.
    pub fn check_stream(&self) -> Result<String> {
        let specification = self.description.stream_specification();
        let specification = specification.filter(|specification| specification.stream_enabled());
        let (arn, view) = match (specification, self.description.latest_stream_arn()) {
            (Some(specification), Some(arn)) => (arn, specification.stream_view_type()),
            _ => return Err(self.unfit("its stream is switched off", SWITCH_ON)),
        };
        match view {
            Some(StreamViewType::NewAndOldImages) => Ok(arn.to_owned()),
            view => {
                let view = view.map_or("unknown", |view| view.as_str());
                Err(self.unfit(&format!("its stream has the view type {view}, not NEW_AND_OLD_IMAGES"), SWITCH_OVER))
            }
        }
    }

    /// Refuses the ARN of another table's stream.
    pub fn check_stream_arn(&self, arn: &str) -> Result<()> {
        let label = arn.strip_prefix(self.arn()).and_then(|rest| rest.strip_prefix("/stream/"));
        if label.is_some_and(|label| !label.is_empty()) {
            return Ok(());
        }
        let message = format!("stream {arn} does not belong to table {}, whose ARN is {}", self.name, self.arn());
        Err(Error::new(ErrorKind::StreamUnfit, message)
            .hint("leave --stream-arn out to take the table's latest stream, or name a stream of this table"))
    }

    fn unfit(&self, what: &str, before: &str) -> Error {
        let name = &self.name;
        let error = Error::new(ErrorKind::StreamUnfit, format!("the changes of table {name} cannot be read: {what}"));
        error.hint(format!(
            "{before}`aws dynamodb update-table --table-name {name} --stream-specification \
             StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES`; or, if nobody writes to the table, copy it with \
             --no-tail"
        ))
    }

    /// The service's count of items, up to six hours old.
    pub fn items_estimated(&self) -> u64 {
        self.description.item_count().and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
    }

    /// The service's sum of item sizes in bytes, up to six hours old.
    pub fn bytes_estimated(&self) -> u64 {
        self.description.table_size_bytes().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
    }

    /// Capacity units per second: provisioned, else the table's maximum, else its warm throughput; `None` if not known.
    pub fn capacity(&self, side: Side) -> Option<f64> {
        let provisioned = self.description.provisioned_throughput();
        let maximum = self.description.on_demand_throughput();
        let warm = self.description.warm_throughput();
        let candidates = match side {
            Side::Read => [
                provisioned.and_then(|p| p.read_capacity_units()),
                maximum.and_then(|m| m.max_read_request_units()),
                warm.and_then(|w| w.read_units_per_second()),
            ],
            Side::Write => [
                provisioned.and_then(|p| p.write_capacity_units()),
                maximum.and_then(|m| m.max_write_request_units()),
                warm.and_then(|w| w.write_units_per_second()),
            ],
        };
        candidates.into_iter().flatten().find(|units| *units > 0).map(|units| units as f64)
    }

    /// Whether a Scan finds no item at all.
    pub async fn is_empty(&self, client: &Client) -> Result<bool> {
        let mut cursor = None;
        loop {
            let scan = client.scan().table_name(&self.name).limit(1).consistent_read(true).select(Select::Count);
            let answer = scan.set_exclusive_start_key(cursor).send().await;
            let answer =
                answer.map_err(|error| from_sdk(error).context(format!("looking for items in {}", self.name)))?;
            if answer.count() > 0 {
                return Ok(false);
            }
            cursor = answer.last_evaluated_key;
            if cursor.is_none() {
                return Ok(true);
            }
        }
    }

    /// Creates `name` like this table (keys, indexes, billing, stream view, TTL, tags) and waits until it is ACTIVE.
    ///
    /// Every step may be run twice: an existing table is waited for, and its TTL and tags are set again. What the service
    /// cannot do at all (DynamoDB Local has no tags) is left out and named in the warnings.
    pub async fn create_like(&self, source: &Client, destination: &Client, name: &str) -> Result<(Table, Vec<String>)> {
        let place = |error: Error| error.context(format!("creating table {name}"));
        match Table::describe(destination, name).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::TableMissing => {
                self.send_create(destination, name).await.map_err(place)?;
            }
            Err(error) => return Err(error),
        }
        let table = active(destination, name).await?;
        let mut warnings = Vec::new();
        for (what, copied) in [
            ("tags", self.copy_tags(source, destination, &table).await),
            ("TTL", self.copy_ttl(source, destination, name).await),
        ] {
            match copied {
                Err(error) if error.message().starts_with("UnknownOperationException") => {
                    warnings.push(format!("the {what} of {} were not copied: {}", self.name, error.message()));
                }
                copied => copied.map_err(place)?,
            }
        }
        Ok((table, warnings))
    }

    async fn send_create(&self, client: &Client, name: &str) -> Result<()> {
        let from = &self.description;
        let on_demand = from
            .billing_mode_summary()
            .and_then(|summary| summary.billing_mode())
            .is_some_and(|mode| *mode == BillingMode::PayPerRequest);
        let mut create = client
            .create_table()
            .table_name(name)
            .set_attribute_definitions(from.attribute_definitions.clone())
            .set_key_schema(from.key_schema.clone())
            .set_stream_specification(from.stream_specification.clone());
        create = if on_demand {
            create
                .billing_mode(BillingMode::PayPerRequest)
                .set_on_demand_throughput(from.on_demand_throughput.clone().filter(has_maximum))
        } else {
            create
                .billing_mode(BillingMode::Provisioned)
                .set_provisioned_throughput(throughput(from.provisioned_throughput()))
        };
        for index in from.global_secondary_indexes() {
            let units = if on_demand { None } else { throughput(index.provisioned_throughput()) };
            let copy = GlobalSecondaryIndex::builder()
                .set_index_name(index.index_name.clone())
                .set_key_schema(index.key_schema.clone())
                .set_projection(index.projection.clone())
                .set_provisioned_throughput(units)
                .build();
            create = create.global_secondary_indexes(copy.map_err(unexpected)?);
        }
        for index in from.local_secondary_indexes() {
            let copy = LocalSecondaryIndex::builder()
                .set_index_name(index.index_name.clone())
                .set_key_schema(index.key_schema.clone())
                .set_projection(index.projection.clone())
                .build();
            create = create.local_secondary_indexes(copy.map_err(unexpected)?);
        }
        create.send().await.map(drop).map_err(from_sdk)
    }

    async fn copy_tags(&self, source: &Client, destination: &Client, to: &Table) -> Result<()> {
        let mut next = None;
        loop {
            let listing = source.list_tags_of_resource().resource_arn(self.arn()).set_next_token(next);
            let listing = listing.send().await.map_err(from_sdk)?;
            // AWS keeps names that begin with `aws:` for itself.
            let own = |tag: &aws_sdk_dynamodb::types::Tag| !tag.key().starts_with("aws:");
            let tags: Vec<_> = listing.tags().iter().filter(|tag| own(tag)).cloned().collect();
            if !tags.is_empty() {
                let call = destination.tag_resource().resource_arn(to.arn()).set_tags(Some(tags));
                call.send().await.map_err(from_sdk)?;
            }
            next = listing.next_token;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    async fn copy_ttl(&self, source: &Client, destination: &Client, name: &str) -> Result<()> {
        let Some(attribute) = ttl_attribute(source, &self.name).await? else {
            return Ok(());
        };
        if ttl_attribute(destination, name).await?.as_ref() == Some(&attribute) {
            return Ok(());
        }
        let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name(attribute).build();
        let call = destination.update_time_to_live().table_name(name);
        call.time_to_live_specification(ttl.map_err(unexpected)?).send().await.map_err(from_sdk)?;
        Ok(())
    }
}

async fn active(client: &Client, name: &str) -> Result<Table> {
    let begun = tokio::time::Instant::now();
    loop {
        let table = Table::describe(client, name).await?;
        if table.description.table_status() == Some(&TableStatus::Active) {
            return Ok(table);
        }
        if begun.elapsed() > CREATION_LIMIT {
            return Err(Error::new(ErrorKind::TableUnfit, format!("table {name} did not become ACTIVE in 30 minutes"))
                .hint("look at the table in the console and run the same command again"));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn ttl_attribute(client: &Client, name: &str) -> Result<Option<String>> {
    let answer = client.describe_time_to_live().table_name(name).send().await.map_err(from_sdk)?;
    let on = [TimeToLiveStatus::Enabled, TimeToLiveStatus::Enabling];
    let ttl = answer.time_to_live_description;
    let ttl = ttl.filter(|ttl| ttl.time_to_live_status().is_some_and(|status| on.contains(status)));
    Ok(ttl.and_then(|ttl| ttl.attribute_name))
}

fn throughput(from: Option<&ProvisionedThroughputDescription>) -> Option<ProvisionedThroughput> {
    let from = from?;
    let units = ProvisionedThroughput::builder()
        .read_capacity_units(from.read_capacity_units()?)
        .write_capacity_units(from.write_capacity_units()?);
    units.build().ok()
}

/// DescribeTable shows -1 for "no maximum", which CreateTable takes too, but emulators do not.
fn has_maximum(throughput: &OnDemandThroughput) -> bool {
    throughput.max_read_request_units().unwrap_or(-1) > 0 || throughput.max_write_request_units().unwrap_or(-1) > 0
}

fn key_schema(name: &str, description: &TableDescription) -> Result<KeySchema> {
    let attribute = |element: &KeySchemaElement| {
        let definitions = description.attribute_definitions();
        let definition = definitions.iter().find(|definition| definition.attribute_name() == element.attribute_name());
        let kind = definition.and_then(|definition| KeyKind::from_name(definition.attribute_type().as_str()));
        let kind = kind.ok_or_else(|| incomplete(name, "AttributeDefinitions"))?;
        Ok::<_, Error>(KeyAttribute::new(element.attribute_name(), kind))
    };
    let find = |role: KeyType| description.key_schema().iter().find(|element| *element.key_type() == role);
    let partition = find(KeyType::Hash).ok_or_else(|| incomplete(name, "KeySchema"))?;
    Ok(KeySchema { partition: attribute(partition)?, sort: find(KeyType::Range).map(attribute).transpose()? })
}

fn incomplete(name: &str, member: &str) -> Error {
    Error::new(ErrorKind::MalformedAnswer, format!("DescribeTable on {name} answered without a valid {member}"))
        .hint("check that the endpoint is a DynamoDB endpoint")
}

fn unexpected(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, error.to_string())
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::StreamSpecification;

    use super::*;

    const ARN: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/orders";

    fn table(view: Option<StreamViewType>) -> Table {
        let stream = view.map(|view| {
            let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(view);
            stream.build().expect("complete")
        });
        let description = TableDescription::builder()
            .table_arn(ARN)
            // Stays there for ever, also when the stream was switched off.
            .latest_stream_arn(format!("{ARN}/stream/2026-01-01T00:00:00.000"))
            .set_stream_specification(stream)
            .build();
        let partition = KeyAttribute::new("pk", KeyKind::String);
        Table { description, name: "orders".into(), schema: KeySchema { partition, sort: None } }
    }

    #[test]
    fn a_stream_must_be_on_and_have_both_images() {
        let arn = table(Some(StreamViewType::NewAndOldImages)).check_stream().expect("fit");
        assert_eq!(arn, format!("{ARN}/stream/2026-01-01T00:00:00.000"));
        for (view, what) in [(None, "switched off"), (Some(StreamViewType::KeysOnly), "view type KEYS_ONLY")] {
            let error = table(view).check_stream().expect_err("unfit");
            assert_eq!(error.kind(), ErrorKind::StreamUnfit);
            assert!(error.message().contains("orders") && error.message().contains(what), "{error}");
            let command = "`aws dynamodb update-table --table-name orders --stream-specification \
                           StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES`";
            let remedy = error.remedy().expect("a remedy");
            assert!(remedy.contains(command) && remedy.contains("--no-tail"), "{remedy}");
        }
    }

    #[test]
    fn a_stream_of_another_table_is_refused() {
        let table = table(None);
        table.check_stream_arn(&format!("{ARN}/stream/2025-01-01T00:00:00.000")).expect("of this table");
        for other in [ARN.to_owned(), format!("{ARN}/stream/"), format!("{ARN}-2/stream/2025"), String::new()] {
            let error = table.check_stream_arn(&other).expect_err("of another");
            assert_eq!(error.kind(), ErrorKind::StreamUnfit);
            assert!(error.message().contains(&other) && error.message().contains(ARN));
        }
    }
}
