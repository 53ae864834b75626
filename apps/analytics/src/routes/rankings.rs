//! `GET /rankings`: who sold most.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde_json::{Value, json};
use souk_domain::Timestamp;
use souk_events::schema::{described, object, reference, values};
use souk_http::openapi::{self, Answer, Operation, Parameter};
use souk_http::{Params, Problem};
use souk_ports::{Dimension, Window};

use super::{TAG, count, json_of, parameter, query};
use crate::analytics::Shared;
use crate::ranking::Wanted;

const PARAMS: [&str; 4] = ["by", "from", "to", "limit"];
const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 100;
/// What can be ranked.
const RANKED: [Dimension; 3] = [Dimension::Seller, Dimension::Category, Dimension::Product];

pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let params = Params::parse(raw.as_deref(), &PARAMS)?;
    let by = match params.get("by") {
        None => Dimension::Seller,
        Some(name) => Dimension::parse(name)
            .filter(|by| RANKED.contains(by))
            .ok_or_else(|| query::bad("by", name, "one of seller, category, product"))?,
    };
    let (from, to) = query::range(&params)?;
    // Whole days, as they are kept: whoever asks within the same days asks for the same.
    let day = |time: Timestamp| Window::Day.bucket(time).unwrap_or(time);
    let before = |time: Timestamp| match day(time) {
        begins if begins == time => begins,
        begins => Timestamp::from_millis(begins.millis() + DAY_MILLIS),
    };
    let limit = params.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let wanted = Wanted { by, from: from.map(day), to: to.map(before), limit };
    Ok(json_of(&*shared.rankings.get(&shared, wanted).await?))
}

const DAY_MILLIS: i64 = 86_400_000;

/// Returns the schema of the answer.
pub(super) fn schema() -> Value {
    let item = object(
        "What one of them sold.",
        &[
            ("key", json!({"description": "Which seller, category or product.", "type": "string"})),
            ("unitsSold", count("Pieces sold.")),
            ("unitsReturned", count("Pieces that came back.")),
            ("revenue", described(values::amount(), "Sold less returned.")),
        ],
    );
    let items =
        json!({"description": "The best first.", "type": "array", "maxItems": MAX_LIMIT, "items": item});
    object("Who sold most.", &[("items", items), ("asOf", values::time("Everything up to here is in."))])
}

/// Describes the call.
pub(super) fn operation() -> Operation {
    let parameters = PARAMS.map(|name| match name {
        "by" => {
            let schema = json!({
                "description": "What is ranked.",
                "enum": RANKED.map(Dimension::as_str),
                "default": Dimension::Seller.as_str(),
            });
            Parameter::query(name, schema, Dimension::Product.as_str())
        }
        "limit" => Parameter::query(name, openapi::limit(DEFAULT_LIMIT, MAX_LIMIT), 3),
        shared => parameter(shared),
    });
    let best = json!({"key": "seller1", "unitsSold": 12, "unitsReturned": 1, "revenue": "28.05"});
    let example = json!({"items": [best], "asOf": "2026-11-22T18:00:00.123Z"});
    Operation::new("rankSales", TAG.0, "Who sold most, by revenue")
        .describe(
            "Over all time, or over the days that `from` and `to` fall into. However many there are, the best are found; whoever \
             sold nothing is left out. An answer may be some seconds old: `asOf` tells.",
        )
        .parameters(parameters)
        .answers(
            Answer::new(200, "The ranking")
                .never_kept()
                .json(reference("Ranking"), &[("ranking", "A seller", example)]),
        )
}
