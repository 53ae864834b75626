//! Reading at a position, bounds, and the markers between.

use souk_ports::{EventLog, ReadLimit};

use crate::support::{Topic, eventually, everything, number, publish};

#[tokio::test]
async fn an_empty_log_is_empty() {
    let topic = Topic::new(3).await;
    let log = topic.log().await;
    for (partition, bounds) in (0..).zip(log.bounds().await.unwrap()) {
        assert_eq!((bounds.earliest, bounds.next), (0, 0));
        for from in [0, 1, 1_000] {
            assert!(log.read(partition, from, ReadLimit::default()).await.unwrap().is_empty());
        }
    }
    assert_eq!(log.committed("nobody").await.unwrap(), [0, 0, 0]);
}

#[tokio::test]
async fn a_read_begins_anywhere_and_markers_are_holes() {
    let topic = Topic::new(2).await;
    let log = topic.log().await;
    let mut producer = topic.producer().await;
    // A marker after each pair.
    publish(&mut producer, 0..40, 2).await;
    let all = eventually("all of it", || async {
        let all = everything(&log).await;
        (all.len() == 40).then_some(all)
    })
    .await;
    for (partition, bounds) in (0..).zip(log.bounds().await.unwrap()) {
        let mine: Vec<_> = all.iter().filter(|record| record.partition == partition).collect();
        assert!(bounds.next > mine.len() as u64, "markers take offsets");
        for from in 0..=bounds.next + 2 {
            let read = log.read(partition, from, ReadLimit::default()).await.unwrap();
            let expected: Vec<_> = mine.iter().copied().filter(|record| record.offset >= from).collect();
            assert_eq!(read.iter().collect::<Vec<_>>(), expected, "partition {partition} from {from}");
        }
    }
}

#[tokio::test]
async fn a_read_keeps_its_limits_and_makes_progress() {
    let topic = Topic::new(1).await;
    let log = topic.log().await;
    publish(&mut topic.producer().await, 0..200, 7).await;
    let all = eventually("all of it", || async {
        let all = everything(&log).await;
        (all.len() == 200).then_some(all)
    })
    .await;
    for limit in [
        ReadLimit { records: 1, bytes: usize::MAX },
        ReadLimit { records: 7, bytes: usize::MAX },
        ReadLimit { records: 1_000, bytes: 1 },
        ReadLimit { records: 1_000, bytes: 50 },
    ] {
        let (mut found, mut from) = (Vec::new(), 0);
        loop {
            let batch = log.read(0, from, limit).await.unwrap();
            let Some((last, rest)) = batch.split_last() else { break };
            assert!(batch.len() <= limit.records);
            assert!(rest.iter().map(|record| record.payload.len()).sum::<usize>() <= limit.bytes);
            from = last.offset + 1;
            found.extend(batch);
        }
        assert_eq!(found, all, "{limit:?}");
    }
}

#[tokio::test]
async fn a_reader_that_reached_the_end_sees_what_is_written_then() {
    let topic = Topic::new(1).await;
    let log = topic.log().await;
    let mut producer = topic.producer().await;
    let mut from = 0;
    for n in 0..20 {
        publish(&mut producer, n..n + 1, 1).await;
        let batch = eventually("the record", || async {
            let batch = log.read(0, from, ReadLimit::default()).await.unwrap();
            (!batch.is_empty()).then_some(batch)
        })
        .await;
        assert_eq!(batch.iter().map(number).collect::<Vec<_>>(), [n]);
        from = batch[0].offset + 1;
        assert!(log.read(0, from, ReadLimit::default()).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_read_at_once() {
    let topic = Topic::new(4).await;
    let log = std::sync::Arc::new(topic.log().await);
    publish(&mut topic.producer().await, 0..1_000, 250).await;
    let all = eventually("all of it", || async {
        let all = everything(&*log).await;
        (all.len() == 1_000).then_some(all)
    })
    .await;
    let readers: Vec<_> = (0..10)
        .map(|_| {
            let log = log.clone();
            tokio::spawn(async move { everything(&*log).await })
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), all);
    }
    assert!(log.health().problem.is_none());
}
