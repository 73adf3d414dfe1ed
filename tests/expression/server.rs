//! What DynamoDB Local says of an expression.

use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::notation::Expression;
use super::support::{http, local};

/// The partition key, a string.
pub const KEY: &str = "pk";

const TABLE: &str = "expressions";

/// One connection.
pub struct Server {
    address: SocketAddr,
    connection: Option<(TcpStream, Vec<u8>)>,
}

/// A request that was refused: the kind of the error, and its message.
#[derive(Debug)]
pub struct Refusal {
    pub kind: String,
    pub message: String,
}

impl Server {
    /// Starts the server and creates the table, if nobody has yet.
    pub fn connect() -> Self {
        static CREATED: OnceLock<()> = OnceLock::new();
        let mut server = Self { address: http::address_of(local::endpoint()), connection: None };
        CREATED.get_or_init(|| {
            let table = json!({
                "TableName": TABLE,
                "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
            });
            server.call("CreateTable", &table).unwrap_or_else(|refusal| panic!("no table: {refusal:?}"));
        });
        server
    }

    pub fn put(&mut self, item: &Map<String, Value>) {
        let body = json!({"TableName": TABLE, "Item": item});
        self.call("PutItem", &body).unwrap_or_else(|refusal| panic!("{refusal:?}: {body}"));
    }

    /// Whether the condition holds for an item that is there, or why there is no telling.
    pub fn holds(&mut self, item: &Map<String, Value>, condition: &Expression) -> Result<bool, String> {
        let mut body = json!({"TableName": TABLE, "Item": item, "ConditionExpression": condition.theirs});
        condition.add_to(&mut body);
        match self.call("PutItem", &body) {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.kind.ends_with("ConditionalCheckFailedException") => Ok(false),
            Err(refusal) => Err(refused(refusal, &body)),
        }
    }

    /// The item after an update, or why it was refused.
    pub fn update(&mut self, key: &Value, update: &Expression) -> Result<Value, String> {
        let mut body = json!({
            "TableName": TABLE,
            "Key": {KEY: key},
            "UpdateExpression": update.theirs,
            "ReturnValues": "ALL_NEW",
        });
        update.add_to(&mut body);
        match self.call("UpdateItem", &body) {
            Ok(mut answer) => Ok(answer["Attributes"].take()),
            Err(refusal) => Err(refused(refusal, &body)),
        }
    }

    fn call(&mut self, operation: &str, body: &Value) -> Result<Value, Refusal> {
        let (stream, buffer) = self.connection.get_or_insert_with(|| {
            let stream = TcpStream::connect(self.address).expect("the server listens");
            stream.set_nodelay(true).expect("a socket");
            (stream, Vec::new())
        });
        let request = http::dynamodb_request(operation, body).bytes();
        std::io::Write::write_all(stream, &request).expect("the request is sent");
        let answer = http::read_message(stream, buffer).expect("an answer").expect("an answer");
        let status = answer.status();
        if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.connection = None;
        }
        let mut answer = answer.json();
        if status == 200 {
            return Ok(answer);
        }
        let mut text = |names: &[&str]| {
            let found = names.iter().map(|name| answer[*name].take()).find(Value::is_string);
            found.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
        };
        Err(Refusal { kind: text(&["__type"]), message: text(&["message", "Message"]) })
    }
}

/// Only a refusal with a reason is an answer.
fn refused(refusal: Refusal, body: &Value) -> String {
    assert!(refusal.kind.ends_with("ValidationException"), "{refusal:?}: {body}");
    refusal.message
}
