//! The HTTP interface of analytics, one file for each resource.

mod aggregates;
mod archive;
mod events;
mod progress;
mod query;
mod summary;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use crate::analytics::Shared;

/// Items of a page unless `limit` says otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Most items of a page: a few hundred kilobytes.
const MAX_LIMIT: usize = 1000;

/// Returns the routes.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/events", get(events::list))
        .route("/aggregates", get(aggregates::list))
        .route("/summary", get(summary::show))
        .route("/archive", get(archive::list))
        .route("/archive/flush", post(archive::flush))
        .route("/progress", get(progress::show))
        .with_state(shared)
}

/// Returns `body`, which is JSON; figures change all the time, so nobody keeps them.
fn json(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns `value` as JSON.
fn json_of<T: serde::Serialize>(value: &T) -> Response {
    json(serde_json::to_vec(value).expect("answers have string keys and numbers that JSON has"))
}

/// A page of anything.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}
