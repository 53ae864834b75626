//! `GET /events/stream`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::Method;
use serde_json::json;
use souk_domain::EventType;
use souk_events::asyncapi::stream_parameters;
use souk_events::stream::PATH;
use souk_events::{Cursor, LogId};
use souk_http::openapi::{Answer, CACHE_CONTROL, Contract, Operation, Parameter, X_ACCEL_BUFFERING};
use souk_http::{Params, Problem, Routes, STREAM_CACHE_CONTROL, event_stream};
use souk_ports::EventLog;

use crate::body::EventStream;
use crate::filter::{Filter, PARAMS};
use crate::frame::{push_data, push_id, push_ready, push_retry};
use crate::hub::Hub;
use crate::metrics::Close;
use crate::reader::Reader;
use crate::resume::{Asked, judge};

/// What the route needs.
pub(crate) struct Stream {
    pub(crate) hub: Arc<Hub>,
    pub(crate) log: Arc<dyn EventLog>,
}

/// What the call is about.
const TAG: (&str, &str) =
    ("stream", "Live events as Server-Sent Events; `/asyncapi.json` has their schemas.");

/// Returns the route with its description.
pub(crate) fn routes() -> Routes<Arc<Stream>> {
    Routes::new(Contract::new(&[TAG])).get(PATH, open, operation())
}

fn operation() -> Operation {
    let example = |name: &str| match name {
        "sellerId" => "seller1,seller2",
        "types" => "LowStockWarning,StockReplenished",
        "productId" => "01990000-0000-7000-8000-000000000001",
        "named" => "1",
        _ => "earliest",
    };
    // Those that are read, and no others.
    let known = stream_parameters();
    let parameters = PARAMS.iter().map(|name| {
        let schema = known.iter().find(|(known, _)| known == name).map(|(_, schema)| schema.clone());
        Parameter::query(name, schema.expect("the contract has every parameter that is read"), example(name))
    });
    let last_id = json!({
        "description": "The id of the last frame that was read: the stream goes on after it. Browsers send it by themselves.",
        "type": "string",
    });
    let text = json!({"description": "Frames, as long as the connection lives.", "type": "string"});
    let mut frames = Vec::new();
    push_retry(&mut frames, 2_000);
    let at = Cursor { log: LogId(0x5af0_12c4_9b7e_d3a1), next: vec![1066] };
    push_ready(&mut frames, &Filter::default(), &at);
    push_id(&mut frames, &at);
    push_data(&mut frames, souk_events::fixture(EventType::LowStockWarning).as_bytes());
    let frames = String::from_utf8(frames).expect("frames are text");
    Operation::new("streamEvents", TAG.0, "Streams events as they happen")
        .describe(
            "Begins with `retry:` and `event: ready`, then one frame for each event with an `id`. A reader that comes back \
             with that as Last-Event-ID misses nothing; what the log no longer holds is said by `event: gap`. Overload and \
             drain are answered with 200, `retry:` and the end of the stream: any other status would end an EventSource \
             for good.",
        )
        .parameters(parameters)
        .parameter(Parameter::header("Last-Event-ID", last_id, at.to_string()))
        .answers(
            Answer::new(200, "The stream")
                .header_of(CACHE_CONTROL, STREAM_CACHE_CONTROL)
                .header(X_ACCEL_BUFFERING)
                .body("text/event-stream", text, &[("frames", "The beginning of a stream", json!(frames))]),
        )
        .never_overloaded()
}

/// Opens a stream. Any status but 200 ends an `EventSource` for good, so only a request that can never succeed
/// gets one; whoever comes at a bad time gets a `retry:` and the end of the stream.
async fn open(State(stream): State<Arc<Stream>>, request: Request) -> Result<Response, Problem> {
    let params = Params::parse(request.uri().query(), PARAMS)?;
    let filter = Filter::parse(&params)?;
    let asked = Asked::read(request.headers(), &params);
    let is_head = request.method() == Method::HEAD;
    // The request's buffers would live as long as the stream otherwise.
    drop(request);
    if is_head {
        return Ok(event_stream(Body::empty()));
    }
    if !stream.hub.is_open() {
        return Ok(refuse(&stream.hub));
    }
    let start = match judge(asked, &stream.hub, &*stream.log).await {
        Ok(start) => start,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot resume a stream now");
            return Ok(refuse(&stream.hub));
        }
    };
    Ok(match Reader::open(&stream.hub, filter, start) {
        Some(reader) => event_stream(Body::new(EventStream(reader))),
        None => refuse(&stream.hub),
    })
}

fn refuse(hub: &Hub) -> Response {
    hub.metrics.closed(Close::Refused);
    let mut text = Vec::new();
    push_retry(&mut text, hub.refusal_retry());
    event_stream(Body::from(text))
}
