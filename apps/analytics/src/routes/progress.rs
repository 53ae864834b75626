//! `GET /progress`: how far each consumer is.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use souk_http::{Params, Problem};

use super::json_of;
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
