//! A table at some endpoint: creating, filling, reading it whole.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::contents::{self, Contents};
use super::http::{self, Message};
use super::seed;

/// DynamoDB's limit for a BatchWriteItem.
const BATCH_ITEMS: usize = 25;
/// Well below DynamoDB's 16 MB for a request; large items go in smaller batches.
const BATCH_BYTES: usize = 4_000_000;
/// Threads that fill a table.
const WRITERS: usize = 4;

/// A key attribute.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// `S`, `N` or `B`.
    pub kind: String,
}

/// Key attributes from names and types.
pub fn keys(keys: &[(&str, &str)]) -> Vec<Key> {
    keys.iter().map(|(name, kind)| Key { name: name.to_string(), kind: kind.to_string() }).collect()
}

/// A table and where it is.
#[derive(Debug, Clone)]
pub struct Table {
    server: SocketAddr,
    /// Its name.
    pub name: String,
    /// Partition key, and sort key if it has one.
    pub keys: Vec<Key>,
}

impl Table {
    /// A new table with the string keys `pk` and `sk`, billed on demand, under a unique name.
    pub fn create(endpoint: &str, name: &str) -> Self {
        Self::create_keyed(endpoint, name, &[("pk", "S"), ("sk", "S")])
    }

    /// A new table with these keys.
    pub fn create_keyed(endpoint: &str, name: &str, keys: &[(&str, &str)]) -> Self {
        Self::create_with(endpoint, name, keys, json!({}))
    }

    /// A new table with these keys; the members of `more` are added to the CreateTable request. Attributes of indexes
    /// are among its `AttributeDefinitions`, without those of the keys.
    pub fn create_with(endpoint: &str, name: &str, keys: &[(&str, &str)], more: Value) -> Self {
        let table = Self::named(endpoint, &super::unique(name), keys);
        let attribute = |key: &Key| json!({ "AttributeName": key.name, "AttributeType": key.kind });
        let roles = ["HASH", "RANGE"];
        let schema = table.keys.iter().zip(roles);
        let schema: Vec<_> = schema.map(|(key, role)| json!({ "AttributeName": key.name, "KeyType": role })).collect();
        let mut attributes: Vec<_> = table.keys.iter().map(attribute).collect();
        let mut request = json!({ "TableName": table.name, "KeySchema": schema, "BillingMode": "PAY_PER_REQUEST" });
        for (member, value) in more.as_object().expect("members of a request") {
            match value {
                Value::Array(definitions) if member == "AttributeDefinitions" => attributes.extend(definitions.clone()),
                _ => request[member] = value.clone(),
            }
        }
        request["AttributeDefinitions"] = attributes.into();
        table.call("CreateTable", &request);
        table.wait_until_active();
        table
    }

    /// A table that exists, or does not yet.
    pub fn named(endpoint: &str, name: &str, keys: &[(&str, &str)]) -> Self {
        Self { server: http::address_of(endpoint), name: name.to_owned(), keys: self::keys(keys) }
    }

    /// The same table reached another way, or a namesake at another endpoint.
    pub fn at(&self, endpoint: &str) -> Self {
        Self { server: http::address_of(endpoint), ..self.clone() }
    }

    /// The same table by another name, its ARN.
    pub fn known_as(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// Where it is: `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server)
    }

    /// Sends a request and returns what came back.
    pub fn try_call(&self, operation: &str, request: &Value) -> Message {
        let request = http::dynamodb_request(operation, request);
        http::send(self.server, &request).unwrap_or_else(|error| panic!("{operation} on {}: {error}", self.name))
    }

    /// Sends a request that must succeed.
    #[track_caller]
    pub fn call(&self, operation: &str, request: &Value) -> Value {
        let answer = self.try_call(operation, request);
        let body = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status(), 200, "{operation} on {}: {body}", self.name);
        answer.json()
    }

    /// What DescribeTable says.
    pub fn describe(&self) -> Value {
        self.call("DescribeTable", &json!({ "TableName": self.name }))["Table"].clone()
    }

    /// Whether there is such a table.
    pub fn exists(&self) -> bool {
        self.try_call("DescribeTable", &json!({ "TableName": self.name })).status() == 200
    }

    /// Fills the table with `count` items of every shape.
    pub fn seed(&self, count: usize, seed: u64) -> &Self {
        self.put_all(&seed::items(&self.keys, 0, count, seed));
        self
    }

    /// Puts one item.
    pub fn put(&self, item: &Value) {
        self.call("PutItem", &json!({ "TableName": self.name, "Item": item }));
    }

    /// Deletes an item of the table.
    pub fn delete(&self, item: &Value) {
        self.call("DeleteItem", &json!({ "TableName": self.name, "Key": self.key(item) }));
    }

    /// Switches the table's stream on, with both images, and returns the stream's ARN.
    ///
    /// Fill a table first: an emulator's writes slow down as its stream grows.
    pub fn enable_stream(&self) -> String {
        self.enable_stream_of("NEW_AND_OLD_IMAGES")
    }

    /// Switches the table's stream on with this view type and returns the stream's ARN.
    pub fn enable_stream_of(&self, view: &str) -> String {
        self.set_stream(json!({ "StreamEnabled": true, "StreamViewType": view }));
        let arn = self.describe()["LatestStreamArn"].as_str().map(str::to_owned);
        arn.unwrap_or_else(|| panic!("{} has a stream without an ARN", self.name))
    }

    /// Switches the table's stream off.
    pub fn disable_stream(&self) {
        self.set_stream(json!({ "StreamEnabled": false }));
    }

    fn set_stream(&self, specification: Value) {
        self.call("UpdateTable", &json!({ "TableName": self.name, "StreamSpecification": specification }));
        self.wait_until_active();
    }

    fn wait_until_active(&self) {
        let active = || (self.describe()["TableStatus"] == "ACTIVE").then_some(());
        super::wait_for(std::time::Duration::from_secs(20), active).expect("the table becomes ACTIVE");
    }

    /// Puts items in batches, from several threads.
    pub fn put_all(&self, items: &[Value]) {
        let part = items.len().div_ceil(WRITERS).max(1);
        std::thread::scope(|scope| {
            for items in items.chunks(part) {
                scope.spawn(move || self.put_batches(items));
            }
        });
    }

    fn put_batches(&self, items: &[Value]) {
        let mut batch = Vec::new();
        let mut bytes = 0;
        for item in items {
            let length = item.to_string().len();
            if batch.len() == BATCH_ITEMS || (bytes + length > BATCH_BYTES && !batch.is_empty()) {
                self.write_batch(&std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += length;
            batch.push(json!({ "PutRequest": { "Item": item } }));
        }
        if !batch.is_empty() {
            self.write_batch(&batch);
        }
    }

    /// Sends one BatchWriteItem.
    pub fn write_batch(&self, operations: &[Value]) {
        let answer = self.call("BatchWriteItem", &json!({ "RequestItems": { &self.name: operations } }));
        let unprocessed = answer["UnprocessedItems"].as_object().map_or(0, |tables| tables.len());
        assert_eq!(unprocessed, 0, "an emulator takes whole batches");
    }

    /// Every item, read with strong consistency.
    pub fn items(&self) -> Vec<Value> {
        let mut items = Vec::new();
        let mut request = json!({ "TableName": self.name, "ConsistentRead": true });
        loop {
            let mut page = self.call("Scan", &request);
            match page["Items"].take() {
                Value::Array(page) => items.extend(page),
                other => panic!("a page of {} holds no list but {other}", self.name),
            }
            match page["LastEvaluatedKey"].take() {
                Value::Null => return items,
                cursor => request["ExclusiveStartKey"] = cursor,
            }
        }
    }

    /// How many items there are.
    pub fn count(&self) -> usize {
        self.items().len()
    }

    /// The whole table in canonical form.
    pub fn contents(&self) -> Contents {
        let items = self.items();
        let count = items.len();
        let contents: Contents = items.iter().map(|item| (self.key_of(item), contents::canonical(item))).collect();
        assert_eq!(contents.len(), count, "a scan of {} shows a key twice", self.name);
        contents
    }

    /// The key of an item.
    pub fn key(&self, item: &Value) -> Value {
        let key = |key: &Key| (key.name.clone(), item[&key.name].clone());
        self.keys.iter().map(key).collect::<serde_json::Map<_, _>>().into()
    }

    fn key_of(&self, item: &Value) -> String {
        contents::canonical(&self.key(item))
    }
}
