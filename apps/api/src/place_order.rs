//! `POST /stock-adjustments`: several lines, all or nothing.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use souk_domain::{Command, Precondition};
use souk_http::{Problem, read_json};
use souk_ports::{Outcome, UnitOfWork};

use crate::{Shared, answer, fields, idempotency, refusal, request};

/// Moves the stock of each line's product, or of none; 200 with an item for each line.
pub(crate) async fn place_order(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_json(&parts.headers, body).await?;
    request::no_query(&parts)?;
    request::no_if_match(&parts.headers, "an order has several products; give changeFrom in its lines")?;
    let idempotency = idempotency::of(&parts, &body, answer::ordered)?;
    let lines = fields::order(&body, shared.clock.now())?;
    let command =
        |(id, adjustment)| Command::AdjustStock { id, precondition: Precondition::None, adjustment };
    let commands = lines.into_iter().map(command).collect();
    match shared.catalog.execute(UnitOfWork { commands, idempotency }).await.map_err(refusal::of_order)? {
        Outcome::Applied(applied) => Ok(answer::respond(answer::ordered(&applied))),
        Outcome::Replayed(answer) => Ok(answer::replay(answer)),
    }
}
