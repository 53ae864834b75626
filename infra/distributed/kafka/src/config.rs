//! Where the log is and how to reach it.

use std::time::Duration;

use rdkafka::ClientConfig;
use souk_events::TOPIC;
use souk_ports::fault::planted;

use crate::security::{ConfigError, Security};

/// How long a call to the brokers may take before the log counts as unreachable.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest topic name that Kafka takes, and what our two suffixes need of it.
const MAX_TOPIC_LEN: usize = 249 - ".relay".len();
/// More partitions than this say that a digit slipped in; SSE ids are sized for 16.
const MAX_PARTITIONS: i32 = 1024;

/// Where the log is and how to reach it.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `KAFKA_BROKERS`: addresses, separated by commas.
    pub brokers: String,
    /// `KAFKA_CLIENT_ID`: names the client in the brokers' logs and quotas.
    pub client_id: String,
    /// `KAFKA_TOPIC`: the topic of all events.
    pub topic: String,
    /// `KAFKA_TOPIC_PARTITIONS`: used when the topic is created.
    pub partitions: i32,
    /// `KAFKA_REPLICATION_FACTOR`: used when topics are created.
    pub replication_factor: i32,
    /// TLS and SASL.
    pub security: Security,
    /// After how long of silence a group gives a member's partitions to others.
    pub session_timeout: Duration,
}

impl KafkaConfig {
    /// Names brokers and a client, the rest as it is by default.
    pub fn new(brokers: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            client_id: client_id.into(),
            topic: TOPIC.to_owned(),
            partitions: 12,
            replication_factor: 1,
            security: Security::default(),
            // The least that brokers take unless told otherwise: a member that was killed holds its partitions up
            // for as long.
            session_timeout: Duration::from_secs(6),
        }
    }

    /// Returns the topic that takes what cannot be read.
    pub fn dead_letter_topic(&self) -> String {
        format!("{}.dlq", self.topic)
    }

    /// Returns the topic that holds the relays' positions.
    pub fn progress_topic(&self) -> String {
        format!("{}.relay", self.topic)
    }

    /// Checks what can be checked without a broker.
    ///
    /// # Errors
    /// Names the setting and its value.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for address in self.brokers.split(',').map(str::trim) {
            check_address(address)?;
        }
        if self.client_id.is_empty() {
            return Err(ConfigError::new("KAFKA_CLIENT_ID", "is empty; give the client a name"));
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.topic.is_empty() || self.topic.len() > MAX_TOPIC_LEN || !self.topic.chars().all(legal) {
            let message = format!(
                "`{}` is no topic name; use 1 to {MAX_TOPIC_LEN} letters, digits, dots, dashes and underscores",
                self.topic
            );
            return Err(ConfigError::new("KAFKA_TOPIC", message));
        }
        if !(1..=MAX_PARTITIONS).contains(&self.partitions) {
            let message = format!("{} is not between 1 and {MAX_PARTITIONS}", self.partitions);
            return Err(ConfigError::new("KAFKA_TOPIC_PARTITIONS", message));
        }
        if self.replication_factor < 1 {
            let message = format!("{} is less than 1", self.replication_factor);
            return Err(ConfigError::new("KAFKA_REPLICATION_FACTOR", message));
        }
        Ok(())
    }

    /// Returns what every client has in common.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            // Topics are made on purpose: a broker that makes what it is merely asked about makes it as it likes.
            .set("allow.auto.create.topics", "false")
            .set("socket.keepalive.enable", "true")
            // What waits for an answer knows in time that none comes.
            .set("socket.timeout.ms", CALL_TIMEOUT.as_millis().to_string())
            // A broker that restarts is back in seconds; librdkafka would wait ten.
            .set("reconnect.backoff.max.ms", "1000")
            // What it asked for while no broker answered it asks for again then; by itself, after five minutes.
            .set("topic.metadata.refresh.interval.ms", "15000")
            .set("log.connection.close", "false");
        self.security.apply(&mut client);
        client
    }

    /// Returns what every reader has in common. `group` is a name that librdkafka asks for even where nothing joins.
    pub(crate) fn reader(&self, group: &str) -> ClientConfig {
        let mut client = self.client();
        client
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set(
                "isolation.level",
                if planted("uncommitted-is-read") { "read_uncommitted" } else { "read_committed" },
            )
            // A position that the log does not hold is an error with a name, never a jump.
            .set("auto.offset.reset", "error")
            // Memory: what waits in a queue of ours, and what one answer of a broker may carry (compressed).
            .set("queued.max.messages.kbytes", "4096")
            .set("queued.min.messages", "10000")
            .set("fetch.max.bytes", "1048576")
            .set("max.partition.fetch.bytes", "65536")
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.error.backoff.ms", "100");
        client
    }

    /// Returns the name that readers outside of groups carry.
    pub(crate) fn reader_group(&self) -> String {
        format!("{}-reader", self.client_id)
    }
}

fn check_address(address: &str) -> Result<(), ConfigError> {
    let refuse = |why: &str| {
        Err(ConfigError::new(
            "KAFKA_BROKERS",
            format!("`{address}` {why}; use host:port, separated by commas"),
        ))
    };
    if address.is_empty() {
        return refuse("is empty");
    }
    if address.contains("://") || address.contains('/') || address.contains(char::is_whitespace) {
        return refuse("is no host and port");
    }
    match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(()),
        Some(_) => refuse("has no port number after its colon"),
        None => refuse("has no port"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit() {
        let config = KafkaConfig::new("localhost:9092, [::1]:9093", "api-service");
        config.validate().unwrap();
        assert_eq!(config.dead_letter_topic(), souk_events::DEAD_LETTER_TOPIC);
    }

    #[test]
    fn every_mistake_names_its_setting() {
        let good = KafkaConfig::new("localhost:9092", "api-service");
        let with = |change: fn(&mut KafkaConfig)| {
            let mut config = good.clone();
            change(&mut config);
            config.validate().unwrap_err().setting
        };
        assert_eq!(with(|c| c.brokers = String::new()), "KAFKA_BROKERS");
        assert_eq!(with(|c| c.brokers = "a:1,,b:2".into()), "KAFKA_BROKERS");
        assert_eq!(with(|c| c.brokers = "kafka://a:1".into()), "KAFKA_BROKERS");
        assert_eq!(with(|c| c.brokers = "a".into()), "KAFKA_BROKERS");
        assert_eq!(with(|c| c.brokers = "a:port".into()), "KAFKA_BROKERS");
        assert_eq!(with(|c| c.client_id = String::new()), "KAFKA_CLIENT_ID");
        assert_eq!(with(|c| c.topic = "a topic".into()), "KAFKA_TOPIC");
        assert_eq!(with(|c| c.partitions = 0), "KAFKA_TOPIC_PARTITIONS");
        assert_eq!(with(|c| c.replication_factor = 0), "KAFKA_REPLICATION_FACTOR");
    }
}
