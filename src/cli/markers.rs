//! Markers in the source: items that show how far its stream has been read.

use aws_sdk_dynamodb::Client;

use crate::dynamodb::Table;
use crate::dynamodb::marker::{delete_marker, put_marker};
use crate::engine::MARKER_PREFIX;
use crate::error::Result;
use crate::item::KeySchema;

/// The markers of one `drain`.
pub struct Markers {
    client: Client,
    table: String,
    schema: KeySchema,
    token: String,
    count: usize,
}

impl Markers {
    /// None yet.
    pub fn new(client: Client, source: &Table) -> Self {
        let token = format!("{:016x}", fastrand::u64(..));
        Self { client, table: source.name.clone(), schema: source.schema.clone(), token, count: 0 }
    }

    /// What the markers of this command begin with, after the prefix.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Writes so many more, each with a partition key of its own, so that they spread over the shards.
    pub async fn put(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.count += 1;
            let partition = self.partition(self.count);
            put_marker(&self.client, &self.table, &self.schema, &partition, &self.token).await?;
        }
        Ok(())
    }

    /// Removes all of them.
    pub async fn remove(&self) -> Result<()> {
        for number in 1..=self.count {
            delete_marker(&self.client, &self.table, &self.schema, &self.partition(number)).await?;
        }
        Ok(())
    }

    fn partition(&self, number: usize) -> String {
        format!("{MARKER_PREFIX}{}|{number}", self.token)
    }
}
