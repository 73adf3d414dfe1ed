//! `documentClient`: the script's questions about other items of the source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use rquickjs::{Array, Ctx, Exception, Function, Object, Value};

use super::failure::Trouble;
use super::handles::Handles;
use super::incoming::Incoming;
use super::key_condition::{self, Substitutes};
use super::outgoing::{Outgoing, Written};
use super::watch::Watch;
use crate::item::{self, KeySchema, RawItem};
use crate::lookup::{Lookup, LookupQuery};

/// An item of the table from the JSON that a script made.
pub(super) fn item(json: Vec<u8>, schema: &KeySchema) -> Result<RawItem, String> {
    let bytes = Bytes::from(json);
    let item = RawItem::parse(bytes, schema).map_err(|_| no_key(schema))?;
    item.check_limits(schema).map_err(|broken| broken.to_string())?;
    Ok(item)
}

fn no_key(schema: &KeySchema) -> String {
    format!("an item has to have its key: {schema}")
}

/// The function that answers: from a method's name and its parameters to its result.
pub(super) fn function<'js>(ctx: &Ctx<'js>, watch: &Arc<Watch>) -> rquickjs::Result<Function<'js>> {
    let watch = Arc::clone(watch);
    let is_asking = AtomicBool::new(false);
    let answer = move |ctx: Ctx<'js>, method: String, parameters: Value<'js>| -> rquickjs::Result<Value<'js>> {
        // A getter among the parameters could ask again, and so on for ever.
        if is_asking.swap(true, Ordering::Relaxed) {
            return Err(Exception::throw_message(&ctx, "documentClient is busy with a question"));
        }
        let answer = ask(&ctx, &watch, watch.lookup().as_deref(), &method, &parameters);
        is_asking.store(false, Ordering::Relaxed);
        answer.map_err(|trouble| match trouble {
            Trouble::Reason(reason) => Exception::throw_message(&ctx, &format!("documentClient.{method}: {reason}")),
            Trouble::Engine(error) => error,
        })
    };
    Function::new(ctx.clone(), answer)
}

fn ask<'js>(
    ctx: &Ctx<'js>,
    watch: &Watch,
    reader: Option<&dyn Lookup>,
    method: &str,
    parameters: &Value<'js>,
) -> Result<Value<'js>, Trouble> {
    let Some(reader) = reader else {
        return Err(Trouble::Reason(
            "there is no table to look anything up in; a script that looks up has to declare the parameter documentClient"
                .to_owned(),
        ));
    };
    let Some(parameters) = parameters.as_object() else {
        return Err(Trouble::Reason("its parameters are an object".to_owned()));
    };
    let handles = Handles::of(ctx)?;
    let question = Question { ctx, watch, reader, handles: &handles };
    match method {
        "get" => question.get(parameters),
        "query" => question.query(parameters),
        _ => question.batch_get(parameters),
    }
}

struct Question<'q, 'js> {
    ctx: &'q Ctx<'js>,
    watch: &'q Watch,
    reader: &'q dyn Lookup,
    handles: &'q Handles<'q, 'js>,
}

impl<'js> Question<'_, 'js> {
    fn get(&self, parameters: &Object<'js>) -> Result<Value<'js>, Trouble> {
        check(parameters, &["TableName", "Key"])?;
        self.check_table(&parameters.get("TableName")?)?;
        let key = self.key(&parameters.get("Key")?)?;
        let answer = Object::new(self.ctx.clone())?;
        if let Some(found) = self.wait(|| self.reader.get(&key))? {
            answer.set("Item", self.object(&found)?)?;
        }
        Ok(answer.into_value())
    }

    fn batch_get(&self, parameters: &Object<'js>) -> Result<Value<'js>, Trouble> {
        check(parameters, &["RequestItems"])?;
        let tables: Object<'js> = parameters.get("RequestItems")?;
        let responses = Object::new(self.ctx.clone())?;
        for table in tables.props::<String, Object<'js>>() {
            let (table, request) = table?;
            self.check_table(&Some(table.clone()))?;
            check(&request, &["Keys"])?;
            let keys: Array<'js> = request.get("Keys")?;
            let found = Array::new(self.ctx.clone())?;
            for key in keys.iter::<Value<'js>>() {
                let key = self.key(&key?)?;
                if let Some(item) = self.wait(|| self.reader.get(&key))? {
                    found.set(found.len(), self.object(&item)?)?;
                }
            }
            responses.set(table, found)?;
        }
        let answer = Object::new(self.ctx.clone())?;
        answer.set("Responses", responses)?;
        answer.set("UnprocessedKeys", Object::new(self.ctx.clone())?)?;
        Ok(answer.into_value())
    }

    fn query(&self, parameters: &Object<'js>) -> Result<Value<'js>, Trouble> {
        check(
            parameters,
            &[
                "TableName",
                "KeyConditionExpression",
                "ExpressionAttributeNames",
                "ExpressionAttributeValues",
                "ScanIndexForward",
                "Limit",
                "ExclusiveStartKey",
            ],
        )?;
        self.check_table(&parameters.get("TableName")?)?;
        let Some(condition) = parameters.get::<_, Option<String>>("KeyConditionExpression")? else {
            return Err(Trouble::Reason("KeyConditionExpression is missing".to_owned()));
        };
        let substitutes = self.substitutes(parameters)?;
        let (partition, sort) = key_condition::parse(&condition, &substitutes, self.reader.schema())
            .map_err(|reason| Trouble::Reason(format!("KeyConditionExpression: {reason}")))?;
        let start: Value<'js> = parameters.get("ExclusiveStartKey")?;
        let limit: Option<f64> = parameters.get("Limit")?;
        if limit.is_some_and(|limit| limit < 1.0) {
            return Err(Trouble::Reason("Limit is at least 1".to_owned()));
        }
        let query = LookupQuery {
            partition,
            sort,
            descending: parameters.get::<_, Option<bool>>("ScanIndexForward")? == Some(false),
            limit: limit.map(|limit| limit as usize),
            after: if start.is_undefined() || start.is_null() { None } else { Some(self.key(&start)?) },
        };
        let page = self.wait(|| self.reader.query(&query))?;
        let answer = Object::new(self.ctx.clone())?;
        let items = Array::new(self.ctx.clone())?;
        for (index, item) in page.items.iter().enumerate() {
            items.set(index, self.object(item)?)?;
        }
        answer.set("Count", page.items.len())?;
        answer.set("Items", items)?;
        if let Some(last) = &page.last {
            answer.set("LastEvaluatedKey", self.object(last)?)?;
        }
        Ok(answer.into_value())
    }

    fn substitutes(&self, parameters: &Object<'js>) -> Result<Substitutes, Trouble> {
        let mut substitutes = Substitutes { names: Vec::new(), values: Vec::new() };
        if let Some(names) = parameters.get::<_, Option<Object<'js>>>("ExpressionAttributeNames")? {
            substitutes.names = names.props::<String, String>().collect::<rquickjs::Result<_>>()?;
        }
        if let Some(values) = parameters.get::<_, Option<Object<'js>>>("ExpressionAttributeValues")? {
            let mut outgoing = Outgoing::new(self.handles)?;
            for entry in values.props::<String, Value<'js>>() {
                let (name, value) = entry?;
                let json = outgoing.value(&value)?;
                let value = item::Value::parse(&json).map_err(|fault| Trouble::Reason(format!("{name}: {fault}")))?;
                substitutes.values.push((name, value));
            }
        }
        Ok(substitutes)
    }

    fn check_table(&self, name: &Option<String>) -> Result<(), Trouble> {
        match name {
            Some(name) if name != self.reader.table() => {
                Err(Trouble::Reason(format!("only the source table {} can be read, not {name}", self.reader.table())))
            }
            _ => Ok(()),
        }
    }

    /// An item of key attributes.
    fn key(&self, value: &Value<'js>) -> Result<RawItem, Trouble> {
        let schema = self.reader.schema();
        let no_key = || Trouble::Reason(format!("a key has these attributes and no others: {schema}"));
        let count = value.as_object().map_or(0, Object::len);
        if count != 1 + usize::from(schema.sort.is_some()) {
            return Err(no_key());
        }
        match Outgoing::new(self.handles)?.item(value, None)? {
            Written::Json(json) => RawItem::parse(Bytes::from(json), schema).map_err(|_| no_key()),
            Written::Same => Err(no_key()),
        }
    }

    fn object(&self, item: &RawItem) -> Result<Value<'js>, Trouble> {
        Ok(Incoming::new(self.ctx, self.handles).item(item.json())?.value)
    }

    /// The answer; the time that it takes is not the script's.
    fn wait<T>(&self, read: impl FnOnce() -> crate::error::Result<T>) -> Result<T, Trouble> {
        let started = Instant::now();
        let answer = read();
        self.watch.give_back(started.elapsed());
        answer.map_err(|error| Trouble::Reason(error.message().to_owned()))
    }
}

/// Refuses parameters that would change the answer and are not understood.
fn check(parameters: &Object<'_>, known: &[&str]) -> Result<(), Trouble> {
    // These change nothing: every read is consistent and accounted for.
    const HARMLESS: [&str; 2] = ["ConsistentRead", "ReturnConsumedCapacity"];
    for name in parameters.keys::<String>() {
        let name = name?;
        if known.contains(&name.as_str()) || HARMLESS.contains(&name.as_str()) {
            continue;
        }
        let remedy = match name.as_str() {
            "IndexName" => "an index cannot be read consistently",
            "FilterExpression" | "ProjectionExpression" | "AttributesToGet" => "filter in the script",
            _ => "it has no meaning here",
        };
        return Err(Trouble::Reason(format!("the parameter {name} is not supported: {remedy}")));
    }
    Ok(())
}
