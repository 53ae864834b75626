//! The examples of an OpenAPI document, each held against its schema.

use serde_json::{Value, json};

use crate::Calls;
use crate::calls::calls;

impl Calls {
    /// Returns what is wrong with the examples of the document, and which are missing.
    pub fn example_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (path, item) in self.document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in calls(item) {
                let place = format!("{method} {path}");
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let parameter = self.resolve(parameter);
                    let name = format!("{place}, parameter {}", parameter["name"]);
                    let example = parameter.get("example").or_else(|| parameter["schema"]["examples"].get(0));
                    self.example(&name, &parameter["schema"], example, &mut faults);
                }
                self.content(&format!("{place}, body"), &operation["requestBody"]["content"], &mut faults);
                for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                    let place = format!("{place}, {status}");
                    self.content(&place, &response["content"], &mut faults);
                    for (name, header) in response["headers"].as_object().into_iter().flatten() {
                        let header = self.resolve(header);
                        let place = format!("{place}, header {name}");
                        self.example(&place, &header["schema"], header.get("example"), &mut faults);
                    }
                }
            }
        }
        faults
    }

    fn content(&self, place: &str, content: &Value, faults: &mut Vec<String>) {
        for (media_type, media) in content.as_object().into_iter().flatten() {
            let place = format!("{place} as {media_type}");
            let examples = media["examples"].as_object();
            if examples.is_none_or(serde_json::Map::is_empty) {
                faults.push(format!("{place}: there is no example"));
            }
            for (name, example) in examples.into_iter().flatten() {
                let example = self.resolve(example);
                self.example(
                    &format!("{place}, example {name}"),
                    &media["schema"],
                    example.get("value"),
                    faults,
                );
            }
        }
    }

    fn example(&self, place: &str, schema: &Value, example: Option<&Value>, faults: &mut Vec<String>) {
        let Some(example) = example else {
            return faults.push(format!("{place}: there is no example"));
        };
        // A schema that allows nothing is no schema.
        if *schema == json!({}) || schema.is_null() {
            faults.push(format!("{place}: there is no schema"));
        }
        let wrong = self.open.faults(schema, example);
        faults.extend(wrong.into_iter().map(|fault| format!("{place}{fault}")));
    }
}
