//! What the services of a process share: listeners, limits, origins, the end; and how one is served.

use std::sync::{Arc, OnceLock};

use souk_analytics::AnalyticsConfig;
use souk_events::stream;
use souk_http::{App, ConnectionLimit, Cors, Face, Gate, Refusal, Server, Shutdown, Waits};
use souk_notifications::NotificationsConfig;
use souk_ports::{Clock, IdGenerator, RandomIds, SystemClock};
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::settings::{Role, Settings};
use crate::wiring::connections::Shares;
use crate::wiring::listeners::{Bound, Door};
use crate::wiring::{about, contract};

/// What the services of a process share.
pub struct Site {
    pub shutdown: Shutdown,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
    pub cors: Cors,
    /// `embedded` or `distributed`.
    pub backend: &'static str,
    pub bound: Bound,
    pub shares: Shares,
    pub stream: NotificationsConfig,
    pub figures: AnalyticsConfig,
    stopped: OnceLock<String>,
}

impl Site {
    /// Derives it from the settings.
    ///
    /// # Errors
    /// `Usage` for settings that an app does not take.
    pub fn new(settings: &Settings, bound: Bound, shares: Shares) -> Result<Self, Failure> {
        let stream = NotificationsConfig {
            ring_bytes: usize::try_from(settings.stream_ring_bytes).unwrap_or(usize::MAX),
            max_readers: shares.readers.max().max(1),
            ..NotificationsConfig::default()
        };
        stream.validate().map_err(Failure::Usage)?;
        let figures = if settings.distributed.is_some() {
            AnalyticsConfig::distributed()
        } else {
            AnalyticsConfig::default()
        };
        let mut figures = AnalyticsConfig {
            archive_max_age: settings.archive_max_age,
            recent_retention: settings.recent_events_retention,
            ..figures
        };
        if let Some(distributed) = &settings.distributed {
            distributed.analytics_client_id(settings.role).clone_into(&mut figures.client_id);
        }
        figures.validate().map_err(Failure::Usage)?;
        Ok(Self {
            shutdown: Shutdown::new(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            cors: Cors::parse(&settings.cors_allowed_origins)
                .expect("the settings hold origins that were read before"),
            // What a dashboard on its own talks to are services on their own.
            backend: if settings.distributed.is_some() || settings.role == Role::Web {
                "distributed"
            } else {
                "embedded"
            },
            bound,
            shares,
            stream,
            figures,
            stopped: OnceLock::new(),
        })
    }

    /// Returns what `GET /` of the service behind `door` says.
    pub fn about(&self, door: Door) -> String {
        about::of(door, &self.bound)
    }

    /// Tells whether every service is on one port.
    pub fn shares_a_port(&self) -> bool {
        self.bound.api == self.bound.analytics
    }

    /// Makes one app of all, for [`Door::All`].
    pub fn merge(&self, apps: Vec<App>) -> App {
        App::merge(Door::All.name(), self.about(Door::All), apps)
    }

    /// Makes the gate of a service that waits.
    pub fn closed_gate(&self, door: Door, waits: Waits) -> Gate {
        let face = Face {
            name: door.name(),
            about: self.about(door),
            backend: self.backend,
            cors: self.cors.clone(),
            contract: contract::of(door),
            stream: matches!(door, Door::Notifications | Door::All).then_some(stream::PATH),
        };
        Gate::closed(face, waits)
    }

    /// Serves `gate` until the end.
    pub fn serve(&self, door: Door, listener: TcpListener, gate: impl Into<Gate>) {
        let (limit, refusal): (&Arc<ConnectionLimit>, _) = match door {
            Door::Api | Door::Analytics | Door::Web => (&self.shares.requests, Refusal::Problem),
            Door::Notifications => (&self.shares.readers, Refusal::EventStream),
            Door::All => (&self.shares.all, Refusal::Mixed),
        };
        let server = Server::new(listener, gate, limit.clone(), self.shutdown.clone(), refusal);
        self.shutdown.spawn(door.name(), server.run());
    }

    /// Ends the process for a reason that only a person can remove.
    pub fn stop(&self, reason: String) {
        tracing::error!(reason, "cannot go on, shutting down");
        // The first reason is the one to act on.
        let _ = self.stopped.set(reason);
        self.shutdown.soft.cancel();
    }

    /// Returns why it was stopped.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.get().map(String::as_str)
    }
}
