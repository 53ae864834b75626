//! What librdkafka calls back for a group's member.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use souk_ports::fault;

use crate::context::{self, Trouble};

/// A rebalance that librdkafka waits for an answer to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rebalance {
    Assign(Vec<i32>),
    Revoke(Vec<i32>),
    /// The group has given them to others already.
    Lose(Vec<i32>),
}

/// The consumer's context: queues rebalances for the loop.
#[derive(Debug, Clone, Default)]
pub(super) struct GroupContext {
    pub trouble: Trouble,
    pub rebalances: Arc<Mutex<VecDeque<Rebalance>>>,
    /// The member leaves: nobody waits for its partitions to be handed over.
    pub leaving: Arc<OnceLock<()>>,
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        context::log(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        context::note(&self.trouble, &error, reason);
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigns = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.leaving.get().is_some() && !fault::planted("leaves-without-an-answer") {
            // librdkafka does not leave before it has an answer; while it leaves, either is taken as giving up.
            drop(if assigns {
                consumer.incremental_assign(list)
            } else {
                consumer.incremental_unassign(list)
            });
            return;
        }
        let partitions = list.elements().iter().map(|element| element.partition()).collect();
        let rebalance = if assigns {
            Rebalance::Assign(partitions)
        } else if consumer.assignment_lost() {
            Rebalance::Lose(partitions)
        } else {
            Rebalance::Revoke(partitions)
        };
        self.rebalances.lock().push_back(rebalance);
    }
}
