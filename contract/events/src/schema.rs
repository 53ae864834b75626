//! JSON Schema (2020-12) of products and events, with the limits that the code itself keeps to.
//!
//! Schemas refer to each other as `#/components/schemas/<name>`, which OpenAPI and AsyncAPI have in common;
//! [`standalone`] gives one that stands for itself. Answers and events are open: who reads them has to let be what it
//! does not know, so that a field can be added. That the code writes exactly these fields is what tests close them for.

mod events;
pub mod values;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use souk_domain::EventType;

pub use events::{CHANGES, EVENT, PRODUCT};

/// Schemas by name.
pub type Schemas = BTreeMap<String, Value>;

/// Where OpenAPI and AsyncAPI keep schemas.
const COMPONENTS: &str = "#/components/schemas/";
/// Where JSON Schema does.
const DEFINITIONS: &str = "#/$defs/";

/// Returns every schema of products and events, by name: those of [`EventType`], and what they are made of.
pub fn schemas() -> Schemas {
    let mut schemas = Schemas::from([
        (PRODUCT.to_owned(), events::product()),
        (CHANGES.to_owned(), events::changes()),
        (EVENT.to_owned(), events::any()),
    ]);
    schemas.extend(EventType::ALL.map(|kind| (kind.as_str().to_owned(), events::event(kind))));
    schemas
}

/// Returns a type's schema as a document of its own.
pub fn standalone(kind: EventType) -> Value {
    let mut all = schemas();
    let own = all.remove(kind.as_str()).expect("every type has a schema");
    all.retain(|name, _| name == PRODUCT || name == CHANGES && kind == EventType::ProductUpdated);
    let mut document =
        json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": kind.as_str()});
    let Value::Object(own) = own else { unreachable!("schemas are objects") };
    document.as_object_mut().expect("just made").extend(own);
    document["$defs"] = json!(all);
    let text = document.to_string().replace(COMPONENTS, DEFINITIONS);
    serde_json::from_str(&text).expect("a renamed reference is still JSON")
}

/// Returns a reference to a schema of that name.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("{COMPONENTS}{name}")})
}

/// Returns an object with these fields, all of which are always there.
pub fn object(description: &str, fields: &[(&str, Value)]) -> Value {
    with_optional(description, fields, &[])
}

/// Returns an object with fields that are always there, and others that may be.
pub fn with_optional(description: &str, always: &[(&str, Value)], sometimes: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = always.iter().map(|(name, _)| *name).collect();
    let fields: Map<String, Value> =
        always.iter().chain(sometimes).map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"description": description, "type": "object", "required": required, "properties": fields})
}

/// Returns the schema that takes null, too.
pub fn nullable(mut schema: Value) -> Value {
    let simple = schema.get("type").and_then(Value::as_str).map(str::to_owned);
    match simple {
        Some(simple) => {
            schema["type"] = json!([simple, "null"]);
            if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                values.push(Value::Null);
            }
            schema
        }
        None => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

/// Returns the schema with a description in place of its own.
pub fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = json!(description);
    schema
}

#[cfg(test)]
mod tests;
