//! `POST /products`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use souk_domain::{Command, NewProduct, ProductId};
use souk_http::{Problem, read_json};
use souk_ports::{Outcome, UnitOfWork};

use crate::{Shared, answer, fields, idempotency, refusal, request};

/// Creates a product; 201. With an `Idempotency-Key` that was used before, the answer of that time.
pub(crate) async fn create_product(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_json(&parts.headers, body).await?;
    request::no_query(&parts)?;
    request::no_if_match(&parts.headers, "a product that is yet to be created has no version")?;
    let idempotency = idempotency::of(&parts, &body, answer::created)?;
    let (seller_id, fields) = fields::new_product(&body, request::seller(&parts.headers)?)?;
    let new = NewProduct { id: ProductId(shared.ids.next_id()), seller_id, fields };
    let unit = UnitOfWork { commands: vec![Command::Create(new)], idempotency };
    match shared.catalog.execute(unit).await.map_err(refusal::of_call)? {
        Outcome::Applied(applied) => Ok(answer::respond(answer::created(&applied))),
        Outcome::Replayed(answer) => Ok(answer::replay(answer)),
    }
}
