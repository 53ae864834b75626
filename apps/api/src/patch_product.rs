//! `PATCH /products/{id}`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;
use souk_domain::Command;
use souk_http::openapi::{Answer, ETAG, Operation};
use souk_http::{Code, Problem, read_json};

use crate::request::IdInPath;
use crate::{Shared, answer, describe, etag, fields, request};

/// What a merge patch calls itself; any JSON is taken for one.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Changes the named fields (RFC 7396); 200.
pub(crate) async fn patch_product(
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
    let (patch, asserted) = match fields::patch(&body, seller_id) {
        Ok(change) => change,
        Err(unfit) => return Err(shared.refuse(id, unfit).await),
    };
    let applied = shared.change(Command::Patch { id, precondition, patch, asserted }).await?;
    Ok(answer::respond(answer::changed(&applied)))
}

/// Describes the call.
pub(crate) fn operation() -> Operation {
    Operation::new("patchProduct", describe::PRODUCTS.0, "Changes fields of a product")
        .describe("A merge patch (RFC 7396): what is not there stays, null clears. Read-only fields may be there when they equal what is there, and X-Seller-Id stands for `sellerId`; a patch that changes nothing makes no version and no event.")
        .parameters([describe::id(), describe::if_match(), describe::seller_of_product()])
        .body(describe::JSON, describe::named("ProductPatch"), &[("price", "A new price", json!({"price": 89.5}))])
        .body(MERGE_PATCH, describe::named("ProductPatch"), &[("clear", "No sku", json!({"sku": null}))])
        .answers(
            Answer::new(200, "The product after the change")
                .header(ETAG)
                .json(describe::product(), &[("changed", "The product", describe::example(answer::changed))]),
        )
        .refuses(&[Code::NotFound, Code::PreconditionFailed, Code::SkuTaken, Code::OutcomeUnknown])
}
