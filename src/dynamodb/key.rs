//! Keys in requests and in answers.

use bytes::Bytes;

use crate::item::{Fault, Key, KeySchema, RawItem};

/// Appends the key of `item` as a request carries it, its values as they were sent.
pub fn push_key(body: &mut Vec<u8>, item: &RawItem, schema: &KeySchema) {
    let sort = schema.sort.as_ref().zip(item.sort_value());
    let attributes = std::iter::once((&schema.partition, item.partition_value())).chain(sort);
    for (at, (attribute, value)) in attributes.enumerate() {
        body.push(if at == 0 { b'{' } else { b',' });
        body.extend_from_slice(serde_json::Value::from(attribute.name()).to_string().as_bytes());
        body.push(b':');
        body.extend_from_slice(value);
    }
    body.push(b'}');
}

/// The key in `json`, which is a whole item or its key alone.
pub fn parse_key(json: &[u8], schema: &KeySchema) -> Result<Key, Fault> {
    Ok(RawItem::parse(Bytes::copy_from_slice(json), schema)?.key())
}
