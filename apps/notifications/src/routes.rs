//! `GET /events/stream`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderValue, Method, header};
use souk_http::{Params, Problem};
use souk_ports::EventLog;

use crate::body::EventStream;
use crate::filter::{Filter, PARAMS};
use crate::frame::push_retry;
use crate::hub::Hub;
use crate::metrics::Close;
use crate::reader::Reader;
use crate::resume::{Asked, judge};

/// What the route needs.
pub(crate) struct Stream {
    pub(crate) hub: Arc<Hub>,
    pub(crate) log: Arc<dyn EventLog>,
}

/// Returns the route.
pub(crate) fn routes(stream: Arc<Stream>) -> Router {
    Router::new().route("/events/stream", get(open)).with_state(stream)
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
        return Ok(answer(Body::empty()));
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
        Some(reader) => answer(Body::new(EventStream(reader))),
        None => refuse(&stream.hub),
    })
}

fn refuse(hub: &Hub) -> Response {
    hub.metrics.closed(Close::Refused);
    let mut text = Vec::new();
    push_retry(&mut text, hub.refusal_retry());
    answer(Body::from(text))
}

fn answer(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let mut insert = |name, value| headers.insert(name, HeaderValue::from_static(value));
    insert(header::CONTENT_TYPE, "text/event-stream; charset=utf-8");
    // Caches must not keep it, and nobody may compress and so buffer it.
    insert(header::CACHE_CONTROL, "no-store, no-transform");
    // nginx buffers proxied answers unless told otherwise.
    insert(header::HeaderName::from_static("x-accel-buffering"), "no");
    response
}
