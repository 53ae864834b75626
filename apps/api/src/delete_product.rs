//! `DELETE /products/{id}`.

use std::sync::Arc;

use axum::extract::{Request, State};
use http::StatusCode;
use souk_domain::Command;
use souk_http::openapi::{Answer, Operation};
use souk_http::{Code, Problem, drain};

use crate::request::IdInPath;
use crate::{Shared, describe, etag, request};

/// Deletes a product; 204, and 404 the second time.
pub(crate) async fn delete_product(
    State(shared): State<Arc<Shared>>,
    id: IdInPath,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (parts, body) = request.into_parts();
    // A body has no meaning here (RFC 9110, section 9.3.5).
    drain(&parts.headers, body).await;
    let id = request::product_id(id)?;
    request::no_query(&parts)?;
    let precondition = etag::of_change(&parts.headers)?;
    shared.change(Command::Delete { id, precondition }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Describes the call.
pub(crate) fn operation() -> Operation {
    Operation::new("deleteProduct", describe::PRODUCTS.0, "Deletes a product")
        .describe("404 the second time. An id never comes back.")
        .parameters([describe::id(), describe::if_match()])
        .answers(Answer::new(204, "It is gone"))
        .refuses(&[Code::NotFound, Code::PreconditionFailed, Code::OutcomeUnknown])
}
