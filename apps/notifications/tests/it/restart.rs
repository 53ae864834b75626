//! A position outlives the service and the process.

use souk_notifications::NotificationsConfig;

use crate::support::{create_many, logged, open, serve};

#[tokio::test]
async fn every_id_resumes_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    let running = serve(&backend, NotificationsConfig::default()).await;
    let mut first = running.stream("", None).await;
    create_many(&backend, 40).await;
    first.read(40).await;
    let ids: Vec<String> = first.got.iter().map(|got| got.1.clone()).collect();
    drop(first);
    running.stop().await;
    // Written while nobody is there to push it.
    create_many(&backend, 10).await;
    backend.close().await;

    let backend = open(folder.path());
    let running = serve(&backend, NotificationsConfig::default()).await;
    create_many(&backend, 10).await;
    let all = logged(&backend).await;
    assert_eq!(all.len(), 60);
    // ready, then one id for each event.
    for (seen, id) in ids.iter().enumerate() {
        let mut stream = running.stream("", Some(id)).await;
        assert_eq!(stream.read(60 - seen).await, all[seen..], "after {seen} events");
        assert!(stream.got.iter().all(|got| got.0 != "gap"));
    }
    let mut earliest = running.stream("lastEventId=earliest", None).await;
    assert_eq!(earliest.read(60).await, all);
    running.stop().await;
    backend.close().await;
}

#[tokio::test]
async fn readers_from_anywhere_join_a_stream_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    create_many(&backend, 500).await;
    // A ring of a few dozen events: readers go back and forth between log and ring.
    let running = serve(&backend, NotificationsConfig { ring_bytes: 64 << 10, ..Default::default() }).await;
    let load = async {
        for _ in 0..20 {
            create_many(&backend, 100).await;
        }
    };
    let read = futures_util::future::join_all((0..20).map(async |n| {
        let query =
            if n % 2 == 0 { "lastEventId=earliest" } else { "lastEventId=earliest&types=ProductCreated" };
        let mut stream = running.stream(query, None).await;
        stream.read(2500).await
    }));
    let ((), read) = futures_util::future::join(load, read).await;
    let all = logged(&backend).await;
    for events in read {
        assert!(events == all, "each event once, in order");
    }
}

#[tokio::test]
async fn another_log_is_told_apart() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let backend = open(old.path());
    let running = serve(&backend, NotificationsConfig::default()).await;
    let id = running.stream("", None).await.got[0].1.clone();
    let backend = open(new.path());
    let running = serve(&backend, NotificationsConfig::default()).await;
    let stream = running.stream("", Some(&id)).await;
    assert_eq!(stream.got[0].0, "ready");
    let mut stream = stream;
    stream.until(|stream| stream.got.len() == 2).await;
    assert_eq!(stream.got[1].0, "gap");
    assert!(stream.got[1].2.contains(r#""reason":"unknown-log""#), "{:?}", stream.got);
}
