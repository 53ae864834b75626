//! Puts `souk up` together, from top to bottom: listeners, adapters, components, servers.
//!
//! The only place that names adapters. Listeners are bound before anything is opened, so that a taken port stops
//! the start before it has touched data; nothing is served before everything is built.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use souk_analytics::{Analytics, AnalyticsConfig, AnalyticsDeps};
use souk_api::{Api, ApiDeps};
use souk_domain::Stock;
use souk_embedded::{Embedded, EmbeddedConfig, OpenError};
use souk_http::{ConnectionLimit, Cors, Refusal, Server, Shutdown};
use souk_notifications::{Notifications, NotificationsConfig, NotificationsDeps};
use souk_ports::{Clock, IdGenerator, RandomIds, SystemClock};

use crate::failure::Failure;
use crate::screen::{Facts, Store};
use crate::settings::Settings;

mod about;
mod connections;
mod listeners;

use connections::Shares;
use listeners::{Bound, Listeners};

/// What every service reports as its backend.
const BACKEND: &str = "embedded";

/// Everything that runs.
pub struct Running {
    pub shutdown: Shutdown,
    bound: Bound,
    store: Embedded,
    data_dir: String,
}

/// Starts every service.
///
/// # Errors
/// `Unreachable` when a port is taken or the data folder cannot be used; each says what to do.
pub fn start(settings: &Settings) -> Result<Running, Failure> {
    let shares = Shares::of(settings.max_connections)?;
    let stream = NotificationsConfig {
        ring_bytes: usize::try_from(settings.stream_ring_bytes).unwrap_or(usize::MAX),
        max_readers: shares.readers.max(),
        ..NotificationsConfig::default()
    };
    stream.validate().map_err(Failure::Usage)?;
    let figures = AnalyticsConfig { archive_max_age: settings.archive_max_age, ..AnalyticsConfig::default() };
    figures.validate().map_err(Failure::Usage)?;
    let Listeners { api, notifications, analytics, bound } = Listeners::bind(settings)?;

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids: Arc<dyn IdGenerator> = Arc::new(RandomIds);
    let store = Embedded::open(&embedded_config(settings), clock.clone(), ids.clone()).map_err(refused)?;
    let archive = open_archive(&store)?;
    let cors =
        Cors::parse(&settings.cors_allowed_origins).expect("the settings hold origins that were read before");

    let api_app = Api::new(ApiDeps {
        catalog: store.catalog(),
        clock: clock.clone(),
        ids,
        backend: BACKEND,
        cors: cors.clone(),
        about: about::api(&bound),
    });
    let notifications_app = Notifications::new(NotificationsDeps {
        log: store.log(),
        backend: BACKEND,
        cors: cors.clone(),
        about: about::notifications(&bound),
        config: stream,
    });
    let analytics_app = Analytics::new(AnalyticsDeps {
        log: store.log(),
        store: store.event_store(),
        archive,
        clock,
        backend: BACKEND,
        cors,
        about: about::analytics(&bound),
        config: figures,
    });

    let shutdown = Shutdown::new();
    let serve = |name, listener, router, limit: &Arc<ConnectionLimit>, refusal| {
        let server = Server::new(listener, router, limit.clone(), shutdown.clone(), refusal);
        shutdown.spawn(name, server.run());
    };
    serve("api", api, api_app.router(), &shares.requests, Refusal::Problem);
    serve("notifications", notifications, notifications_app.router(), &shares.readers, Refusal::EventStream);
    serve("analytics", analytics, analytics_app.router(), &shares.requests, Refusal::Problem);
    let until = shutdown.clone();
    shutdown.spawn("event stream", async move { notifications_app.run(until).await });
    shutdown.spawn("consumers", analytics_app.run(shutdown.clone()));

    Ok(Running { shutdown, bound, store, data_dir: settings.data_dir.display().to_string() })
}

fn embedded_config(settings: &Settings) -> EmbeddedConfig {
    EmbeddedConfig {
        low_stock_threshold: Stock::new(settings.low_stock_threshold.into())
            .expect("the table bounds it to 1e9"),
        log_retention: settings.log_retention,
        recent_retention: settings.recent_events_retention,
        max_bytes: settings.data_max_bytes,
        ..EmbeddedConfig::new(&settings.data_dir)
    }
}

/// Opens the archive beside the store's files, with each object on disk before it counts.
///
/// # Errors
/// `Unreachable` when the folder cannot be used.
pub fn open_archive(store: &Embedded) -> Result<Arc<dyn ObjectStore>, Failure> {
    let folder = store.archive_dir();
    let archive = LocalFileSystem::new_with_prefix(&folder).map_err(|error| {
        Failure::Unreachable(format!("the archive in {} cannot be used: {error}", folder.display()))
    })?;
    Ok(Arc::new(archive.with_fsync(true)))
}

/// Turns a data folder that cannot be opened into a failure.
pub fn refused(error: OpenError) -> Failure {
    Failure::Unreachable(error.to_string())
}

impl Running {
    /// Returns each service with its address.
    pub fn listeners(&self) -> [(&'static str, SocketAddr); 3] {
        let Bound { api, notifications, analytics } = self.bound;
        [("api", api), ("notifications", notifications), ("analytics", analytics)]
    }

    /// Returns what is told when it is ready.
    pub fn facts(&self, ready_in: Duration) -> Facts {
        let place = |file: &str| format!("{}/{file}", self.data_dir.trim_end_matches('/'));
        let Bound { api, notifications, analytics } = self.bound;
        Facts {
            api,
            notifications,
            analytics,
            stores: vec![
                Store {
                    name: "catalog, log",
                    place: place("souk.db"),
                    holds: "products and their events (SQLite)",
                },
                Store {
                    name: "event store",
                    place: place("analytics.db"),
                    holds: "aggregates, positions (SQLite)",
                },
                Store { name: "archive", place: place("archive"), holds: "every event (Parquet)" },
            ],
            data_dir: self.data_dir.clone(),
            ready_in,
        }
    }

    /// Closes the stores, after everything that uses them has ended.
    pub async fn close(self) {
        self.store.close().await;
    }
}
