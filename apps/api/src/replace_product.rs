//! `PUT /products/{id}`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use souk_domain::Command;
use souk_http::{Problem, read_json};

use crate::request::IdInPath;
use crate::{Shared, answer, etag, fields, request};

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
    let precondition = etag::if_match(&parts.headers)?;
    let (replacement, asserted) = fields::replacement(&body)?;
    let applied = shared.change(Command::Replace { id, precondition, replacement, asserted }).await?;
    Ok(answer::respond(answer::changed(&applied)))
}
