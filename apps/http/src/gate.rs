//! A service that is not there yet: it answers from the first moment, and says truly what it waits for.
//!
//! A [`Gate`] stands between server and router. Closed, it has the pages of every service: `/livez` is 200, the contract
//! is told, `/readyz` and `/health` are 503 and name each thing that is waited for, why, and for how long; everything else is
//! `overloaded`. Opened, it is the service's own router, for requests on connections that were there before, too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::manners::{self, Refusal};
use crate::openapi::Contract;
use crate::{App, Check, Code, Cors, Health, HealthCheck, Metrics, Problem, Routes, Service, Status, body};

/// How long a client is asked to wait: about what a server takes to come up.
const RETRY_AFTER_SECONDS: u32 = 2;

/// What a server serves; clones are the same gate.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    closed: Router,
    open: OnceLock<Router>,
}

/// A service as it looks while its gate is closed.
pub struct Face {
    /// Its name: `api`, `notifications`, `analytics`.
    pub name: &'static str,
    /// For `GET /`.
    pub about: String,
    /// `embedded` or `distributed`.
    pub backend: &'static str,
    /// Which origins may call.
    pub cors: Cors,
    /// What it will promise, for its documents.
    pub contract: Contract,
    /// The path of an event stream, if it has one: its readers are asked to come back, where any status but 200 would
    /// end an `EventSource` for good.
    pub stream: Option<&'static str>,
}

impl Gate {
    /// Makes a closed gate of a service that waits for `waits`.
    pub fn closed(face: Face, waits: Waits) -> Self {
        let Face { name, about, backend, cors, contract, stream } = face;
        let service = Service { name, about, backend, cors, health: Arc::new(waits.clone()) };
        let refuse = async move |request: Request| -> Response {
            let (parts, body) = request.into_parts();
            body::drain(&parts.headers, body).await;
            Problem::new(
                Code::Overloaded,
                format!("{name} is starting and {}; nothing was done, repeat it shortly", waits.sentence()),
            )
            .retry_after(RETRY_AFTER_SECONDS)
            .into_response()
        };
        let mut routes = Router::new().route("/{*path}", axum::routing::any(refuse));
        if let Some(stream) = stream {
            routes = routes.route(stream, get(async || manners::refuse(Refusal::EventStream)));
        }
        let routes = Routes::standing_for(contract, routes);
        let closed = App::new(service, routes, Metrics::new(name)).router();
        Self(Arc::new(Inner { closed, open: OnceLock::new() }))
    }

    /// Opens the gate, once; later calls change nothing.
    pub fn open(&self, router: Router) {
        // Whoever was first is served.
        let _ = self.0.open.set(router);
    }

    /// Returns what answers now.
    pub(crate) fn router(&self) -> &Router {
        self.0.open.get().unwrap_or(&self.0.closed)
    }
}

impl From<Router> for Gate {
    fn from(router: Router) -> Self {
        Self(Arc::new(Inner { closed: router, open: OnceLock::new() }))
    }
}

/// What a service waits for, by name; clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<BTreeMap<&'static str, Wait>>>);

#[derive(Debug, Clone)]
struct Wait {
    reason: String,
    since: Instant,
}

impl Waits {
    /// Notes that `name` is waited for, and why; returns whether that is news.
    pub fn set(&self, name: &'static str, reason: &str) -> bool {
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match waits.get_mut(name) {
            Some(wait) if wait.reason == reason => false,
            Some(wait) => {
                reason.clone_into(&mut wait.reason);
                true
            }
            None => {
                waits.insert(name, Wait { reason: reason.to_owned(), since: Instant::now() });
                true
            }
        }
    }

    /// Notes that `name` is there; returns whether it was waited for.
    pub fn clear(&self, name: &'static str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }

    /// Returns everything in a sentence.
    fn sentence(&self) -> String {
        let waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each: Vec<String> =
            waits.iter().map(|(name, wait)| format!("waits for {name} ({})", wait.reason)).collect();
        if each.is_empty() { "will be there in a moment".to_owned() } else { each.join("; ") }
    }
}

#[async_trait]
impl HealthCheck for Waits {
    async fn check(&self) -> Health {
        let waits = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut checks: Vec<(&'static str, Check)> = waits
            .into_iter()
            .map(|(name, wait)| {
                let seconds = i64::try_from(wait.since.elapsed().as_secs()).unwrap_or(i64::MAX);
                let check = Check {
                    status: Status::Unavailable,
                    detail: format!("waiting: {}", wait.reason),
                    figures: vec![("waitingSeconds", seconds)],
                };
                (name, check)
            })
            .collect();
        if checks.is_empty() {
            let check =
                Check { status: Status::Unavailable, detail: "starting".to_owned(), figures: Vec::new() };
            checks.push(("start", check));
        }
        Health { ready: false, checks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_wait_is_told_with_its_reason_and_news_are_told_once() {
        let waits = Waits::default();
        assert!(waits.set("kafka", "localhost:9092: connection refused"));
        assert!(!waits.set("kafka", "localhost:9092: connection refused"));
        assert!(waits.set("kafka", "the topic product-events, which the api creates"));
        waits.set("dynamodb", "http://localhost:8000: connection refused");
        let health = waits.check().await;
        assert_eq!((health.ready, health.status()), (false, Status::Unavailable));
        let details: Vec<&str> = health.checks.iter().map(|(_, check)| check.detail.as_str()).collect();
        assert_eq!(
            details,
            [
                "waiting: http://localhost:8000: connection refused",
                "waiting: the topic product-events, which the api creates"
            ]
        );
        assert!(waits.clear("kafka") && !waits.clear("kafka") && waits.clear("dynamodb"));
        assert_eq!(waits.check().await.checks[0].0, "start");
    }
}
