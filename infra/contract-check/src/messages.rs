//! Messages, held against an AsyncAPI document.

use serde_json::{Value, json};

use crate::Schemas;
use crate::schemas::close;

/// The messages of a document.
pub struct Messages {
    document: Value,
    closed: Schemas,
}

impl Messages {
    /// Reads a document.
    pub fn new(document: Value) -> Self {
        let closed = Schemas::closed(&document);
        Self { document, closed }
    }

    /// Returns what is wrong with a message of that name.
    ///
    /// # Panics
    /// When there is no such message.
    pub fn faults(&self, message: &str, headers: &Value, payload: &Value) -> Vec<String> {
        let described = &self.document["components"]["messages"][message];
        assert!(!described.is_null(), "{message} is not described");
        let mut faults = Vec::new();
        for (what, schema, value) in
            [("headers", &described["headers"], headers), ("payload", &described["payload"], payload)]
        {
            let mut schema = schema.clone();
            close(&mut schema);
            let wrong = self.closed.faults(&schema, value);
            faults.extend(wrong.into_iter().map(|fault| format!("{message}, {what}{fault}")));
        }
        faults
    }

    /// Returns what is wrong with a frame of the event stream.
    pub fn frame_faults(&self, event: &str, id: &str, data: &str) -> Vec<String> {
        let message = match event {
            "ready" => "StreamReady",
            "gap" => "StreamGap",
            "cursor" => "StreamCursor",
            _ => "EventFrame",
        };
        // What has no name of its own is a `message` to its reader.
        let headers = if event == "message" { json!({"id": id}) } else { json!({"id": id, "event": event}) };
        let payload = if data.is_empty() { Ok(json!("")) } else { serde_json::from_str(data) };
        match payload {
            Ok(payload) => self.faults(message, &headers, &payload),
            Err(error) => vec![format!("{message}: the data is not JSON: {error}")],
        }
    }

    /// Returns what is wrong with the examples of the document, and which are missing.
    pub fn example_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, message) in self.document["components"]["messages"].as_object().into_iter().flatten() {
            let examples = message["examples"].as_array().map(Vec::as_slice).unwrap_or_default();
            if examples.is_empty() {
                faults.push(format!("{name}: there is no example"));
            }
            for example in examples {
                faults.extend(self.faults(name, &example["headers"], &example["payload"]));
            }
        }
        faults
    }
}
