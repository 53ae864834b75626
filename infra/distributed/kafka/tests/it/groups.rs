//! A member alone in its group.

use std::time::Duration;

use souk_ports::{Delivery, ErrorKind, EventLog};

use crate::support::{Topic, assigned, commit, number, publish, take};

#[tokio::test]
async fn what_was_not_committed_comes_again_and_what_was_does_not() {
    let topic = Topic::new(3).await;
    let log = topic.log().await;
    publish(&mut topic.producer().await, 0..90, 10).await;
    let group = topic.config.topic.as_str();
    let mut first = log.consumer(group).await.unwrap();
    assert_eq!(assigned(&mut *first).await.into_values().collect::<Vec<_>>(), [0, 0, 0]);
    let all = take(&mut *first, 90).await;
    let (done, left) = all.split_at(33);
    commit(&mut *first, done).await;
    drop(first);
    let mut second = log.consumer(group).await.unwrap();
    let starts = assigned(&mut *second).await;
    let committed = log.committed(group).await.unwrap();
    for (partition, start) in starts {
        assert_eq!(committed[partition as usize], start);
    }
    let mut again: Vec<_> = take(&mut *second, left.len()).await.iter().map(number).collect();
    again.sort_unstable();
    let mut left: Vec<_> = left.iter().map(number).collect();
    left.sort_unstable();
    assert_eq!(again, left);
    assert_eq!(second.next(Duration::from_millis(50)).await.unwrap(), Delivery::Idle);
}

#[tokio::test]
async fn a_seek_goes_either_way_and_commits_nothing() {
    let topic = Topic::new(1).await;
    let log = topic.log().await;
    let mut producer = topic.producer().await;
    publish(&mut producer, 0..30, 3).await;
    let group = topic.config.topic.as_str();
    let mut consumer = log.consumer(group).await.unwrap();
    assigned(&mut *consumer).await;
    // Before anything was read, back, and on.
    consumer.seek(0, 20).await.unwrap();
    let first = take(&mut *consumer, 1).await;
    assert!(first[0].offset >= 20);
    consumer.seek(0, 0).await.unwrap();
    let all = take(&mut *consumer, 30).await;
    assert_eq!(all.iter().map(number).collect::<Vec<_>>(), (0..30).collect::<Vec<_>>());
    consumer.seek(0, all[29].offset).await.unwrap();
    assert_eq!(take(&mut *consumer, 1).await, &all[29..]);
    assert_eq!(log.committed(group).await.unwrap(), [0]);
    let mut seeks = consumer.seek(7, 0).await.unwrap_err();
    assert_eq!(seeks.kind(), ErrorKind::Conflict, "not its own");
    seeks = consumer.commit(7, 1).await.unwrap_err();
    assert_eq!(seeks.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn calls_that_are_given_up_lose_nothing() {
    let topic = Topic::new(2).await;
    let log = topic.log().await;
    let mut consumer = log.consumer(&topic.config.topic).await.unwrap();
    assigned(&mut *consumer).await;
    let mut producer = topic.producer().await;
    let writer = tokio::spawn(async move { publish(&mut producer, 0..100, 1).await });
    let (mut numbers, mut patience) = (Vec::new(), 0);
    while numbers.len() < 100 {
        patience = (patience + 137) % 1_500;
        let call = consumer.next(Duration::from_secs(5));
        if let Ok(Ok(Delivery::Records(records))) =
            tokio::time::timeout(Duration::from_micros(patience), call).await
        {
            commit(&mut *consumer, &records).await;
            numbers.extend(records.iter().map(number));
        }
        tokio::task::yield_now().await;
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    writer.await.unwrap();
}
