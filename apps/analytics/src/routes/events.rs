//! `GET /events`: recent events, newest first, as they were published.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::{BufMut as _, BytesMut};
use serde_json::json;
use souk_domain::{EventType, ProductId};
use souk_events::schema::{EVENT, reference};
use souk_http::openapi::{Answer, Operation, Parameter};
use souk_http::{Params, Problem};
use souk_ports::{RecentPage, RecentQuery};

use super::{DEFAULT_LIMIT, MAX_LIMIT, TAG, json_bytes, page_of, parameter, query};
use crate::analytics::Shared;

const PARAMS: [&str; 7] = ["sellerId", "productId", "type", "from", "to", "limit", "cursor"];

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let params = Params::parse(raw.as_deref(), &PARAMS)?;
    let (from, to) = query::range(&params)?;
    let event_type = match params.get("type") {
        None => None,
        Some(name) => Some(EventType::parse(name).ok_or_else(|| {
            let known = EventType::ALL.map(EventType::as_str).join(", ");
            query::bad("type", name, &format!("one of {known}"))
        })?),
    };
    let wanted = RecentQuery {
        seller_id: query::seller(&params)?,
        product_id: params.parsed::<ProductId>("productId", "a product's id")?,
        event_type,
        from,
        to,
        limit: params.limit(DEFAULT_LIMIT, MAX_LIMIT)?,
        cursor: params.get("cursor").map(str::to_owned),
    };
    // The store alone can read its cursors.
    let page = shared.store.recent(&wanted).await;
    let page = page.map_err(|error| Problem::of_page(error, wanted.cursor.is_some()))?;
    Ok(json_bytes(body(&page).freeze()))
}

/// Joins the events' own bytes.
fn body(page: &RecentPage) -> BytesMut {
    let events: usize = page.items.iter().map(|event| event.len() + 1).sum();
    let mut body = BytesMut::with_capacity(events + 128);
    body.put_slice(b"{\"items\":[");
    for (index, event) in page.items.iter().enumerate() {
        if index > 0 {
            body.put_u8(b',');
        }
        body.put_slice(event);
    }
    body.put_slice(b"],\"nextCursor\":");
    match &page.next {
        // Cursors are of characters that JSON takes as they are.
        Some(cursor) => body.put_slice(format!("\"{cursor}\"}}").as_bytes()),
        None => body.put_slice(b"null}"),
    }
    body
}

/// Describes the call.
pub(super) fn operation() -> Operation {
    let parameters = PARAMS.map(|name| match name {
        "type" => {
            let schema = json!({"description": "Of this type.", "enum": EventType::ALL});
            Parameter::query(name, schema, EventType::LowStockWarning.as_str())
        }
        shared => parameter(shared),
    });
    let items = EventType::ALL.map(|kind| {
        serde_json::from_str::<serde_json::Value>(souk_events::fixture(kind)).expect("fixtures are JSON")
    });
    Operation::new("listRecentEvents", TAG.0, "Lists recent events, newest first")
        .describe("As they were published; kept for RECENT_EVENTS_RETENTION.")
        .parameters(parameters)
        .answers(
            Answer::new(200, "A page")
                .never_kept()
                .json(
                    page_of(reference(EVENT)),
                    &[
                        ("page", "One of each", json!({"items": items, "nextCursor": "aG91cgp0b3RhbA"})),
                        ("last", "The last page", json!({"items": [], "nextCursor": null})),
                    ],
                )
                .link("listRecentEvents", "cursor", "$response.body#/nextCursor"),
        )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn joins_events_as_they_are() {
        let page = |items: &[&'static str], next: Option<&str>| {
            let items = items.iter().map(|item| Bytes::from_static(item.as_bytes())).collect();
            String::from_utf8(body(&RecentPage { items, next: next.map(str::to_owned) }).to_vec()).unwrap()
        };
        assert_eq!(page(&[], None), r#"{"items":[],"nextCursor":null}"#);
        assert_eq!(page(&["{\"a\":1.0}", "{}"], Some("r7")), r#"{"items":[{"a":1.0},{}],"nextCursor":"r7"}"#);
    }
}
