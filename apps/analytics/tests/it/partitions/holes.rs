//! Positions that the log no longer holds: what the archive has is taken from there, what nobody has stops loudly.

use http::{Method, StatusCode};
use souk_ports::EventLog as _;

use super::field::Field;

const GROUPS: [&str; 3] =
    ["analytics-service-recent", "analytics-service-aggregates", "analytics-service-archive"];

/// A field whose events are archived and no longer in the log but for the last ones of partition 0.
async fn trimmed() -> Field {
    let mut field = Field::new(2);
    field.config.archive_max_rows = 25;
    let running = field.start();
    field.trade(200).await;
    running.settle().await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    running.stop().await;
    let all = field.log.all();
    field.log.trim(0, all[0][60].offset);
    field.log.trim(1, all[1].last().unwrap().offset + 2);
    field
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_that_are_lost_are_made_up_for_from_the_archive() {
    let mut field = trimmed().await;
    for group in GROUPS {
        field.log.set_committed(group, 0, 0);
        field.log.set_committed(group, 1, 0);
    }
    // As if the figures were lost too.
    let log = field.log.identity();
    let rows = souk_ports::EventStore::scan_items(&*field.store, log, None, 100_000).await.unwrap();
    souk_ports::EventStore::remove_items(&*field.store, log, &rows[rows.len() / 2..]).await.unwrap();
    field.store.recent.lock().clear();
    let running = field.start();
    field.trade(30).await;
    running.settle().await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    field.assert_archive_is_whole().await;
    field.assert_all_recent();
    running.stop().await;
    // Half of the items were kept: what they had counted is counted once.
    let removed = &rows[rows.len() / 2..];
    assert!(!removed.is_empty());
    field.assert_counted_once().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_whose_position_is_within_an_object_goes_on_where_it_ends() {
    let mut field = Field::new(2);
    field.config.archive_max_rows = 25;
    let running = field.start();
    field.trade(200).await;
    running.settle().await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    running.stop().await;
    let all = field.log.all();
    // Set by hand: in the midst of the first object, and of the last.
    field.log.set_committed(GROUPS[2], 0, all[0][10].offset);
    field.log.set_committed(GROUPS[2], 1, all[1].last().unwrap().offset - 10);
    let running = field.start();
    field.trade(30).await;
    running.settle().await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    running.stop().await;
    field.assert_archive_is_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mark_after_the_last_record_is_no_loss() {
    let field = trimmed().await;
    let running = field.start();
    for consumer in ["recent", "aggregates", "archive"] {
        running.health(consumer, "ok").await;
    }
    assert_eq!(running.flush().await.0, StatusCode::OK);
    running.stop().await;
}

/// Offsets without a record after the last one: the marks of producers that came and went.
const MARKS: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_that_a_group_has_seen_are_no_loss_once_they_are_gone() {
    let mut field = trimmed().await;
    let end = field.log.all()[1].last().unwrap().offset + MARKS;
    field.log.trim(1, end);
    for group in GROUPS {
        field.log.set_looked(group, 1, end);
    }
    let running = field.start();
    for consumer in ["recent", "aggregates", "archive"] {
        running.health(consumer, "ok").await;
    }
    field.trade(30).await;
    running.settle().await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    running.stop().await;
    field.assert_archive_is_whole().await;
    field.assert_counted_once().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_that_nobody_has_seen_stop_as_events_would() {
    let field = trimmed().await;
    field.log.trim(1, field.log.all()[1].last().unwrap().offset + MARKS);
    let running = field.start();
    for consumer in ["aggregates", "archive"] {
        running.health(consumer, "unavailable").await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_are_neither_in_the_log_nor_in_the_archive_stop_whoever_needs_them() {
    let mut field = Field::new(2);
    field.trade(100).await;
    field.log.trim(1, 40);
    let running = field.start();
    for consumer in ["aggregates", "archive"] {
        let health = running.health(consumer, "unavailable").await;
        let detail = health["checks"][consumer]["detail"].as_str().unwrap();
        assert!(
            detail.contains("partition 1 from offset 0 to 40") && detail.contains("--to-earliest"),
            "{detail}"
        );
    }
    assert_eq!(running.call(Method::GET, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(running.call(Method::GET, "/livez").await.0, StatusCode::OK);
    let (status, body) = running.flush().await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body["detail"].as_str().unwrap().contains("--to-earliest"), "{body}");
    running.stop().await;
    // What it says helps.
    for group in GROUPS {
        field.log.set_committed(group, 1, 40);
    }
    let running = field.start();
    running.settle().await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    assert_eq!(running.call(Method::GET, "/readyz").await.0, StatusCode::OK);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_ahead_of_the_log_stops_with_its_name() {
    let mut field = Field::new(2);
    field.trade(20).await;
    field.log.set_committed(GROUPS[1], 0, 1_000);
    let running = field.start();
    let health = running.health("aggregates", "unavailable").await;
    let detail = health["checks"]["aggregates"]["detail"].as_str().unwrap();
    assert!(detail.contains(GROUPS[1]) && detail.contains("offset 1000 of partition 0"), "{detail}");
    assert_eq!(running.call(Method::GET, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    running.health("archive", "ok").await;
    running.stop().await;
}
