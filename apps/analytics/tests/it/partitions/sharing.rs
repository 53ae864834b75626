//! Members come and go; poison does no harm.

use http::{Method, StatusCode};
use souk_conformance::eventually;
use souk_ports::EventLog as _;

use super::field::Field;

const GROUPS: [&str; 3] =
    ["analytics-service-recent", "analytics-service-aggregates", "analytics-service-archive"];

/// Waits until every group has shared its partitions like this.
async fn shared(field: &Field, shares: &[usize]) {
    for group in GROUPS {
        eventually(&format!("{group} to be shared"), || async {
            (field.log.shares(group) == shares).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_and_go_under_load_and_each_event_counts_once() {
    let mut field = Field::new(6);
    field.config.archive_max_rows = 11;
    let first = field.start();
    shared(&field, &[6]).await;
    field.trade(200).await;
    let second = field.start();
    field.trade(200).await;
    shared(&field, &[3, 3]).await;
    field.trade(200).await;
    first.stop().await;
    field.trade(100).await;
    shared(&field, &[6]).await;
    let third = field.start();
    field.trade(100).await;
    second.crash().await;
    shared(&field, &[6]).await;
    assert_eq!(third.flush().await.0, StatusCode::OK);
    third.settle().await;
    field.assert_archive_is_whole().await;
    field.assert_counted_once().await;
    field.assert_all_recent();
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_archives_what_other_members_own_too() {
    let mut field = Field::new(4);
    let (one, other) = (field.start(), field.start());
    shared(&field, &[2, 2]).await;
    field.trade(100).await;
    let (status, body) = one.flush().await;
    assert_eq!(status, StatusCode::OK, "{body}");
    field.assert_archive_is_whole().await;
    assert_eq!(one.get("/progress").await["consumers"][1]["lagEvents"], 0, "figures are complete too");
    // The owners find the objects in their way and go on after them.
    field.trade(50).await;
    assert_eq!(other.flush().await.0, StatusCode::OK);
    field.assert_archive_is_whole().await;
    assert_eq!(one.flush().await.0, StatusCode::OK);
    field.trade(50).await;
    one.stop().await;
    shared(&field, &[4]).await;
    assert_eq!(other.flush().await.0, StatusCode::OK);
    field.assert_archive_is_whole().await;
    field.assert_counted_once().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_archives_what_becomes_ours_while_it_is_at_work() {
    let mut field = Field::new(4);
    let (one, other) = (field.start(), field.start());
    shared(&field, &[2, 2]).await;
    field.trade(100).await;
    let (came, goes_on) = field.log.hold_a_read(1, 0);
    let meanwhile = async {
        came.await.unwrap();
        other.shutdown.hard.cancel();
        other.shutdown.soft.cancel();
        shared(&field, &[4]).await;
        goes_on.send(()).unwrap();
    };
    let ((status, body), ()) = tokio::join!(one.flush(), meanwhile);
    assert_eq!(status, StatusCode::OK, "{body}");
    field.assert_archive_is_whole().await;
    one.settle().await;
    field.assert_counted_once().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_log_lets_go_of_while_it_is_read_is_not_left_out() {
    let mut field = Field::new(2);
    let (one, other) = (field.start(), field.start());
    shared(&field, &[1, 1]).await;
    field.trade(100).await;
    one.settle().await;
    other.settle().await;
    // The first one finds out where to begin.
    let (came, goes_on) = field.log.hold_a_read(1, 1);
    let meanwhile = async {
        came.await.unwrap();
        field.log.trim(1, field.log.all()[1][10].offset);
        goes_on.send(()).unwrap();
    };
    let ((status, body), ()) = tokio::join!(one.flush(), meanwhile);
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    // Its owner has them.
    assert_eq!(other.flush().await.0, StatusCode::OK);
    field.assert_archive_is_whole().await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_thought_dead_joins_anew_and_nothing_counts_twice() {
    let mut field = Field::new(3);
    let running = field.start();
    shared(&field, &[3]).await;
    for _ in 0..3 {
        field.trade(60).await;
        for group in GROUPS {
            field.log.expel(group);
        }
        shared(&field, &[3]).await;
    }
    running.settle().await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    field.assert_archive_is_whole().await;
    field.assert_counted_once().await;
    field.assert_all_recent();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_is_set_aside_once_and_everything_else_goes_on() {
    let mut field = Field::new(2);
    let running = field.start();
    field.trade(20).await;
    field.poison(0, b"no event at all");
    // What every event has, and not what figures need.
    field.poison(1, br#"{"specversion":"1.0","id":"01998f2e-7c1a-7000-8000-000000000001","source":"/souk/api","type":"ProductCreated","subject":"01998f2e-7c1a-7000-8000-000000000002","time":"2026-11-22T18:00:00.000Z","datacontenttype":"application/json","sellerid":"ann","data":{"version":1}}"#);
    field.trade(20).await;
    running.settle().await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    field.assert_archive_is_whole().await;
    field.assert_counted_once().await;
    field.assert_all_recent();
    let mut dead: Vec<_> = field.log.dead().into_iter().map(|dead| (dead.partition, dead.reason)).collect();
    dead.sort();
    assert_eq!(dead.len(), 2, "{dead:?}");
    assert!(dead[0].1.contains("expected") && dead[1].1.contains("product"), "{dead:?}");
    let (_, health) = running.call(Method::GET, "/health").await;
    for (consumer, count) in [("recent", 1), ("aggregates", 1)] {
        assert_eq!(health["checks"][consumer]["deadLetters"], count, "{health}");
    }
    let (_, metrics) = running.call(Method::GET, "/metrics").await;
    assert!(metrics.as_str().unwrap().contains("souk_consumer_dead_letters_total{consumer=\"recent\"} 1"));
    assert_eq!(field.log.committed(GROUPS[0]).await.unwrap().len(), 2);
    running.stop().await;
}
