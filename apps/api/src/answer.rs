//! Answers of operations that succeeded. An answer that is stored for an idempotency key is made by the same function
//! as the direct one, so that a replay has the same bytes.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use souk_domain::{Product, Stock};
use souk_ports::{Answer, Applied, fault};

use crate::etag;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Room for a product with a short description: one allocation instead of three.
const USUAL_BODY_BYTES: usize = 512;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Adjusted<'a> {
    product: &'a Product,
    previous_stock: Option<Stock>,
}

#[derive(Serialize)]
struct Items<T> {
    items: Vec<T>,
}

/// 201 with `Location`, `ETag` and the product.
pub(crate) fn created(applied: &[Applied]) -> Answer {
    let product = &only(applied).product;
    Answer {
        status: 201,
        etag: Some(etag::of(product.version)),
        location: Some(format!("/products/{}", product.id)),
        body: json(&**product),
    }
}

/// 200 with `ETag` and the product.
pub(crate) fn changed(applied: &[Applied]) -> Answer {
    let product = &only(applied).product;
    Answer { status: 200, etag: Some(etag::of(product.version)), location: None, body: json(&**product) }
}

/// 200 with `ETag`, the product and the stock before.
pub(crate) fn adjusted(applied: &[Applied]) -> Answer {
    let applied = only(applied);
    let etag = Some(etag::of(applied.product.version));
    Answer { status: 200, etag, location: None, body: json(&adjusted_item(applied)) }
}

/// 200 with an item for each line.
pub(crate) fn ordered(applied: &[Applied]) -> Answer {
    let items = applied.iter().map(adjusted_item).collect();
    Answer { status: 200, etag: None, location: None, body: json(&Items { items }) }
}

/// Turns an answer into a response.
pub(crate) fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).expect("answers are made by this module, with valid statuses");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    for (name, value) in [(ETAG, answer.etag), (LOCATION, answer.location)] {
        if let Some(value) = value.filter(|_| name != ETAG || !fault::planted("answer-without-etag")) {
            headers.insert(
                name,
                HeaderValue::try_from(value).expect("digits, quotes and paths are visible ASCII"),
            );
        }
    }
    response
}

/// Turns a stored answer into a response that says so.
pub(crate) fn replay(answer: Answer) -> Response {
    let mut response = respond(answer);
    response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Writes a value as JSON.
pub(crate) fn json(value: &impl Serialize) -> Bytes {
    let mut bytes = Vec::with_capacity(USUAL_BODY_BYTES);
    serde_json::to_writer(&mut bytes, value).expect("products always serialise, and memory takes all");
    if fault::planted("answer-with-unknown-field") && bytes.pop().is_some() {
        bytes.extend_from_slice(b",\"extra\":1}");
    }
    bytes.into()
}

fn adjusted_item(applied: &Applied) -> Adjusted<'_> {
    Adjusted { product: &applied.product, previous_stock: applied.previous_stock }
}

fn only(applied: &[Applied]) -> &Applied {
    applied.first().expect("a unit of work has one entry for each of its commands, here one")
}
