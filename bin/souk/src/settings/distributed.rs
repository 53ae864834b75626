//! The settings of the distributed engines, in their types.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::settings::resolve::Resolved;
use crate::settings::secret::Secret;
use crate::settings::value::Value;

/// Where the distributed engines are and how to log in.
#[derive(Debug, Clone)]
pub struct Distributed {
    /// Only who works with the catalog has one.
    pub database: Option<Database>,
    pub kafka: Kafka,
    pub aws: Aws,
}

/// Postgres.
#[derive(Debug, Clone)]
pub struct Database {
    pub url: Secret,
    pub committers: usize,
}

/// Kafka.
#[derive(Debug, Clone)]
pub struct Kafka {
    pub brokers: String,
    /// Of a service that runs on its own.
    pub client_id: Option<String>,
    /// Of analytics, for who works with several services.
    pub analytics_client_id: String,
    pub transactional_id: String,
    /// The word by which an operator accepts that database and log do not fit.
    pub relay_accept: Option<String>,
    pub topic: String,
    pub partitions: i32,
    pub replication_factor: i32,
    pub security_protocol: String,
    pub sasl_mechanism: String,
    pub sasl_username: Option<String>,
    pub sasl_password: Option<Secret>,
    pub ca_file: Option<PathBuf>,
}

/// DynamoDB and S3.
#[derive(Debug, Clone)]
pub struct Aws {
    pub dynamo_endpoint: Option<String>,
    pub region: Option<String>,
    /// Key and secret; without them, as the SDK finds them.
    pub dynamo_key: Option<(String, Secret)>,
    /// What keys that expire come with.
    pub dynamo_token: Option<Secret>,
    pub recent_events_table: String,
    pub aggregates_table: String,
    pub s3_endpoint: Option<String>,
    pub s3_key: Option<(String, Secret)>,
    pub bucket: String,
}

impl Distributed {
    /// Puts checked settings into their types.
    pub fn of(resolved: &BTreeMap<&'static str, Resolved>) -> Self {
        let value = |name: &str| resolved[name].value.clone();
        let text = |name: &str| match value(name) {
            Some(Value::Text(text)) => Some(text),
            None => None,
            other => unreachable!("the table makes {name} a text, not {other:?}"),
        };
        let secret = |name: &str| match value(name) {
            Some(Value::Secret(secret)) => Some(secret),
            None => None,
            other => unreachable!("the table makes {name} a secret, not {other:?}"),
        };
        let number = |name: &str| match value(name) {
            Some(Value::Number(number)) => i32::try_from(number).expect("the table bounds it"),
            other => unreachable!("the table makes {name} a number, not {other:?}"),
        };
        let given = |name: &str| text(name).unwrap_or_default();
        Self {
            database: secret("DATABASE_URL").map(|url| Database {
                url,
                committers: usize::try_from(number("DATABASE_COMMITTERS"))
                    .expect("the table bounds it to 1..=4"),
            }),
            kafka: Kafka {
                brokers: given("KAFKA_BROKERS"),
                client_id: text("KAFKA_CLIENT_ID"),
                analytics_client_id: given("ANALYTICS_CLIENT_ID"),
                transactional_id: given("KAFKA_TRANSACTIONAL_ID"),
                relay_accept: text("RELAY_ACCEPT"),
                topic: given("KAFKA_TOPIC"),
                partitions: number("KAFKA_TOPIC_PARTITIONS"),
                replication_factor: number("KAFKA_REPLICATION_FACTOR"),
                security_protocol: given("KAFKA_SECURITY_PROTOCOL"),
                sasl_mechanism: given("KAFKA_SASL_MECHANISM"),
                sasl_username: text("KAFKA_SASL_USERNAME"),
                sasl_password: secret("KAFKA_SASL_PASSWORD"),
                ca_file: text("KAFKA_CA_FILE").map(PathBuf::from),
            },
            aws: Aws {
                dynamo_endpoint: text("DYNAMO_ENDPOINT"),
                region: text("AWS_REGION"),
                dynamo_key: text("AWS_ACCESS_KEY_ID").zip(secret("AWS_SECRET_ACCESS_KEY")),
                dynamo_token: secret("AWS_SESSION_TOKEN"),
                recent_events_table: given("RECENT_EVENTS_TABLE_NAME"),
                aggregates_table: given("AGGREGATES_TABLE_NAME"),
                s3_endpoint: text("MINIO_ENDPOINT"),
                s3_key: text("MINIO_ACCESS_KEY").zip(secret("MINIO_SECRET_KEY")),
                bucket: given("ARCHIVE_BUCKET_NAME"),
            },
        }
    }
}
