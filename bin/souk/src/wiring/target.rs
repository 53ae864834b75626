//! The catalog that a migration writes to, by itself: no services are started.

use std::sync::Arc;

use souk_embedded::{Embedded, OpenError};
use souk_kafka::{KafkaEventLog, ensure_topics};
use souk_ports::{Catalog, EventLog, RandomIds, SystemClock};
use souk_postgres::Postgres;

use crate::failure::Failure;
use crate::settings::Settings;
use crate::wiring::distributed::Config;
use crate::wiring::embedded;
use crate::wiring::waiting::Obstacle;

/// An installation's catalog, with what tells the installation from others.
pub struct Target {
    pub catalog: Arc<dyn Catalog>,
    pub log: Arc<dyn EventLog>,
    /// The identity of its log.
    pub identity: String,
    held: Held,
}

enum Held {
    Embedded(Embedded),
    Postgres(Postgres),
}

impl Target {
    /// Returns where it is, for people.
    pub fn place(settings: &Settings) -> String {
        match &settings.distributed {
            None => settings.data_dir.display().to_string(),
            Some(engines) => Config::of(settings, engines)
                .ok()
                .and_then(|config| config.postgres.map(|database| database.address()))
                .unwrap_or_default(),
        }
    }

    /// Opens it to be read, beside a running souk.
    ///
    /// # Errors
    /// `Unreachable` with what is not there and the remedy.
    pub async fn open(settings: &Settings) -> Result<Self, Failure> {
        match &settings.distributed {
            None => {
                let retention = settings.recent_events_retention;
                let store = Embedded::open_read_only(&settings.data_dir, retention, Arc::new(SystemClock));
                Ok(Self::embedded(store.map_err(embedded::refused)?))
            }
            Some(engines) => Self::distributed(Config::of(settings, engines)?, false).await,
        }
    }

    /// Opens it to be written: Postgres beside whoever else writes there; a folder, made when absent, by itself, or through
    /// the door of the souk that has it open.
    ///
    /// # Errors
    /// `Unreachable` as [`Target::open`].
    pub async fn open_to_write(settings: &Settings) -> Result<Self, Failure> {
        match &settings.distributed {
            None => {
                let config = embedded::config(settings);
                let store = Embedded::open(&config, Arc::new(SystemClock), Arc::new(RandomIds));
                let store = match store {
                    Err(in_use @ OpenError::InUse { .. }) => {
                        let retention = settings.recent_events_retention;
                        let beside =
                            Embedded::open_beside(&settings.data_dir, retention, Arc::new(SystemClock));
                        beside.and_then(|beside| beside.ok_or(in_use))
                    }
                    store => store,
                };
                Ok(Self::embedded(store.map_err(embedded::refused)?))
            }
            Some(engines) => Self::distributed(Config::of(settings, engines)?, true).await,
        }
    }

    fn embedded(store: Embedded) -> Self {
        let (catalog, log) = (store.catalog(), store.log());
        Self { catalog, identity: log.identity().to_string(), log, held: Held::Embedded(store) }
    }

    async fn distributed(config: Config, write: bool) -> Result<Self, Failure> {
        let database = config.postgres.clone().expect("the settings name a database, or are embedded");
        let clock = Arc::new(SystemClock);
        let postgres = async {
            Ok::<_, Obstacle>(if write {
                Postgres::connect(database, clock, Arc::new(RandomIds)).await?
            } else {
                Postgres::read_only(database, clock).await?
            })
        };
        // Events wait in Postgres for the relay of a running api; Kafka only says which log they will be in.
        let log = async {
            if write {
                // Who writes before any api was there is the first whose events go there.
                ensure_topics(&config.kafka_of_api()).await?;
            }
            Ok::<_, Obstacle>(KafkaEventLog::connect(config.kafka_of_analytics()).await?)
        };
        let (postgres, log) = tokio::try_join!(postgres, log)?;
        Ok(Self {
            catalog: postgres.catalog(),
            identity: log.identity().to_string(),
            log: Arc::new(log),
            held: Held::Postgres(postgres),
        })
    }

    /// Closes it.
    pub async fn close(self) {
        drop((self.catalog, self.log));
        match self.held {
            Held::Embedded(store) => store.close().await,
            Held::Postgres(postgres) => postgres.close().await,
        }
    }
}
