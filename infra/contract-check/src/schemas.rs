//! The schemas of a document, compiled as they are needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// Validates against schemas that may refer to the components of their document.
pub struct Schemas {
    components: Value,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Schemas {
    /// Takes the components of a document as they are.
    pub fn open(document: &Value) -> Self {
        Self { components: document["components"].clone(), compiled: Mutex::default() }
    }

    /// Takes the components of a document, with every object closed that lists its fields.
    pub fn closed(document: &Value) -> Self {
        let mut components = document["components"].clone();
        close(&mut components["schemas"]);
        Self { components, compiled: Mutex::default() }
    }

    /// Returns what is wrong with `value`; an empty list when nothing is.
    ///
    /// # Panics
    /// When the schema is none.
    pub fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let validator = self.validator(schema);
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// Compiles a schema when it is first asked for: the components that it may refer to are large, and tests ask of every frame.
    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = compiled.entry(schema.to_string()).or_insert_with_key(|key| {
            let mut whole = schema.clone();
            whole["components"] = self.components.clone();
            let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
            Arc::new(options.build(&whole).unwrap_or_else(|error| panic!("no schema ({error}): {key}")))
        });
        Arc::clone(validator)
    }
}

/// Returns what is wrong with a document by a schema that stands for itself, such as the one of its format.
///
/// # Panics
/// When the schema is none.
pub fn document_faults(schema: &Value, document: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).expect("a schema that was published");
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Closes every object that lists its fields and does not say itself what else there may be.
pub(crate) fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("type") == Some(&json!("object"))
                && map.contains_key("properties")
                && !map.contains_key("additionalProperties")
            {
                map.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
