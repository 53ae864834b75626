//! Two members: partitions change hands with nothing lost and nothing done twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use souk_kafka::{KafkaConfig, KafkaEventLog};
use souk_ports::{Delivery, EventLog, Partition};
use tokio::task::JoinHandle;

use crate::support::{DEADLINE, Topic, assigned, eventually, failure, number, publish};

const PARTITIONS: i32 = 6;

/// How often each event was done by all members together.
type Done = Arc<Mutex<BTreeMap<u32, u32>>>;

struct Worker {
    stop: Arc<AtomicBool>,
    owned: Arc<Mutex<BTreeSet<Partition>>>,
    handed_over: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// Does what it is given and commits only when it has to, as a sink that collects would.
fn work(log: Arc<dyn EventLog>, group: String, done: Done) -> Worker {
    let (stop, handed_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let owned = Arc::new(Mutex::new(BTreeSet::new()));
    let worker = (stop.clone(), owned.clone(), handed_over.clone());
    let task = tokio::spawn(async move {
        let (stop, owned, handed_over) = worker;
        let mut consumer = log.consumer(&group).await.unwrap();
        let mut pending = BTreeMap::new();
        while !stop.load(Ordering::SeqCst) {
            match consumer.next(Duration::from_millis(100)).await.unwrap() {
                Delivery::Assigned(partitions) => {
                    owned.lock().extend(partitions.iter().map(|(partition, _)| *partition))
                }
                Delivery::Revoking(partitions) => {
                    for partition in partitions {
                        if let Some(next) = pending.remove(&partition) {
                            consumer.commit(partition, next).await.unwrap();
                        }
                        owned.lock().remove(&partition);
                    }
                    handed_over.store(true, Ordering::SeqCst);
                }
                Delivery::Records(records) => {
                    for record in records {
                        assert!(owned.lock().contains(&record.partition), "a record of another's partition");
                        *done.lock().entry(number(&record)).or_default() += 1;
                        pending.insert(record.partition, record.offset + 1);
                    }
                }
                Delivery::Idle => {}
            }
        }
        for (partition, next) in pending {
            consumer.commit(partition, next).await.unwrap();
        }
    });
    Worker { stop, owned, handed_over, task }
}

impl Worker {
    async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_and_go_and_each_event_is_done_once() {
    let topic = Topic::new(PARTITIONS).await;
    let log: Arc<dyn EventLog> = Arc::new(topic.log().await);
    let group = topic.config.topic.clone();
    let done = Done::default();
    let first = work(log.clone(), group.clone(), done.clone());
    let mut producer = topic.producer().await;
    publish(&mut producer, 0..500, 50).await;
    eventually("the first member to do all", || async { (done.lock().len() == 500).then_some(()) }).await;
    // The second takes its share from the first, which has committed nothing yet.
    let second = work(log.clone(), group.clone(), done.clone());
    eventually("partitions to be shared", || async { (second.owned.lock().len() == 3).then_some(()) }).await;
    publish(&mut producer, 500..1_000, 50).await;
    eventually("both to do all", || async { (done.lock().len() == 1_000).then_some(()) }).await;
    assert!(first.handed_over.load(Ordering::SeqCst), "the first was told");
    first.end().await;
    eventually("the second to have all", || async {
        (second.owned.lock().len() == usize::try_from(PARTITIONS).unwrap()).then_some(())
    })
    .await;
    publish(&mut producer, 1_000..1_200, 50).await;
    eventually("the second to do all", || async { (done.lock().len() == 1_200).then_some(()) }).await;
    second.end().await;
    let twice: Vec<_> =
        done.lock().iter().filter(|(_, times)| **times != 1).map(|(n, times)| (*n, *times)).collect();
    assert!(twice.is_empty(), "done more than once: {twice:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_leaves_while_it_should_hand_over_holds_nobody_up() {
    let topic = Topic::new(PARTITIONS).await;
    let log: Arc<dyn EventLog> = Arc::new(patient_log(&topic).await);
    let group = topic.config.topic.clone();
    let mut first = log.consumer(&group).await.unwrap();
    crate::support::assigned(&mut *first).await;
    let done = Done::default();
    let second = work(log.clone(), group.clone(), done.clone());
    let told = async {
        loop {
            if let Delivery::Revoking(partitions) = first.next(Duration::from_secs(1)).await.unwrap() {
                return partitions;
            }
        }
    };
    let told = crate::support::within("the first to be told", told).await;
    assert_eq!(told.len(), 3);
    drop(first);
    eventually("the second to have all", || async {
        (second.owned.lock().len() == usize::try_from(PARTITIONS).unwrap()).then_some(())
    })
    .await;
    second.end().await;
}

#[tokio::test]
async fn a_member_that_cannot_begin_leaves_its_group() {
    let topic = Topic::new(2).await;
    let log = patient_log(&topic).await;
    publish(&mut topic.producer().await, 0..10, 10).await;
    let group = topic.config.topic.as_str();
    let mut consumer = log.consumer(group).await.unwrap();
    assigned(&mut *consumer).await;
    // Where its successor cannot begin: ahead of the log.
    consumer.commit(0, 5_000).await.unwrap();
    drop(consumer);
    let mut consumer = log.consumer(group).await.unwrap();
    failure(&mut *consumer).await;
    drop(consumer);
    left(&log, group).await;
}

/// A log whose members nobody takes for dead while a test waits: who is gone has left.
async fn patient_log(topic: &Topic) -> KafkaEventLog {
    let config = KafkaConfig { session_timeout: 3 * DEADLINE, ..topic.config.clone() };
    KafkaEventLog::connect(config).await.unwrap()
}

/// Waits until `group` has no members.
async fn left(log: &impl EventLog, group: &str) {
    eventually("the group to be empty", async || {
        (log.members(group).await.unwrap() == Some(0)).then_some(())
    })
    .await;
}
