//! What the dashboard's server answers besides the page: its files, where the services are, the demo.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use souk_http::{Code, Params, Problem, Routes};
use souk_ports::Clock;

use crate::assets::{self, HASH};
use crate::demo::{Demo, Refused};
use crate::describe;
use crate::host::Host;
use crate::places::Places;
use crate::serve;

/// What a worker's script may do, and an image that somebody opens on its own. A file is kept by browsers for ever, while
/// where the services are can change, so that connections are open here; the page's own policy names them.
const OF_FILES: HeaderValue =
    HeaderValue::from_static("default-src 'none'; script-src 'self'; connect-src 'self' http: https:");

/// What the routes share.
pub struct Dashboard {
    pub places: Places,
    pub demo: Arc<Demo>,
    pub clock: Arc<dyn Clock>,
    pub backend: &'static str,
}

/// Returns the routes: the calls with their descriptions, and the files of the page.
pub fn routes() -> Routes<Arc<Dashboard>> {
    Routes::new(describe::contract())
        .get("/config.json", config, describe::config())
        .get("/demo", demo, describe::demo())
        .post("/demo", start_demo, describe::start_demo())
        .with_pages(Router::new().route("/assets/{hash}/{*path}", get(asset)))
}

async fn asset(
    Path((hash, path)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Params::parse(query.as_deref(), &[])?;
    if hash != HASH {
        // Other content under an address that browsers keep for ever would mix two versions for good.
        let detail = "this address is of another version of the dashboard: load the page again";
        return Err(Problem::new(Code::NotFound, detail));
    }
    let asset = assets::find(&path)
        .ok_or_else(|| Problem::new(Code::NotFound, format!("the dashboard has no file '{path}'")))?;
    let mut response = serve::answer(asset, &headers, serve::FOR_EVER);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, OF_FILES);
    Ok(response)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    api_url: String,
    sse_url: String,
    analytics_url: String,
    version: &'static str,
    backend: &'static str,
    time: String,
}

async fn config(
    State(dashboard): State<Arc<Dashboard>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Params::parse(query.as_deref(), &[])?;
    let (host, places) = (Host::of(&headers), &dashboard.places);
    Ok(now(&Config {
        api_url: places.api.url(&host),
        sse_url: places.stream.url(&host),
        analytics_url: places.analytics.url(&host),
        version: souk_http::VERSION,
        backend: dashboard.backend,
        time: dashboard.clock.now().to_string(),
    }))
}

async fn demo(
    State(dashboard): State<Arc<Dashboard>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::parse(query.as_deref(), &[])?;
    Ok(now(&dashboard.demo.state()))
}

async fn start_demo(State(dashboard): State<Arc<Dashboard>>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    souk_http::drain(&parts.headers, body).await;
    Params::parse(parts.uri.query(), &[])?;
    from_own_page(&parts.headers)?;
    match dashboard.demo.start().await {
        Ok(()) => {
            let mut response = now(&dashboard.demo.state());
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok(response)
        }
        Err(refused @ (Refused::Running | Refused::NotEmpty)) => {
            Err(Problem::new(Code::DemoRefused, refused.to_string()))
        }
        Err(Refused::Unreachable(reason)) => {
            Err(Problem::new(Code::Overloaded, format!("{reason}; nothing was done")).retry_after(2))
        }
    }
}

/// Refuses what another origin's page sent. Browsers tell the origin of every POST; what tells none is no browser.
fn from_own_page(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    if Host::of(headers).is_origin(origin) {
        return Ok(());
    }
    let detail = format!("'{origin}' may not ask for the demo: open the dashboard itself and ask there");
    Err(Problem::new(Code::OriginRefused, detail))
}

/// Answers with something that is true now alone.
fn now(body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("strings and numbers always serialise");
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
