//! The one page that the responder sends over and over, under other keys each time.

use std::io::Write;

/// Items of a page.
pub const PAGE_ITEMS: usize = 1_000;
/// Bytes of JSON of an item, about; checked when the page is made.
const ITEM_BYTES: std::ops::Range<usize> = 930..950;
/// Digits of the page's number in every partition key.
pub const SERIAL_DIGITS: usize = 10;
/// Read units of a page: 1,000 items of about 600 bytes, read consistently.
const PAGE_UNITS: &str = "147.0";

/// An answer to Scan, up to the end of its items.
#[derive(Clone)]
pub struct CannedPage {
    bytes: Vec<u8>,
    /// Where the items end.
    items_end: usize,
    /// Where the page's number stands in each key.
    serials: Vec<usize>,
}

impl CannedPage {
    /// Makes the page.
    pub fn new() -> Self {
        let mut bytes = format!(r#"{{"Count":{PAGE_ITEMS},"Items":["#).into_bytes();
        let mut serials = Vec::with_capacity(PAGE_ITEMS);
        for number in 0..PAGE_ITEMS {
            let item = item(number);
            assert!(ITEM_BYTES.contains(&item.len()), "an item has {} bytes", item.len());
            let slot = item.find("0000000000").expect("every key has a place for the page's number");
            serials.push(bytes.len() + slot);
            bytes.extend_from_slice(item.as_bytes());
            bytes.push(b',');
        }
        bytes.pop();
        let items_end = bytes.len();
        Self { bytes, items_end, serials }
    }

    /// The whole answer for page number `serial` of the table; `next` is the page to go on with in its segment.
    pub fn answer(&mut self, serial: u64, next: Option<u64>) -> &[u8] {
        let digits = format!("{serial:0SERIAL_DIGITS$}");
        for &slot in &self.serials {
            self.bytes[slot..slot + SERIAL_DIGITS].copy_from_slice(digits.as_bytes());
        }
        self.bytes.truncate(self.items_end);
        self.bytes.extend_from_slice(end(PAGE_ITEMS, next).as_bytes());
        &self.bytes
    }
}

/// The answer for a segment without items.
pub fn empty_answer() -> Vec<u8> {
    let mut bytes = br#"{"Count":0,"Items":["#.to_vec();
    bytes.write_all(end(0, None).as_bytes()).expect("a vector takes everything");
    bytes
}

fn end(scanned: usize, next: Option<u64>) -> String {
    let cursor = match next {
        Some(page) => format!(r#""LastEvaluatedKey":{{"pk":{{"S":"cursor"}},"sk":{{"S":"page|{page}"}}}},"#),
        None => String::new(),
    };
    let units = if scanned == 0 { "0.5" } else { PAGE_UNITS };
    format!(
        r#"],{cursor}"ScannedCount":{scanned},"ConsumedCapacity":{{"TableName":"source","CapacityUnits":{units}}}}}"#
    )
}

/// Twenty attributes as a court's docket entry has them.
pub fn item(number: usize) -> String {
    format!(
        concat!(
            r#"{{"pk":{{"S":"case|0000000000-{n:04}"}},"sk":{{"S":"docket-entry|7805d1ab-18d0-43ec-bafb-654e8340{n:04}"}},"#,
            r#""entityName":{{"S":"DocketEntry"}},"docketNumber":{{"S":"{n:05}-23"}},"index":{{"N":"{n}"}},"#,
            r#""eventCode":{{"S":"M006"}},"documentType":{{"S":"Motion for Continuance"}},"#,
            r#""documentTitle":{{"S":"Motion for Continuance of the \"Spring\" Session, with the consent of Resp."}},"#,
            r#""filedBy":{{"S":"Petr. Zoë Núñez"}},"filingDate":{{"S":"2023-04-17T14:15:27.386Z"}},"#,
            r#""numberOfPages":{{"N":"17"}},"fileSize":{{"N":"1048576.25"}},"isFileAttached":{{"BOOL":true}},"#,
            r#""isLegacy":{{"BOOL":false}},"processingStatus":{{"S":"complete"}},"#,
            r#""servedParties":{{"L":[{{"M":{{"name":{{"S":"Ruth Hopper"}},"indicator":{{"S":"Paper"}}}}}},"#,
            r#"{{"M":{{"name":{{"S":"Ada Monk"}},"indicator":{{"S":"Electronic"}}}}}}]}},"#,
            r#""editState":{{"M":{{"draft":{{"BOOL":false}},"version":{{"N":"3"}}}}}},"#,
            r#""gsi1pk":{{"S":"pending|7805d1ab-18d0-43ec-bafb-{n:012}"}},"#,
            r#""judgeUserId":{{"NULL":true}},"receivedAt":{{"S":"2023-04-17T14:15:27.386Z"}}}}"#
        ),
        n = number
    )
}
