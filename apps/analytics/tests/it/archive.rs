//! The archive: exactly once, never overwritten, and on its feet again by itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use http::{Method, StatusCode};
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode};
use serde_json::{Value, json};
use souk_analytics::archive::{Span, encode, object_key};
use souk_aws::{AwsConfig, AwsKeys};
use souk_conformance::eventually;
use souk_ports::{Clock as _, IdGenerator as _, RandomIds};

use crate::bed::Bed;
use crate::faults::FlakyStore;

fn objects(body: &Value) -> &Vec<Value> {
    body["objects"].as_array().unwrap()
}

/// Returns the files of the archive, staged ones too, with their bytes.
fn files(dir: &Path) -> BTreeSet<(String, Vec<u8>)> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flush_archives_everything_committed_before_it() {
    let bed = Bed::new();
    let running = bed.start();
    bed.create("ann", 40).await;
    let (status, body) = running.flush().await;
    assert_eq!(status, StatusCode::OK, "{body}");
    bed.assert_archive_equals_log().await;
    let end = bed.records().await.last().unwrap().offset + 1;
    let object = &objects(&body)[0];
    assert_eq!((object["firstOffset"].as_u64(), object["nextOffset"].as_u64()), (Some(0), Some(end)));
    assert_eq!(object["createdAt"], "2026-11-22T18:00:00.000Z");
    assert_eq!(running.get("/archive").await["items"], body["objects"]);
    assert_eq!(running.flush().await, (StatusCode::OK, json!({"objects": []})), "nothing new, no object");
    bed.create("bob", 1).await;
    let both = tokio::join!(running.flush(), running.flush());
    assert_eq!((both.0.0, both.1.0), (StatusCode::OK, StatusCode::OK));
    bed.assert_archive_equals_log().await;
    assert_eq!(running.get("/archive").await["items"].as_array().unwrap().len(), 2);
    assert_eq!(running.get("/progress").await["consumers"][2]["lagEvents"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_rotate_by_rows_and_hour_and_page_in_order() {
    let mut bed = Bed::new();
    bed.config.archive_max_rows = 10;
    let running = bed.start();
    for _ in 0..3 {
        bed.create("ann", 15).await;
        bed.clock.advance(Duration::from_secs(3600));
    }
    running.flush().await;
    bed.assert_archive_equals_log().await;
    let whole = running.get("/archive").await;
    let items = whole["items"].as_array().unwrap();
    let rows: Vec<u64> = items.iter().map(|item| item["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows, [10, 5, 10, 5, 10, 5]);
    for (hour, pair) in (18..).zip(items.chunks(2)) {
        assert!(pair.iter().all(|item| item["key"].as_str().unwrap().contains(&format!("/hour={hour}/"))));
    }
    let (mut pieces, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = running.get(&format!("/archive?limit=1{cursor}")).await;
        pieces.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(&pieces, items);
    let middle = running.get("/archive?from=2026-11-22T19:30:00Z&to=2026-11-22T20:00:00Z").await;
    assert_eq!(middle["items"].as_array().unwrap(), &items[2..4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_rotate_by_age() {
    let mut bed = Bed::new();
    bed.config.archive_max_age = Duration::from_millis(20);
    let running = bed.start();
    bed.create("ann", 3).await;
    let all = bed.records().await.len();
    eventually("an old file to be closed", async || (bed.archived().await.len() == all).then_some(())).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_closes_open_files() {
    let bed = Bed::new();
    let running = bed.start();
    bed.create("ann", 3).await;
    running.settle().await;
    running.stop().await;
    let records = bed.records().await;
    let archived = bed.archived().await;
    // What the archive consumer had not read yet is read at the next start.
    assert_eq!(bed.committed("archive").await, archived.last().map_or(0, |(offset, _)| offset + 1));
    let running = bed.start();
    running.flush().await;
    assert_eq!(bed.archived().await.len(), records.len());
    bed.assert_archive_equals_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_is_tried_again_without_another_object() {
    let bed = Bed::new();
    bed.create("ann", 20).await;
    let running = bed.start();
    bed.log.commits_fail.store(true, Ordering::SeqCst);
    // It says what is in the way, or still tries when nothing is any more.
    let (_, ()) = tokio::join!(running.flush(), async {
        eventually("the object to be there", async || (!bed.archived().await.is_empty()).then_some(())).await;
        running.health("archive", "degraded").await;
        bed.log.commits_fail.store(false, Ordering::SeqCst);
    });
    running.health("archive", "ok").await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    assert_eq!(bed.archive.puts.load(Ordering::SeqCst), 1);
    bed.assert_archive_equals_log().await;
    running.stop().await;
}

/// Returns every object that the archive lists: key, size, and the tag that another of that key would not have.
async fn listed(bed: &Bed) -> BTreeSet<(String, u64, Option<String>)> {
    let listed: Vec<_> = bed.archive.list(Some(&"product-events".into())).try_collect().await.unwrap();
    listed.into_iter().map(|object| (object.location.to_string(), object.size, object.e_tag)).collect()
}

/// Has a writer crash between its objects and their position, and the next one come to the same places.
async fn adopts_what_a_crashed_writer_put(bed: &Bed) {
    bed.log.commits_lost.store(true, Ordering::SeqCst);
    let running = bed.start();
    for _ in 0..2 {
        bed.create("ann", 20).await;
        assert_eq!(running.flush().await.0, StatusCode::OK);
    }
    running.crash().await;
    assert_eq!(bed.committed("archive").await, 0, "put, and never committed");
    bed.log.commits_lost.store(false, Ordering::SeqCst);
    let kept = listed(bed).await;
    assert_eq!(kept.len(), 2);

    // More came meanwhile: the next run's file is longer than the object that is there, which wins.
    bed.create("ann", 20).await;
    let running = bed.start();
    let (status, body) = running.flush().await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(objects(&body).len(), 3, "two adopted, one written: {body}");
    bed.assert_archive_equals_log().await;
    let now = listed(bed).await;
    assert!(now.is_superset(&kept) && now.len() == 3, "no object has changed");
    assert_eq!(bed.committed("archive").await, bed.records().await.last().unwrap().offset + 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_a_crashed_writer_are_adopted() {
    let bed = Bed::new();
    adopts_what_a_crashed_writer_put(&bed).await;
    assert_eq!(files(&bed.embedded.archive_dir()).len(), 3, "nothing half-written is left either");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_a_crashed_writer_are_adopted_on_s3() {
    let mut bed = Bed::new();
    let store: Arc<dyn ObjectStore> = souk_aws::archive(&bucket()).await.unwrap();
    bed.archive = Arc::new(FlakyStore::new(store));
    adopts_what_a_crashed_writer_put(&bed).await;
    for (key, ..) in listed(&bed).await {
        bed.archive.delete(&key.into()).await.unwrap();
    }
}

/// Returns a bucket of this test alone, on the server of the environment.
fn bucket() -> AwsConfig {
    let env = |name: &str| {
        std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
    };
    let keys = AwsKeys { id: env("MINIO_ACCESS_KEY"), secret: env("MINIO_SECRET_KEY"), token: None };
    AwsConfig {
        s3_endpoint: Some(env("MINIO_ENDPOINT")),
        s3_keys: Some(keys),
        bucket: format!("souk-test-{}", RandomIds.next_id().simple()),
        ..AwsConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_longer_than_what_was_read_again_is_adopted_whole() {
    let mut bed = Bed::new();
    bed.create("ann", 100).await;
    bed.log.commits_lost.store(true, Ordering::SeqCst);
    let running = bed.start();
    assert_eq!(running.flush().await.0, StatusCode::OK);
    running.crash().await;
    bed.log.commits_lost.store(false, Ordering::SeqCst);
    // This run closes its first file after three records.
    bed.config.archive_max_rows = 3;
    let running = bed.start();
    assert_eq!(running.flush().await.0, StatusCode::OK);
    assert_eq!(running.get("/archive").await["items"].as_array().unwrap().len(), 1);
    bed.assert_archive_equals_log().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_not_of_this_log_stops_the_archive_loudly() {
    let bed = Bed::new();
    bed.create("ann", 5).await;
    let records = bed.records().await;
    let log = bed.embedded.log().identity();
    let next_offset = records.last().unwrap().offset + 1;
    let span = Span { log, partition: 0, first_offset: 0, next_offset, created_at: bed.clock.now() };
    // One event too few: its digest is true to itself, not to the log.
    let forged = encode(&records[1..], &span).unwrap();
    let key = object_key(log, 0, records[0].appended_at, 0);
    let location = object_store::path::Path::from(key.as_str());
    bed.archive.put_opts(&location, forged.clone().into(), PutMode::Create.into()).await.unwrap();

    let running = bed.start();
    let (status, body) = running.flush().await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body["detail"].as_str().unwrap().contains(&key), "{body}");
    let health = running.health("archive", "unavailable").await;
    assert_eq!(health["status"], "unavailable");
    assert_eq!(std::fs::read(bed.archive_path(&key)).unwrap(), forged, "it is left as it is");
    assert_eq!(bed.committed("archive").await, 0);
    // The other consumers go on.
    bed.create("bob", 1).await;
    running.settle().await;
    assert_eq!(running.get("/summary?sellerId=bob").await["products"], 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_refuses_writes_degrades_and_recovers_by_itself() {
    let mut bed = Bed::new();
    bed.config.flush_timeout = Duration::from_millis(300);
    // A file where the archive wants a folder: nobody can write there, root included.
    let blocked = bed.archive_path("product-events");
    std::fs::write(&blocked, b"in the way").unwrap();
    let running = bed.start();
    bed.create("ann", 5).await;
    let (status, body) = running.flush().await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body["code"], "overloaded");
    let health = running.health("archive", "degraded").await;
    assert_eq!(health["status"], "degraded");
    let detail = health["checks"]["archive"]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("Not a directory") || detail.contains("os error"), "{detail}");
    assert_eq!(running.call(Method::GET, "/readyz").await.0, StatusCode::OK, "queries go on");
    running.settle().await;
    assert_eq!(bed.committed("archive").await, 0);

    std::fs::remove_file(&blocked).unwrap();
    running.health("archive", "ok").await;
    eventually("the events to be archived", async || (bed.archived().await.len() == 5).then_some(())).await;
    bed.assert_archive_equals_log().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_committed_that_is_not_archived() {
    let mut bed = Bed::new();
    bed.config.flush_timeout = Duration::from_millis(300);
    bed.archive.puts_fail.store(true, Ordering::SeqCst);
    bed.create("ann", 5).await;
    let running = bed.start();
    let (status, body) = running.flush().await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body["detail"].as_str().unwrap().contains("No space left on device"), "{body}");
    assert!(bed.archive.puts.load(Ordering::SeqCst) > 1, "it keeps trying");
    running.crash().await;
    assert_eq!(bed.committed("archive").await, 0);
    bed.archive.puts_fail.store(false, Ordering::SeqCst);
    let running = bed.start();
    assert_eq!(running.flush().await.0, StatusCode::OK);
    bed.assert_archive_equals_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_says_soon_what_is_in_the_way_and_works_as_soon_as_it_is_not() {
    let mut bed = Bed::new();
    // Longer than the test waits for an answer.
    bed.config.flush_timeout = Duration::from_secs(3600);
    let running = bed.start();
    bed.archive.puts_fail.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        bed.create("ann", 1).await;
        let (status, body) = running.flush().await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::SERVICE_UNAVAILABLE, &"overloaded".into()),
            "{body}"
        );
        assert!(body["detail"].as_str().unwrap().contains("No space left on device"), "{body}");
    }
    running.health("archive", "degraded").await;
    bed.archive.puts_fail.store(false, Ordering::SeqCst);
    assert_eq!(running.flush().await.0, StatusCode::OK);
    bed.assert_archive_equals_log().await;
    running.health("archive", "ok").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_flush_every_answer_has_what_was_committed_before() {
    let mut bed = Bed::new();
    // So long would aggregates wait by themselves for more to come.
    bed.config.flush_interval = Duration::from_millis(300);
    let running = bed.start();
    for round in 1..=3 {
        bed.create("ann", 1).await;
        assert_eq!(running.flush().await.0, StatusCode::OK);
        assert_eq!(running.get("/summary").await["products"], round);
        assert_eq!(running.get("/events").await["items"].as_array().unwrap().len(), round);
        assert_eq!(running.get("/archive").await["items"].as_array().unwrap().len(), round);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_object_is_noticed() {
    let bed = Bed::new();
    let running = bed.start();
    bed.create("ann", 50).await;
    let (_, body) = running.flush().await;
    let key = objects(&body)[0]["key"].as_str().unwrap().to_owned();
    let good = std::fs::read(bed.archive_path(&key)).unwrap();
    let records = bed.records().await;
    let footer = |next_offset| Span {
        log: bed.embedded.log().identity(),
        partition: 0,
        first_offset: 0,
        next_offset,
        created_at: bed.clock.now(),
    };
    let beyond = encode(&records, &footer(3)).unwrap().to_vec();
    for bad in [beyond, good[..good.len() - 1].to_vec(), b"PAR1".to_vec(), Vec::new()] {
        std::fs::write(bed.archive_path(&key), &bad).unwrap();
        let error = souk_analytics::archive::read_object(&*bed.archive, &key).await.unwrap_err();
        assert!(error.to_string().contains(&key), "{error}");
    }
    std::fs::write(bed.archive_path(&key), &good).unwrap();
    assert_eq!(souk_analytics::archive::read_object(&*bed.archive, &key).await.unwrap().events.len(), 50);
}
