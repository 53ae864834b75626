//! `/health`, `/livez` and `/readyz`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// How long a check may take: a probe that hangs says as much as one that fails.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Looks at what a service depends on.
#[async_trait]
pub trait HealthCheck: Send + Sync {
    /// Returns how the service is doing; cheap enough to be asked every second.
    async fn check(&self) -> Health;
}

/// How a service is doing: as well as the worst of its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it should get requests.
    pub ready: bool,
    /// Its dependencies and parts by name.
    pub checks: Vec<(&'static str, Check)>,
}

/// How one dependency or part is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// In one word.
    pub status: Status,
    /// In a sentence, with what to do when something is wrong.
    pub detail: String,
    /// In numbers, by name.
    pub figures: Vec<(&'static str, i64)>,
}

/// In order from well to unwell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All is well.
    Ok,
    /// It does its job, but somebody should look.
    Degraded,
    /// It cannot do its job.
    Unavailable,
}

impl Status {
    /// Returns the word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Health {
    /// Returns the worst status.
    pub fn status(&self) -> Status {
        self.checks.iter().map(|(_, check)| check.status).max().unwrap_or(Status::Ok)
    }
}

/// What the pages need to know.
pub(crate) struct HealthPages {
    pub(crate) service: &'static str,
    pub(crate) backend: &'static str,
    pub(crate) started: Instant,
    pub(crate) check: Arc<dyn HealthCheck>,
}

impl HealthPages {
    /// `GET /health`: 503 when the service cannot do its job.
    pub(crate) async fn health(&self) -> Response {
        let health = self.run().await;
        let status = if health.status() == Status::Unavailable {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        self.render(status, &health)
    }

    /// `GET /readyz`: the same document; 503 when the service should get no requests.
    pub(crate) async fn ready(&self) -> Response {
        let health = self.run().await;
        let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        self.render(status, &health)
    }

    async fn run(&self) -> Health {
        tokio::time::timeout(CHECK_TIMEOUT, self.check.check()).await.unwrap_or_else(|_| {
            let check = Check {
                status: Status::Unavailable,
                detail: format!("did not answer within {} s", CHECK_TIMEOUT.as_secs()),
                figures: Vec::new(),
            };
            Health { ready: false, checks: vec![("checks", check)] }
        })
    }

    fn render(&self, status: StatusCode, health: &Health) -> Response {
        let document = Document { pages: self, health };
        let body = serde_json::to_vec(&document).expect("strings and integers always serialise");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

struct Document<'a> {
    pages: &'a HealthPages,
    health: &'a Health,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("status", self.health.status().as_str())?;
        map.serialize_entry("service", self.pages.service)?;
        map.serialize_entry("version", crate::VERSION)?;
        map.serialize_entry("backend", self.pages.backend)?;
        map.serialize_entry("uptimeSeconds", &self.pages.started.elapsed().as_secs())?;
        map.serialize_entry("checks", &Checks(&self.health.checks))?;
        map.end()
    }
}

struct Checks<'a>(&'a [(&'static str, Check)]);

impl Serialize for Checks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, check)| (name, check)))
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("status", self.status.as_str())?;
        map.serialize_entry("detail", &self.detail)?;
        for (name, figure) in &self.figures {
            map.serialize_entry(name, figure)?;
        }
        map.end()
    }
}
