//! A broker that makes topics by itself when it is asked about one makes none of ours.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use souk_kafka::{KafkaConfig, KafkaEventLog, TransactionalProducer, doctor, ensure_topics, inspect_topics};
use souk_servers::{Kind, Options, Scratch, Server};

use crate::support::unmade;

/// Starts a broker that is as generous as Kafka is by default.
async fn generous(scratch: &Scratch) -> Server {
    let folder = scratch.folder("kafka");
    let settings = vec![("auto.create.topics.enable".to_owned(), "true".to_owned())];
    let options = Options { settings, ..Options::default() };
    tokio::task::spawn_blocking(move || Server::start(Kind::Kafka, folder, options)).await.unwrap().unwrap()
}

/// Returns the broker's topics but for its own.
fn topics(config: &KafkaConfig) -> Vec<String> {
    let consumer: BaseConsumer =
        rdkafka::ClientConfig::new().set("bootstrap.servers", &config.brokers).create().unwrap();
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(10)).unwrap();
    let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
    names.filter(|name| !name.starts_with("__")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_makes_no_topic() {
    let scratch = Scratch::new("kafka-generous").unwrap();
    let server = generous(&scratch).await;
    let config = KafkaConfig { brokers: format!("127.0.0.1:{}", server.port()), ..unmade() };
    let mut found = Vec::new();
    doctor::examine(&config, Duration::from_secs(60), &mut |finding| found.push(finding)).await;
    doctor::examine_transactions(&config, "generous", &mut |finding| found.push(finding)).await;
    assert!(inspect_topics(&config).await.unwrap().is_empty());
    assert!(KafkaEventLog::connect(config.clone()).await.is_err(), "there is no topic");
    assert!(TransactionalProducer::start(&config, "generous").await.is_err(), "there is no topic");
    assert_eq!(topics(&config), Vec::<String>::new(), "{found:?}");
    // And those that are made are as they should be.
    ensure_topics(&config).await.unwrap();
    assert_eq!(topics(&config).len(), 3);
}
