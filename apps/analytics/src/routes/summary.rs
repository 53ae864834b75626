//! `GET /summary`: how things stand right now, from the item of all time.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use souk_domain::{Amount, EventType, Timestamp};
use souk_events::schema::{described, object, reference, values};
use souk_http::openapi::{Answer, Operation};
use souk_http::{Params, Problem};
use souk_ports::{AggregateQuery, Dimension, Window};

use super::{TAG, json_of, parameter, query};
use crate::analytics::Shared;
use crate::consumer::complete_to;

const PARAMS: [&str; 1] = ["sellerId"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    products: i64,
    units: i64,
    stock_value: Amount,
    low_stock_products: i64,
    events: u64,
    as_of: Timestamp,
}

pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let params = Params::parse(raw.as_deref(), &PARAMS)?;
    let (by, key) = match query::seller(&params)? {
        Some(seller) => (Dimension::Seller, Arc::from(seller.as_str())),
        None => (Dimension::Total, Arc::from("total")),
    };
    // Before the figures are read: they may be newer than they claim, never older.
    let (log, now) = (&*shared.log, shared.clock.now());
    let as_of = complete_to(log, &shared.aggregates, &log.bounds().await?, now).await?;
    let wanted = AggregateQuery {
        window: Window::All,
        by,
        key: Some(key),
        from: None,
        to: None,
        limit: 1,
        after: None,
    };
    let page = shared.store.aggregates(log.identity(), &wanted).await?;
    // A seller of whom nothing was heard has nothing.
    let measures = page.items.first().map(|item| item.measures).unwrap_or_default();
    let events = |kind: EventType| measures.events[kind.index()].cast_signed();
    Ok(json_of(&Summary {
        products: events(EventType::ProductCreated) - events(EventType::ProductDeleted),
        units: measures.stock_delta,
        stock_value: measures.stock_value,
        low_stock_products: measures.low_stock_products,
        events: measures.events.iter().sum(),
        as_of,
    }))
}

/// Returns the schema of the answer.
pub(super) fn schema() -> Value {
    let number = |about: &str| json!({"description": about, "type": "integer"});
    object(
        "How things stand.",
        &[
            ("products", number("How many there are.")),
            ("units", number("Pieces in stock, of all products.")),
            ("stockValue", described(values::amount(), "What these are worth at the products' prices.")),
            ("lowStockProducts", number("How many products are low.")),
            ("events", super::count("How many there were, ever.")),
            ("asOf", values::time("Everything up to here is in.")),
        ],
    )
}

/// Describes the call.
pub(super) fn operation() -> Operation {
    let example = json!({
        "products": 3,
        "units": 59,
        "stockValue": "1234.5",
        "lowStockProducts": 1,
        "events": 42,
        "asOf": "2026-11-22T18:00:00.123Z",
    });
    Operation::new("getSummary", TAG.0, "How things stand right now")
        .parameters(PARAMS.map(parameter))
        .answers(
            Answer::new(200, "The figures")
                .never_kept()
                .json(reference("Summary"), &[("summary", "A small shop", example)]),
        )
}
