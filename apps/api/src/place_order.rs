//! `POST /stock-adjustments`: several lines, all or nothing.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use souk_domain::{Command, Precondition};
use souk_http::openapi::{Answer, IDEMPOTENT_REPLAYED, Operation};
use souk_http::{Code, Problem, read_json};
use souk_ports::{Outcome, UnitOfWork};

use crate::{Shared, answer, describe, fields, idempotency, refusal, request};

/// Moves the stock of each line's product, or of none; 200 with an item for each line.
pub(crate) async fn place_order(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_json(&parts.headers, body).await?;
    request::no_query(&parts)?;
    request::no_condition(&parts.headers, "an order has several products; give changeFrom in its lines")?;
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

/// Describes the call.
pub(crate) fn operation() -> Operation {
    Operation::new("placeOrder", describe::STOCK.0, "Moves the stock of several products, all or nothing")
        .describe(
            "An order of several lines. A refusal has the code of the first line that failed, and `errors` tells of each; \
             nothing is written then.",
        )
        .parameter(describe::idempotency_key())
        .body(describe::JSON, describe::named("Order"), &[("order", "An order of one line", describe::order())])
        .answers(
            Answer::new(200, "An item for each line, in their order").header_at_times(IDEMPOTENT_REPLAYED).json(
                describe::named("Ordered"),
                &[("ordered", "The products after the order", describe::example(answer::ordered))],
            ),
        )
        .refuses(&[
            Code::NotFound,
            Code::InsufficientStock,
            Code::StockChanged,
            Code::IdempotencyKeyReused,
            Code::OutcomeUnknown,
        ])
}
