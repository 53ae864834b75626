//! Requests that reach the broker when whoever sent them has given them up.

use bytes::Bytes;
use souk_fault_proxy::{ApiKey, Kafka, KafkaFault, Proxy, Times};
use souk_kafka::{KafkaConfig, KafkaEventLog, SendError, TransactionalProducer, ensure_topics};
use souk_servers::{Kind, Options, Scratch, Server};

use crate::support::{events, eventually, everything, number, publish, unmade};

/// A broker that takes what a partition lets in without asking the coordinator, as brokers did before KIP-890, and what
/// stands in front of it.
async fn broker() -> (Server, Proxy<Kafka>, KafkaConfig, Scratch) {
    let scratch = Scratch::new("kafka-late").unwrap();
    let folder = scratch.folder("kafka");
    let proxy = Proxy::<Kafka>::start(([127, 0, 0, 1], 9).into()).unwrap();
    let trusting = ("transaction.partition.verification.enable".to_owned(), "false".to_owned());
    let options = Options { advertise: vec![proxy.port()], settings: vec![trusting], ..Options::default() };
    let server = tokio::task::spawn_blocking(move || Server::start(Kind::Kafka, folder, options))
        .await
        .unwrap()
        .unwrap();
    proxy.redirect(([127, 0, 0, 1], server.behind_proxy()[0]).into());
    let mut config = KafkaConfig { partitions: 1, ..unmade() };
    config.brokers = proxy.address().to_string();
    ensure_topics(&config).await.unwrap();
    (server, proxy, config, scratch)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_may_come_twice_is_a_producers_last() {
    let (_server, proxy, config, _scratch) = broker().await;
    let mut producer = TransactionalProducer::start(&config, "relay").await.unwrap();
    let held = proxy.arm(KafkaFault::HoldRequest(ApiKey::END_TXN), Times::Next(1));
    publish(&mut producer, 0..4, 4).await;
    assert_eq!(held.fired(), 1);
    let refused = producer.publish(events(4..8), Bytes::from_static(b"eight")).await;
    assert!(matches!(refused, Err(SendError::Unclear(_))), "{refused:?}");

    the_next_goes_on(&proxy, config).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_producer_sent_comes_too_late() {
    let (_server, proxy, config, _scratch) = broker().await;
    let mut earlier = TransactionalProducer::start(&config, "relay").await.unwrap();
    publish(&mut earlier, 0..4, 4).await;
    proxy.arm(KafkaFault::HoldRequest(ApiKey::PRODUCE), Times::Next(1));
    earlier.publish(events(4..8), Bytes::from_static(b"eight")).await.unwrap_err();
    drop(earlier);
    the_next_goes_on(&proxy, config).await;
}

/// Publishes what was not published, with a new producer, after the broker has heard what the proxy held.
async fn the_next_goes_on(proxy: &Proxy<Kafka>, config: KafkaConfig) {
    let mut next = TransactionalProducer::start(&config, "relay").await.unwrap();
    assert_eq!(next.position().await.unwrap(), Some(Bytes::from_static(b"somewhere")));
    proxy.switches().release();
    eventually("the broker's answer", async || (proxy.switches().late_replies() > 0).then_some(())).await;
    publish(&mut next, 4..8, 4).await;
    let log = KafkaEventLog::connect(config).await.unwrap();
    let mut numbers: Vec<u32> = everything(&log).await.iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..8).collect::<Vec<_>>());
}
