//! Following the log.

use std::time::Duration;

use souk_ports::{ErrorKind, EventLog, LogRecord, Tail};

use crate::support::{Topic, number, publish, within};

async fn take(tail: &mut dyn Tail, count: usize) -> Vec<LogRecord> {
    let mut taken = Vec::new();
    let taking = async {
        while taken.len() < count {
            let records = tail.next().await.unwrap();
            assert!(!records.is_empty());
            taken.extend(records);
        }
    };
    within("records", taking).await;
    taken
}

fn sorted(records: &[LogRecord]) -> Vec<LogRecord> {
    let mut records = records.to_vec();
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

#[tokio::test]
async fn a_tail_goes_on_from_any_position() {
    let topic = Topic::new(3).await;
    let log = topic.log().await;
    let mut producer = topic.producer().await;
    publish(&mut producer, 0..60, 4).await;
    let merged = take(&mut *log.tail(&[]).await.unwrap(), 60).await;
    let mut position = vec![0; 3];
    for cut in 0..60 {
        if cut % 7 == 0 {
            let mut tail = log.tail(&position).await.unwrap();
            let rest = take(&mut *tail, 60 - cut).await;
            assert_eq!(sorted(&rest), sorted(&merged[cut..]), "after {cut} records");
        }
        position[merged[cut].partition as usize] = merged[cut].offset + 1;
    }
    let mut tail = log.tail(&position).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(200), tail.next()).await;
    assert!(early.is_err(), "there is nothing left, got {early:?}");
    publish(&mut producer, 60..61, 1).await;
    assert_eq!(number(&take(&mut *tail, 1).await[0]), 60);
}

#[tokio::test]
async fn calls_that_are_given_up_lose_nothing() {
    let topic = Topic::new(2).await;
    let log = topic.log().await;
    let mut tail = log.tail(&[]).await.unwrap();
    let mut producer = topic.producer().await;
    let writer = tokio::spawn(async move { publish(&mut producer, 0..100, 1).await });
    let (mut numbers, mut patience) = (Vec::new(), 0);
    let taking = async {
        while numbers.len() < 100 {
            patience = (patience + 137) % 1_500;
            if let Ok(records) = tokio::time::timeout(Duration::from_micros(patience), tail.next()).await {
                numbers.extend(records.unwrap().iter().map(number));
            }
            tokio::task::yield_now().await;
        }
    };
    within("all events", taking).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    writer.await.unwrap();
}

#[tokio::test]
async fn a_position_ahead_of_the_log_is_an_error_with_a_name() {
    let topic = Topic::new(2).await;
    let log = topic.log().await;
    let error = log.tail(&[0, 1_000]).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.message().contains("1000") && error.message().contains(&topic.config.topic), "{error}");
}
