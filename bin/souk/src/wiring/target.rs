//! The catalog that a migration writes to, by itself: no services are started.

use std::sync::Arc;

use souk_embedded::Embedded;
use souk_kafka::KafkaEventLog;
use souk_ports::{Catalog, EventLog as _, RandomIds, SystemClock};
use souk_postgres::Postgres;

use crate::failure::Failure;
use crate::settings::Settings;
use crate::wiring::distributed::Config;
use crate::wiring::embedded;
use crate::wiring::waiting::Obstacle;

/// An installation's catalog, with what tells the installation from others.
pub struct Target {
    pub catalog: Arc<dyn Catalog>,
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

    /// Opens it to be written: a folder, made when absent, wants nobody else to write there; Postgres does not mind.
    ///
    /// # Errors
    /// `Unreachable` as [`Target::open`].
    pub async fn open_to_write(settings: &Settings) -> Result<Self, Failure> {
        match &settings.distributed {
            None => {
                let config = embedded::config(settings);
                let store = Embedded::open(&config, Arc::new(SystemClock), Arc::new(RandomIds));
                Ok(Self::embedded(store.map_err(embedded::refused)?))
            }
            Some(engines) => Self::distributed(Config::of(settings, engines)?, true).await,
        }
    }

    fn embedded(store: Embedded) -> Self {
        let identity = store.log().identity().to_string();
        Self { catalog: store.catalog(), identity, held: Held::Embedded(store) }
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
        let log = async { Ok::<_, Obstacle>(KafkaEventLog::connect(config.kafka_of_analytics()).await?) };
        let (postgres, log) = tokio::try_join!(postgres, log)?;
        Ok(Self {
            catalog: postgres.catalog(),
            identity: log.identity().to_string(),
            held: Held::Postgres(postgres),
        })
    }

    /// Closes it.
    pub async fn close(self) {
        drop(self.catalog);
        match self.held {
            Held::Embedded(store) => store.close().await,
            Held::Postgres(postgres) => postgres.close().await,
        }
    }
}
