//! One call: its parameters, its body, everything that it may answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::headers::{CACHE_CONTROL, RETRY_AFTER, X_REQUEST_ID};
use super::problems;
use crate::Code;

/// A call as the document tells it.
#[derive(Debug, Clone)]
pub struct Operation {
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: String,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Vec<Answer>,
    refusals: Vec<Code>,
}

/// An answer other than a problem.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    description: String,
    headers: Map<String, Value>,
    content: Map<String, Value>,
    links: Map<String, Value>,
}

/// A parameter of a call.
#[derive(Debug, Clone)]
pub struct Parameter(Value);

impl Operation {
    /// Makes a call with the refusals that any call has: a head or a query string that cannot be read, a fault of ours,
    /// too many connections or a service that is starting. `id` is what generated clients call it.
    pub fn new(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            description: String::new(),
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: vec![Code::MalformedRequest, Code::Internal, Code::Overloaded],
        }
    }

    /// Says more than the summary.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds a parameter.
    #[must_use]
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter.0);
        self
    }

    /// Adds parameters.
    #[must_use]
    pub fn parameters(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters.into_iter().map(|parameter| parameter.0));
        self
    }

    /// Takes a JSON body, with examples as (name, summary, value), and refuses what is none.
    #[must_use]
    pub fn body(mut self, media_type: &str, schema: Value, examples: &[(&str, &str, Value)]) -> Self {
        let examples: Map<String, Value> = examples
            .iter()
            .map(|(name, summary, value)| ((*name).to_owned(), json!({"summary": summary, "value": value})))
            .collect();
        let body = self.body.get_or_insert_with(|| json!({"required": true, "content": {}}));
        body["content"][media_type] = json!({"schema": schema, "examples": examples});
        self.refuses(&[Code::ValidationFailed, Code::PayloadTooLarge, Code::UnsupportedMediaType])
    }

    /// Adds an answer.
    #[must_use]
    pub fn answers(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// Adds problems that the call may be refused with.
    #[must_use]
    pub fn refuses(mut self, codes: &[Code]) -> Self {
        self.refusals.extend(codes);
        self
    }

    /// Says that it is answered also when the service takes nothing else.
    #[must_use]
    pub fn never_overloaded(mut self) -> Self {
        self.refusals.retain(|code| *code != Code::Overloaded);
        self
    }

    /// Returns the call's name.
    pub fn id(&self) -> &'static str {
        self.id
    }

    pub(super) fn tag(&self) -> &'static str {
        self.tag
    }

    pub(super) fn render(&self) -> Value {
        let mut responses = Map::new();
        for answer in &self.answers {
            let before = responses.insert(answer.status.to_string(), answer.render());
            assert!(before.is_none(), "{} answers {} in two ways", self.id, answer.status);
        }
        let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
        // In the order of all codes, so that the order in which they were added makes no difference.
        for code in Code::ALL.into_iter().filter(|code| self.refusals.contains(code)) {
            by_status.entry(code.status().as_u16()).or_default().push(code);
        }
        for (status, codes) in by_status {
            match responses.get_mut(&status.to_string()) {
                // A page that says why it is not there, such as health, and a refusal with the same status.
                Some(other) => problems::add_to(other, &codes),
                None => {
                    responses.insert(status.to_string(), problems::response(&codes));
                }
            }
        }
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "description": if self.description.is_empty() { self.summary } else { &self.description },
            "responses": responses,
        });
        let mut parameters = self.parameters.clone();
        parameters.push(json!({"$ref": format!("#/components/parameters/{X_REQUEST_ID}")}));
        operation["parameters"] = Value::Array(parameters);
        if let Some(body) = &self.body {
            operation["requestBody"] = body.clone();
        }
        operation
    }
}

impl Answer {
    /// Makes an answer without a body.
    pub fn new(status: u16, description: impl Into<String>) -> Self {
        let answer = Self {
            status,
            description: description.into(),
            headers: Map::new(),
            content: Map::new(),
            links: Map::new(),
        };
        answer.header(X_REQUEST_ID)
    }

    /// Adds a header that is always there.
    #[must_use]
    pub fn header(mut self, name: &str) -> Self {
        self.headers.insert(name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
        self
    }

    /// Adds a header that may be there.
    #[must_use]
    pub fn header_at_times(mut self, name: &str) -> Self {
        let mut header = known(name);
        header["required"] = json!(false);
        self.headers.insert(name.to_owned(), header);
        self
    }

    /// Adds a header that is always there with this value.
    #[must_use]
    pub fn header_of(mut self, name: &str, value: &str) -> Self {
        let mut header = known(name);
        header["schema"] = json!({"type": "string", "const": value});
        header["example"] = json!(value);
        self.headers.insert(name.to_owned(), header);
        self
    }

    /// Says that it is true now alone, so that nobody may keep it.
    #[must_use]
    pub fn never_kept(self) -> Self {
        self.header_of(CACHE_CONTROL, "no-store")
    }

    /// Adds a body, with examples as (name, summary, value).
    #[must_use]
    pub fn body(mut self, media_type: &str, schema: Value, examples: &[(&str, &str, Value)]) -> Self {
        let examples: Map<String, Value> = examples
            .iter()
            .map(|(name, summary, value)| ((*name).to_owned(), json!({"summary": summary, "value": value})))
            .collect();
        self.content.insert(media_type.to_owned(), json!({"schema": schema, "examples": examples}));
        self
    }

    /// Adds a JSON body.
    #[must_use]
    pub fn json(self, schema: Value, examples: &[(&str, &str, Value)]) -> Self {
        self.body("application/json", schema, examples)
    }

    /// Says that a call can go on with a value of this answer: `parameter` of `operation` is `from` (a runtime
    /// expression).
    #[must_use]
    pub fn link(mut self, operation: &'static str, parameter: &str, from: &str) -> Self {
        let link = json!({"operationId": operation, "parameters": {(parameter): from}});
        self.links.insert(operation.to_owned(), link);
        self
    }

    fn render(&self) -> Value {
        let mut response = json!({"description": self.description, "headers": self.headers});
        if !self.content.is_empty() {
            response["content"] = Value::Object(self.content.clone());
        }
        if !self.links.is_empty() {
            response["links"] = Value::Object(self.links.clone());
        }
        response
    }
}

impl Parameter {
    /// Makes a parameter of the path. A page that tries calls begins with its example.
    pub fn path(name: &str, schema: Value, example: impl Into<Value>) -> Self {
        let mut parameter = Self::new("path", name, schema);
        parameter.0["required"] = json!(true);
        parameter.0["example"] = example.into();
        parameter
    }

    /// Makes a parameter of the query string, which may be left out.
    pub fn query(name: &str, schema: Value, example: impl Into<Value>) -> Self {
        Self::new("query", name, schema).with_example(example)
    }

    /// Makes a header, which may be left out.
    pub fn header(name: &str, schema: Value, example: impl Into<Value>) -> Self {
        Self::new("header", name, schema).with_example(example)
    }

    /// An example of the schema is shown; one of the parameter would be filled in, and sent where nobody asked for it.
    fn with_example(mut self, example: impl Into<Value>) -> Self {
        self.0["schema"]["examples"] = json!([example.into()]);
        self
    }

    /// The description moves from the schema to the parameter, where tools show it.
    fn new(place: &str, name: &str, mut schema: Value) -> Self {
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let description = description.expect("the schema of a parameter says what it is for");
        Self(json!({"name": name, "in": place, "description": description, "schema": schema}))
    }
}

/// Returns the header of that name as the document has it.
fn known(name: &str) -> Value {
    let header = super::headers::all().into_iter().find(|(known, _)| *known == name);
    header.expect("headers are named by the constants of this module").1
}

/// Returns the schema of `limit`.
pub fn limit(default: usize, max: usize) -> Value {
    json!({
        "description": "Most items in the page.",
        "type": "integer",
        "minimum": 1,
        "maximum": max,
        "default": default,
    })
}

/// Returns the schema of `cursor`.
pub fn cursor() -> Value {
    json!({"description": "The `nextCursor` of a page of the same query.", "type": "string", "minLength": 1})
}

/// Returns the parameters that every call takes, by name.
pub(super) fn shared_parameters() -> [(&'static str, Value); 1] {
    let id = json!({
        "description": "An id to find the request by in the log; one that is not 1 to 128 of A-Za-z0-9._- is replaced.",
        "type": "string",
    });
    [(X_REQUEST_ID, Parameter::header(X_REQUEST_ID, id, "checkout-7f3a").0)]
}

/// Returns the headers that a problem of this code comes with.
pub(super) fn headers_of(code: Code) -> Vec<&'static str> {
    match code {
        Code::Overloaded => vec![X_REQUEST_ID, RETRY_AFTER],
        Code::MethodNotAllowed => vec![X_REQUEST_ID, super::ALLOW],
        _ => vec![X_REQUEST_ID],
    }
}
