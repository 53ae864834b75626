//! Services that run, that wait, and that are something else.

use souk_doctor::examine_service;
use souk_ports::{Finding, Level};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers one request; returns the URL.
async fn answers(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events/stream", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let read = stream.read(&mut request).await.unwrap();
        assert!(request[..read].starts_with(b"GET /readyz HTTP/1.1\r\n"));
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    url
}

async fn examined(url: &str) -> Finding {
    let mut found = Vec::new();
    examine_service("api", url, &mut |finding| found.push(finding)).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[tokio::test]
async fn a_service_is_as_ready_as_it_says() {
    let ready = examined(&answers("HTTP/1.1 200 OK\r\n\r\n").await).await;
    assert_eq!(ready.level, Level::Ok);
    let waits =
        examined(&answers("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"waits\":\"for Kafka\"}").await).await;
    assert_eq!(waits.level, Level::Fail);
    assert!(waits.detail.contains("for Kafka"), "{waits:?}");
    let other = examined(&answers("HTTP/1.1 404 Not Found\r\n\r\n").await).await;
    assert_eq!(other.level, Level::Warn);
}

#[tokio::test]
async fn a_service_that_does_not_run_is_no_fault() {
    let finding = examined("http://127.0.0.1:9").await;
    assert_eq!(finding.level, Level::Ok);
    assert!(finding.detail.contains("not running"), "{finding:?}");
}
