//! Consumer groups: each its own position, and nothing lost that was not committed.

use std::collections::HashMap;
use std::time::Duration;

use souk_ports::{Delivery, EventLog, GroupConsumer, LogRecord, Offset, Partition};

use crate::{DEADLINE, Fixture, Shop, eventually, make, within};

/// Waits for the assignment that has to come first.
async fn assigned(consumer: &mut dyn GroupConsumer) -> Vec<(Partition, Offset)> {
    let assignment = async {
        loop {
            match consumer.next(DEADLINE).await.unwrap() {
                Delivery::Assigned(partitions) => return partitions,
                Delivery::Idle => {}
                other => panic!("the first delivery is the assignment, not {other:?}"),
            }
        }
    };
    within("the assignment", assignment).await
}

/// Takes records until there are `count`.
async fn take(consumer: &mut dyn GroupConsumer, count: usize) -> Vec<LogRecord> {
    let mut taken = Vec::new();
    let taking = async {
        while taken.len() < count {
            match consumer.next(Duration::from_millis(500)).await.unwrap() {
                Delivery::Records(records) => {
                    assert!(!records.is_empty(), "a delivery of records has some");
                    taken.extend(records);
                }
                Delivery::Idle | Delivery::Assigned(_) => {}
                Delivery::Revoking(partitions) => panic!("nobody else asked for {partitions:?}"),
            }
        }
    };
    within("records", taking).await;
    taken
}

/// Returns each partition's next offset after `records`.
fn positions(records: &[LogRecord]) -> HashMap<Partition, Offset> {
    records.iter().map(|record| (record.partition, record.offset + 1)).collect()
}

async fn commit(consumer: &mut dyn GroupConsumer, records: &[LogRecord]) {
    for (partition, next) in positions(records) {
        consumer.commit(partition, next).await.unwrap();
    }
}

fn sorted(records: &[LogRecord]) -> Vec<LogRecord> {
    let mut records = records.to_vec();
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

async fn joined(log: &dyn EventLog, group: &str) -> (Box<dyn GroupConsumer>, Vec<(Partition, Offset)>) {
    let mut consumer = log.consumer(group).await.unwrap();
    let partitions = assigned(&mut *consumer).await;
    (consumer, partitions)
}

/// A lone member is given every partition, from the beginning where nothing was committed.
pub async fn the_first_delivery_is_the_assignment<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    shop.with_events(3, 10).await;
    let (_consumer, mut partitions) = joined(&*shop.log, "fresh").await;
    partitions.sort_unstable();
    let expected: Vec<_> =
        (0..).zip(shop.log.bounds().await.unwrap()).map(|(partition, _)| (partition, 0)).collect();
    assert_eq!(partitions, expected);
}

/// A member that goes before it committed leaves its records to the next.
pub async fn uncommitted_records_are_redelivered<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    shop.with_events(3, 40).await;
    let all = shop.records().await;
    let (mut first, _) = joined(&*shop.log, "group").await;
    let seen = take(&mut *first, all.len()).await;
    assert_eq!(sorted(&seen), all);
    drop(first);
    let (mut second, partitions) = joined(&*shop.log, "group").await;
    assert!(partitions.iter().all(|(_, next)| *next == 0));
    assert_eq!(sorted(&take(&mut *second, all.len()).await), all);
    drop(second);
    let shop = shop.crash().await;
    let (mut third, _) = joined(&*shop.log, "group").await;
    assert_eq!(sorted(&take(&mut *third, all.len()).await), all);
}

/// A commit is durable when it returns, and the next member goes on exactly there.
pub async fn committed_positions_survive_reopen<F: Fixture>() {
    let mut shop = Shop::<F>::open().await;
    shop.with_events(3, 40).await;
    let all = shop.records().await;
    let mut done: Vec<LogRecord> = Vec::new();
    for part in [1, 15, 20] {
        let (mut consumer, partitions) = joined(&*shop.log, "group").await;
        let committed = shop.log.committed("group").await.unwrap();
        for (partition, next) in partitions {
            assert_eq!(committed.get(partition as usize).copied().unwrap_or(0), next);
        }
        let mut taken = take(&mut *consumer, part).await;
        // The rest of the last delivery stays uncommitted.
        taken.truncate(part);
        commit(&mut *consumer, &taken).await;
        done.extend(taken);
        drop(consumer);
        shop = shop.crash().await;
        let committed = shop.log.committed("group").await.unwrap();
        for (partition, next) in positions(&done) {
            assert_eq!(committed[partition as usize], next);
        }
    }
    let (mut consumer, _) = joined(&*shop.log, "group").await;
    done.extend(take(&mut *consumer, all.len() - done.len()).await);
    assert_eq!(sorted(&done), all, "nothing was left out and nothing came twice");
}

/// A group without a position is at the beginning, also of a log that no longer holds it: whoever needs what is gone can
/// tell that it is, and nobody passes over it in silence.
pub async fn a_group_is_not_told_to_be_further_than_it_is<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    shop.with_events(3, 40).await;
    let before = shop.log.bounds().await.unwrap();
    // Some backends let nothing go that the archive's group has not passed.
    let (mut archive, _) = joined(&*shop.log, "fixture-archive").await;
    for (partition, bounds) in (0..).zip(&before) {
        archive.commit(partition, bounds.next).await.unwrap();
    }
    drop(archive);
    shop.clock.advance(Duration::from_secs(30 * 86_400));
    shop.settled_log().await;
    let ends: Vec<Offset> = before.iter().map(|bounds| bounds.next).collect();
    let held = eventually("the log to begin later", || async {
        shop.fixture.expire(&ends).await;
        let bounds = shop.log.bounds().await.unwrap();
        let begins_later = bounds.iter().zip(&ends).all(|(bounds, end)| bounds.earliest >= *end);
        if begins_later { Some(shop.records().await) } else { None }
    })
    .await;
    let (mut consumer, partitions) = joined(&*shop.log, "forgotten").await;
    assert_eq!(partitions.len(), before.len());
    assert!(partitions.iter().all(|(_, next)| *next == 0), "{partitions:?}");
    assert_eq!(shop.log.committed("forgotten").await.unwrap(), vec![0; before.len()]);
    // What is held comes by itself.
    assert_eq!(sorted(&take(&mut *consumer, held.len()).await), held);
}

/// Groups have positions of their own.
pub async fn two_groups_do_not_disturb_each_other<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    shop.with_events(3, 30).await;
    let all = shop.records().await;
    let ((mut one, _), (mut two, _)) = (joined(&*shop.log, "one").await, joined(&*shop.log, "two").await);
    let taken = take(&mut *one, all.len()).await;
    commit(&mut *one, &taken).await;
    assert_eq!(sorted(&take(&mut *two, all.len()).await), all);
    assert!(shop.log.committed("two").await.unwrap().iter().all(|next| *next == 0));
    let committed = shop.log.committed("one").await.unwrap();
    for (partition, next) in positions(&taken) {
        assert_eq!(committed[partition as usize], next);
    }
}

/// A seek moves the member in either direction, and leaves what is committed alone.
pub async fn a_seek_goes_on_elsewhere_without_committing<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    shop.with_events(3, 30).await;
    let all = shop.records().await;
    let (mut consumer, partitions) = joined(&*shop.log, "group").await;
    let taken = take(&mut *consumer, all.len()).await;
    for (partition, _) in &partitions {
        consumer.seek(*partition, 0).await.unwrap();
    }
    let again = take(&mut *consumer, all.len()).await;
    assert_eq!(sorted(&again), sorted(&taken));
    // On to the last record of the fullest partition.
    let last = taken.iter().max_by_key(|record| (record.offset, record.partition)).unwrap();
    consumer.seek(last.partition, last.offset).await.unwrap();
    let one = take(&mut *consumer, 1).await;
    assert_eq!(one, std::slice::from_ref(last));
    assert!(shop.log.committed("group").await.unwrap().iter().all(|next| *next == 0));
}

/// What was read when a seek comes, and not taken, is of the place that is left: none of it comes any more.
pub async fn a_seek_takes_back_what_is_under_way<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (mut consumer, partitions) = joined(&*shop.log, "group").await;
    // Given up while it waits: what comes then is on its way to nobody.
    assert_eq!(consumer.next(Duration::from_millis(1)).await.unwrap(), Delivery::Idle);
    shop.with_events(3, 60).await;
    let all = shop.records().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut expected = Vec::new();
    for (partition, _) in &partitions {
        let of_it: Vec<_> = all.iter().filter(|record| record.partition == *partition).cloned().collect();
        let rest = of_it.get(of_it.len() / 2..).unwrap_or_default();
        let Some(first) = rest.first() else { continue };
        consumer.seek(*partition, first.offset).await.unwrap();
        expected.extend_from_slice(rest);
    }
    assert_eq!(sorted(&take(&mut *consumer, expected.len()).await), expected);
    assert_eq!(consumer.next(Duration::from_millis(1)).await.unwrap(), Delivery::Idle);
}

/// With nothing to do a member is told so in time, and what is written later reaches it.
pub async fn a_caught_up_group_is_idle_until_something_comes<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (mut consumer, _) = joined(&*shop.log, "group").await;
    let idle = within("idleness", consumer.next(Duration::from_millis(20))).await.unwrap();
    assert_eq!(idle, Delivery::Idle);
    for n in 0..5 {
        let id = shop.product(&format!("product {n}"), 10).await;
        let taken = take(&mut *consumer, 1).await;
        assert_eq!(taken.len(), 1);
        assert_eq!(souk_events::decode(&taken[0].payload).unwrap().product.id, id);
        commit(&mut *consumer, &taken).await;
        assert_eq!(consumer.next(Duration::from_millis(1)).await.unwrap(), Delivery::Idle);
    }
    let committed = shop.log.committed("group").await.unwrap();
    eventually("the commits to reach the end", || async {
        let bounds = shop.log.bounds().await.unwrap();
        // Holes after the last record are nobody's to commit.
        let records = shop.records().await;
        let done = records.iter().all(|record| committed[record.partition as usize] > record.offset);
        (done && bounds.len() >= committed.len()).then_some(())
    })
    .await;
}

/// A call that is given up gives its records to the next.
pub async fn a_cancelled_delivery_is_not_lost<F: Fixture>() {
    const EVENTS: usize = 60;
    let shop = Shop::<F>::open().await;
    let id = shop.product("sold", 1_000_000).await;
    let (mut consumer, _) = joined(&*shop.log, "group").await;
    let catalog = shop.catalog.clone();
    let writer = tokio::spawn(async move {
        for _ in 1..EVENTS {
            catalog.execute(make::unit([make::adjust(id, -1)])).await.unwrap();
        }
    });
    let mut versions = Vec::new();
    let mut patience = 0;
    let taking = async {
        while versions.len() < EVENTS {
            patience = (patience + 137) % 1_500;
            let delivery =
                tokio::time::timeout(Duration::from_micros(patience), consumer.next(DEADLINE)).await;
            if let Ok(Delivery::Records(records)) = delivery.map(Result::unwrap) {
                versions.extend(
                    records.iter().map(|record| souk_events::decode(&record.payload).unwrap().version.0),
                );
            }
            tokio::task::yield_now().await;
        }
    };
    within("all events in spite of cancelled calls", taking).await;
    assert_eq!(versions, (1..=EVENTS as u64).collect::<Vec<_>>());
    within("the writer", writer).await.unwrap();
}
