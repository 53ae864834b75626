//! The pages that every service has: what it is, how it is, and what it promises.

mod describe;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, VARY};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use crate::app::Home;
use crate::health::HealthPages;
use crate::metrics::{self, Registries};
use crate::openapi::Contract;
use crate::{Code, Problem, Routes, Service, pages};

const JSON: &str = "application/json";
/// A page whose files change their names: it is asked for each time.
const ASK: &str = "no-cache";
/// A file whose name changes with its content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// What the pages need to know.
pub(crate) struct Common {
    name: &'static str,
    about: String,
    home: Option<Home>,
    backend: &'static str,
    health: HealthPages,
    registries: Registries,
    contract: Contract,
    /// Made when it is first asked for: a start must not wait for what few look at.
    openapi: OnceLock<Bytes>,
    asyncapi: OnceLock<Bytes>,
}

impl Common {
    pub(crate) fn new(
        service: Service,
        registries: Registries,
        contract: Contract,
        home: Option<Home>,
    ) -> Self {
        let Service { name, about, backend, health, .. } = service;
        let health = HealthPages { service: name, backend, started: Instant::now(), check: health };
        let (openapi, asyncapi) = (OnceLock::new(), OnceLock::new());
        Self { name, about, home, backend, health, registries, contract, openapi, asyncapi }
    }
}

type Shared = State<Arc<Common>>;

/// Returns the pages' routes.
pub(crate) fn routes() -> Routes<Arc<Common>> {
    Routes::new(Contract::new(&[describe::TAG]))
        .get("/", root, describe::root())
        .get("/health", health, describe::health())
        .get("/livez", live, describe::live())
        .get("/readyz", ready, describe::ready())
        .get("/metrics", metrics_page, describe::metrics())
        .get("/problems/{code}", problem_page, describe::problem())
        .get("/openapi.json", openapi, describe::openapi())
        .get("/asyncapi.json", asyncapi, describe::asyncapi())
        .get("/docs", docs, describe::docs())
        .get("/docs/{file}", docs_file, describe::docs_file())
}

/// Returns what the pages promise.
pub(crate) fn contract() -> Contract {
    routes().into_contract()
}

async fn root(State(common): Shared, headers: HeaderMap) -> Response {
    match &common.home {
        Some(home) if pages::wants_html(&headers) => home(&headers),
        _ => pages::root(&headers, common.name, &common.about, common.backend),
    }
}

async fn health(State(common): Shared) -> Response {
    common.health.health().await
}

async fn live() -> Response {
    pages::text("ok\n")
}

async fn ready(State(common): Shared) -> Response {
    common.health.ready().await
}

/// Answers in the format that the client asks for, as Prometheus does; in the older one when it asks for none.
async fn metrics_page(State(common): Shared, headers: HeaderMap) -> Response {
    let open = metrics::render(&common.registries);
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains("application/openmetrics-text") {
        pages::typed(Body::from(open), "application/openmetrics-text; version=1.0.0; charset=utf-8")
    } else {
        pages::typed(Body::from(metrics::to_prometheus(&open)), "text/plain; version=0.0.4; charset=utf-8")
    }
}

async fn problem_page(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match Code::parse(&name) {
        Some(code) => pages::problem(&headers, code),
        None => {
            let known = Code::ALL.map(Code::as_str).join(", ");
            Problem::new(Code::NotFound, format!("there is no problem '{name}'; known are {known}"))
                .into_response()
        }
    }
}

async fn openapi(State(common): Shared) -> Response {
    let document = common.openapi.get_or_init(|| bytes_of(&common.contract.document(common.name)));
    pages::typed(Body::from(document.clone()), JSON)
}

async fn asyncapi(State(common): Shared) -> Response {
    let document = common.asyncapi.get_or_init(|| bytes_of(&souk_events::asyncapi::document(crate::VERSION)));
    pages::typed(Body::from(document.clone()), JSON)
}

fn bytes_of(document: &Value) -> Bytes {
    document.to_string().into()
}

async fn docs() -> Response {
    let mut response = pages::typed(Body::from(souk_docs::PAGE), "text/html; charset=utf-8");
    let policy = HeaderValue::from_static(souk_docs::POLICY);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(ASK));
    response
}

async fn docs_file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = souk_docs::file(&name) else {
        let detail = format!("there is no file '{name}' of the page at /docs: load that page anew");
        return Problem::new(Code::NotFound, detail).into_response();
    };
    let takes_gzip = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("gzip"));
    let body = if takes_gzip { Body::from(file.gzip) } else { Body::from(file.plain()) };
    let mut response = pages::typed(body, file.media_type);
    let headers = response.headers_mut();
    if takes_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(FOR_EVER));
    response
}
