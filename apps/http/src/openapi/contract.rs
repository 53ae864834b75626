//! What an app, or several, promise: their calls, the schemas that these speak of, and the document of it all.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::{Map, Value, json};

use super::operation::shared_parameters;
use super::{Operation, VERSION, headers, problems};
use crate::{Code, common};

/// The calls of an app with what they speak of.
#[derive(Debug, Clone, Default)]
pub struct Contract {
    tags: BTreeMap<&'static str, &'static str>,
    paths: BTreeMap<&'static str, Vec<(Method, Operation)>>,
    schemas: BTreeMap<String, Value>,
    /// Where each path is served, when that is told; the pages that every service has are served everywhere.
    places: BTreeMap<&'static str, Place>,
}

/// Where a service is served unless a setting says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    service: &'static str,
    port: &'static str,
}

const ABOUT: &str = "Errors are problem documents (RFC 9457): programs branch on `code`, people read `detail`, and \
`/problems/{code}` explains each. Unknown query parameters and unknown fields of a body are refused, so that a typo never \
passes in silence. Times are RFC 3339 in UTC with milliseconds.\n\nEvery GET answers HEAD, too, with the same headers and \
without a body. A method that a path does not know is answered with 405 `method-not-allowed` and `Allow`, an unknown path \
with 404 `not-found`. Beyond the limit of connections, and while a service waits for what it needs, everything but the \
pages tagged `service` is refused with 503 `overloaded` and `Retry-After`, unknown paths and methods, too. Readers of the \
event stream are asked back instead, with 200, `retry:` and the end of the stream; beyond the limit so is whoever else \
comes to the port of notifications.\n\nBrowsers of other origins may call where CORS_ALLOWED_ORIGINS lets them, never with \
credentials; the headers of CORS (WHATWG Fetch) are in the answers to these alone. Every answer has `Vary`, with `Origin` in \
it, and `X-Content-Type-Options: nosniff`.\n\n\
Answers may gain fields: let be what you do not know. Live events are in `/asyncapi.json`.";

impl Contract {
    /// Makes the contract of an app whose calls have these tags, as (name, description).
    pub fn new(tags: &[(&'static str, &'static str)]) -> Self {
        Self { tags: tags.iter().copied().collect(), ..Self::default() }
    }

    /// Adds schemas that the calls refer to.
    ///
    /// # Panics
    /// When there is another of the same name.
    #[must_use]
    pub fn with_schemas(mut self, schemas: impl IntoIterator<Item = (String, Value)>) -> Self {
        for (name, schema) in schemas {
            let before = self.schemas.insert(name.clone(), schema.clone());
            assert!(before.is_none_or(|before| before == schema), "there are two schemas named {name}");
        }
        self
    }

    /// Says that this is served by a service of its own at that port, unless a setting says otherwise: the document then
    /// names the server of each path.
    #[must_use]
    pub fn at(mut self, service: &'static str, port: &'static str) -> Self {
        self.places = self.paths.keys().map(|path| (*path, Place { service, port })).collect();
        self
    }

    /// Returns what both promise.
    ///
    /// # Panics
    /// When both have the same path or operation, or schemas that differ under one name.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.tags.extend(other.tags);
        self.places.extend(other.places);
        for (path, operations) in other.paths {
            for (method, operation) in operations {
                self.add(method, path, operation);
            }
        }
        self.with_schemas(other.schemas)
    }

    pub(crate) fn add(&mut self, method: Method, path: &'static str, operation: Operation) {
        assert!(
            self.tags.contains_key(operation.tag()),
            "{}: nothing says what its tag means",
            operation.id()
        );
        assert!(
            self.operations().all(|(_, _, id)| id != operation.id()),
            "there are two operations named {}",
            operation.id()
        );
        self.paths.entry(path).or_default().push((method, operation));
    }

    /// Returns each call as (method, path, operation id).
    pub fn operations(&self) -> impl Iterator<Item = (&Method, &'static str, &'static str)> {
        self.paths.iter().flat_map(|(path, operations)| {
            operations.iter().map(move |(method, operation)| (method, *path, operation.id()))
        })
    }

    /// Returns the OpenAPI document of the service of that name, which serves this and the pages that every service has.
    pub fn document(&self, service: &str) -> Value {
        let title = if service == "souk" { service.to_owned() } else { format!("souk: {service}") };
        let whole = self.clone().merge(common::contract());
        let paths: Map<String, Value> =
            whole.paths.iter().map(|(path, calls)| ((*path).to_owned(), self.item(path, calls))).collect();
        let tags: Vec<Value> =
            whole.tags.iter().map(|(name, about)| json!({"name": name, "description": about})).collect();
        let mut components = json!({
            "schemas": whole.schemas.into_iter().chain(problems::schemas()).collect::<Map<_, _>>(),
            "examples": problems::examples().collect::<Map<_, _>>(),
            "headers": headers::all().into_iter().map(owned).collect::<Map<_, _>>(),
            "parameters": shared_parameters().into_iter().map(owned).collect::<Map<_, _>>(),
        });
        let paths = Value::Object(paths);
        // What no call answers, but the service does.
        let elsewhere = json!({
            "UnknownPath": problems::response(&[Code::NotFound]),
            "UnknownMethod": problems::response(&[Code::MethodNotAllowed]),
            "Overloaded": problems::response(&[Code::Overloaded]),
        });
        prune(&mut components, &[&paths, &elsewhere]);
        components["responses"] = elsewhere;
        json!({
            "openapi": VERSION,
            "info": {
                "title": title,
                "version": crate::VERSION,
                "description": ABOUT,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": self.servers(),
            "tags": tags,
            // Nobody has to prove who they are: souk stands behind something that does.
            "security": [],
            "paths": paths,
            "components": components,
        })
    }

    /// Returns where a call is that does not say so itself.
    fn servers(&self) -> Value {
        // For tools that do not look at the paths: the lowest port is the api's.
        match self.places.values().min_by_key(|place| place.port) {
            Some(first) => json!([server(first)]),
            None => json!([{"url": "/", "description": "Where this document comes from."}]),
        }
    }

    fn item(&self, path: &str, calls: &[(Method, Operation)]) -> Value {
        let mut item: Map<String, Value> = calls
            .iter()
            .map(|(method, operation)| (method.as_str().to_ascii_lowercase(), operation.render()))
            .collect();
        if let Some(place) = self.places.get(path) {
            item.insert("servers".to_owned(), json!([server(place)]));
        } else if !self.places.is_empty() {
            let mut every: Vec<&Place> = self.places.values().collect();
            every.sort_by_key(|place| place.port);
            every.dedup();
            item.insert("servers".to_owned(), every.into_iter().map(server).collect());
        }
        Value::Object(item)
    }
}

fn server(Place { service, port }: &Place) -> Value {
    json!({
        "url": "http://{host}:{port}",
        "description": format!("{service}, as `souk up` serves it unless settings say otherwise."),
        "variables": {
            "host": {"default": "localhost", "description": "The machine."},
            "port": {"default": port, "description": format!("The port of {service}.")},
        },
    })
}

fn owned((name, value): (&'static str, Value)) -> (String, Value) {
    (name.to_owned(), value)
}

/// Leaves out the components that nothing refers to, directly or through others.
fn prune(components: &mut Value, from: &[&Value]) {
    let mut used = BTreeSet::new();
    let mut open = Vec::new();
    from.iter().for_each(|value| refs(value, &mut open));
    while let Some(reference) = open.pop() {
        if used.insert(reference.clone()) {
            let target =
                reference.strip_prefix("#/components").and_then(|pointer| components.pointer(pointer));
            let target = target.unwrap_or_else(|| panic!("{reference} is nowhere"));
            refs(target, &mut open);
        }
    }
    let kinds = components.as_object_mut().expect("made as an object");
    for (kind, all) in kinds.iter_mut() {
        let all = all.as_object_mut().expect("made as an object");
        all.retain(|name, _| used.contains(&format!("#/components/{kind}/{name}")));
    }
    kinds.retain(|_, all| all.as_object().is_some_and(|all| !all.is_empty()));
}

fn refs(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| refs(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| refs(value, found)),
        _ => {}
    }
}
