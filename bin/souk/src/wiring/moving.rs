//! The two sides of a shop that moves: one is the folder, the other the servers, both named by the same settings.

use std::sync::Arc;
use std::time::Duration;

use souk_analytics::{Analytics, AnalyticsConfig, AnalyticsDeps};
use souk_audit::AuditConfig;
use souk_distributed::{DistributedMoveSource, DistributedMoveTarget};
use souk_embedded::{Embedded, EmbeddedConfig, EmbeddedMoveSource, EmbeddedMoveTarget};
use souk_http::Cors;
use souk_move::Departure;
use souk_ports::{ErrorKind, Holds, MoveSource, MoveTarget, PortError, RandomIds, SystemClock};

use crate::cli::Backend;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::wiring::Engines;
use crate::wiring::distributed::Config;
use crate::wiring::embedded;

/// Nothing leaves the target's log while its consumers work through it for the first time, however old it is.
const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// One side.
pub struct Side<'a> {
    settings: &'a Settings,
    backend: Backend,
}

impl<'a> Side<'a> {
    /// Returns where the shop comes from and where it goes.
    pub fn both(settings: &'a Settings, to: Backend) -> (Self, Self) {
        let from = match to {
            Backend::Embedded => Backend::Distributed,
            Backend::Distributed => Backend::Embedded,
        };
        (Self { settings, backend: from }, Self { settings, backend: to })
    }

    fn servers(&self) -> Result<Config, Failure> {
        let engines = self.settings.distributed.as_ref();
        Config::of(self.settings, engines.expect("the settings of a move name the servers"))
    }

    /// Returns where it is, for people.
    pub fn place(&self) -> Result<String, Failure> {
        Ok(match self.backend {
            Backend::Embedded => self.settings.data_dir.display().to_string(),
            Backend::Distributed => {
                let config = self.servers()?;
                let database = config.postgres.as_ref().expect("the settings of a move name a database");
                format!("{}, topic {} at {}", database.address(), config.kafka.topic, config.kafka.brokers)
            }
        })
    }

    /// Takes the side's lock, so that nobody writes there, and opens its stores to be read.
    ///
    /// # Errors
    /// `Unreachable` naming who is at work there, or what is not there.
    pub async fn leave(&self) -> Result<(Engines, Departure), Failure> {
        let (engines, source): (_, Arc<dyn MoveSource>) = match self.backend {
            Backend::Embedded => {
                let source = EmbeddedMoveSource::open(&self.settings.data_dir).map_err(embedded::refused)?;
                (Engines::of_folder(self.settings)?, Arc::new(source))
            }
            Backend::Distributed => {
                let config = self.servers()?;
                let engines = Engines::of_servers(config.clone()).await?;
                let groups = ["recent", "aggregates", "archive"];
                let groups = groups.map(|name| format!("{}-{name}", engines.client_id)).to_vec();
                let database = config.postgres.as_ref().expect("the settings of a move name a database");
                let id = &config.relay.transactional_id;
                let source = DistributedMoveSource::open(database, config.kafka_of_api(), id, groups).await;
                (engines, Arc::new(source.map_err(unreachable)?))
            }
        };
        let departure = Departure {
            place: self.place()?,
            catalog: engines.catalog.clone(),
            log: engines.log.clone(),
            archive: engines.archive.clone(),
            source,
            clock: Arc::new(SystemClock),
        };
        Ok((engines, departure))
    }

    /// Tells what the side holds, changing nothing.
    ///
    /// # Errors
    /// `Unreachable` when it cannot be looked at.
    pub async fn look(&self) -> Result<Holds, Failure> {
        match self.backend {
            Backend::Embedded => EmbeddedMoveTarget::look(&self.settings.data_dir).map_err(embedded::refused),
            Backend::Distributed => {
                let config = self.servers()?;
                let database = config.postgres.as_ref().expect("the settings of a move name a database");
                DistributedMoveTarget::look(database).await.map_err(unreachable)
            }
        }
    }

    /// Opens the side to take a shop in; nobody else writes there then.
    ///
    /// # Errors
    /// `Unreachable` naming who is at work there, or what cannot be used.
    pub async fn arrive(&self) -> Result<Box<dyn MoveTarget>, Failure> {
        Ok(match self.backend {
            Backend::Embedded => {
                let target = EmbeddedMoveTarget::open(&embedded::config(self.settings), &RandomIds);
                Box::new(target.map_err(embedded::refused)?)
            }
            Backend::Distributed => {
                let config = self.servers()?;
                let database = config.postgres.as_ref().expect("the settings of a move name a database");
                let id = &config.relay.transactional_id;
                let target = DistributedMoveTarget::open(database, config.kafka_of_api(), id).await;
                Box::new(target.map_err(unreachable)?)
            }
        })
    }

    /// Tells whether the stores can be open while a shop is being taken in: then what is not there is noticed before
    /// anything moves.
    pub fn opens_beside(&self) -> bool {
        matches!(self.backend, Backend::Distributed)
    }

    /// Opens the stores for consumers to work there.
    ///
    /// # Errors
    /// `Unreachable` when one cannot be used.
    pub async fn work(&self) -> Result<Engines, Failure> {
        match self.backend {
            Backend::Embedded => {
                let config =
                    EmbeddedConfig { moving: true, log_retention: NEVER, ..embedded::config(self.settings) };
                let store = Embedded::open(&config, Arc::new(SystemClock), Arc::new(RandomIds));
                Engines::embedded(self.settings, store.map_err(embedded::refused)?)
            }
            Backend::Distributed => Engines::of_servers_to_work(self.servers()?).await,
        }
    }

    /// Returns analytics over the stores.
    pub fn analytics(&self, engines: &Engines) -> Analytics {
        let (backend, config) = match self.backend {
            Backend::Embedded => ("embedded", AnalyticsConfig::default()),
            Backend::Distributed => ("distributed", AnalyticsConfig::distributed()),
        };
        Analytics::new(AnalyticsDeps {
            log: engines.log.clone(),
            store: engines.store.clone(),
            archive: engines.archive.clone(),
            clock: Arc::new(SystemClock),
            backend,
            cors: Cors::any(),
            about: String::new(),
            config: AnalyticsConfig {
                client_id: engines.client_id.clone(),
                recent_retention: self.settings.recent_events_retention,
                ..config
            },
        })
    }

    /// Returns how an audit of the stores works.
    pub fn audit(&self, engines: &Engines) -> AuditConfig {
        AuditConfig {
            client_id: engines.client_id.clone(),
            recent_retention: self.settings.recent_events_retention,
            recent_of_the_log: matches!(self.backend, Backend::Embedded),
            ..AuditConfig::default()
        }
    }
}

fn unreachable(error: PortError) -> Failure {
    match error.kind() {
        // Settings and stores that contradict each other.
        ErrorKind::InvalidData => Failure::Usage(error.to_string()),
        _ => Failure::Unreachable(error.to_string()),
    }
}
