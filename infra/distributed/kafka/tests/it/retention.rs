//! Positions that the log does not hold any more: a name, never a skip.

use std::time::Duration;

use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};
use souk_ports::{Delivery, ErrorKind, EventLog, ReadLimit};

use crate::support::{Topic, admin, assigned, commit, eventually, failure, number, publish, take};

/// Removes what is before `offset`.
async fn trim(topic: &Topic, partition: i32, offset: Offset) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic.config.topic, partition, offset).unwrap();
    admin(&topic.config).delete_records(&list, &AdminOptions::new()).await.unwrap();
}

#[tokio::test]
async fn a_position_gone_past_retention_is_told_as_it_is() {
    let topic = Topic::new(1).await;
    let log = topic.log().await;
    publish(&mut topic.producer().await, 0..100, 10).await;
    let group = topic.config.topic.as_str();
    let mut consumer = log.consumer(group).await.unwrap();
    assigned(&mut *consumer).await;
    let records = take(&mut *consumer, 100).await;
    commit(&mut *consumer, &records[..30]).await;
    drop(consumer);
    trim(&topic, 0, Offset::Offset(i64::try_from(records[60].offset).unwrap())).await;
    for _ in 0..2 {
        let mut consumer = log.consumer(group).await.unwrap();
        assert_eq!(assigned(&mut *consumer).await[&0], records[29].offset + 1);
        // What is left comes by itself.
        assert_eq!(number(&take(&mut *consumer, 1).await[0]), 60);
    }
    // A new group has had nothing.
    let mut fresh = log.consumer(&format!("{group}-fresh")).await.unwrap();
    assert_eq!(assigned(&mut *fresh).await[&0], 0);
    assert_eq!(number(&take(&mut *fresh, 1).await[0]), 60);
    // A read begins with what there is, and the bounds say where that is.
    assert_eq!(log.bounds().await.unwrap()[0].earliest, records[60].offset);
    let read = log.read(0, 0, ReadLimit { records: 1, bytes: 1 }).await.unwrap();
    assert_eq!(number(&read[0]), 60);
}

/// Waits until the group has no members, and has the broker forget it.
async fn forget(topic: &Topic, group: &str) {
    eventually("the group to be forgotten", || async {
        let forgotten = admin(&topic.config).delete_groups(&[group], &AdminOptions::new()).await.unwrap();
        forgotten.into_iter().all(|group| group.is_ok()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_group_whose_positions_the_broker_forgot_begins_at_the_beginning_and_never_where_the_log_does() {
    let topic = Topic::new(1).await;
    let log = topic.log().await;
    publish(&mut topic.producer().await, 0..100, 10).await;
    let group = topic.config.topic.as_str();
    let mut consumer = log.consumer(group).await.unwrap();
    assigned(&mut *consumer).await;
    let records = take(&mut *consumer, 100).await;
    commit(&mut *consumer, &records[..30]).await;
    drop(consumer);
    forget(&topic, group).await;
    let mut consumer = log.consumer(group).await.unwrap();
    assert_eq!(assigned(&mut *consumer).await[&0], 0);
    assert_eq!(number(&take(&mut *consumer, 1).await[0]), 0);
    commit(&mut *consumer, &records[..30]).await;
    drop(consumer);
    // The same with records gone that only the forgotten position knew to be done with.
    trim(&topic, 0, Offset::Offset(i64::try_from(records[20].offset).unwrap())).await;
    forget(&topic, group).await;
    assert_eq!(log.committed(group).await.unwrap(), [0]);
    let mut consumer = log.consumer(group).await.unwrap();
    assert_eq!(assigned(&mut *consumer).await[&0], 0);
    assert_eq!(number(&take(&mut *consumer, 1).await[0]), 20);
}

/// Has a member of `group` sit there until the group is known to have missed nothing.
async fn look_through(log: &dyn EventLog, group: &str) {
    let mut consumer = log.consumer(group).await.unwrap();
    assigned(&mut *consumer).await;
    assert_eq!(consumer.next(Duration::from_millis(1)).await.unwrap(), Delivery::Idle);
    eventually("the group to note how far it has looked", || async {
        let (looked, bounds) = (log.looked(group).await.unwrap(), log.bounds().await.unwrap());
        looked.iter().zip(bounds).all(|(looked, bounds)| *looked == bounds.next).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_log_whose_records_have_all_expired_is_no_loss_to_who_has_read_them() {
    let topic = Topic::new(1).await;
    let log = topic.log().await;
    publish(&mut topic.producer().await, 0..20, 5).await;
    let group = topic.config.topic.as_str();
    let mut consumer = log.consumer(group).await.unwrap();
    assigned(&mut *consumer).await;
    let records = take(&mut *consumer, 20).await;
    commit(&mut *consumer, &records).await;
    drop(consumer);
    let position = records[19].offset + 1;
    // Each producer leaves something that nobody is given.
    let mut producer = topic.producer().await;
    look_through(&log, group).await;
    // All of it goes: the group's position is before what is left.
    trim(&topic, 0, Offset::End).await;
    let earliest = log.bounds().await.unwrap()[0].earliest;
    assert!(earliest > position + 1, "{earliest} after {position}");
    assert_eq!(log.committed(group).await.unwrap(), [position]);
    assert_eq!(log.looked(group).await.unwrap(), [earliest]);
    let mut consumer = log.consumer(group).await.unwrap();
    assert_eq!(assigned(&mut *consumer).await[&0], position, "told as it is");
    publish(&mut producer, 20..21, 1).await;
    assert_eq!(number(&take(&mut *consumer, 1).await[0]), 20);
}

#[tokio::test]
async fn a_partition_that_never_had_a_record_is_no_loss_whatever_expires_there() {
    let topic = Topic::new(1).await;
    let log = topic.log().await;
    drop(topic.producer().await);
    let mut producer = topic.producer().await;
    let group = topic.config.topic.as_str();
    look_through(&log, group).await;
    trim(&topic, 0, Offset::End).await;
    let earliest = log.bounds().await.unwrap()[0].earliest;
    assert!(earliest > 1, "{earliest}");
    assert_eq!(log.looked(group).await.unwrap(), [earliest]);
    let mut consumer = log.consumer(group).await.unwrap();
    assert_eq!(assigned(&mut *consumer).await[&0], 0);
    publish(&mut producer, 0..1, 1).await;
    assert_eq!(number(&take(&mut *consumer, 1).await[0]), 0);
}

#[tokio::test]
async fn a_position_ahead_of_the_log_stops_the_group_with_a_name() {
    let topic = Topic::new(1).await;
    let log = topic.log().await;
    publish(&mut topic.producer().await, 0..10, 10).await;
    let group = topic.config.topic.as_str();
    let mut consumer = log.consumer(group).await.unwrap();
    assigned(&mut *consumer).await;
    consumer.commit(0, 5_000).await.unwrap();
    drop(consumer);
    let mut consumer = log.consumer(group).await.unwrap();
    let error = failure(&mut *consumer).await;
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert!(error.message().contains("5000") && error.message().contains("ahead"), "{error}");
}

#[tokio::test]
async fn a_tail_begins_with_what_is_left() {
    let topic = Topic::new(1).await;
    let log = topic.log().await;
    publish(&mut topic.producer().await, 0..50, 10).await;
    trim(&topic, 0, Offset::Offset(33)).await;
    let mut tail = log.tail(&[5]).await.unwrap();
    let first = crate::support::within("records", tail.next()).await.unwrap();
    assert_eq!(first[0].offset, 33);
}
