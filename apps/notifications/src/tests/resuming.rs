//! A reader that comes back gets everything after its id, once and in order.

use crate::testing::{Client, FakeLog, Instance, Place, assert_exactly, fault};

const KINDS: [&str; 5] =
    ["ProductCreated", "ProductUpdated", "ProductDeleted", "LowStockWarning", "StockReplenished"];

fn fill(log: &FakeLog, partitions: u32, count: usize) -> Vec<Place> {
    (0..count)
        .map(|n| {
            // Uneven partitions, and holes between offsets.
            let partition = (n * n % 7) as u32 % partitions;
            if n % 11 == 5 {
                log.skip(partition, 1 + n as u64 % 3);
            }
            log.append(partition, &format!("seller{}", n % 5), KINDS[n % KINDS.len()])
        })
        .collect()
}

/// Reads everything from the beginning, and returns the id that came with each event.
async fn ids(instance: &Instance, count: usize) -> Vec<(String, Place)> {
    let mut client = instance.open("lastEventId=earliest", None).await;
    client.events(count).await;
    client.got.iter().filter_map(|got| Some((got.id.clone(), got.place()?))).collect()
}

/// Resumes at every id that `first` gave out on `second`.
async fn resumes_everywhere(first: &Instance, second: &Instance, all: &[Place]) {
    let ids = ids(first, all.len()).await;
    for (index, (id, _)) in ids.iter().enumerate() {
        let seen: Vec<Place> = ids[..=index].iter().map(|(_, place)| *place).collect();
        let mut client = second.open("", Some(id)).await;
        client.events(all.len() - seen.len()).await;
        assert_eq!(client.gaps(), [], "after event {index}");
        let whole: Vec<Place> = seen.into_iter().chain(client.places()).collect();
        assert_exactly(&whole, all);
    }
}

#[tokio::test]
async fn resumes_at_every_event_from_log_and_ring() {
    for partitions in [1, 3, 16] {
        let log = FakeLog::new(1, partitions as usize);
        let mut all = fill(&log, partitions, 150);
        // A ring that holds a part of what comes live: the rest is in the log alone.
        let instance = Instance::with_ring(&log, 40_000).await;
        all.extend(fill(&log, partitions, 150));
        instance.caught_up().await;
        assert!(instance.hub.figures().1 < 150, "the ring holds only a part");
        resumes_everywhere(&instance, &instance, &all).await;
    }
}

#[tokio::test]
async fn resumes_on_another_instance_at_ids_of_the_first() {
    let log = FakeLog::new(1, 4);
    let mut all = fill(&log, 4, 60);
    let first = Instance::with_ring(&log, 1 << 20).await;
    all.extend(fill(&log, 4, 60));
    first.caught_up().await;
    // The second one merges the partitions in another order, and its ring begins elsewhere.
    let second = Instance::with_ring(&log, 1 << 20).await;
    all.extend(fill(&log, 4, 60));
    first.caught_up().await;
    second.caught_up().await;
    resumes_everywhere(&first, &second, &all).await;
    resumes_everywhere(&second, &first, &all).await;
}

#[tokio::test]
async fn live_ids_resume_too() {
    let log = FakeLog::new(1, 3);
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut live = instance.open("", None).await;
    live.now();
    let start = live.got[0].id.clone();
    let all = fill(&log, 3, 80);
    instance.caught_up().await;
    live.events(all.len()).await;
    assert_exactly(&live.places(), &all);
    let ids: Vec<_> = live.got.iter().filter(|got| got.place().is_some()).collect();
    for (index, got) in ids.iter().enumerate() {
        let mut client = instance.open("", Some(&got.id)).await;
        client.events(all.len() - index - 1).await;
        let seen: Vec<Place> = live.places()[..=index].to_vec();
        assert_exactly(&seen.into_iter().chain(client.places()).collect::<Vec<_>>(), &all);
    }
    let mut client = instance.open("", Some(&start)).await;
    client.events(all.len()).await;
    assert_exactly(&client.places(), &all);
}

/// Opens readers everywhere while events come, and returns the first fault that one saw.
async fn joins_under_load(planted_bug: Option<&'static str>) -> Option<String> {
    let log = FakeLog::new(1, 3);
    let mut all = fill(&log, 3, 400);
    let config = crate::NotificationsConfig { ring_bytes: 70_000, planted_bug, ..Default::default() };
    let instance = Instance::start(&log, config).await;
    let mut clients: Vec<Client> = Vec::new();
    for round in 0..20 {
        clients.push(instance.open("lastEventId=earliest", None).await);
        clients.push(instance.open("lastEventId=earliest&named=1", None).await);
        all.extend(fill(&log, 3, 20 + round));
        tokio::task::yield_now().await;
        for client in &mut clients {
            client.now();
        }
    }
    instance.caught_up().await;
    for client in &mut clients {
        // A reader that lost events would wait for ever: so ask whether it has caught up, not how many came.
        while !client.now() || client.reader.is_behind() {
            tokio::task::yield_now().await;
        }
        client.now();
        if let Some(fault) = fault(&client.places(), &all) {
            return Some(fault);
        }
    }
    None
}

#[tokio::test]
async fn joins_the_live_stream_under_load_with_nothing_missed_and_nothing_twice() {
    assert_eq!(joins_under_load(None).await, None);
}

#[tokio::test]
async fn a_frame_skipped_on_join_would_be_noticed() {
    let fault = joins_under_load(Some("skip-frame-on-join")).await;
    assert!(fault.is_some_and(|fault| fault.starts_with("missing Some")));
}

#[tokio::test]
async fn the_header_beats_the_query() {
    let log = FakeLog::new(1, 1);
    let all = fill(&log, 1, 30);
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let ids = ids(&instance, all.len()).await;
    let mut client = instance.open(&format!("lastEventId={}", ids[2].0), Some(&ids[20].0)).await;
    client.events(9).await;
    assert_exactly(&client.places(), &all[21..]);
    let mut client = instance.open(&format!("lastEventId={}", ids[2].0), Some("")).await;
    client.events(27).await;
    assert_exactly(&client.places(), &all[3..]);
}

#[tokio::test]
async fn partitions_may_be_added() {
    let log = FakeLog::new(1, 1);
    let mut all = fill(&log, 1, 10);
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let old = instance.head();
    log.add_partition();
    let added = fill(&log, 2, 30);
    all.extend(added.clone());
    instance.caught_up().await;
    let mut client = instance.open("", Some(&old)).await;
    client.events(added.len()).await;
    assert_exactly(&client.places(), &added);
    let second = Instance::with_ring(&log, 1 << 20).await;
    let mut client = second.open("", Some(&old)).await;
    client.events(added.len()).await;
    assert_exactly(&client.places(), &added);
    resumes_everywhere(&instance, &second, &all).await;
}

#[tokio::test]
async fn an_id_from_a_faster_instance_waits_for_its_events() {
    let log = FakeLog::new(1, 2);
    let slow = Instance::with_ring(&log, 1 << 20).await;
    let fast = Instance::with_ring(&log, 1 << 20).await;
    // The slow instance cannot follow for a moment; the fast one has seen more.
    log.fail(u32::MAX);
    slow.until(|slow| *slow.pump.lock() != crate::pump::PumpState::Following).await;
    fast.until(|fast| *fast.pump.lock() != crate::pump::PumpState::Following).await;
    let before = fill(&log, 2, 10);
    let id = souk_events::Cursor { log: slow.hub.log, next: vec![before.len() as u64, 0] };
    let ends: Vec<_> = (0..2)
        .map(|partition| before.iter().filter(|place| place.0 == partition).map(|place| place.1 + 1).max())
        .collect();
    let id = souk_events::Cursor { next: vec![ends[0].unwrap_or(0), 0], ..id };
    log.fail(0);
    // Judged against the log's end, not against what this instance has seen.
    let mut client = slow.open("", Some(&id.to_string())).await;
    let after = fill(&log, 2, 10);
    let expected: Vec<Place> = before.iter().filter(|place| place.0 == 1).chain(&after).copied().collect();
    client.events(expected.len()).await;
    assert_eq!(client.gaps(), []);
    assert_exactly(&client.places(), &expected);
}
