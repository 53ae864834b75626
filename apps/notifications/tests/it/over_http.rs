//! What is promised about answers: statuses, headers, health, metrics, drain.

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt as _;
use souk_notifications::NotificationsConfig;

use crate::support::{create, create_many, logged, open, serve, soon};

#[tokio::test]
async fn answers_with_the_headers_of_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    let running = serve(&backend, NotificationsConfig::default()).await;
    for method in [Method::GET, Method::HEAD] {
        let response =
            running.request(method.clone(), "/events/stream", &[("origin", "https://shop.example")]).await;
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(header("content-type"), "text/event-stream; charset=utf-8");
        assert_eq!(header("cache-control"), "no-store, no-transform");
        assert_eq!(header("x-accel-buffering"), "no");
        assert_eq!(header("access-control-allow-origin"), "*");
        assert!(!header("x-request-id").is_empty());
        if method == Method::HEAD {
            assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        }
    }
}

#[tokio::test]
async fn refuses_only_what_can_never_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    let running = serve(&backend, NotificationsConfig::default()).await;
    for (path, said) in [
        ("/events/stream?seller=a", "'seller' is unknown"),
        ("/events/stream?types=Created", "'Created' is none"),
        ("/events/stream?sellerId=a&sellerId=b", "'sellerId' is given twice"),
        ("/events/stream?productId=42", "each a UUID"),
    ] {
        let (status, body) = running.get(path).await;
        assert_eq!(status, 400, "{path}");
        assert!(body.contains(said) && body.contains("malformed-request"), "{path}: {body}");
    }
    let response = running.request(Method::POST, "/events/stream", &[]).await;
    assert_eq!(response.status(), 405);
    assert!(response.headers()["allow"].to_str().unwrap().contains("GET"));
    assert_eq!(running.get("/events").await.0, 404);
    // A made-up id is no reason to refuse.
    let stream = running.stream("lastEventId=made-up", None).await;
    assert_eq!(stream.got[0].0, "ready");
}

#[tokio::test]
async fn preflight_allows_the_last_event_id() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    let running = serve(&backend, NotificationsConfig::default()).await;
    let headers = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "last-event-id"),
    ];
    let response = running.request(Method::OPTIONS, "/events/stream", &headers).await;
    assert!(response.status().is_success());
    let allowed = response.headers()["access-control-allow-headers"].to_str().unwrap().to_lowercase();
    assert!(allowed.contains("last-event-id"), "{allowed}");
}

#[tokio::test]
async fn events_arrive_as_they_were_published() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    let running = serve(&backend, NotificationsConfig::default()).await;
    let mut all = running.stream("", None).await;
    let mut of_b = running.stream("sellerId=b&types=ProductCreated", None).await;
    let mut named = running.stream("named=1", None).await;
    let product = create(&backend, "b").await;
    let mut of_product = running.stream(&format!("productId={product}"), None).await;
    create_many(&backend, 20).await;
    let logged = logged(&backend).await;
    assert_eq!(all.read(21).await, logged);
    let expected: Vec<_> =
        logged.iter().filter(|event| event.contains(r#""sellerid":"b""#)).cloned().collect();
    assert_eq!(of_b.read(11).await, expected);
    named.until(|stream| stream.got.len() > 21).await;
    assert!(named.got[1..].iter().all(|(name, ..)| name == "ProductCreated"));
    assert_eq!(named.got[1..].iter().map(|got| got.2.clone()).collect::<Vec<_>>(), logged);
    assert!(of_product.events().is_empty());
    of_product.until(|stream| stream.got.len() == 1).await;
}

#[tokio::test]
async fn health_and_metrics_tell_the_figures() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    let running = serve(&backend, NotificationsConfig::default()).await;
    let mut stream = running.stream("", None).await;
    create(&backend, "a").await;
    stream.read(1).await;
    let (status, body) = running.get("/health").await;
    assert_eq!(status, 200);
    for part in [
        r#""status":"ok""#,
        r#""service":"notifications""#,
        r#""readers":1"#,
        r#""ringEvents":1"#,
        r#""lagEvents":0"#,
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
    let (_, metrics) = running.get("/metrics").await;
    for line in [
        "souk_stream_readers 1",
        "souk_stream_opens_total 1",
        "souk_stream_frames_total 1",
        "souk_stream_events_total 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    drop(stream);
    soon("the reader is gone", async {
        while !running.get("/metrics").await.1.contains(r#"souk_stream_closes_total{reason="client"} 1"#) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!(running.get("/metrics").await.1.contains("souk_stream_readers 0"));
}

#[tokio::test]
async fn a_drain_ends_streams_with_a_time_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    let config = NotificationsConfig { reconnects_per_second: 10, ..Default::default() };
    let running = serve(&backend, config).await;
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(running.stream("", None).await);
    }
    running.shutdown.soft.cancel();
    let mut retries = Vec::new();
    for mut stream in streams {
        stream.until(|stream| stream.ended).await;
        retries.push(stream.parser.retry().unwrap());
    }
    retries.sort_unstable();
    assert_eq!(retries, (0..10).map(|n| 2000 + n * 100).collect::<Vec<u64>>());
    running.stop().await;
}

#[tokio::test]
async fn a_reader_too_many_gets_a_time_to_come_back_and_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    let running = serve(&backend, NotificationsConfig { max_readers: 1, ..Default::default() }).await;
    let _first = running.stream("", None).await;
    let mut second = running.stream("", None).await;
    second.until(|stream| stream.ended).await;
    assert!(second.got.is_empty());
    assert!(second.parser.retry().unwrap() >= 2000);
}

#[tokio::test]
async fn heartbeats_come_over_the_wire() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    let config = NotificationsConfig { heartbeat: Duration::from_millis(20), ..Default::default() };
    let running = serve(&backend, config).await;
    let mut quiet = running.stream("sellerId=quiet", None).await;
    create(&backend, "busy").await;
    quiet.until(|stream| stream.got.iter().any(|got| got.0 == "cursor")).await;
    assert_ne!(quiet.parser.last_event_id(), quiet.got[0].1);
    let response = running.request(Method::GET, "/events/stream", &[]).await;
    let mut body = response.into_body();
    let mut text = Vec::new();
    soon("two comments", async {
        while !text.ends_with(b"\n\n:\n\n:\n\n") {
            text.extend_from_slice(body.frame().await.unwrap().unwrap().data_ref().unwrap());
        }
    })
    .await;
}
