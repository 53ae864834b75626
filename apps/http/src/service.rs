//! What makes routes a service: its own pages, problem documents for what the router refuses, and the layer.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};

use crate::app::Home;
use crate::common::{self, Common};
use crate::manners::MannersLayer;
use crate::{Code, Cors, HealthCheck, Metrics, Params, Problem, Routes, body};

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
    /// Wraps an app's routes with what every service has: the pages of `common.rs`, problem documents for every refusal,
    /// request ids, CORS and request metrics.
    ///
    /// # Panics
    /// When `routes` has one of these paths, or a fallback.
    pub fn router(self, routes: Routes, metrics: Metrics) -> Router {
        self.with_home(routes, metrics, None)
    }

    pub(crate) fn with_home(self, routes: Routes, metrics: Metrics, home: Option<Home>) -> Router {
        let (registries, http) = metrics.into_parts();
        let (routes, contract) = routes.into_parts();
        let layer = MannersLayer::new(self.cors.clone(), http);
        let common = Common::new(self, registries, contract, home);
        let (own, _) = common::routes().with_state(Arc::new(common)).into_parts();
        let own = own.route_layer(from_fn(no_params)).method_not_allowed_fallback(method_not_allowed);
        // Health and metrics answer also when connections are refused: that is when they are looked at.
        let own = own.layer(layer.clone().never_refuses());
        let routes = routes.fallback(not_found).method_not_allowed_fallback(method_not_allowed).layer(layer);
        // Without `with_state` axum would wrap handlers anew for each request, and the layer's handles with them.
        routes.merge(own).with_state(())
    }
}

/// Refuses query parameters: the pages here have none.
async fn no_params(request: Request, next: Next) -> Response {
    match Params::parse(request.uri().query(), &[]) {
        Ok(_) => next.run(request).await,
        Err(problem) => problem.into_response(),
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
