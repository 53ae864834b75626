//! Calls and their answers, held against an OpenAPI document.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use serde_json::{Value, json};

use crate::schemas::{Schemas, close};

/// Headers that answers may have without saying so: those that HTTP itself has, and what the document's own description
/// tells of all of them. The headers of CORS, which all begin alike, are told there, too.
const ELSEWHERE: [&str; 8] = [
    // Of every answer to a method that a path does not know, a refusal for want of room among them.
    "allow",
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "date",
    "vary",
    "x-content-type-options",
];

/// The calls of a document.
pub struct Calls {
    pub(crate) document: Value,
    pub(crate) open: Schemas,
    closed: Schemas,
}

/// A request and its answer.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// The request's method.
    pub method: &'a str,
    /// Its path, with the query string.
    pub target: &'a str,
    /// Its body; empty for none.
    pub sent: &'a [u8],
    /// The answer's status.
    pub status: u16,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body; `None` where it has no end, as that of a stream.
    pub body: Option<&'a [u8]>,
}

impl Calls {
    /// Reads a document.
    pub fn new(document: Value) -> Self {
        let (open, closed) = (Schemas::open(&document), Schemas::closed(&document));
        Self { document, open, closed }
    }

    /// Returns each call as (method, path), methods in upper case.
    pub fn operations(&self) -> Vec<(String, String)> {
        let mut operations = Vec::new();
        for (path, item) in self.document["paths"].as_object().into_iter().flatten() {
            operations.extend(calls(item).map(|(method, _)| (method.to_ascii_uppercase(), path.clone())));
        }
        operations
    }

    /// # Panics
    /// When the answer is not as promised; says how.
    #[track_caller]
    pub fn check(&self, exchange: &Exchange<'_>) {
        let faults = self.faults(exchange);
        let body = exchange.body.map(String::from_utf8_lossy);
        let Exchange { method, target, status, headers, .. } = exchange;
        assert!(
            faults.is_empty(),
            "{method} {target} was answered outside of the contract: {faults:#?}\nwith {status} {headers:?}\n{body:?}"
        );
    }

    /// Returns how the answer differs from what is promised.
    pub fn faults(&self, exchange: &Exchange<'_>) -> Vec<String> {
        // What browsers ask before they send what another origin's page wants to (WHATWG Fetch, CORS).
        if exchange.method == "OPTIONS" && exchange.headers.contains_key("access-control-allow-methods") {
            return Vec::new();
        }
        let (path, query) = exchange.target.split_once('?').unwrap_or((exchange.target, ""));
        let Some(item) = self.item(path) else {
            return self.unknown(exchange, 404, "UnknownPath");
        };
        // HEAD is answered as GET is.
        let method = if exchange.method == "HEAD" { "GET" } else { exchange.method };
        let operation = &item[method.to_ascii_lowercase()];
        if operation.is_null() {
            return self.unknown(exchange, 405, "UnknownMethod");
        }
        let response = &operation["responses"][exchange.status.to_string()];
        if response.is_null() {
            return vec![format!("status {} is not described", exchange.status)];
        }
        let mut faults = self.against(exchange, response);
        if (200..300).contains(&exchange.status) {
            faults.extend(self.undescribed(operation, query, exchange.sent));
        }
        faults
    }

    /// Returns the item of the path: the one with the fewest parameters that fits.
    fn item(&self, path: &str) -> Option<&Value> {
        let fits = |template: &str| {
            let (mut wanted, mut given) = (template.split('/'), path.split('/'));
            loop {
                match (wanted.next(), given.next()) {
                    (None, None) => return true,
                    (Some(wanted), Some(given))
                        if wanted == given || wanted.starts_with('{') && !given.is_empty() => {}
                    _ => return false,
                }
            }
        };
        let items = self.document["paths"].as_object()?.iter();
        items
            .filter(|(template, _)| fits(template))
            .min_by_key(|(template, _)| template.matches('{').count())
            .map(|(_, item)| item)
    }

    /// Holds the answer to what is no call against what the document has for these: a service may be too busy to know.
    fn unknown(&self, exchange: &Exchange<'_>, status: u16, name: &str) -> Vec<String> {
        let responses = &self.document["components"]["responses"];
        match exchange.status {
            503 => self.against(exchange, &responses["Overloaded"]),
            told if told == status => self.against(exchange, &responses[name]),
            other => vec![format!("status {other} for what is no call, in place of {status}")],
        }
    }

    fn against(&self, exchange: &Exchange<'_>, response: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check_headers(exchange, response, &mut faults);
        let media_type = exchange.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = media_type.map(|value| value.split(';').next().unwrap_or_default().trim());
        let described = &response["content"];
        match essence {
            None if described.is_null() => {}
            None => faults.push("there is no Content-Type".to_owned()),
            Some(essence) => match described.get(essence) {
                None => faults.push(format!("Content-Type {essence} is not described")),
                Some(media) if exchange.method != "HEAD" => {
                    self.check_body(exchange, essence, media, &mut faults)
                }
                Some(_) => {}
            },
        }
        if (described.is_null() || exchange.method == "HEAD")
            && exchange.body.is_some_and(|body| !body.is_empty())
        {
            faults.push("there is a body where none is described".to_owned());
        }
        faults
    }

    fn check_body(&self, exchange: &Exchange<'_>, essence: &str, media: &Value, faults: &mut Vec<String>) {
        let Some(body) = exchange.body else { return };
        let value = if essence.ends_with("json") {
            match serde_json::from_slice(body) {
                Ok(value) => value,
                Err(error) => return faults.push(format!("the body is not JSON: {error}")),
            }
        } else {
            json!(String::from_utf8_lossy(body))
        };
        let mut schema = media["schema"].clone();
        close(&mut schema);
        faults.extend(self.closed.faults(&schema, &value).into_iter().map(|fault| format!("body{fault}")));
    }

    fn check_headers(&self, exchange: &Exchange<'_>, response: &Value, faults: &mut Vec<String>) {
        let described = response["headers"].as_object();
        for (name, header) in described.into_iter().flatten() {
            let header = self.resolve(header);
            match exchange.headers.get(name).map(|value| value.to_str().unwrap_or_default()) {
                None if header["required"] == true => faults.push(format!("the header {name} is missing")),
                None => {}
                Some(text) => {
                    let number = header["schema"]["type"] == "integer";
                    let value =
                        text.parse::<i64>().ok().filter(|_| number).map_or_else(|| json!(text), Value::from);
                    let wrong = self.open.faults(&header["schema"], &value);
                    faults.extend(wrong.into_iter().map(|fault| format!("header {name}{fault}")));
                }
            }
        }
        for name in exchange.headers.keys().map(http::HeaderName::as_str) {
            let is_described =
                described.is_some_and(|all| all.keys().any(|told| told.eq_ignore_ascii_case(name)));
            let is_told_elsewhere = ELSEWHERE.contains(&name) || name.starts_with("access-control-");
            if !is_described && !is_told_elsewhere {
                faults.push(format!("the header {name} is not described"));
            }
        }
        let varies = exchange.headers.get_all(VARY).iter().filter_map(|value| value.to_str().ok());
        if !varies.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case("origin")) {
            faults.push("Vary does not name Origin".to_owned());
        }
        if exchange.headers.get(X_CONTENT_TYPE_OPTIONS).is_none_or(|value| value != "nosniff") {
            faults.push("there is no X-Content-Type-Options: nosniff".to_owned());
        }
    }

    /// Returns what a request holds that was accepted although nothing describes it.
    fn undescribed(&self, operation: &Value, query: &str, sent: &[u8]) -> Vec<String> {
        let mut faults = Vec::new();
        let parameters: Vec<&Value> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.resolve(parameter))
            .collect();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap_or_default();
            if !parameters.iter().any(|parameter| parameter["in"] == "query" && parameter["name"] == name) {
                faults.push(format!("the query parameter {name} was taken and is not described"));
            }
        }
        let body =
            operation["requestBody"]["content"].as_object().and_then(|content| content.values().next());
        if let (Some(media), Ok(value)) = (body, serde_json::from_slice::<Value>(sent)) {
            let wrong = self.open.faults(&media["schema"], &value);
            faults.extend(
                wrong.into_iter().map(|fault| format!("a body was taken that is not described{fault}")),
            );
        }
        faults
    }

    /// Follows a reference inside the document.
    pub(crate) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                let target = reference.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer));
                target.unwrap_or_else(|| panic!("{reference} is nowhere"))
            }
            None => value,
        }
    }
}

/// Returns the calls of a path, by method in lower case.
pub(crate) fn calls(item: &Value) -> impl Iterator<Item = (&String, &Value)> {
    // A path may say where it is served, beside its calls.
    item.as_object().into_iter().flatten().filter(|(name, _)| *name != "servers")
}
