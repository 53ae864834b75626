//! Records that cannot be read are set aside as they were.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use souk_ports::{EventLog, LogRecord};

use crate::support::{Topic, everything, id, publish};

#[tokio::test]
async fn a_dead_letter_says_what_it_was_where_and_why() {
    let topic = Topic::new(1).await;
    let log = topic.log().await;
    publish(&mut topic.producer().await, 0..5, 1).await;
    let all: Vec<LogRecord> = everything(&log).await;
    let record = all.iter().find(|record| &record.payload[..] == b"3").unwrap();
    // Twice, as after a crash in between.
    for _ in 0..2 {
        log.dead_letter(record, "not an event: expected value at line 1").await.unwrap();
    }
    let consumer: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &topic.config.brokers)
        .set("group.id", "unused")
        .create()
        .unwrap();
    let mut assignment = rdkafka::TopicPartitionList::new();
    assignment
        .add_partition_offset(&topic.config.dead_letter_topic(), 0, rdkafka::Offset::Beginning)
        .unwrap();
    consumer.assign(&assignment).unwrap();
    for _ in 0..2 {
        let message = loop {
            if let Some(message) = consumer.poll(Duration::from_secs(1)) {
                break message.unwrap();
            }
        };
        assert_eq!(message.payload(), Some(&b"3"[..]));
        assert_eq!(message.key(), Some(id(3).to_string().as_bytes()));
        let headers: Vec<(String, String)> = message
            .headers()
            .unwrap()
            .iter()
            .map(|header| (header.key.to_owned(), String::from_utf8(header.value.unwrap().to_vec()).unwrap()))
            .collect();
        let expected = [
            ("souk_reason", "not an event: expected value at line 1".to_owned()),
            ("souk_topic", topic.config.topic.clone()),
            ("souk_partition", "0".to_owned()),
            ("souk_offset", record.offset.to_string()),
        ];
        assert_eq!(headers, expected.map(|(key, value)| (key.to_owned(), value)));
    }
}
