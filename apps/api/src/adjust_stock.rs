//! `POST /products/{id}/stock-adjustments`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use souk_domain::Command;
use souk_http::{Problem, read_json};
use souk_ports::{Outcome, UnitOfWork};

use crate::request::IdInPath;
use crate::{Shared, answer, etag, fields, idempotency, refusal, request};

/// Moves a product's stock; 200 with the product and the stock before.
pub(crate) async fn adjust_stock(
    State(shared): State<Arc<Shared>>,
    id: IdInPath,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_json(&parts.headers, body).await?;
    let id = request::product_id(id)?;
    request::no_query(&parts)?;
    let precondition = etag::if_match(&parts.headers)?;
    let idempotency = idempotency::of(&parts, &body, answer::adjusted)?;
    let adjustment = fields::adjustment(&body, shared.clock.now())?;
    let commands = vec![Command::AdjustStock { id, precondition, adjustment }];
    match shared.catalog.execute(UnitOfWork { commands, idempotency }).await.map_err(refusal::of_call)? {
        Outcome::Applied(applied) => Ok(answer::respond(answer::adjusted(&applied))),
        Outcome::Replayed(answer) => Ok(answer::replay(answer)),
    }
}
