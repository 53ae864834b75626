//! The event stream: `GET /events/stream`, Server-Sent Events with resume, filters and honest gaps.
//!
//! One pump follows the log, frames each event once and publishes it to the hub. The hub keeps the newest frames
//! in a ring bounded by bytes. A reader is a place and a filter: what it finds after its place leaves as a slice
//! of the shared bytes. One that the ring has left behind, or that resumes from before it, reads the log in
//! blocks shared by all such readers, and then joins the ring.
//!
//! ```text
//! log ── pump ── framing ──► ring ◄── reader ◄── body (HTTP connection)
//!  └────────── blocks ◄── catch_up ◄──┘  waits in: interests (by filter)
//! ```
//!
//! To add a filter: a field of `Filter`, its parameter in `PARAMS`, and its list in `Postings` and `Interests`
//! when it can be sparse.

mod backoff;
mod blocks;
mod body;
mod catch_up;
mod config;
mod filter;
mod frame;
mod framing;
mod gather;
mod health;
mod hub;
mod interests;
mod memo;
mod metrics;
mod position;
mod postings;
mod pump;
mod quiet;
mod reader;
mod resume;
mod ring;
mod routes;
mod segment;
pub mod sse;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use parking_lot::Mutex;
use souk_http::openapi::Contract;
use souk_http::{App, Cors, Metrics, Service, Shutdown};
use souk_ports::EventLog;

pub use config::NotificationsConfig;

use crate::health::StreamHealth;
use crate::hub::Hub;
use crate::metrics::StreamMetrics;
use crate::pump::PumpState;
use crate::routes::Stream;

/// Returns what the service promises.
pub fn contract() -> Contract {
    routes::routes().into_contract()
}

/// What the service is made of.
pub struct NotificationsDeps {
    /// The log it follows.
    pub log: Arc<dyn EventLog>,
    /// `embedded` or `distributed`, for the health page.
    pub backend: &'static str,
    /// Which origins may read.
    pub cors: Cors,
    /// For `GET /`.
    pub about: String,
    /// Settings.
    pub config: NotificationsConfig,
}

/// The service.
pub struct Notifications {
    hub: Arc<Hub>,
    log: Arc<dyn EventLog>,
    pump: Arc<Mutex<PumpState>>,
    app: Mutex<Option<App>>,
}

impl Notifications {
    /// Builds the service; nothing runs before [`Notifications::run`].
    pub fn new(deps: NotificationsDeps) -> Self {
        let NotificationsDeps { log, backend, cors, about, config } = deps;
        let mut metrics = Metrics::new("notifications");
        let stream_metrics = Arc::new(StreamMetrics::register(metrics.registry()));
        let hub = Hub::new(config, log.clone(), stream_metrics);
        let pump = Arc::new(Mutex::new(PumpState::Starting));
        let health = Arc::new(StreamHealth { hub: hub.clone(), log: log.clone(), pump: pump.clone() });
        let service = Service { name: "notifications", about, backend, cors, health };
        let routes = routes::routes().with_state(Arc::new(Stream { hub: hub.clone(), log: log.clone() }));
        let app = Mutex::new(Some(App::new(service, routes, metrics)));
        Self { hub, log, pump, app }
    }

    /// Returns the app, to be served alone or with others.
    ///
    /// # Panics
    /// When called a second time: there is one.
    pub fn app(&self) -> App {
        self.app.lock().take().expect("the app is taken once")
    }

    /// Returns the service's routes.
    ///
    /// # Panics
    /// When called a second time: a router is cloned, not made again.
    pub fn router(&self) -> Router {
        self.app().router()
    }

    /// Follows the log until the soft shutdown, then sends every reader away with a time to come back; returns when
    /// they have left, or at the hard shutdown.
    pub async fn run(&self, shutdown: Shutdown) {
        let ticks = async {
            let mut interval = tokio::time::interval(self.hub.tick_interval());
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                interval.tick().await;
                self.hub.tick();
            }
        };
        let work = async {
            tokio::select! {
                () = pump::pump(&self.hub, &self.log, &self.pump) => {}
                () = shutdown.soft.cancelled() => {}
            }
            self.hub.drain().await;
        };
        tokio::select! {
            () = work => {}
            () = ticks => {}
            () = shutdown.hard.cancelled() => {}
        }
    }
}
