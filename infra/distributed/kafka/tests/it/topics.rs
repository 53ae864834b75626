//! Topics are made as they should be, and those that do not fit are refused.

use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use souk_kafka::{ConnectError, KafkaEventLog, ensure_topics, inspect_topics};

use crate::support::{Topic, admin, unmade};

#[tokio::test]
async fn topics_are_made_once_and_fit() {
    let topic = Topic::new(5).await;
    let again = ensure_topics(&topic.config).await.unwrap();
    assert_eq!(again, inspect_topics(&topic.config).await.unwrap());
    let partitions: Vec<_> = again.iter().map(|report| report.partitions).collect();
    assert_eq!(partitions, [5, 1, 1]);
    assert!(again.iter().all(|report| report.problems.is_empty() && report.warnings.is_empty()), "{again:?}");
    let progress = &again[2];
    assert!(progress.settings.contains(&("cleanup.policy", "compact".to_owned())), "{progress:?}");
    assert!(progress.settings.contains(&("retention.ms", "-1".to_owned())), "{progress:?}");
}

#[tokio::test]
async fn services_that_start_together_make_topics_together() {
    let config = unmade();
    let (one, two, three) =
        tokio::join!(ensure_topics(&config), ensure_topics(&config), ensure_topics(&config));
    for reports in [one, two, three] {
        assert_eq!(reports.unwrap()[0].partitions, 12);
    }
    drop(Topic { config });
}

#[tokio::test]
async fn a_topic_that_forgets_events_is_refused_by_name() {
    let topic = Topic { config: unmade() };
    let name = topic.config.topic.clone();
    let compacted = NewTopic::new(&name, 1, TopicReplication::Fixed(1)).set("cleanup.policy", "compact");
    admin(&topic.config).create_topics([&compacted], &AdminOptions::new()).await.unwrap();
    let error = ensure_topics(&topic.config).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused(_)), "{error:?}");
    assert!(error.to_string().contains(&name) && error.to_string().contains("cleanup.policy"), "{error}");
}

#[tokio::test]
async fn more_copies_than_brokers_name_the_setting() {
    let mut config = unmade();
    config.replication_factor = 99;
    let error = ensure_topics(&config).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused(_)), "{error:?}");
    assert!(error.to_string().contains("KAFKA_REPLICATION_FACTOR=99"), "{error}");
}

#[tokio::test]
async fn a_log_waits_for_its_topic() {
    let config = unmade();
    let error = KafkaEventLog::connect(config.clone()).await.err().unwrap();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains(&config.topic), "{error}");
}

#[tokio::test]
async fn brokers_that_are_not_there_are_named() {
    let mut config = unmade();
    config.brokers = "127.0.0.1:1".to_owned();
    for error in [
        KafkaEventLog::connect(config.clone()).await.err().unwrap(),
        ensure_topics(&config).await.err().unwrap(),
    ] {
        assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
        assert!(error.to_string().contains("KAFKA_BROKERS"), "{error}");
    }
}
