//! The component: its parts wired together, its router, its tasks.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use object_store::ObjectStore;
use parking_lot::Mutex;
use souk_http::openapi::Contract;
use souk_http::{App, Cors, Metrics, Service, Shutdown};
use souk_ports::{Clock, EventLog, EventStore};
use tokio::sync::mpsc;

use crate::aggregates::{AggregateParts, AggregateSink, Pace};
use crate::archive::{ArchiveParts, ArchiveSink, FlushRequest, Keeper, Limits};
use crate::consumer::{self, ConsumerState, RecentParts, RecentSink, progress};
use crate::health::AnalyticsHealth;
use crate::metrics::{ArchiveFigures, ConsumerFigures};
use crate::ranking::Rankings;
use crate::{AnalyticsConfig, metrics, routes};

/// How often lags are measured for metrics and health.
const OBSERVE_INTERVAL: Duration = Duration::from_secs(2);

/// Flushes that may wait to be noticed; they are noticed within milliseconds.
const FLUSH_QUEUE: usize = 64;

/// The consumers by name, in the order in which they are shown.
pub(crate) const CONSUMERS: [&str; 3] = ["recent", "aggregates", "archive"];

/// Returns what the service promises.
pub fn contract() -> Contract {
    routes::routes().into_contract()
}

/// What analytics works with.
pub struct AnalyticsDeps {
    /// The log of all events.
    pub log: Arc<dyn EventLog>,
    /// Where recent events and aggregates are kept.
    pub store: Arc<dyn EventStore>,
    /// Where the archive is kept; local files have to be opened with fsync.
    pub archive: Arc<dyn ObjectStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// `embedded` or `distributed`.
    pub backend: &'static str,
    /// Which origins may call.
    pub cors: Cors,
    /// For `GET /`.
    pub about: String,
    /// Settings, validated.
    pub config: AnalyticsConfig,
}

/// What routes and tasks share.
pub(crate) struct Shared {
    pub log: Arc<dyn EventLog>,
    pub store: Arc<dyn EventStore>,
    pub keeper: Keeper,
    pub clock: Arc<dyn Clock>,
    pub config: AnalyticsConfig,
    pub recent: Arc<ConsumerState>,
    pub aggregates: Arc<ConsumerState>,
    pub archiver: Arc<ConsumerState>,
    pub figures: ConsumerFigures,
    pub rankings: Rankings,
    /// To the archive consumer.
    pub flushes: mpsc::Sender<FlushRequest>,
}

impl Shared {
    /// Returns when files of the archive are closed.
    pub fn limits(&self) -> Limits {
        Limits {
            bytes: self.config.archive_max_bytes,
            rows: self.config.archive_max_rows,
            age: self.config.archive_max_age,
        }
    }

    /// Returns the consumers in the order in which they are shown.
    pub fn consumers(&self) -> [&Arc<ConsumerState>; 3] {
        [&self.recent, &self.aggregates, &self.archiver]
    }
}

/// The analytics service.
pub struct Analytics {
    pub(crate) shared: Arc<Shared>,
    /// Taken by `run`.
    requests: mpsc::Receiver<FlushRequest>,
    app: Mutex<Option<App>>,
}

impl Analytics {
    /// Wires the service; nothing runs yet.
    pub fn new(deps: AnalyticsDeps) -> Self {
        let AnalyticsDeps { log, store, archive, clock, backend, cors, about, config } = deps;
        let figures = ConsumerFigures::default();
        let state = |name| Arc::new(ConsumerState::new(name, &config.client_id, &figures));
        let [recent, aggregates, archiver] = CONSUMERS.map(state);
        let archive_figures = ArchiveFigures::new(clock.clone());
        let mut metrics = Metrics::new("analytics");
        metrics::register(metrics.registry(), &figures, &archive_figures);
        let (flushes, requests) = mpsc::channel(FLUSH_QUEUE);
        let keeper = Keeper {
            log: log.clone(),
            store: archive,
            clock: clock.clone(),
            figures: archive_figures.clone(),
        };
        let shared = Arc::new(Shared {
            log,
            store,
            keeper,
            clock,
            config,
            recent,
            aggregates,
            archiver,
            figures,
            rankings: Rankings::default(),
            flushes,
        });
        let health = Arc::new(AnalyticsHealth::new(shared.clone()));
        let service = Service { name: "analytics", about, backend, cors, health };
        let app = App::new(service, routes::routes().with_state(shared.clone()), metrics);
        Self { shared, requests, app: Mutex::new(Some(app)) }
    }

    /// Returns the app, to be served alone or with others.
    ///
    /// # Panics
    /// When called a second time: there is one.
    pub fn app(&self) -> App {
        self.app.lock().take().expect("the app is taken once")
    }

    /// Returns the routes, wrapped as a service.
    ///
    /// # Panics
    /// When called a second time: a router is cloned, not made again.
    pub fn router(&self) -> Router {
        self.app().router()
    }

    /// Runs the three consumers until the soft token; returns when they have stored what they had, or at the hard
    /// one.
    pub async fn run(self, shutdown: Shutdown) {
        let Self { shared, requests, .. } = self;
        let config = &shared.config;
        let log = &shared.log;
        let recent = RecentSink::new(RecentParts {
            log: log.clone(),
            store: shared.store.clone(),
            archive: shared.keeper.store.clone(),
            clock: shared.clock.clone(),
            state: shared.recent.clone(),
            commit_interval: config.commit_interval,
            retention: config.recent_retention,
        });
        let aggregates = AggregateSink::new(AggregateParts {
            log: log.clone(),
            store: shared.store.clone(),
            archive: shared.keeper.store.clone(),
            state: shared.aggregates.clone(),
            pace: Pace { interval: config.flush_interval, events: config.flush_events },
            commit_interval: config.commit_interval,
        });
        let archive = ArchiveSink::new(ArchiveParts {
            keeper: shared.keeper.clone(),
            state: shared.archiver.clone(),
            limits: shared.limits(),
            requests,
        });
        let tasks = [
            shutdown.spawn(
                "analytics recent consumer",
                consumer::run(recent, log.clone(), shared.recent.clone(), shutdown.clone()),
            ),
            shutdown.spawn(
                "analytics aggregates consumer",
                consumer::run(aggregates, log.clone(), shared.aggregates.clone(), shutdown.clone()),
            ),
            shutdown.spawn(
                "analytics archive consumer",
                consumer::run(archive, log.clone(), shared.archiver.clone(), shutdown.clone()),
            ),
            shutdown.spawn("analytics lag observer", observe(shared.clone(), shutdown.clone())),
        ];
        for task in tasks {
            // A panic has been reported by the task's wrapper.
            let _ = task.await;
        }
    }
}

/// Measures lags for metrics and health.
async fn observe(shared: Arc<Shared>, shutdown: Shutdown) {
    let mut interval = tokio::time::interval(OBSERVE_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.soft.cancelled() => return,
            _ = interval.tick() => {}
        }
        let Ok(bounds) = shared.log.bounds().await else {
            // The consumers say what is wrong with the log.
            continue;
        };
        for state in shared.consumers() {
            if let Ok(progress) = progress(&*shared.log, state, &bounds, shared.clock.now()).await {
                state.observe(progress.lag_events, progress.lag_seconds);
                shared.figures.observe(&progress);
            }
        }
    }
}
