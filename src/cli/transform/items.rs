//! The items that transforms are tried on: some of a table's, or made up ones.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::ItemArgs;
use crate::dynamodb::scan::Consistency;
use crate::dynamodb::{ClientOptions, Table, TableLookup, TableSource, connect};
use crate::embedded;
use crate::error::{Error, ErrorKind, Result};
use crate::item::{KeySchema, RawItem};
use crate::lookup::Lookup;
use crate::memory::LookupTable;
use crate::source::ScanSource;

/// Parts of the table that are read from: its items are not all alike.
const SEGMENTS: u32 = 16;

/// Items, and the primary key that they have.
pub struct Items {
    pub schema: KeySchema,
    pub items: Vec<RawItem>,
    /// Where they are from, for people.
    pub origin: String,
    /// Where transforms look other items up.
    pub lookup: Arc<dyn Lookup>,
}

/// Reads them, or makes them up.
pub async fn items(args: &ItemArgs) -> Result<Items> {
    let count = args.items as usize;
    let Some(name) = &args.table else {
        let items: Vec<RawItem> = embedded::raw_items(count, args.seed).collect();
        let lookup = Arc::new(LookupTable::new("court", embedded::schema(), items.clone()));
        let origin = format!("{count} items of an imagined court (--table takes them from a table)");
        return Ok(Items { schema: embedded::schema(), items, origin, lookup });
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
    let client = connection.data.clone();
    let source = TableSource::new(connection.data, &table.name, table.schema.clone(), Consistency::Eventual);
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
    let lookup = Arc::new(TableLookup::new(client, &table.name, table.schema.clone()));
    Ok(Items { schema: table.schema, items, origin, lookup })
}
