//! `GET /progress`: how far each consumer is.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use souk_events::schema::{nullable, object, reference};
use souk_http::openapi::{self, Operation};
use souk_http::{Params, Problem};

use super::{TAG, count, json_of};
use crate::analytics::Shared;
use crate::consumer::{Progress, progress};

#[derive(Serialize)]
struct Answer {
    consumers: Vec<Progress>,
}

pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    Params::parse(raw.as_deref(), &[])?;
    let bounds = shared.log.bounds().await?;
    let now = shared.clock.now();
    let mut consumers = Vec::new();
    for state in shared.consumers() {
        consumers.push(progress(&*shared.log, state, &bounds, now).await?);
    }
    Ok(json_of(&Answer { consumers }))
}

/// Returns the schema of one consumer's progress.
pub(super) fn schema() -> Value {
    let text = |about: &str| json!({"description": about, "type": "string"});
    let seconds = |about: &str| json!({"description": about, "type": "number", "minimum": 0});
    let partition = object(
        "Its progress in one partition.",
        &[
            ("partition", count("The partition's number.")),
            ("position", count("Everything before this offset is done with and durable.")),
            ("end", count("The offset that the log's next record will have at least.")),
            ("lagEvents", count("Events not yet done with; 0 exactly when nothing is left.")),
            ("lagSeconds", seconds("Age of the oldest of them.")),
        ],
    );
    object(
        "How far a consumer is.",
        &[
            ("name", json!({"description": "Which consumer.", "enum": crate::analytics::CONSUMERS})),
            ("group", text("Its consumer group.")),
            ("partitions", json!({"description": "In each partition.", "type": "array", "items": partition})),
            ("lagEvents", count("Events not yet done with, over all partitions.")),
            ("lagSeconds", seconds("Age of the oldest of them.")),
            ("problem", nullable(text("What keeps it from going on."))),
        ],
    )
}

/// Describes the call.
pub(super) fn operation() -> Operation {
    let [name, ..] = crate::analytics::CONSUMERS;
    let partition =
        json!({"partition": 0, "position": 1060, "end": 1066, "lagEvents": 6, "lagSeconds": 0.012});
    let example = json!({"consumers": [{
        "name": name,
        "group": format!("analytics-service-{name}"),
        "partitions": [partition],
        "lagEvents": 6,
        "lagSeconds": 0.012,
        "problem": null,
    }]});
    let consumers = json!({"description": "Each.", "type": "array", "items": reference("ConsumerProgress")});
    Operation::new("getProgress", TAG.0, "How far each consumer is").answers(
        openapi::Answer::new(200, "Each consumer").never_kept().json(
            object("The consumers.", &[("consumers", consumers)]),
            &[("behind", "A little behind", example)],
        ),
    )
}
