//! `GET /products/{id}`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use souk_http::openapi::{ETAG, Operation};
use souk_http::{Code, Problem, openapi};
use souk_ports::Answer;

use crate::request::IdInPath;
use crate::{Shared, answer, describe, etag, refusal, request};

/// Returns a product; 200 with its `ETag`, 304 when `If-None-Match` names its version.
pub(crate) async fn get_product(
    State(shared): State<Arc<Shared>>,
    id: IdInPath,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let id = request::product_id(id)?;
    request::no_query(&parts)?;
    let product = shared.catalog.product(id).await?.ok_or_else(|| refusal::no_such_product(id))?;
    let etag = Some(etag::of(product.version));
    if !etag::none_match_names(&parts.headers, product.version)? {
        return Ok(answer::respond(Answer {
            status: 200,
            etag,
            location: None,
            body: answer::json(&product),
        }));
    }
    let mut response = answer::respond(Answer { status: 304, etag, location: None, body: Bytes::new() });
    // There is no content whose type could be told.
    response.headers_mut().remove(CONTENT_TYPE);
    Ok(response)
}

/// Describes the call.
pub(crate) fn operation() -> Operation {
    Operation::new("getProduct", describe::PRODUCTS.0, "Returns a product")
        .parameters([describe::id(), describe::if_none_match()])
        .answers(
            openapi::Answer::new(200, "The product")
                .header(ETAG)
                .json(describe::product(), &[("product", "The product", describe::example(answer::changed))]),
        )
        .answers(openapi::Answer::new(304, "It is still at a version that If-None-Match names").header(ETAG))
        .refuses(&[Code::NotFound])
}
