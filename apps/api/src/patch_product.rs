//! `PATCH /products/{id}`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use souk_domain::Command;
use souk_http::{Problem, read_json};

use crate::request::IdInPath;
use crate::{Shared, answer, etag, fields, request};

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
    let precondition = etag::if_match(&parts.headers)?;
    let (patch, asserted) = fields::patch(&body)?;
    let applied = shared.change(Command::Patch { id, precondition, patch, asserted }).await?;
    Ok(answer::respond(answer::changed(&applied)))
}
