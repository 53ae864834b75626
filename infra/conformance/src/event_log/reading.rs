//! Reading the log as it lies.

use std::collections::HashSet;

use souk_domain::Version;
use souk_events::Envelope;
use souk_ports::{ExecuteError, LogRecord, ReadLimit};

use crate::{Dice, Fixture, Shop, fold_log, make, within};

/// Each committed event is in the log once, those of a product in order, whoever wrote them.
pub async fn every_committed_event_is_readable_once_in_order_per_product<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let mut writers = Vec::new();
    for writer in 0..8 {
        let (catalog, ids) = (shop.catalog.clone(), (0..5).map(|_| shop.new_id()).collect::<Vec<_>>());
        writers.push(tokio::spawn(async move {
            let mut dice = Dice::new(writer);
            for id in &ids {
                catalog.execute(make::unit([make::create(*id, "logged", 7)])).await.unwrap();
            }
            for _ in 0..40 {
                let id = ids[dice.index(ids.len())];
                let delta = if dice.roll(2) == 0 { 1 } else { -1 };
                match catalog.execute(make::unit([make::adjust(id, delta)])).await {
                    Ok(_) | Err(ExecuteError::Rejected(_)) => {}
                    Err(other) => panic!("expected a move or a refusal, got {other:?}"),
                }
            }
            catalog.execute(make::unit([make::delete(ids[0])])).await.unwrap();
        }));
    }
    for writer in writers {
        within("a writer", writer).await.unwrap();
    }
    let logged = shop.settled_log().await;
    let folds = fold_log(&logged);
    for row in shop.scan().await {
        if let Some(fold) = folds.get(&row.id) {
            assert_eq!((row.version.0, &row.product), (fold.version, &fold.product));
        }
    }
    assert_eq!(folds.len(), 40);
    for found in &logged {
        let envelope = Envelope::read(&found.record.payload).unwrap();
        assert_eq!((envelope.id, envelope.subject), (found.event.id, found.event.product.id));
        let mut again = Vec::new();
        souk_events::encode(&found.event, &mut again);
        assert_eq!(found.record.payload, again, "the payload is the event as it is published, to the byte");
    }
}

/// A refused unit leaves no event, though some of its commands could have been done.
pub async fn nothing_of_a_rejected_unit_is_in_the_log<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("kept", 10).await;
    for _ in 0..20 {
        let fresh = shop.new_id();
        shop.refusals(make::unit([
            make::create(fresh, "never", 1),
            make::adjust(id, -1),
            make::delete(shop.new_id()),
        ]))
        .await;
    }
    shop.run(make::adjust(id, -1)).await;
    let logged = shop.settled_log().await;
    assert_eq!(logged.len(), 2);
    assert_eq!((logged[1].event.product.id, logged[1].event.version), (id, Version(2)));
}

/// What was answered is in the log after a crash, at the same offsets.
pub async fn events_survive_a_reopen<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let before = shop.with_events(3, 30).await;
    let shop = shop.crash().await;
    let after = shop.settled_log().await;
    assert!(after == before, "the log is as it was: {} records, {} before", after.len(), before.len());
    let id = shop.product("after the crash", 1).await;
    let latest = shop.settled_log().await;
    let new: Vec<_> = latest.iter().filter(|found| found.event.product.id == id).collect();
    let offsets: HashSet<_> =
        before.iter().map(|found| (found.record.partition, found.record.offset)).collect();
    assert!(!new.is_empty());
    assert!(
        new.iter().all(|found| !offsets.contains(&(found.record.partition, found.record.offset))),
        "no offset is given twice"
    );
}

/// An offset that holds no record, such as a hole, leads to the next one that does.
pub async fn a_read_begins_at_the_first_record_at_or_after_its_offset<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    shop.with_events(5, 60).await;
    let records = shop.records().await;
    for (partition, bounds) in (0..).zip(shop.log.bounds().await.unwrap()) {
        let mine: Vec<&LogRecord> = records.iter().filter(|record| record.partition == partition).collect();
        for from in bounds.earliest..=bounds.next + 2 {
            let read = shop.log.read(partition, from, ReadLimit::default()).await.unwrap();
            let expected: Vec<&LogRecord> =
                mine.iter().copied().filter(|record| record.offset >= from).collect();
            assert_eq!(read.iter().collect::<Vec<_>>(), expected, "partition {partition} from {from}");
        }
    }
}

/// A read stops where it was told to, and gives at least one record when there is one.
pub async fn a_read_keeps_its_limits_and_makes_progress<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    shop.with_events(5, 60).await;
    let all = shop.records().await;
    for limit in [
        ReadLimit { records: 1, bytes: usize::MAX },
        ReadLimit { records: 7, bytes: usize::MAX },
        ReadLimit { records: 1_000, bytes: 1 },
        ReadLimit { records: 1_000, bytes: 2_000 },
    ] {
        let mut found = Vec::new();
        for (partition, bounds) in (0..).zip(shop.log.bounds().await.unwrap()) {
            let mut from = bounds.earliest;
            loop {
                let batch = shop.log.read(partition, from, limit).await.unwrap();
                let Some((last, rest)) = batch.split_last() else { break };
                assert!(batch.len() <= limit.records);
                let passed: usize = rest.iter().map(|record| record.payload.len()).sum();
                assert!(passed <= limit.bytes, "it stops after the record that passes the limit");
                from = last.offset + 1;
                found.extend(batch);
            }
        }
        assert_eq!(found, all, "{limit:?}");
    }
}

/// Every record lies within its partition's bounds, offsets grow, and the end moves with each write.
pub async fn bounds_enclose_what_is_held<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("bounded", 1_000).await;
    for _ in 0..5 {
        shop.settled_log().await;
        let before = shop.log.bounds().await.unwrap();
        let records = shop.records().await;
        for pair in records.windows(2).filter(|pair| pair[0].partition == pair[1].partition) {
            assert!(pair[0].offset < pair[1].offset);
        }
        for record in &records {
            let bounds = before[record.partition as usize];
            assert!((bounds.earliest..bounds.next).contains(&record.offset));
        }
        shop.run(make::adjust(id, -1)).await;
        shop.settled_log().await;
        let after = shop.log.bounds().await.unwrap();
        assert_eq!(before.len(), after.len(), "partitions do not come and go");
        assert!(before.iter().zip(&after).all(|(before, after)| before.next <= after.next));
        assert!(before.iter().zip(&after).any(|(before, after)| before.next < after.next));
    }
}

/// A log that nobody wrote to holds nothing and says so.
pub async fn an_empty_log_is_empty<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let bounds = shop.log.bounds().await.unwrap();
    assert!(!bounds.is_empty(), "a log has a partition at least");
    for (partition, bounds) in (0..).zip(bounds) {
        assert_eq!(bounds.earliest, bounds.next);
        for from in [0, bounds.earliest, bounds.next + 1_000] {
            assert!(shop.log.read(partition, from, ReadLimit::default()).await.unwrap().is_empty());
        }
    }
    assert!(shop.log.committed("nobody").await.unwrap().iter().all(|next| *next == 0));
}

/// A log keeps its identity for good, and no other log has it.
pub async fn identity_is_stable_and_a_new_log_has_another<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let identity = shop.log.identity();
    shop.product("written", 1).await;
    assert_eq!(shop.log.identity(), identity);
    let shop = shop.crash().await;
    assert_eq!(shop.log.identity(), identity);
    let other = Shop::<F>::open().await;
    assert_ne!(other.log.identity(), identity);
}
