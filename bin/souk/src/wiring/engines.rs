//! The stores themselves, for commands that look at them beside running services.

use std::sync::Arc;

use object_store::ObjectStore;
use souk_aws::DynamoEventStore;
use souk_embedded::Embedded;
use souk_kafka::KafkaEventLog;
use souk_ports::{Catalog, EventLog, EventStore, RandomIds, SystemClock};
use souk_postgres::Postgres;

use crate::failure::Failure;
use crate::settings::Settings;
use crate::wiring::distributed::Config;
use crate::wiring::embedded;
use crate::wiring::waiting::Obstacle;

/// Every store of an installation, as it is: nothing is created.
pub struct Engines {
    pub catalog: Arc<dyn Catalog>,
    pub log: Arc<dyn EventLog>,
    pub store: Arc<dyn EventStore>,
    pub archive: Arc<dyn ObjectStore>,
    /// What analytics' consumer groups begin with.
    pub client_id: String,
    /// Where all this is, for people.
    pub place: String,
    held: Held,
}

enum Held {
    Embedded(Embedded),
    Postgres(Postgres),
}

impl Engines {
    /// Opens the installation that the settings name, with one attempt each.
    ///
    /// # Errors
    /// `Unreachable` with what is not there and the remedy.
    pub async fn open(settings: &Settings) -> Result<Self, Failure> {
        match &settings.distributed {
            None => Self::of_folder(settings),
            Some(engines) => Self::over(Config::of(settings, engines)?, false).await,
        }
    }

    /// Opens the folder that the settings name, whatever else they name, to be read.
    ///
    /// # Errors
    /// `Unreachable` as [`Engines::open`].
    pub fn of_folder(settings: &Settings) -> Result<Self, Failure> {
        let (folder, retention) = (&settings.data_dir, settings.recent_events_retention);
        let store = Embedded::open_read_only(folder, retention, Arc::new(SystemClock));
        Self::embedded(settings, store.map_err(embedded::refused)?)
    }

    /// Opens the installation to put figures right; of a folder, its lock is taken, so that nobody else writes.
    ///
    /// # Errors
    /// `Unreachable` as [`Engines::open`], and when somebody writes there.
    pub async fn open_to_repair(settings: &Settings) -> Result<Self, Failure> {
        if settings.distributed.is_some() || !settings.data_dir.join("souk.db").is_file() {
            return Self::open(settings).await;
        }
        let config = embedded::config(settings);
        let store = Embedded::open(&config, Arc::new(SystemClock), Arc::new(RandomIds));
        Self::embedded(settings, store.map_err(embedded::refused)?)
    }

    /// Hands out the stores of a folder that is open.
    ///
    /// # Errors
    /// `Unreachable` when the archive's folder cannot be used.
    pub fn embedded(settings: &Settings, store: Embedded) -> Result<Self, Failure> {
        Ok(Self {
            catalog: store.catalog(),
            log: store.log(),
            store: store.event_store(),
            archive: embedded::open_archive(&store)?,
            client_id: souk_analytics::AnalyticsConfig::default().client_id,
            place: settings.data_dir.display().to_string(),
            held: Held::Embedded(store),
        })
    }

    /// Opens the servers, to be read.
    ///
    /// # Errors
    /// `Unreachable` as [`Engines::open`].
    pub async fn of_servers(config: Config) -> Result<Self, Failure> {
        Self::over(config, false).await
    }

    /// Opens the servers for consumers to work there: tables and bucket are made when absent.
    ///
    /// # Errors
    /// `Unreachable` as [`Engines::open`].
    pub async fn of_servers_to_work(config: Config) -> Result<Self, Failure> {
        Self::over(config, true).await
    }

    async fn over(config: Config, make: bool) -> Result<Self, Failure> {
        let database = config.postgres.clone().expect("the settings name a database, or are embedded");
        let place = database.address();
        let kafka = config.kafka_of_analytics();
        let client_id = kafka.client_id.clone();
        let clock = Arc::new(SystemClock);
        let postgres = async { Ok::<_, Obstacle>(Postgres::read_only(database, clock.clone()).await?) };
        let log = async { Ok::<_, Obstacle>(KafkaEventLog::connect(kafka).await?) };
        let (aws, clock) = (&config.aws, clock.clone());
        let store = async {
            Ok::<_, Obstacle>(match make {
                true => DynamoEventStore::connect(aws, clock).await?,
                false => DynamoEventStore::existing(aws, clock).await?,
            })
        };
        let archive = async {
            Ok::<_, Obstacle>(match make {
                true => souk_aws::archive(aws).await?,
                false => souk_aws::existing_archive(aws).await?,
            })
        };
        let (postgres, log, store, archive) = tokio::try_join!(postgres, log, store, archive)?;
        Ok(Self {
            catalog: postgres.catalog(),
            log: Arc::new(log),
            store: Arc::new(store),
            archive,
            client_id,
            place,
            held: Held::Postgres(postgres),
        })
    }

    /// Closes what was opened.
    pub async fn close(self) {
        match self.held {
            Held::Embedded(store) => store.close().await,
            Held::Postgres(postgres) => postgres.close().await,
        }
    }
}
