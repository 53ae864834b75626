//! What `souk doctor` finds in Kafka.

use std::time::Duration;

use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use souk_kafka::{KafkaConfig, doctor};
use souk_ports::{EventLog as _, Finding, Level};

use crate::support::{Topic, admin, assigned, eventually, everything, publish, unmade};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

async fn examined(config: &KafkaConfig, log_retention: Duration) -> Vec<Finding> {
    let mut found = Vec::new();
    doctor::examine(config, log_retention, &mut |finding| found.push(finding)).await;
    found
}

fn worst<'a>(found: &'a [Finding], name: &str) -> &'a Finding {
    let named = found.iter().filter(|finding| finding.name == name);
    named.max_by_key(|finding| finding.level).unwrap_or_else(|| panic!("no {name}: {found:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_as_souk_makes_them_are_well() {
    let topic = Topic::new(3).await;
    let found = examined(&topic.config, WEEK).await;
    assert_eq!(worst(&found, "kafka").level, Level::Ok, "{found:?}");
    for name in [topic.config.topic.clone(), topic.config.dead_letter_topic(), topic.config.progress_topic()]
    {
        let finding = worst(&found, &format!("kafka.topic.{name}"));
        assert_eq!(finding.level, Level::Ok, "{finding:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_is_begun_and_aborted_and_leaves_no_record() {
    let topic = Topic::new(1).await;
    let mut found = Vec::new();
    doctor::examine_transactions(&topic.config, &topic.config.topic, &mut |finding| found.push(finding))
        .await;
    assert_eq!(worst(&found, "kafka.transaction").level, Level::Ok, "{found:?}");
    // The relay that starts under the same name finds no position, and publishes.
    let mut producer = topic.producer().await;
    assert_eq!(producer.position().await.unwrap(), None);
    publish(&mut producer, 0..3, 1).await;
    assert_eq!(everything(&topic.log().await).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absent_topics_are_a_warning() {
    let config = unmade();
    let found = examined(&config, WEEK).await;
    assert_eq!(worst(&found, &format!("kafka.topic.{}", config.topic)).level, Level::Warn, "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_forgets_events_fails_by_name() {
    let topic = Topic { config: unmade() };
    let name = topic.config.topic.clone();
    let compacted = NewTopic::new(&name, 1, TopicReplication::Fixed(1)).set("cleanup.policy", "compact");
    admin(&topic.config).create_topics([&compacted], &AdminOptions::new()).await.unwrap();
    let found = examined(&topic.config, WEEK).await;
    let finding = worst(&found, &format!("kafka.topic.{name}"));
    assert_eq!(finding.level, Level::Fail);
    assert!(finding.detail.contains("cleanup.policy=compact"), "{finding:?}");
    assert!(finding.remedy.as_ref().unwrap().contains("delete"), "{finding:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_keeps_less_than_asked_for_is_a_warning() {
    let topic = Topic::new(1).await;
    let found = examined(&topic.config, Duration::from_secs(400 * 86_400)).await;
    let finding = worst(&found, &format!("kafka.topic.{}", topic.config.topic));
    assert_eq!(finding.level, Level::Warn, "{finding:?}");
    assert!(finding.remedy.as_ref().unwrap().contains("LOG_RETENTION"), "{finding:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_are_not_there_are_unreachable() {
    let config = KafkaConfig { brokers: "127.0.0.1:9".to_owned(), ..unmade() };
    let found = examined(&config, WEEK).await;
    assert!(found.len() == 1 && found[0].unreachable, "{found:?}");
    assert!(found[0].remedy.as_ref().unwrap().contains("KAFKA_BROKERS"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_tells_members_and_dead_letters() {
    let topic = Topic::new(2).await;
    let log = topic.log().await;
    let group = format!("{}-group", topic.config.topic);
    assert_eq!(log.members(&group).await.unwrap(), Some(0));
    assert_eq!(log.dead_letters(10).await.unwrap(), []);
    let mut consumer = log.consumer(&group).await.unwrap();
    assigned(&mut *consumer).await;
    eventually("the group to have a member", || async {
        (log.members(&group).await.unwrap() == Some(1)).then_some(())
    })
    .await;
    publish(&mut topic.producer().await, 0..6, 2).await;
    let all = everything(&log).await;
    for record in &all[..3] {
        log.dead_letter(record, "it is a number").await.unwrap();
    }
    let letters = log.dead_letters(10).await.unwrap();
    let places: Vec<_> = letters.iter().map(|letter| (letter.partition, letter.offset)).collect();
    let expected: Vec<_> = all[..3].iter().map(|record| (record.partition, record.offset)).collect();
    assert_eq!(places, expected);
    assert!(letters.iter().all(|letter| letter.reason == "it is a number"));
    assert_eq!(log.dead_letters(2).await.unwrap().len(), 2);
}
