//! The relay between the real Postgres and the real Kafka: what is read back has every event once, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use souk_conformance::{Dice, eventually};
use souk_distributed::{KafkaSinks, RelayConfig, RelayState, Rotation};
use souk_kafka::{KafkaConfig, KafkaEventLog, ensure_topics};
use souk_ports::{EventLog, ReadLimit};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::bed::{
    Database, Running, TestSessions, config, insert, insert_many, read_event, rotation, unique,
};
use crate::names::{kafka, remake_topic, remove_topics};
use crate::recovery::{Freezer, start_frozen};

/// A database and a topic of one test.
struct Bed {
    database: Arc<Database>,
    kafka: KafkaConfig,
    transactional_id: String,
    log: KafkaEventLog,
    rotation: Rotation,
}

impl Bed {
    async fn open() -> Self {
        let kafka = kafka();
        ensure_topics(&kafka).await.unwrap();
        let log = KafkaEventLog::connect(kafka.clone()).await.unwrap();
        let (database, transactional_id) = (Database::create().await, unique("relay"));
        Self { database, kafka, transactional_id, log, rotation: rotation(200) }
    }

    fn sinks(&self) -> KafkaSinks {
        KafkaSinks::new(self.kafka.clone(), self.transactional_id.clone())
    }

    fn start(&self, accept: Option<String>) -> Running {
        let transactional_id = self.transactional_id.clone();
        let config = RelayConfig { transactional_id, accept, rotation: self.rotation, ..config() };
        Running::start(config, TestSessions::new(&self.database), Arc::new(self.sinks()))
    }

    /// Returns versions of a product as the topic has them, in order.
    async fn versions(&self, product: Uuid) -> Vec<u64> {
        let mut versions = Vec::new();
        for (partition, bounds) in (0..).zip(self.log.bounds().await.unwrap()) {
            let mut from = bounds.earliest;
            while let Some(last) = {
                let records = self.log.read(partition, from, ReadLimit::default()).await.unwrap();
                versions.extend(
                    records
                        .iter()
                        .map(|record| read_event(&record.payload))
                        .filter(|(of, _)| *of == product)
                        .map(|(_, version)| version),
                );
                records.last().map(|record| record.offset)
            } {
                from = last + 1;
            }
        }
        versions
    }

    /// Waits until the last version of a product is in the topic, and expects each once, in order.
    async fn all_once(&self, product: Uuid, versions: u64) {
        let found = eventually("all to be published", || async {
            let found = self.versions(product).await;
            (found.last() == Some(&versions)).then_some(found)
        })
        .await;
        assert!(
            found == (1..=versions).collect::<Vec<_>>(),
            "each once, in order: {} of {versions}",
            found.len()
        );
    }

    /// Writes versions of one product until it is told to stop; returns how many.
    fn writer(&self, product: Uuid) -> (JoinHandle<u64>, Arc<AtomicBool>) {
        let stop = Arc::new(AtomicBool::new(false));
        let (database, stopped) = (self.database.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let client = database.client().await;
            let mut version = 0;
            while !stopped.load(Ordering::SeqCst) {
                version += 1;
                insert(&client, product, version).await;
            }
            version
        });
        (task, stop)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        remove_topics(&self.kafka);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_killed_at_any_stage_loses_and_repeats_nothing() {
    let bed = Bed::open().await;
    let product = Uuid::now_v7();
    let (task, stop) = bed.writer(product);
    let mut dice = Dice::new(15);
    for _ in 0..12 {
        let relay = bed.start(None);
        let published = |status: &souk_distributed::RelayStatus| status.published_total > 0;
        souk_conformance::within("progress", relay.relay.watch().wait_for(published)).await.unwrap();
        // Somewhere in one of the next transactions.
        tokio::time::sleep(Duration::from_micros(dice.roll(30_000))).await;
        relay.kill().await;
    }
    stop.store(true, Ordering::SeqCst);
    let relay = bed.start(None);
    bed.all_once(product, task.await.unwrap()).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_leader_is_replaced_and_fenced_by_the_broker() {
    let bed = Bed::open().await;
    let freezer = Arc::new(Freezer::default());
    let (zombie, shutdown, thread) = start_frozen(&bed.database, bed.sinks(), &freezer);
    let product = Uuid::now_v7();
    let (task, stop) = bed.writer(product);
    let published = |status: &souk_distributed::RelayStatus| status.published_total > 10;
    souk_conformance::within("the first", zombie.watch().wait_for(published)).await.unwrap();
    freezer.set(true);
    let second = bed.start(None);
    second.leads().await;
    souk_conformance::within("the second", second.relay.watch().wait_for(published)).await.unwrap();
    freezer.set(false);
    let stands_by = |status: &souk_distributed::RelayStatus| status.state == RelayState::Standby;
    souk_conformance::within("the zombie to stand by", zombie.watch().wait_for(stands_by)).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    bed.all_once(product, task.await.unwrap()).await;
    assert_eq!(second.relay.status().state, RelayState::Leading);
    shutdown.cancel();
    thread.join().unwrap();
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outbox_is_compared_with_the_real_topic() {
    let bed = Bed::open().await;
    let (client, product) = (bed.database.client().await, Uuid::now_v7());
    insert_many(&client, 0, product, 12_000).await;
    let relay = RelayConfig { transactional_id: bed.transactional_id.clone(), ..config() };
    let relay = Running::start(relay, TestSessions::new(&bed.database), Arc::new(bed.sinks()));
    bed.all_once(product, 12_000).await;
    relay.stop().await;
    for version in 12_001..=12_005 {
        insert(&client, product, version).await;
    }
    // Another id has no position: nobody can tell what is published.
    let mut bed = bed;
    bed.transactional_id = unique("relay");
    let relay = bed.start(None);
    let stopped = relay.until("it to stop", |state| matches!(state, RelayState::Stopped(_))).await;
    relay.stop().await;
    let RelayState::Stopped(reason) = stopped else { unreachable!("it was waited for") };
    let token = reason.split_once("RELAY_ACCEPT=").unwrap().1[..8].to_owned();
    let relay = bed.start(Some(token));
    relay.leads().await;
    bed.all_once(product, 12_005).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_anew_gets_what_the_outbox_has_once_an_operator_says_so() {
    let mut bed = Bed::open().await;
    // The outbox has to hold what was published, also when that takes long.
    bed.rotation = Rotation::default();
    let (client, product) = (bed.database.client().await, Uuid::now_v7());
    let relay = bed.start(None);
    for version in 1..=5 {
        insert(&client, product, version).await;
    }
    bed.all_once(product, 5).await;
    relay.stop().await;
    remake_topic(&bed.kafka).await;
    let is_stopped = |state: &RelayState| matches!(state, RelayState::Stopped(_));
    insert(&client, product, 6).await;
    bed.log = KafkaEventLog::connect(bed.kafka.clone()).await.unwrap();
    for accept in [None, Some("00000000".to_owned())] {
        let relay = bed.start(accept);
        relay.until("a new one to stop", is_stopped).await;
        relay.stop().await;
    }
    assert_eq!(bed.versions(product).await, [0_u64; 0], "nothing is published before somebody says so");

    let relay = bed.start(None);
    let stopped = relay.until("it to name the word", is_stopped).await;
    relay.stop().await;
    let RelayState::Stopped(reason) = stopped else { unreachable!("it was waited for") };
    assert!(reason.contains("anew"), "{reason}");
    let token = reason.split_once("RELAY_ACCEPT=").unwrap().1[..8].to_owned();
    let relay = bed.start(Some(token));
    relay.leads().await;
    insert(&client, product, 7).await;
    bed.all_once(product, 7).await;
    relay.stop().await;
    // The word was for once: what follows needs none.
    let relay = bed.start(None);
    relay.leads().await;
    insert(&client, product, 8).await;
    bed.all_once(product, 8).await;
    relay.stop().await;
}
