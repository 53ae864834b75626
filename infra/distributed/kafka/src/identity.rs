//! The log's identity: the cluster's id and the topic's, so that a topic that is deleted and created anew never
//! passes for the one before.

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use sha2::{Digest, Sha256};
use souk_events::LogId;

use crate::native;

/// What the brokers said that the log is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    topic: String,
    topic_id: Option<[u8; 16]>,
    log: LogId,
}

impl Identity {
    /// Asks the brokers for the identity of the log that `topic` is. Blocks.
    ///
    /// Where brokers give topics no id, the topic's name stands for it, and a topic made anew is not noticed, which is
    /// said in the log.
    pub fn find<C: ClientContext>(
        client: &Client<C>,
        topic: &str,
        timeout: Duration,
    ) -> Result<Self, KafkaError> {
        let topic_id = native::describe_topic(client.native_client(), topic, timeout)?.id;
        if topic_id.is_none() {
            tracing::warn!(messaging.destination.name = topic, "{}", unnoticed(topic));
        }
        // Asked once in a client's life: rdkafka forgets to free the answer.
        let cluster = client
            .fetch_cluster_id(timeout)
            .ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut))?;
        Ok(Self { topic: topic.to_owned(), topic_id, log: log_id(&cluster, topic, topic_id) })
    }

    /// Returns the log's identity.
    pub fn log(&self) -> LogId {
        self.log
    }

    /// Asks how many partitions the topic has; `None` when it is another one by now. Blocks.
    pub fn partitions<C: ClientContext>(
        &self,
        client: &Client<C>,
        timeout: Duration,
    ) -> Result<Option<usize>, KafkaError> {
        let described = native::describe_topic(client.native_client(), &self.topic, timeout)?;
        Ok((described.id == self.topic_id).then_some(described.partitions))
    }

    /// Says that the topic is another one now.
    pub fn recreated(&self) -> String {
        format!(
            "topic {} was deleted and created anew: its records are others than those that positions were kept \
             for; restart the services to begin a new log, or put the old topic back",
            self.topic
        )
    }
}

/// Says what nobody would notice of a topic that has no id.
pub(crate) fn unnoticed(topic: &str) -> String {
    format!(
        "the brokers give topic {topic} no id: one that is deleted and created anew passes for it, and events in it are \
         skipped up to the old positions; never delete it while anybody has positions in it, or use brokers that give \
         topics ids, as Apache Kafka does since 2.8"
    )
}

fn log_id(cluster: &str, topic: &str, id: Option<[u8; 16]>) -> LogId {
    let mut hash = Sha256::new();
    hash.update(b"souk log 1\0");
    hash.update(cluster.as_bytes());
    hash.update(b"\0");
    match id {
        Some(id) => hash.update(id),
        None => hash.update(topic.as_bytes()),
    }
    let digest = hash.finalize();
    LogId(u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_and_topic_make_the_identity() {
        let (one, two) = (Some([1; 16]), Some([2; 16]));
        assert_eq!(log_id("a", "t", one), log_id("a", "renamed", one));
        assert_ne!(log_id("a", "t", one), log_id("a", "t", two));
        assert_ne!(log_id("a", "t", one), log_id("b", "t", one));
        assert_ne!(log_id("a", "t", None), log_id("a", "u", None));
    }
}
