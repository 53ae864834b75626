//! `POST /products/{id}/stock-adjustments`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use souk_domain::Command;
use souk_http::openapi::{Answer, ETAG, IDEMPOTENT_REPLAYED, Operation};
use souk_http::{Code, Problem, read_json};
use souk_ports::{Outcome, UnitOfWork};

use crate::request::IdInPath;
use crate::{Shared, answer, describe, etag, fields, idempotency, refusal, request};

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
    let precondition = etag::of_change(&parts.headers)?;
    let idempotency = idempotency::of(&parts, &body, answer::adjusted)?;
    let adjustment = fields::adjustment(&body, shared.clock.now())?;
    let commands = vec![Command::AdjustStock { id, precondition, adjustment }];
    match shared.catalog.execute(UnitOfWork { commands, idempotency }).await.map_err(refusal::of_call)? {
        Outcome::Applied(applied) => Ok(answer::respond(answer::adjusted(&applied))),
        Outcome::Replayed(answer) => Ok(answer::replay(answer)),
    }
}

/// Describes the call.
pub(crate) fn operation() -> Operation {
    Operation::new("adjustStock", describe::STOCK.0, "Moves a product's stock")
        .describe(
            "Up or down, as the reason says; never below 0. `changeFrom` makes it conditional on the stock, If-Match on \
             the product's version.",
        )
        .parameters([describe::id(), describe::if_match(), describe::idempotency_key()])
        .body(describe::JSON, describe::named("StockAdjustment"), &[
            ("sale", "Three pieces are sold", describe::sale()),
            ("restock", "New goods", serde_json::json!({"delta": 20, "reason": "restock"})),
        ])
        .answers(
            Answer::new(200, "The product after the move, and the stock before")
                .header(ETAG)
                .header_at_times(IDEMPOTENT_REPLAYED)
                .json(describe::named("Adjusted"), &[(
                    "adjusted",
                    "The product after the move",
                    describe::example(answer::adjusted),
                )]),
        )
        .refuses(&[
            Code::NotFound,
            Code::InsufficientStock,
            Code::StockChanged,
            Code::PreconditionFailed,
            Code::IdempotencyKeyReused,
            Code::OutcomeUnknown,
        ])
}
