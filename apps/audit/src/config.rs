//! How an audit works.

use std::time::Duration;

use souk_domain::Timestamp;

/// Which part of an installation is looked at, and with how much memory.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// Prefix of the consumer groups' names.
    pub client_id: String,
    /// How long recent events are kept.
    pub recent_retention: Duration,
    /// Whether the recent events are the log's own, so that what left the log left them too.
    pub recent_of_the_log: bool,
    /// Only events that the log took in at or after.
    pub since: Option<Timestamp>,
    /// Bytes that are kept in memory before more goes to temporary files; buffers and pages come on top of it, some
    /// 20 MB.
    pub memory: usize,
    /// How long the log may stand still while rows are ahead of it, before their events count as missing.
    pub standstill: Duration,
}

impl Default for AuditConfig {
    /// All events, seven days of recent ones; 32 MiB, with which a million events fit into few files. A log that stands
    /// still is waited for longer than a dead relay's lease (10 s) with what its successor does first, and than Kafka's
    /// brokers take to elect another leader: only audits that find the log behind wait at all.
    fn default() -> Self {
        Self {
            client_id: "analytics-service".to_owned(),
            recent_retention: Duration::from_secs(7 * 86_400),
            recent_of_the_log: false,
            since: None,
            memory: 32 << 20,
            standstill: Duration::from_secs(15),
        }
    }
}

impl AuditConfig {
    /// Returns the name of a consumer's group.
    pub(crate) fn group(&self, consumer: &str) -> String {
        format!("{}-{consumer}", self.client_id)
    }
}
