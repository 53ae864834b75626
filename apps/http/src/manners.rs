//! The one layer around every route: request id, panics, problem documents, CORS, metrics, log.
//!
//! It is on the path of every request: no lookup by strings, no allocation but for a new request id. Requests
//! without an `Origin` never enter the CORS middleware.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode, Uri};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::metrics::{EndpointMetrics, HttpMetrics};
use crate::request_id::{self, X_REQUEST_ID};
use crate::{Code, Cors, Problem, pages, shutdown};

/// How a connection beyond the limit is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 503 `overloaded`.
    Problem,
    /// 200 with a `retry:` and nothing else: any other status would end an `EventSource` for good.
    EventStream,
    /// As it suits the request: streams and everything else share the listener.
    Mixed,
}

impl Refusal {
    /// Decides by what the client asks for: an `EventSource` sends this `Accept` (WHATWG HTML §9.2.2), and the route of
    /// streams is known to readers that do not.
    fn suited_to(self, request: &Request) -> Self {
        let wants_stream = || {
            let accept = request.headers().get(header::ACCEPT);
            accept.is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"))
                || request.uri().path().ends_with("/stream")
        };
        match self {
            Self::Mixed if wants_stream() => Self::EventStream,
            Self::Mixed => Self::Problem,
            told => told,
        }
    }
}

/// Marks a request that came over a connection beyond the limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused(pub(crate) Refusal);

/// Wraps routes; `layer` is called once for each endpoint.
#[derive(Debug, Clone)]
pub(crate) struct MannersLayer {
    cors: Arc<Cors>,
    http: HttpMetrics,
    refuses: bool,
}

impl MannersLayer {
    pub(crate) fn new(cors: Cors, http: HttpMetrics) -> Self {
        Self { cors: Arc::new(cors), http, refuses: true }
    }

    pub(crate) fn never_refuses(self) -> Self {
        Self { refuses: false, ..self }
    }
}

impl<S> Layer<S> for MannersLayer {
    type Service = Manners<S>;

    fn layer(&self, inner: S) -> Manners<S> {
        let endpoint = Endpoint {
            cors: self.cors.clone(),
            metrics: EndpointMetrics::new(self.http.clone()),
            refuses: self.refuses,
        };
        Manners { inner, endpoint: Arc::new(endpoint) }
    }
}

#[derive(Debug)]
struct Endpoint {
    cors: Arc<Cors>,
    metrics: EndpointMetrics,
    refuses: bool,
}

/// An endpoint with manners.
#[derive(Debug, Clone)]
pub(crate) struct Manners<S> {
    inner: S,
    endpoint: Arc<Endpoint>,
}

impl<S> Service<Request> for Manners<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = MannersFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let crosses_origins = request.headers().contains_key(header::ORIGIN);
        let served = Served {
            endpoint: self.endpoint.clone(),
            started: Instant::now(),
            id: request_id::of(request.headers()),
            method: request.method().clone(),
            uri: request.uri().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
        };
        let refused =
            if self.endpoint.refuses { request.extensions().get::<Refused>().copied() } else { None };
        let inner = match refused {
            Some(Refused(how)) => {
                let how = how.suited_to(&request);
                let refuse = tower::service_fn(move |_: Request| std::future::ready(Ok(refuse(how))));
                let answer = self.endpoint.cors.layer().layer(refuse).call(request);
                Inner::Boxed { future: Box::pin(answer) }
            }
            None if crosses_origins => {
                let mut inner = self.inner.clone();
                // Caught inside of CORS, so that the other origin may read what became of its request.
                let inner = tower::service_fn(move |request: Request| {
                    let answer = AssertUnwindSafe(inner.call(request)).catch_unwind();
                    answer.map(|result| result.unwrap_or_else(|panic| Ok(panicked(&*panic))))
                });
                let answer = self.endpoint.cors.layer().layer(inner).call(request);
                Inner::Boxed { future: Box::pin(answer) }
            }
            None => Inner::Plain { future: self.inner.call(request) },
        };
        MannersFuture { inner, served: Some(served) }
    }
}

pin_project! {
    /// The answer to come.
    pub(crate) struct MannersFuture<F> {
        #[pin]
        inner: Inner<F>,
        served: Option<Served>,
    }
}

pin_project! {
    #[project = InnerProjection]
    enum Inner<F> {
        Plain { #[pin] future: F },
        Boxed { future: Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>> },
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for MannersFuture<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let poll = AssertUnwindSafe(|| match this.inner.project() {
            InnerProjection::Plain { future } => future.poll(cx),
            InnerProjection::Boxed { future } => future.as_mut().poll(cx),
        });
        // After a panic the future is never polled again, so nobody sees what the panic left half done.
        let response = match catch_unwind(poll) {
            Ok(poll) => ready!(poll)?,
            Err(panic) => panicked(&*panic),
        };
        let served = this.served.take().expect("a future is not polled after it is ready");
        Poll::Ready(Ok(served.finish(response)))
    }
}

/// A request that is being served.
struct Served {
    endpoint: Arc<Endpoint>,
    started: Instant,
    id: HeaderValue,
    method: Method,
    uri: Uri,
    route: Option<MatchedPath>,
}

impl Served {
    fn finish(self, mut response: Response) -> Response {
        if let Some(problem) = response.extensions_mut().remove::<Problem>().or_else(|| untold(&response)) {
            self.log_fault(&problem);
            let document = problem.render(Some(self.uri.path()), Some(&self.id));
            let (parts, body) = document.into_parts();
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response.headers_mut().extend(parts.headers);
            *response.status_mut() = parts.status;
            *response.body_mut() = body;
        }
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, const { HeaderValue::from_static("nosniff") });
        let varies = headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
        if !varies.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case("origin")) {
            // A cache must not serve an answer without CORS headers to another origin's page.
            headers.append(header::VARY, const { HeaderValue::from_static("origin") });
        }
        let duration = self.started.elapsed();
        tracing::debug!(
            http.request.method = self.method.as_str(),
            http.route = self.route.as_ref().map(MatchedPath::as_str),
            url.path = self.uri.path(),
            http.response.status_code = response.status().as_u16(),
            request_id = self.id.to_str().unwrap_or_default(),
            duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            "request served"
        );
        let route = self.route;
        self.endpoint.metrics.count(
            &self.method,
            || route.as_ref().map_or("unmatched", MatchedPath::as_str).into(),
            response.status(),
            duration,
        );
        response.headers_mut().insert(X_REQUEST_ID, self.id);
        response
    }

    /// Writes the cause of a 5xx answer to the log.
    fn log_fault(&self, problem: &Problem) {
        if !problem.code().status().is_server_error() {
            return;
        }
        let cause = problem.chain();
        let (id, path) = (self.id.to_str().unwrap_or_default(), self.uri.path());
        if problem.code() != Code::Overloaded {
            tracing::error!(
                request_id = id,
                http.request.method = self.method.as_str(),
                url.path = path,
                code = problem.code().as_str(),
                error = cause.as_deref().unwrap_or(problem.detail()),
                "request failed"
            );
        } else if a_second_has_passed() {
            tracing::warn!(
                request_id = id,
                url.path = path,
                detail = problem.detail(),
                error = cause.as_deref(),
                "request refused, at most one such line a second"
            );
        }
    }
}

/// Tells, once in each second, that it began: an overload must not become a flood of log lines.
fn a_second_has_passed() -> bool {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    LAST.swap(now, Ordering::Relaxed) != now
}

/// Returns the problem of an error answer that no code of ours made, such as an extractor's refusal.
fn untold(response: &Response) -> Option<Problem> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let is_plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|media_type| media_type.as_bytes().starts_with(b"text/plain"));
    if !is_plain {
        return None;
    }
    Some(match status {
        StatusCode::NOT_FOUND => {
            Problem::new(Code::NotFound, "there is no such resource: GET / tells what there is")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(Code::MethodNotAllowed, "the Allow header lists what is possible")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::PayloadTooLarge, "send less at once"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(Code::UnsupportedMediaType, "send JSON"),
        _ if status.is_client_error() => {
            Problem::new(Code::MalformedRequest, "the request cannot be read; check its path and headers")
        }
        _ => Problem::internal(format!("unexplained answer with status {status}")),
    })
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    Problem::internal(format!("handler panicked: {}", shutdown::panic_message(panic))).into_response()
}

/// Answers a request that cannot be served now.
pub(crate) fn refuse(how: Refusal) -> Response {
    match how {
        Refusal::Problem | Refusal::Mixed => Problem::new(
            Code::Overloaded,
            "too many connections are open; nothing was done, repeat it shortly",
        )
        .retry_after(2)
        .into_response(),
        Refusal::EventStream => pages::event_stream(Body::from(format!("retry: {}\n\n", retry_millis()))),
    }
}

/// Returns 2 to 10 s, spread by the golden ratio, so that refused readers do not come back at once.
fn retry_millis() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    2_000 + (count.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 8_000
}
