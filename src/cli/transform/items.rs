//! The items that transforms are tried on: some of a table's, or made up ones.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::ItemArgs;
use crate::dynamodb::scan::Consistency;
use crate::dynamodb::{ClientOptions, Table, TableSource, connect};
use crate::embedded;
use crate::engine::Lookups;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{KeySchema, RawItem};
use crate::memory::LookupTable;
use crate::source::ScanSource;
use crate::transform::Occasion;

/// Parts of the table that are read from: its items are not all alike.
const SEGMENTS: u32 = 16;

/// Items, and the primary key that they have.
pub struct Items {
    pub schema: KeySchema,
    pub items: Vec<RawItem>,
    /// Where they are from, for people.
    pub origin: String,
    /// The table's name.
    pub table: String,
    lookups: Place,
}

/// Where transforms look other items up.
enum Place {
    Table(Arc<Lookups>),
    Items(Occasion),
}

impl Items {
    /// For the items, which have all been read.
    pub fn occasion(&self) -> Occasion {
        match &self.lookups {
            Place::Table(lookups) => lookups.occasion(),
            Place::Items(occasion) => occasion.clone(),
        }
    }

    /// Fails when the table did not answer: what transforms made of that is nothing to go by.
    pub fn check_answered(&self) -> Result<()> {
        match &self.lookups {
            Place::Table(lookups) => lookups.error().map_or(Ok(()), Err),
            Place::Items(_) => Ok(()),
        }
    }

    /// Questions that transforms asked of the table, and requests that were sent for them.
    pub fn asked(&self) -> (u64, u64) {
        match &self.lookups {
            Place::Table(lookups) => lookups.asked(),
            Place::Items(_) => (0, 0),
        }
    }
}

/// What made up items are said to be from.
const COURT: &str = "court";

/// Reads them, or makes them up.
pub async fn items(args: &ItemArgs) -> Result<Items> {
    let count = args.items as usize;
    let Some(name) = &args.table else {
        let items: Vec<RawItem> = embedded::raw_items(count, args.seed).collect();
        let lookup = Arc::new(LookupTable::new(COURT, embedded::schema(), items.clone()));
        let lookups = Place::Items(Occasion { lookup: Some(lookup), ..Occasion::default() });
        let origin = format!("{count} items of an imagined court (--table takes them from a table)");
        return Ok(Items { schema: embedded::schema(), items, origin, table: COURT.to_owned(), lookups });
    };
    let options = ClientOptions {
        endpoint_url: args.endpoint_url.clone(),
        region: args.region.clone(),
        profile: args.profile.clone(),
        request_timeout: Duration::from_secs(10),
    };
    let connection = connect(&options).await?;
    let table = Table::describe(&connection.control, name).await?;
    // Half the price; which state of an item is looked at does not matter here.
    let source = TableSource::new(connection.data, &table.name, table.schema.clone(), Consistency::Eventual);
    let source: Arc<dyn ScanSource> = Arc::new(source);
    let mut items = Vec::new();
    let mut cursors = vec![None; SEGMENTS as usize];
    let mut open: Vec<u32> = (0..SEGMENTS).collect();
    while !open.is_empty() && items.len() < count {
        let mut still_open = Vec::new();
        for segment in open {
            if items.len() >= count {
                break;
            }
            let page = source.read_page(segment, SEGMENTS, cursors[segment as usize].as_ref()).await?;
            items.extend(page.items);
            if page.next.is_some() {
                cursors[segment as usize] = page.next;
                still_open.push(segment);
            }
        }
        open = still_open;
    }
    items.truncate(count);
    if items.is_empty() {
        let message = format!("table {name} has no items to try transforms on");
        return Err(Error::new(ErrorKind::TableUnfit, message).hint("name a table with items, or leave --table out"));
    }
    let origin = format!("{} items of table {}", items.len(), table.name);
    let lookups = Place::Table(Arc::new(Lookups::alone(&table.name, table.schema.clone(), source)));
    Ok(Items { schema: table.schema, items, origin, table: table.name, lookups })
}
