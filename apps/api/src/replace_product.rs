//! `PUT /products/{id}`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;
use souk_domain::Command;
use souk_http::openapi::{Answer, ETAG, Operation};
use souk_http::{Code, Problem, read_json};

use crate::request::IdInPath;
use crate::{Shared, answer, describe, etag, fields, request};

/// Replaces everything that can change; 200. An equal body changes nothing.
pub(crate) async fn replace_product(
    State(shared): State<Arc<Shared>>,
    id: IdInPath,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_json(&parts.headers, body).await?;
    let id = request::product_id(id)?;
    request::no_query(&parts)?;
    let precondition = etag::of_change(&parts.headers)?;
    let seller_id = request::seller(&parts.headers)?;
    let (replacement, asserted) = match fields::replacement(&body, seller_id) {
        Ok(change) => change,
        Err(unfit) => return Err(shared.refuse(id, unfit).await),
    };
    let applied = shared.change(Command::Replace { id, precondition, replacement, asserted }).await?;
    Ok(answer::respond(answer::changed(&applied)))
}

/// Describes the call.
pub(crate) fn operation() -> Operation {
    Operation::new("replaceProduct", describe::PRODUCTS.0, "Replaces a product")
        .describe("Everything that can change; what is not there is cleared. Read-only fields may be there when they equal what is there, so that what was read can be sent back; X-Seller-Id stands for `sellerId`. An equal body makes no version and no event.")
        .parameters([describe::id(), describe::if_match(), describe::seller_of_product()])
        .body(describe::JSON, describe::named("ProductReplacement"), &[
            ("least", "Everything else is cleared", json!({"name": "Lantern", "price": 4.25, "stock": 10})),
        ])
        .answers(
            Answer::new(200, "The product after the change")
                .header(ETAG)
                .json(describe::product(), &[("changed", "The product", describe::example(answer::changed))]),
        )
        .refuses(&[Code::NotFound, Code::PreconditionFailed, Code::SkuTaken, Code::OutcomeUnknown])
}
