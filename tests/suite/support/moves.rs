//! Transforms that several tests use, and an oracle for what they do.

use std::fs;

use serde_json::{Value, json};

use super::contents::{Contents, canonical};
use super::ferry::Ferry;
use super::table::Table;

/// Titles become headings.
pub const RENAME: &str = r#"
description = "Titles are called headings"
[[step]]
when = 'attribute_exists(title)'
rename = { title = "heading" }
"#;

/// Docket entries on paper go.
pub const DROP: &str = r#"
[[step]]
when = 'entityName = "DocketEntry" AND isPaper = true'
drop = true
"#;

/// Cases become matters, and some items two.
pub const KEYS: &str = r#"
keys = "derived"
[[owner]]
when = 'begins_with(sk, "copy|")'
pk = 'replace(pk, "matter|", "case|")'
sk = 'replace(sk, "copy|", "")'
[[owner]]
pk = 'replace(pk, "matter|", "case|")'
sk = 'sk'
[[step]]
update = 'SET pk = replace(pk, "case|", "matter|")'
[[step]]
when = 'attribute_exists(times)'
copy = 'SET sk = join("|", "copy", sk), twice = times + times'
"#;

/// A directory of transforms in the working directory.
pub fn write_transforms(ferry: &Ferry, files: &[(&str, &str)]) {
    let _ = fs::create_dir(ferry.path().join("moves"));
    files.iter().for_each(|(name, text)| ferry.write(&format!("moves/{name}"), text));
}

/// What the three recipes make of an item, told in another language.
fn transformed(mut item: Value) -> Vec<Value> {
    if let Some(title) = item.as_object_mut().and_then(|item| item.remove("title")) {
        item["heading"] = title;
    }
    if item["entityName"] == json!({ "S": "DocketEntry" }) && item["isPaper"] == json!({ "BOOL": true }) {
        return Vec::new();
    }
    let pk = item["pk"]["S"].as_str().expect("a string").replace("case|", "matter|");
    item["pk"] = json!({ "S": pk });
    let mut items = vec![item.clone()];
    if let Some(times) = item["times"]["N"].as_str() {
        let twice = 2 * times.parse::<u64>().expect("a count");
        item["twice"] = json!({ "N": twice.to_string() });
        item["sk"] = json!({ "S": format!("copy|{}", item["sk"]["S"].as_str().expect("a string")) });
        items.push(item);
    }
    items
}

/// What is at the destination after [`RENAME`], [`DROP`] and [`KEYS`].
pub fn expected(source: &Table) -> Contents {
    let items = source.items().into_iter().flat_map(transformed);
    items.map(|item| (canonical(&source.key(&item)), canonical(&item))).collect()
}

/// What [`RENAME`] and [`DROP`] do.
pub const SCRIPT: &str = r#"
export const when = 'attribute_exists(title) OR entityName = "DocketEntry"';
export const migrateItems = async (items: any[]) =>
  items.flatMap(({ title, ...item }) => {
    if (item.entityName === 'DocketEntry' && item.isPaper) return [];
    return [title === undefined ? item : { ...item, heading: title }];
  });
"#;

/// Writes what it found by a get and by a query.
pub const LOOKING_UP: &str = r#"
export const migrateItems = async (items: any[], documentClient: any) => {
  for (const item of items) {
    const { Item: whole } = await documentClient
      .get({ TableName: process.env.SOURCE_TABLE, Key: { pk: item.pk, sk: 'whole' } })
      .promise();
    const { Items: parts } = await documentClient.query({
      TableName: process.env.SOURCE_TABLE,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :part)',
      ExpressionAttributeValues: { ':pk': item.pk, ':part': 'part|' },
    });
    item.seen = `${whole?.name ?? 'nobody'} of ${parts.length}`;
  }
  return items;
};
"#;
