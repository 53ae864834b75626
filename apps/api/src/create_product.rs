//! `POST /products`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use souk_domain::{Command, NewProduct, ProductId};
use souk_http::openapi::{Answer, ETAG, IDEMPOTENT_REPLAYED, LOCATION, Operation};
use souk_http::{Code, Problem, read_json};
use souk_ports::{Outcome, UnitOfWork};

use crate::{Shared, answer, describe, fields, idempotency, refusal, request};

/// Creates a product; 201. With an `Idempotency-Key` that was used before, the answer of that time.
pub(crate) async fn create_product(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_json(&parts.headers, body).await?;
    request::no_query(&parts)?;
    request::no_condition(&parts.headers, "a product that is yet to be created has no version")?;
    let idempotency = idempotency::of(&parts, &body, answer::created)?;
    let (seller_id, fields) = fields::new_product(&body, request::seller(&parts.headers)?)?;
    let new = NewProduct { id: ProductId(shared.ids.next_id()), seller_id, fields };
    let unit = UnitOfWork { commands: vec![Command::Create(new)], idempotency };
    match shared.catalog.execute(unit).await.map_err(refusal::of_call)? {
        Outcome::Applied(applied) => Ok(answer::respond(answer::created(&applied))),
        Outcome::Replayed(answer) => Ok(answer::replay(answer)),
    }
}

/// Describes the call.
pub(crate) fn operation() -> Operation {
    let created = describe::example(answer::created);
    Operation::new("createProduct", describe::PRODUCTS.0, "Creates a product")
        .describe(
            "With an Idempotency-Key that was used before by the same request, the answer of that time: a retry is \
             harmless. The seller comes from the body or from X-Seller-Id; where both are there they have to agree.",
        )
        .parameters([describe::idempotency_key(), describe::seller_header()])
        .body(describe::JSON, describe::named("NewProduct"), &[
            ("least", "What has to be there", describe::least_product()),
            ("whole", "Everything that can be", describe::whole_product()),
        ])
        .answers(
            Answer::new(201, "The product as it was created, or as it was when the key was first used")
                .header(LOCATION)
                .header(ETAG)
                .header_at_times(IDEMPOTENT_REPLAYED)
                .json(describe::product(), &[("created", "The new product", created)])
                .link("getProduct", "id", "$response.body#/id")
                .link("replaceProduct", "id", "$response.body#/id")
                .link("patchProduct", "id", "$response.body#/id")
                .link("deleteProduct", "id", "$response.body#/id")
                .link("adjustStock", "id", "$response.body#/id"),
        )
        .refuses(&[Code::SkuTaken, Code::IdempotencyKeyReused, Code::OutcomeUnknown])
}
