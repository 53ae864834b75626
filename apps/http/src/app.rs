//! An app before it is served: alone, or together with others as one service.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::response::Response;
use futures_util::future::join_all;
use http::HeaderMap;
use prometheus_client::registry::Registry;

use crate::openapi::Contract;
use crate::{Check, Health, HealthCheck, Metrics, Routes, Service};

/// An app's routes with what makes a service of them.
pub struct App {
    service: Service,
    routes: Routes,
    metrics: Metrics,
    home: Option<Home>,
}

/// What `GET /` answers a browser, in place of the page that every service has.
pub type Home = Arc<dyn Fn(&HeaderMap) -> Response + Send + Sync>;

/// Something beside an app that its service depends on and that the app knows nothing of, such as a relay.
pub trait Part: Send + Sync {
    /// Its name among the checks of `/health`.
    fn name(&self) -> &'static str;

    /// Tells how it is doing; never waits.
    fn check(&self) -> Check;

    /// Adds its metrics.
    fn register(self: Arc<Self>, registry: &mut Registry);
}

impl App {
    /// Puts an app together.
    pub fn new(service: Service, routes: Routes, metrics: Metrics) -> Self {
        Self { service, routes, metrics, home: None }
    }

    /// Gives it a home page. Programs, which do not ask for HTML, still get the three lines of text.
    #[must_use]
    pub fn with_home(self, home: Home) -> Self {
        Self { home: Some(home), ..self }
    }

    /// Adds a part: a check and metrics. Whether the service is ready stays the app's own matter.
    #[must_use]
    pub fn with_part(mut self, part: Arc<dyn Part>) -> Self {
        part.clone().register(self.metrics.registry());
        self.service.health = Arc::new(WithPart { app: self.service.health, part });
        self
    }

    /// Makes one app of several, with one health page and one metrics page over all; it has the first one's backend
    /// and origins, and the home page of the one that has one.
    ///
    /// # Panics
    /// When there is none, or two have the same route.
    pub fn merge(name: &'static str, about: String, apps: Vec<App>) -> Self {
        let mut routes = Routes::new(Contract::default());
        let mut metrics = Metrics::new(name);
        let mut healths = Vec::with_capacity(apps.len());
        let (mut face, mut home) = (None, None);
        for App { service, routes: more, metrics: own, home: page } in apps {
            routes = routes.merge(more);
            metrics.absorb(own);
            healths.push(service.health.clone());
            face.get_or_insert(service);
            home = home.or(page);
        }
        let Service { backend, cors, .. } = face.expect("at least one app is merged");
        let service = Service { name, about, backend, cors, health: Arc::new(AllOf(healths)) };
        Self { service, routes, metrics, home }
    }

    /// Returns the app as a service.
    pub fn router(self) -> Router {
        self.service.with_home(self.routes, self.metrics, self.home)
    }
}

struct WithPart {
    app: Arc<dyn HealthCheck>,
    part: Arc<dyn Part>,
}

#[async_trait]
impl HealthCheck for WithPart {
    async fn check(&self) -> Health {
        let mut health = self.app.check().await;
        health.checks.push((self.part.name(), self.part.check()));
        health
    }
}

/// As well as the worst of them.
struct AllOf(Vec<Arc<dyn HealthCheck>>);

#[async_trait]
impl HealthCheck for AllOf {
    async fn check(&self) -> Health {
        let mut all = Health { ready: true, checks: Vec::new() };
        for health in join_all(self.0.iter().map(|health| health.check())).await {
            all.ready &= health.ready;
            all.checks.extend(health.checks);
        }
        debug_assert!(
            all.checks.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len() == all.checks.len(),
            "apps that are served as one name their checks apart"
        );
        all
    }
}
