//! Slow and late readers cost the log few reads, and memory no more than a bounded share.

use crate::NotificationsConfig;
use crate::testing::{FakeLog, Instance, Place, assert_exactly, fault};

#[tokio::test]
async fn one_read_serves_many_readers() {
    let log = FakeLog::new(1, 1);
    let all: Vec<Place> = (0..1000).map(|_| log.append(0, "a", "ProductUpdated")).collect();
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut clients = Vec::new();
    for n in 0..100 {
        // From everywhere, so that blocks must be the same wherever a reader begins.
        let from = souk_events::Cursor { log: instance.hub.log, next: vec![n * 7] };
        clients.push((n as usize * 7, instance.open("", Some(&from.to_string())).await));
    }
    let reads = futures_util::future::join_all(clients.iter_mut().map(async |(from, client)| {
        client.events(1000 - *from).await;
        assert_exactly(&client.places(), &all[*from..]);
    }));
    reads.await;
    // 8 blocks of 128 offsets, a few cut in two by their size.
    assert!(log.reads() <= 20, "{} reads", log.reads());
}

#[tokio::test]
async fn a_block_of_the_log_leaves_in_one_write() {
    let log = FakeLog::new(1, 1);
    for _ in 0..128 {
        log.append(0, "a", "ProductUpdated");
    }
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut client = instance.open("lastEventId=earliest", None).await;
    client.events(128).await;
    assert_eq!(client.chunks.len(), 2, "the greeting and the block");
}

#[tokio::test]
async fn adjacent_events_leave_in_few_writes_however_they_came() {
    let log = FakeLog::new(1, 1);
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut client = instance.open("", None).await;
    client.now();
    for _ in 0..500 {
        log.append(0, "a", "ProductUpdated");
        instance.caught_up().await;
    }
    client.now();
    assert_eq!(client.places().len(), 500);
    // About 500 bytes each, in segments of at most 64 KiB that double.
    assert!(client.chunks.len() < 16, "{:?}", client.chunks);
}

#[tokio::test]
async fn readers_that_never_read_cost_a_bounded_ring() {
    let log = FakeLog::new(1, 2);
    let config = NotificationsConfig { ring_bytes: 100_000, catch_up_bytes: 200_000, ..Default::default() };
    let instance = Instance::start(&log, config).await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(instance.open("", None).await);
    }
    let mut all = Vec::new();
    for n in 0..3000_u32 {
        all.push(log.append(n % 2, "a", "ProductUpdated"));
        if n % 100 == 0 {
            instance.caught_up().await;
            assert!(instance.hub.figures().0 <= 100_000);
        }
    }
    instance.caught_up().await;
    // One begins to read again: everything is there.
    let client = &mut clients[17];
    client.events(all.len()).await;
    assert_eq!(client.gaps(), []);
    assert_exactly(&client.places(), &all);
    assert!(instance.hub.blocks.bytes() <= 200_000);
}

#[tokio::test]
async fn catching_up_survives_a_log_that_fails() {
    let log = FakeLog::new(1, 1);
    let mut all: Vec<Place> = (0..600).map(|_| log.append(0, "a", "ProductUpdated")).collect();
    let instance = Instance::with_ring(&log, 50_000).await;
    let mut client = instance.open("lastEventId=earliest", None).await;
    client.events(100).await;
    log.fail(3);
    all.extend((0..10).map(|_| log.append(0, "a", "ProductUpdated")));
    client.events(all.len()).await;
    assert!(!log.is_failing());
    assert_exactly(&client.places(), &all);
}

#[tokio::test]
async fn readers_that_leave_while_a_block_loads_hold_nobody_up() {
    let log = FakeLog::new(1, 1);
    let all: Vec<Place> = (0..50).map(|_| log.append(0, "a", "ProductUpdated")).collect();
    let instance = Instance::with_ring(&log, 50_000).await;
    let mut first = instance.open("lastEventId=earliest", None).await;
    let mut second = instance.open("lastEventId=earliest", None).await;
    first.now();
    assert!(first.reader.is_behind(), "it waits for the block");
    drop(first);
    second.events(all.len()).await;
    drop(second);
    let mut third = instance.open("lastEventId=earliest", None).await;
    third.now();
    assert_exactly(&third.places(), &all);
}

/// Reads all of a log whose reads come back with three records at most, and returns what is wrong with what came.
async fn reads_short_answers(planted_bug: Option<&'static str>) -> Option<String> {
    let log = FakeLog::new(1, 2);
    log.read_at_most(3);
    let mut all = Vec::new();
    for n in 0..600_u32 {
        match n {
            // Longer than a block.
            300 => log.skip(0, 300),
            n if n % 7 == 4 => log.skip(n % 2, 1),
            _ => {}
        }
        all.push(log.append(n % 2, "a", "ProductUpdated"));
    }
    // Where no record follows that would tell.
    log.skip(0, 200);
    log.skip(1, 1);
    let config = NotificationsConfig { ring_bytes: 64 << 10, planted_bug, ..Default::default() };
    let instance = Instance::start(&log, config).await;
    let mut client = instance.open("lastEventId=earliest", None).await;
    // A reader that lost events would wait for ever: so ask whether it has caught up, not how many came.
    while !client.now() || client.reader.is_behind() {
        tokio::task::yield_now().await;
    }
    all.push(log.append(0, "a", "ProductUpdated"));
    instance.caught_up().await;
    client.now();
    assert_eq!(client.gaps(), []);
    fault(&client.places(), &all)
}

#[tokio::test]
async fn a_short_answer_of_the_log_is_not_taken_for_all_that_there_is() {
    assert_eq!(reads_short_answers(None).await, None);
}

#[tokio::test]
async fn short_answers_taken_for_complete_would_be_noticed() {
    let fault = reads_short_answers(Some("short-reads-are-complete")).await;
    assert!(fault.is_some_and(|fault| fault.starts_with("missing Some")));
}
