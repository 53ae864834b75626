//! Connections that nobody reads.

use souk_notifications::NotificationsConfig;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{create_many, logged, open, serve, soon};

#[tokio::test]
async fn readers_that_never_read_hold_nobody_up_and_cost_no_ring() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    let ring_bytes = 256 << 10;
    let running = serve(&backend, NotificationsConfig { ring_bytes, ..Default::default() }).await;
    let mut unread = Vec::new();
    for _ in 0..100 {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        socket.write_all(b"GET /events/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        unread.push(socket);
    }
    soon("all are readers", async {
        while !running.get("/health").await.1.contains(r#""readers":100"#) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    })
    .await;
    let mut stream = running.stream("", None).await;
    for _ in 0..20 {
        create_many(&backend, 200).await;
        let (_, health) = running.get("/health").await;
        let health: serde_json::Value = serde_json::from_str(&health).unwrap();
        let bytes = health["checks"]["stream"]["ringBytes"].as_u64().unwrap();
        assert!(bytes <= ring_bytes as u64, "{bytes}");
    }
    assert!(stream.read(4000).await == logged(&backend).await);
    // Those that never read do not keep a hard stop waiting.
    running.kill().await;
    drop(unread);
}
