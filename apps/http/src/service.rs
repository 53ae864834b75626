//! What makes routes a service: its own pages, problem documents for what the router refuses, and the layer.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::HeaderMap;
use http::header::ACCEPT;

use crate::app::Home;
use crate::health::HealthPages;
use crate::manners::MannersLayer;
use crate::{Code, Cors, HealthCheck, Metrics, Params, Problem, body, metrics, pages};

/// A service as its callers see it.
pub struct Service {
    /// Its name: `api`, `notifications`, `analytics`.
    pub name: &'static str,
    /// For `GET /`: on the first line what it is, then where its things are.
    pub about: String,
    /// `embedded` or `distributed`.
    pub backend: &'static str,
    /// Which origins may call.
    pub cors: Cors,
    /// Looks at its dependencies.
    pub health: Arc<dyn HealthCheck>,
}

impl Service {
    /// Wraps an app's routes with what every service has: `/`, `/health`, `/livez`, `/readyz`, `/metrics`,
    /// `/problems/{code}`, problem documents for every refusal, request ids, CORS and request metrics.
    ///
    /// # Panics
    /// When `routes` has one of these paths, or a fallback.
    pub fn router(self, routes: Router, metrics: Metrics) -> Router {
        self.with_home(routes, metrics, None)
    }

    pub(crate) fn with_home(self, routes: Router, metrics: Metrics, home: Option<Home>) -> Router {
        let (registries, http) = metrics.into_parts();
        let layer = MannersLayer::new(self.cors.clone(), http);
        let own = self.own_routes(Arc::new(registries), home).method_not_allowed_fallback(method_not_allowed);
        // Health and metrics answer also when connections are refused: that is when they are looked at.
        let own = own.layer(layer.clone().never_refuses());
        let routes = routes.fallback(not_found).method_not_allowed_fallback(method_not_allowed).layer(layer);
        // Without `with_state` axum would wrap handlers anew for each request, and the layer's handles with them.
        routes.merge(own).with_state(())
    }

    fn own_routes(self, registries: Arc<metrics::Registries>, home: Option<Home>) -> Router {
        let Self { name, about, backend, health, .. } = self;
        let health = Arc::new(HealthPages { service: name, backend, started: Instant::now(), check: health });
        let ready = health.clone();
        let root = async move |headers: HeaderMap| match &home {
            Some(home) if pages::wants_html(&headers) => home(&headers),
            _ => pages::root(&headers, name, &about, backend),
        };
        Router::new()
            .route("/", get(root))
            .route("/health", get(async move || health.health().await))
            .route("/livez", get(async || pages::text("ok\n")))
            .route("/readyz", get(async move || ready.ready().await))
            .route(
                "/metrics",
                get(async move |headers: HeaderMap| metrics_page(&headers, metrics::render(&registries))),
            )
            .route("/problems/{code}", get(problem_page))
            .route_layer(from_fn(no_params))
    }
}

/// Answers in the format that the client asks for, as Prometheus does; in the older one when it asks for none.
fn metrics_page(headers: &HeaderMap, open: String) -> Response {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains("application/openmetrics-text") {
        pages::typed(Body::from(open), "application/openmetrics-text; version=1.0.0; charset=utf-8")
    } else {
        pages::typed(Body::from(metrics::to_prometheus(&open)), "text/plain; version=0.0.4; charset=utf-8")
    }
}

/// Refuses query parameters: the pages here have none.
async fn no_params(request: Request, next: Next) -> Response {
    match Params::parse(request.uri().query(), &[]) {
        Ok(_) => next.run(request).await,
        Err(problem) => problem.into_response(),
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

async fn not_found(request: Request) -> Problem {
    let (parts, body) = request.into_parts();
    body::drain(&parts.headers, body).await;
    Problem::new(
        Code::NotFound,
        format!("there is nothing at {}; GET / tells what there is", parts.uri.path()),
    )
}

async fn method_not_allowed(request: Request) -> Problem {
    let (parts, body) = request.into_parts();
    body::drain(&parts.headers, body).await;
    Problem::new(
        Code::MethodNotAllowed,
        format!("{} is not possible on {}; the Allow header lists what is", parts.method, parts.uri.path()),
    )
}
