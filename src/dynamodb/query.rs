//! Requests for the items with a common partition key.

use serde_json::{Map, Value as Json};

use crate::dynamodb::key::push_key;
use crate::item::{KeySchema, Value};
use crate::lookup::{LookupQuery, SortRange};

/// The body of a Query on `table`, whose items have keys of `schema`.
pub fn request(table: &str, schema: &KeySchema, query: &LookupQuery) -> Vec<u8> {
    let mut values = Map::new();
    let mut name = |name: &str, value: &Value| {
        let mut json = Vec::new();
        value.write(&mut json);
        values.insert(format!(":{name}"), serde_json::from_slice(&json).unwrap_or(Json::Null));
    };
    name("p", &query.partition);
    let mut condition = "#p = :p".to_owned();
    let mut sort = |comparison: &str, one: &Value, other: Option<&Value>| {
        name("a", one);
        if let Some(other) = other {
            name("b", other);
        }
        condition.push_str(" AND ");
        condition.push_str(comparison);
    };
    match &query.sort {
        SortRange::All => {}
        SortRange::Equal(value) => sort("#s = :a", value, None),
        SortRange::Less(value) => sort("#s < :a", value, None),
        SortRange::AtMost(value) => sort("#s <= :a", value, None),
        SortRange::Greater(value) => sort("#s > :a", value, None),
        SortRange::AtLeast(value) => sort("#s >= :a", value, None),
        SortRange::Between(from, to) => sort("#s BETWEEN :a AND :b", from, Some(to)),
        SortRange::BeginsWith(value) => sort("begins_with(#s, :a)", value, None),
    }
    let mut names = Map::from_iter([("#p".to_owned(), Json::from(schema.partition.name()))]);
    if let Some(sort) = schema.sort.as_ref().filter(|_| query.sort != SortRange::All) {
        names.insert("#s".to_owned(), sort.name().into());
    }
    let mut request = serde_json::json!({
        "TableName": table,
        "ConsistentRead": true,
        "ReturnConsumedCapacity": "TOTAL",
        "ScanIndexForward": !query.descending,
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    });
    if let Some(limit) = query.limit {
        request["Limit"] = limit.into();
    }
    let mut body = request.to_string().into_bytes();
    if let Some(after) = &query.after {
        body.pop();
        body.extend_from_slice(b",\"ExclusiveStartKey\":");
        push_key(&mut body, after, schema);
        body.push(b'}');
    }
    body
}
