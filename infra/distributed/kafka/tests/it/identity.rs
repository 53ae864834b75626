//! A topic that is deleted and created anew never passes for the one before.

use bytes::Bytes;
use rdkafka::admin::AdminOptions;
use souk_kafka::{KafkaEventLog, SendError, TransactionalProducer, ensure_topics};
use souk_ports::{ErrorKind, EventLog, ReadLimit};

use crate::support::{Topic, admin, assigned, commit, events, eventually, failure, publish, take, within};

/// Deletes the topic of events and makes it anew; the relay's positions stay.
async fn recreate(topic: &Topic) {
    let (admin, name) = (admin(&topic.config), topic.config.topic.as_str());
    let before = topic.log().await.identity();
    admin.delete_topics(&[name], &AdminOptions::new()).await.unwrap();
    eventually("the new topic", || async {
        // The broker deletes in its own time.
        ensure_topics(&topic.config).await.ok()?;
        let log = KafkaEventLog::connect(topic.config.clone()).await.ok()?;
        (log.identity() != before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_identity_is_the_topics_own() {
    let (one, two) = (Topic::new(1).await, Topic::new(1).await);
    assert_eq!(one.log().await.identity(), one.log().await.identity());
    assert_ne!(one.log().await.identity(), two.log().await.identity());
}

#[tokio::test]
async fn whoever_reads_a_topic_made_anew_is_told() {
    let topic = Topic::new(2).await;
    let log = topic.log().await;
    let mut producer = topic.producer().await;
    publish(&mut producer, 0..20, 5).await;
    let mut tail = log.tail(&[]).await.unwrap();
    let mut consumer = log.consumer(&topic.config.topic).await.unwrap();
    assigned(&mut *consumer).await;
    let records = take(&mut *consumer, 20).await;
    commit(&mut *consumer, &records).await;
    let before = log.identity();
    recreate(&topic).await;
    // More than there was, so that every old position is within it.
    publish(&mut topic.config.clone().fresh().await, 0..100, 10).await;
    let error = eventually("the log to notice", || async { log.bounds().await.err() }).await;
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert!(error.message().contains("created anew"), "{error}");
    assert!(log.health().problem.is_some());
    assert_eq!(log.read(0, 0, ReadLimit::default()).await.unwrap_err().kind(), ErrorKind::InvalidData);
    let told = within("the tail to be told", async {
        loop {
            if let Err(error) = tail.next().await {
                return error;
            }
        }
    })
    .await;
    assert!(matches!(told.kind(), ErrorKind::InvalidData | ErrorKind::Unavailable), "{told}");
    let told = failure(&mut *consumer).await;
    assert!(matches!(told.kind(), ErrorKind::InvalidData | ErrorKind::Unavailable), "{told}");
    // A service that starts anew has another log.
    assert_ne!(topic.log().await.identity(), before);
}

trait Fresh {
    async fn fresh(self) -> TransactionalProducer;
}

impl Fresh for souk_kafka::KafkaConfig {
    /// A producer with an id of its own, which has no position.
    async fn fresh(self) -> TransactionalProducer {
        TransactionalProducer::start(&self, &format!("{}-fresh", self.topic)).await.unwrap()
    }
}

#[tokio::test]
async fn a_relay_does_not_go_on_in_a_topic_made_anew() {
    let topic = Topic::new(2).await;
    let mut producer = topic.producer().await;
    publish(&mut producer, 0..20, 5).await;
    let producer = tokio::sync::Mutex::new(producer);
    recreate(&topic).await;
    // One that runs looks once a second.
    let told = eventually("the running producer to be told", || async {
        let mut producer = producer.lock().await;
        producer.publish(Vec::new(), Bytes::from_static(b"p")).await.err()
    })
    .await;
    assert!(matches!(told, SendError::Fatal(_)), "{told:?}");
    let refused = eventually("the position to be refused", || async {
        let Ok(mut anew) = TransactionalProducer::start(&topic.config, &topic.config.topic).await else {
            return None;
        };
        match anew.position().await {
            Err(error) => Some(error),
            Ok(position) => {
                drop(anew.publish(events(20..21), Bytes::from_static(b"p")).await);
                panic!("{position:?} is of the topic that is gone, and was taken for one of the new topic")
            }
        }
    })
    .await;
    assert!(matches!(refused, SendError::Fatal(_)), "{refused:?}");
    assert!(refused.to_string().contains("deleted and created anew"), "{refused}");
}
