//! Readers, publisher, heartbeats and drain on several threads at once: nobody sleeps through an event.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::NotificationsConfig;
use crate::testing::{DEADLINE, FakeLog, Instance, Place, fault};

const EVENTS: u64 = 4000;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost() {
    // Without heartbeats, which would wake whoever was forgotten.
    delivers(Duration::from_secs(3600), None).await.expect("every event reaches its readers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn heartbeats_take_no_event_from_a_reader() {
    delivers(Duration::from_millis(1), None).await.expect("every event reaches its readers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wait_that_does_not_look_at_the_head_would_be_noticed() {
    let late = delivers(Duration::from_secs(3600), Some("wait-without-looking")).await;
    late.expect_err("readers sleep through events");
}

/// Lets readers of all kinds read while events come; an error when one does not get its events in time.
async fn delivers(heartbeat: Duration, planted_bug: Option<&'static str>) -> Result<(), String> {
    let log = FakeLog::new(1, 3);
    // Small enough that readers fall off it now and then.
    let config = NotificationsConfig {
        ring_bytes: 64 << 10,
        heartbeat,
        planted_bug,
        ..NotificationsConfig::default()
    };
    // The bug shows itself by events that do not come.
    let deadline = if planted_bug.is_some() { Duration::from_secs(5) } else { DEADLINE };
    let instance = Instance::start(&log, config).await;
    let done = AtomicBool::new(false);
    let mut clients = Vec::new();
    for n in 0..40_u64 {
        let query = match n % 4 {
            0 => String::new(),
            1 => "named=1".into(),
            // One event in a hundred.
            2 => format!("sellerId=s{n}"),
            _ => format!("sellerId=s{n},s{}&types=ProductUpdated", n - 1),
        };
        clients.push((n, instance.open(&query, None).await));
    }
    let hub = instance.hub.clone();
    let ticks = async {
        while !done.load(Ordering::Relaxed) {
            hub.tick();
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
    };
    let appended = log.clone();
    let appends = tokio::spawn(async move {
        for n in 0..EVENTS {
            appended.append((n % 3) as u32, &format!("s{}", n % 100), "ProductUpdated");
            if n % 7 == 0 {
                tokio::task::yield_now().await;
            }
            if n % 97 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let readers: Vec<_> = clients
        .into_iter()
        .map(|(n, mut client)| {
            tokio::spawn(async move {
                let wanted = |event: &u64| match n % 4 {
                    0 | 1 => true,
                    2 => event % 100 == n,
                    _ => event % 100 == n || event % 100 == n - 1,
                };
                let expected: Vec<Place> =
                    (0..EVENTS).filter(wanted).map(|event| ((event % 3) as u32, event / 3)).collect();
                if tokio::time::timeout(deadline, client.events(expected.len())).await.is_err() {
                    return Err(format!("{} of {} events", client.places().len(), expected.len()));
                }
                assert_eq!(client.gaps(), []);
                fault(&client.places(), &expected).map_or(Ok(()), Err)
            })
        })
        .collect();
    let read = async {
        let mut result = Ok(());
        for reader in readers {
            result = result.and(reader.await.expect("a reader does not panic"));
        }
        done.store(true, Ordering::Relaxed);
        result
    };
    let (result, ()) = futures_util::future::join(read, ticks).await;
    appends.await.expect("the log takes events");
    result
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_drain_reaches_everybody() {
    for _ in 0..20 {
        let log = FakeLog::new(1, 1);
        let instance = Instance::with_ring(&log, 64 << 10).await;
        let mut readers = Vec::new();
        for _ in 0..50 {
            let mut client = instance.open("", None).await;
            readers.push(tokio::spawn(async move {
                client.until(|client| client.parser.retry().is_some_and(|retry| retry != 2000)).await;
            }));
        }
        log.append(0, "a", "ProductCreated");
        // The first slot is the ordinary wait itself: no reader must get that one.
        instance.hub.drain_retry();
        instance.hub.drain_retry();
        let drain = instance.hub.drain();
        tokio::time::timeout(DEADLINE, drain).await.expect("the drain ends");
        for reader in readers {
            reader.await.unwrap();
        }
    }
}
