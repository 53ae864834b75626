//! The HTTP interface of analytics, one file for each resource, its description at the end.

mod aggregates;
mod archive;
mod events;
mod progress;
mod query;
mod rankings;
mod summary;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use souk_events::schema::{described, nullable, object, values};
use souk_http::Routes;
use souk_http::openapi::{self, Contract, Parameter};

use souk_ports::fault;

use crate::analytics::Shared;

/// Items of a page unless `limit` says otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Most items of a page: a few hundred kilobytes.
const MAX_LIMIT: usize = 1000;

/// What the calls are about.
const TAG: (&str, &str) = ("analytics", "Figures, recent events and the archive, kept up with every event.");

/// Returns the routes, each with its description.
pub(crate) fn routes() -> Routes<Arc<Shared>> {
    let page_schemas = [
        ("Aggregate", aggregates::schema()),
        ("ArchivedObject", archive::schema()),
        ("ConsumerProgress", progress::schema()),
        ("Ranking", rankings::schema()),
        ("Summary", summary::schema()),
    ];
    let contract = Contract::new(&[TAG])
        .with_schemas(page_schemas.map(|(name, schema)| (name.to_owned(), schema)))
        .with_schemas(souk_events::schema::schemas());
    Routes::new(contract)
        .get("/events", events::list, events::operation())
        .get("/aggregates", aggregates::list, aggregates::operation())
        .get("/rankings", rankings::show, rankings::operation())
        .get("/summary", summary::show, summary::operation())
        .get("/archive", archive::list, archive::operation())
        .post("/archive/flush", archive::flush, archive::flush_operation())
        .get("/progress", progress::show, progress::operation())
}

/// Returns the schema of a page of such items.
fn page_of(item: Value) -> Value {
    let items = json!({"description": "The items.", "type": "array", "maxItems": MAX_LIMIT, "items": item});
    let cursor = json!({"description": "Where the next page begins; null on the last.", "type": "string"});
    object("A page.", &[("items", items), ("nextCursor", nullable(cursor))])
}

/// Describes a parameter that several lists have.
fn parameter(name: &'static str) -> Parameter {
    let time = |about: &str| values::time_to_send(about);
    let (schema, example) = match name {
        "sellerId" => (described(values::seller_id(), "Of this seller."), json!("seller1")),
        "productId" => (
            described(values::product_id(), "Of this product."),
            json!("01990000-0000-7000-8000-000000000001"),
        ),
        "from" => (time("From this time on; not after `to`."), json!("2010-12-01T00:00:00Z")),
        "to" => (time("Before this time."), json!("2011-12-10T00:00:00Z")),
        "limit" => (openapi::limit(DEFAULT_LIMIT, MAX_LIMIT), json!(20)),
        "cursor" => (openapi::cursor(), json!("aG91cgp0b3RhbA")),
        other => unreachable!("the parameter {other} is not described"),
    };
    Parameter::query(name, schema, example)
}

/// Returns the schema of a count.
fn count(about: &str) -> Value {
    json!({"description": about, "type": "integer", "minimum": 0})
}

/// Returns `body`, which is JSON; figures change all the time, so nobody keeps them.
fn json_bytes(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    let media_type = if fault::planted("answer-as-text") { "text/plain" } else { "application/json" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns `value` as JSON.
fn json_of<T: serde::Serialize>(value: &T) -> Response {
    json_bytes(serde_json::to_vec(value).expect("answers have string keys and numbers that JSON has"))
}

/// A page of anything.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}
