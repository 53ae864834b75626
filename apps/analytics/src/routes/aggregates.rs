//! `GET /aggregates`: figures by window and dimension, oldest bucket first.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use souk_domain::{Amount, EventType, Timestamp};
use souk_events::schema::{described, nullable, object, reference, values};
use souk_http::openapi::{Answer, Operation, Parameter};
use souk_http::{Code, Params, Problem};
use souk_ports::{Aggregate, AggregateQuery, Dimension, Window};

use super::{DEFAULT_LIMIT, MAX_LIMIT, Page, TAG, count, json_of, page_of, parameter, query};
use crate::analytics::Shared;

const PARAMS: [&str; 7] = ["window", "by", "key", "from", "to", "limit", "cursor"];

/// What is listed when the request does not say.
const DEFAULT_WINDOW: Window = Window::Hour;
const DEFAULT_DIMENSION: Dimension = Dimension::Total;

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let params = Params::parse(raw.as_deref(), &PARAMS)?;
    let wanted = wanted(&params)?;
    let page = shared.store.aggregates(shared.log.identity(), &wanted).await?;
    let last = page.items.last().filter(|_| page.more);
    let next_cursor = last.map(|item| {
        let bucket = item.key.bucket.map(|bucket| bucket.to_string()).unwrap_or_default();
        query::cursor(&[wanted.window.as_str(), wanted.by.as_str(), &bucket, &item.key.key])
    });
    Ok(json_of(&Page { items: page.items.iter().map(Item::of).collect(), next_cursor }))
}

fn wanted(params: &Params) -> Result<AggregateQuery, Problem> {
    let window = match params.get("window") {
        None => DEFAULT_WINDOW,
        Some(name) => {
            Window::parse(name).ok_or_else(|| query::bad("window", name, "one of minute, hour, day, all"))?
        }
    };
    let by = match params.get("by") {
        None => DEFAULT_DIMENSION,
        Some(name) => Dimension::parse(name)
            .ok_or_else(|| query::bad("by", name, "one of total, seller, category, product"))?,
    };
    if by == Dimension::Product && matches!(window, Window::Minute | Window::Hour) {
        let detail = format!(
            "by=product is kept for window=day and window=all only, not for window={}",
            window.as_str()
        );
        return Err(Problem::new(Code::MalformedRequest, detail));
    }
    let (from, to) = query::range(params)?;
    if window == Window::All && (from.is_some() || to.is_some()) {
        let detail = "'from' and 'to' mean nothing for window=all, which is one bucket for all time; leave them away \
                      or choose window=minute, hour or day";
        return Err(Problem::new(Code::MalformedRequest, detail));
    }
    let after = match query::cursor_parts::<4>(params)? {
        None => None,
        Some([of_window, of_by, bucket, key]) => {
            let refused = || query::bad_cursor(params.get("cursor").unwrap_or_default());
            if (of_window.as_str(), of_by.as_str()) != (window.as_str(), by.as_str()) {
                return Err(refused());
            }
            let bucket = match (window, bucket.as_str()) {
                (Window::All, "") => None,
                (Window::All, _) => return Err(refused()),
                (_, text) => Some(text.parse::<Timestamp>().map_err(|_| refused())?),
            };
            Some((bucket, Arc::from(key)))
        }
    };
    Ok(AggregateQuery {
        window,
        by,
        key: params.get("key").map(Arc::from),
        from,
        to,
        limit: params.limit(DEFAULT_LIMIT, MAX_LIMIT)?,
        after,
    })
}

/// An aggregate on the wire.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    window: &'static str,
    bucket: Option<Timestamp>,
    key: &'a str,
    events: Events<'a>,
    units_sold: i64,
    units_returned: i64,
    revenue: Amount,
    stock_delta: i64,
}

/// Counts by type, all types.
struct Events<'a>(&'a [u64; 5]);

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for kind in EventType::ALL {
            map.serialize_entry(kind.as_str(), &self.0[kind.index()])?;
        }
        map.end()
    }
}

impl<'a> Item<'a> {
    fn of(aggregate: &'a Aggregate) -> Self {
        let Aggregate { key, measures } = aggregate;
        Self {
            window: key.window.as_str(),
            bucket: key.bucket,
            key: &key.key,
            events: Events(&measures.events),
            units_sold: measures.units_sold,
            units_returned: measures.units_returned,
            revenue: measures.revenue,
            stock_delta: measures.stock_delta,
        }
    }
}

/// Returns the schema of an item.
pub(super) fn schema() -> Value {
    let counts = EventType::ALL.map(|kind| (kind.as_str(), count("How many.")));
    let moved = json!({"description": "By how much stock moved in all.", "type": "integer"});
    object(
        "Figures of one bucket.",
        &[
            (
                "window",
                json!({"description": "How long the bucket is.", "enum": Window::ALL.map(Window::as_str)}),
            ),
            ("bucket", nullable(values::time("Its start; null for `all`."))),
            ("key", json!({"description": "Which seller, category or product; `total`.", "type": "string"})),
            ("events", object("Events by type.", &counts)),
            ("unitsSold", count("Pieces sold.")),
            ("unitsReturned", count("Pieces that came back.")),
            (
                "revenue",
                described(
                    values::amount(),
                    "Sold less returned, each at its unit price, else the product's price.",
                ),
            ),
            ("stockDelta", moved),
        ],
    )
}

/// Describes the call.
pub(super) fn operation() -> Operation {
    let parameters = PARAMS.map(|name| match name {
        "window" => {
            let schema = json!({
                "description": "How long buckets are. `all` is one for all time and takes neither `from` nor `to`.",
                "enum": Window::ALL.map(Window::as_str),
                "default": DEFAULT_WINDOW.as_str(),
            });
            Parameter::query(name, schema, Window::Day.as_str())
        }
        "by" => {
            let schema = json!({
                "description": "What they are of. `product` is kept for `day` and `all` only.",
                "enum": Dimension::ALL.map(Dimension::as_str),
                "default": DEFAULT_DIMENSION.as_str(),
            });
            Parameter::query(name, schema, Dimension::Seller.as_str())
        }
        "key" => {
            let schema = json!({"description": "Only of this seller, category or product.", "type": "string"});
            Parameter::query(name, schema, "seller1")
        }
        shared => parameter(shared),
    });
    let counts: serde_json::Map<String, Value> =
        EventType::ALL.map(|kind| (kind.as_str().to_owned(), json!(7 - kind.index()))).into_iter().collect();
    let item = json!({
        "window": "day",
        "bucket": "2010-12-01T00:00:00.000Z",
        "key": "seller1",
        "events": counts,
        "unitsSold": 12,
        "unitsReturned": 1,
        "revenue": "28.05",
        "stockDelta": 59,
    });
    Operation::new("listAggregates", TAG.0, "Lists figures by window and dimension, oldest bucket first")
        .describe(
            "Buckets go by `occurredAt` where an event has it, else by its `time`. Only sales and returns count as units and \
             revenue; every move of stock counts in `stockDelta`.",
        )
        .parameters(parameters)
        .answers(
            Answer::new(200, "A page")
                .never_kept()
                .json(page_of(reference("Aggregate")), &[
                    ("page", "A seller's day", json!({"items": [item], "nextCursor": null})),
                ])
                .link("listAggregates", "cursor", "$response.body#/nextCursor"),
        )
}
