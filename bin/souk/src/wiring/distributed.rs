//! From settings to the adapters of Postgres, Kafka, DynamoDB and S3.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use souk_aws::{AwsConfig, AwsKeys};
use souk_distributed::RelayConfig;
use souk_domain::Stock;
use souk_kafka::{KafkaConfig, KafkaEventLog, Security, SecuritySettings};
use souk_postgres::{Postgres, PostgresConfig};

use crate::failure::Failure;
use crate::screen::Store;
use crate::settings::{Distributed, Role, Secret, Settings};
use crate::wiring::waiting::Obstacle;

/// How each engine is reached.
#[derive(Debug, Clone)]
pub struct Config {
    /// Only who works with the catalog has it.
    pub postgres: Option<PostgresConfig>,
    /// Without a client id of its own: see [`Config::kafka_as`].
    pub kafka: KafkaConfig,
    pub aws: AwsConfig,
    pub relay: RelayConfig,
    client_ids: ClientIds,
}

/// Under which names the services of this process are known to Kafka.
#[derive(Debug, Clone)]
struct ClientIds {
    api: String,
    notifications: String,
    analytics: String,
}

impl Distributed {
    /// Returns the name that analytics' consumer groups begin with.
    pub fn analytics_client_id(&self, role: Role) -> &str {
        match (role, &self.kafka.client_id) {
            (Role::Analytics, Some(own)) => own,
            _ => &self.kafka.analytics_client_id,
        }
    }
}

impl Config {
    /// Takes the settings over.
    ///
    /// # Errors
    /// `Usage` naming the setting that an adapter does not take.
    pub fn of(settings: &Settings, engines: &Distributed) -> Result<Self, Failure> {
        let Distributed { database, kafka: of, aws } = engines;
        let postgres = database.as_ref().map(|database| {
            let mut config = PostgresConfig::parse(database.url.expose())
                .map_err(|why| Failure::Usage(format!("DATABASE_URL {why}")))?;
            config.low_stock_threshold =
                Stock::new(settings.low_stock_threshold.into()).expect("the table bounds it to 1e9");
            config.committers = database.committers;
            config.application_name = format!("souk {}", settings.role.name());
            Ok::<_, Failure>(config)
        });
        let own = |default: &str| of.client_id.clone().unwrap_or_else(|| default.to_owned());
        let client_ids = ClientIds {
            api: own("api-service"),
            notifications: own("notifications-service"),
            analytics: engines.analytics_client_id(settings.role).to_owned(),
        };
        let logs_in = of.security_protocol.starts_with("SASL_");
        let mut kafka = KafkaConfig::new(&of.brokers, &client_ids.api);
        of.topic.clone_into(&mut kafka.topic);
        kafka.partitions = of.partitions;
        kafka.replication_factor = of.replication_factor;
        kafka.security = Security::from_settings(SecuritySettings {
            protocol: Some(&of.security_protocol),
            mechanism: logs_in.then_some(&*of.sasl_mechanism),
            username: of.sasl_username.as_deref(),
            password: of.sasl_password.as_ref().map(|password| password.expose()),
            ca_file: of.ca_file.as_deref().map(Path::new),
        })
        .map_err(|error| Failure::Usage(error.to_string()))?;
        kafka.validate().map_err(|error| Failure::Usage(error.to_string()))?;
        let keys = |pair: &Option<(String, Secret)>, token: Option<&Secret>| {
            let plain = |secret: &Secret| secret.expose().to_owned();
            pair.as_ref().map(|(id, secret)| AwsKeys {
                id: id.clone(),
                secret: plain(secret),
                token: token.map(plain),
            })
        };
        Ok(Self {
            postgres: postgres.transpose()?,
            kafka,
            aws: AwsConfig {
                region: aws.region.clone(),
                dynamo_endpoint: aws.dynamo_endpoint.clone(),
                keys: keys(&aws.dynamo_key, aws.dynamo_token.as_ref()),
                s3_endpoint: aws.s3_endpoint.clone(),
                s3_keys: keys(&aws.s3_key, None),
                recent_table: aws.recent_events_table.clone(),
                aggregates_table: aws.aggregates_table.clone(),
                bucket: aws.bucket.clone(),
                recent_retention: settings.recent_events_retention,
                ..AwsConfig::default()
            },
            relay: RelayConfig { accept: of.relay_accept.clone(), ..RelayConfig::new(&of.transactional_id) },
            client_ids,
        })
    }

    /// Returns how the api, and its relay, reach Kafka.
    pub fn kafka_of_api(&self) -> KafkaConfig {
        self.kafka_as(&self.client_ids.api)
    }

    /// Returns how notifications reaches Kafka.
    pub fn kafka_of_notifications(&self) -> KafkaConfig {
        self.kafka_as(&self.client_ids.notifications)
    }

    /// Returns how analytics, and who looks at its groups, reach Kafka.
    pub fn kafka_of_analytics(&self) -> KafkaConfig {
        self.kafka_as(&self.client_ids.analytics)
    }

    fn kafka_as(&self, client_id: &str) -> KafkaConfig {
        KafkaConfig { client_id: client_id.to_owned(), ..self.kafka.clone() }
    }

    /// Returns which server holds what, of those that `role` works with.
    pub fn stores(&self, role: Role) -> Vec<Store> {
        let mut stores = Vec::new();
        if let Some(postgres) = &self.postgres
            && matches!(role, Role::Up | Role::Monolith | Role::Api)
        {
            let place = postgres.address();
            stores.push(Store { name: "catalog", place, holds: "products (Postgres)" });
        }
        let place = format!("{} at {}", self.kafka.topic, self.kafka.brokers);
        stores.push(Store { name: "event log", place, holds: "events (Kafka)" });
        if matches!(role, Role::Up | Role::Monolith | Role::Analytics) {
            let at = |endpoint: &Option<String>| endpoint.clone().unwrap_or_else(|| "AWS".to_owned());
            let AwsConfig { recent_table, aggregates_table, bucket, dynamo_endpoint, s3_endpoint, .. } =
                &self.aws;
            let place = format!("{recent_table}, {aggregates_table} at {}", at(dynamo_endpoint));
            stores.push(Store { name: "event store", place, holds: "DynamoDB" });
            let place = format!("{bucket} at {}", at(s3_endpoint));
            stores.push(Store { name: "archive", place, holds: "every event (Parquet)" });
        }
        stores
    }
}

/// What was connected and has to be closed last; clones are the same.
#[derive(Clone, Default)]
pub struct Connected(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    postgres: Option<Postgres>,
    logs: Vec<Arc<KafkaEventLog>>,
}

/// How long members of groups may take to leave; brokers that are away would keep us for ever.
const LEAVING: Duration = Duration::from_secs(3);

impl Connected {
    pub fn hold_postgres(&self, postgres: Postgres) {
        self.0.lock().postgres = Some(postgres);
    }

    pub fn hold_log(&self, log: Arc<KafkaEventLog>) {
        self.0.lock().logs.push(log);
    }

    /// Closes what was connected.
    pub async fn close(self) {
        let Held { postgres, logs } = std::mem::take(&mut *self.0.lock());
        if let Some(postgres) = postgres {
            postgres.close().await;
        }
        for log in logs {
            log.close(LEAVING).await;
        }
    }
}

macro_rules! obstacles {
    ($($error:path),*) => {$(
        impl From<$error> for Obstacle {
            fn from(error: $error) -> Self {
                use $error as Error;
                match error {
                    Error::Unreachable(text) => Self::Passing(text),
                    Error::Refused(text) => Self::Lasting(text),
                }
            }
        }
    )*};
}

obstacles!(souk_postgres::ConnectError, souk_kafka::ConnectError, souk_aws::ConnectError);
