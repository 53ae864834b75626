//! Transactions: all or nothing, one publisher at a time, the position with the events.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use souk_kafka::{KafkaConfig, Outgoing, SendError, TransactionalProducer};
use souk_ports::{EventLog, ReadLimit};

use crate::support::{Topic, events, everything, id, number, publish, unmade, within};

#[tokio::test]
async fn a_batch_and_its_position_are_committed_together() {
    let topic = Topic::new(3).await;
    let mut producer = topic.producer().await;
    assert_eq!(producer.position().await.unwrap(), None);
    for round in 0..5_u32 {
        let position = Bytes::from(format!("after {round}"));
        producer.publish(events(round * 100..(round + 1) * 100), position.clone()).await.unwrap();
        assert_eq!(producer.position().await.unwrap(), Some(position));
    }
    let log = topic.log().await;
    let mut numbers: Vec<u32> = everything(&log).await.iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    assert_eq!(producer.identity(), log.identity());
}

#[tokio::test]
async fn an_empty_batch_moves_the_position_alone() {
    let topic = Topic::new(1).await;
    let mut producer = topic.producer().await;
    producer.publish(Vec::new(), Bytes::from_static(b"further")).await.unwrap();
    assert_eq!(producer.position().await.unwrap(), Some(Bytes::from_static(b"further")));
    assert!(everything(&topic.log().await).await.is_empty());
}

#[tokio::test]
async fn the_last_position_is_found_behind_many_of_others() {
    let topic = Topic::new(1).await;
    let mut mine = TransactionalProducer::start(&topic.config, "mine").await.unwrap();
    mine.publish(Vec::new(), Bytes::from_static(b"first")).await.unwrap();
    mine.publish(Vec::new(), Bytes::from_static(b"mine")).await.unwrap();
    let mut other = TransactionalProducer::start(&topic.config, "other").await.unwrap();
    assert_eq!(other.position().await.unwrap(), None);
    for _ in 0..100 {
        other.publish(Vec::new(), Bytes::from_static(b"other's")).await.unwrap();
    }
    let mine = TransactionalProducer::start(&topic.config, "mine").await.unwrap();
    assert_eq!(mine.position().await.unwrap(), Some(Bytes::from_static(b"mine")));
}

#[tokio::test]
async fn a_newer_producer_fences_the_older_one() {
    let topic = Topic::new(2).await;
    let mut old = topic.producer().await;
    publish(&mut old, 0..10, 10).await;
    let mut new = topic.producer().await;
    assert_eq!(new.position().await.unwrap(), Some(Bytes::from_static(b"somewhere")));
    for _ in 0..2 {
        let refused = old.publish(events(10..20), Bytes::from_static(b"old")).await;
        assert!(matches!(refused, Err(SendError::Fenced(_) | SendError::Unclear(_))), "{refused:?}");
    }
    publish(&mut new, 20..30, 10).await;
    let mut numbers: Vec<u32> = everything(&topic.log().await).await.iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..10).chain(20..30).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_first_refusal_of_an_older_producer_says_that_it_was_fenced() {
    let topic = Topic::new(2).await;
    let mut old = topic.producer().await;
    publish(&mut old, 0..10, 10).await;
    let _new = topic.producer().await;
    let refused = old.publish(events(10..20), Bytes::from_static(b"old")).await;
    assert!(matches!(refused, Err(SendError::Fenced(_))), "{refused:?}");
}

fn raw_producer(config: &KafkaConfig) -> BaseProducer {
    let producer: BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &config.brokers)
        .set("transactional.id", format!("{}-raw", config.topic))
        .create()
        .unwrap();
    producer.init_transactions(Duration::from_secs(10)).unwrap();
    producer
}

fn send_open(producer: &BaseProducer, config: &KafkaConfig, count: u32) {
    producer.begin_transaction().unwrap();
    for n in 0..count {
        let (key, payload) = (id(n).to_string(), n.to_string());
        producer.send(BaseRecord::to(&config.topic).key(&key).payload(&payload)).unwrap();
    }
    producer.flush(Duration::from_secs(10)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_committed_is_invisible() {
    let topic = Topic::new(1).await;
    let log = topic.log().await;
    let mut producer = topic.producer().await;
    publish(&mut producer, 0..5, 5).await;
    let raw = raw_producer(&topic.config);
    send_open(&raw, &topic.config, 50);
    // Open: readers wait before it, and the bounds do not promise what they cannot reach.
    let bounds = log.bounds().await.unwrap();
    let read = everything(&log).await;
    assert_eq!(read.len(), 5);
    assert!(log.read(0, bounds[0].next, ReadLimit::default()).await.unwrap().is_empty());
    raw.abort_transaction(Duration::from_secs(10)).unwrap();
    // Aborted: passed over.
    publish(&mut producer, 5..10, 5).await;
    let read = within("what follows", async {
        loop {
            let read = everything(&log).await;
            if read.len() > 5 {
                return read;
            }
        }
    })
    .await;
    assert_eq!(read.iter().map(number).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert!(log.bounds().await.unwrap()[0].next > 60);
}

#[tokio::test]
async fn an_event_carries_its_key_and_attributes() {
    let topic = Topic::new(1).await;
    let payload = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../contract/events/fixtures/2-product-updated-sale.json"
    ))
    .unwrap();
    let payload = Bytes::from(payload.trim_ascii_end().to_vec());
    let mut producer = topic.producer().await;
    let event = Outgoing { key: id(7), payload: payload.clone() };
    producer.publish(vec![event], Bytes::from_static(b"p")).await.unwrap();
    let consumer: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &topic.config.brokers)
        .set("group.id", "unused")
        .create()
        .unwrap();
    let mut all = rdkafka::TopicPartitionList::new();
    all.add_partition_offset(&topic.config.topic, 0, rdkafka::Offset::Beginning).unwrap();
    consumer.assign(&all).unwrap();
    let message = loop {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            break message.unwrap();
        }
    };
    assert_eq!(message.key(), Some(id(7).to_string().as_bytes()));
    assert_eq!(message.payload(), Some(&payload[..]));
    let headers: BTreeMap<_, _> = message
        .headers()
        .unwrap()
        .iter()
        .map(|header| (header.key, std::str::from_utf8(header.value.unwrap()).unwrap()))
        .collect();
    assert_eq!(
        headers,
        BTreeMap::from([
            ("ce_specversion", "1.0"),
            ("ce_id", "00000000-0000-0000-0000-000001990002"),
            ("ce_source", "/souk/api"),
            ("ce_type", "ProductUpdated"),
            ("ce_subject", "00000000-0000-0000-0000-000000000042"),
            ("ce_time", "2026-11-22T18:00:00.124Z"),
            ("ce_sellerid", "seller1"),
            ("content-type", "application/cloudevents+json; charset=UTF-8"),
        ])
    );
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_and_the_next_batch_goes_on() {
    let topic = Topic::new(1).await;
    let mut producer = topic.producer().await;
    let large = Outgoing { key: id(1), payload: Bytes::from(vec![b'x'; 2 << 20]) };
    let mut batch = events(0..3);
    batch.push(large);
    let refused = producer.publish(batch, Bytes::from_static(b"too far")).await;
    assert!(matches!(refused, Err(SendError::Fatal(_))), "{refused:?}");
    assert_eq!(producer.position().await.unwrap(), None);
    publish(&mut producer, 3..6, 3).await;
    let numbers: Vec<u32> = everything(&topic.log().await).await.iter().map(number).collect();
    assert_eq!(numbers, [3, 4, 5]);
}

#[tokio::test]
async fn brokers_that_are_not_there_are_named() {
    let mut config = unmade();
    config.brokers = "127.0.0.1:1".to_owned();
    let error = TransactionalProducer::start(&config, "nobody").await.unwrap_err();
    assert!(matches!(error, SendError::Retry(_)), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
