//! Measures the stream alone, over loopback: `cargo run --release -p souk-notifications --example fan_out
//! [READERS] [SECONDS] [QUERY]`.
//!
//! First the memory of idle readers, client sockets excluded but for the kernel's share; then frames per second with
//! a publisher that stays a few hundred events ahead of the readers, as `cargo xtask bench` does with the whole
//! service.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_http::{ConnectionLimit, Cors, Refusal, Server, Shutdown};
use souk_notifications::{Notifications, NotificationsConfig, NotificationsDeps};
use souk_ports::{
    ErrorKind, EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds, PortError, ReadLimit,
    Tail,
};
use tokio::sync::watch;

/// Events that the publisher may be ahead of the readers, and how many it writes at a time.
const AHEAD: u64 = 512;
const BATCH: u64 = 16;

/// A log in memory that keeps everything.
#[derive(Clone)]
struct MemoryLog(Arc<(Mutex<Vec<LogRecord>>, watch::Sender<u64>)>);

impl MemoryLog {
    fn append(&self, payloads: impl Iterator<Item = Bytes>) {
        let mut records = self.0.0.lock();
        for payload in payloads {
            let (offset, appended_at) = (records.len() as u64, Timestamp::from_millis(0));
            records.push(LogRecord { partition: 0, offset, appended_at, payload });
        }
        self.0.1.send_replace(records.len() as u64);
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    fn identity(&self) -> LogId {
        LogId(1)
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        Ok(vec![PartitionBounds { earliest: 0, next: *self.0.1.borrow(), last_appended_at: None }])
    }

    async fn read(&self, _: Partition, from: Offset, limit: ReadLimit) -> Result<Vec<LogRecord>, PortError> {
        Ok(self.0.0.lock().iter().skip(from as usize).take(limit.records).cloned().collect())
    }

    async fn tail(&self, from: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        Ok(Box::new(MemoryTail { log: self.clone(), next: from[0], end: self.0.1.subscribe() }))
    }

    async fn consumer(&self, _: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        Err(PortError::new(ErrorKind::Internal, "not needed here"))
    }

    async fn committed(&self, _: &str) -> Result<Vec<Offset>, PortError> {
        Ok(vec![0])
    }

    async fn dead_letter(&self, _: &LogRecord, _: &str) -> Result<(), PortError> {
        Ok(())
    }
}

struct MemoryTail {
    log: MemoryLog,
    next: u64,
    end: watch::Receiver<u64>,
}

#[async_trait]
impl Tail for MemoryTail {
    async fn next(&mut self) -> Result<Vec<LogRecord>, PortError> {
        let _ = self.end.wait_for(|end| *end > self.next).await;
        let records: Vec<_> = self.log.0.0.lock()[self.next as usize..].iter().take(1024).cloned().collect();
        self.next += records.len() as u64;
        Ok(records)
    }
}

fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux tells a process's memory");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number of pages") * 4096
}

fn main() {
    let mut args = std::env::args().skip(1);
    let readers: usize = args.next().map_or(1000, |text| text.parse().expect("a number of readers"));
    let seconds: u64 = args.next().map_or(10, |text| text.parse().expect("a number of seconds"));
    let query = args.next().unwrap_or_default();
    ConnectionLimit::raise_open_file_limit();
    let log = MemoryLog(Arc::new((Mutex::default(), watch::Sender::new(0))));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (address, shutdown) = runtime.block_on(serve(log.clone()));

    std::thread::sleep(Duration::from_millis(200));
    let before = resident_bytes();
    let mut sockets = connect(address, readers, &query);
    let each = resident_bytes().saturating_sub(before) / readers as u64;
    println!("{readers} idle readers: {each} bytes each");

    let frames = Arc::new(AtomicU64::new(0));
    let counted = frames.clone();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        loop {
            let mut ended = 0;
            for socket in &mut sockets {
                if let Ok(length) = socket.read(&mut buffer) {
                    // Each frame has one `id: `, cut ones aside.
                    let found = memchr::memmem::find_iter(&buffer[..length], b"\nid: ").count()
                        + usize::from(buffer[..length].starts_with(b"id: "));
                    ended += found as u64;
                }
            }
            counted.fetch_add(ended, Ordering::Relaxed);
        }
    });
    let payload = Bytes::from_static(
        include_bytes!("../../../contract/events/fixtures/2-product-updated-sale.json").trim_ascii(),
    );
    let (mut published, began) = (0, Instant::now());
    while began.elapsed() < Duration::from_secs(seconds) {
        if published < frames.load(Ordering::Relaxed) / readers as u64 + AHEAD {
            log.append((0..BATCH).map(|_| payload.clone()));
            published += BATCH;
        } else {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    let rate = frames.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    println!("{rate:.0} frames/s of {} bytes, {published} events", payload.len());
    shutdown.hard.cancel();
}

async fn serve(log: MemoryLog) -> (SocketAddr, Shutdown) {
    let listener = souk_http::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let deps = NotificationsDeps {
        log: Arc::new(log),
        backend: "embedded",
        cors: Cors::parse("*").expect("all origins"),
        about: String::new(),
        config: NotificationsConfig::default(),
    };
    let (service, shutdown) = (Notifications::new(deps), Shutdown::new());
    let limit = ConnectionLimit::new(50_000);
    let server = Server::new(listener, service.router(), limit, shutdown.clone(), Refusal::EventStream);
    shutdown.spawn("server", server.run());
    let stop = shutdown.clone();
    shutdown.spawn("stream", async move { service.run(stop).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    (address, shutdown)
}

/// Connects readers and waits until each was greeted.
fn connect(address: SocketAddr, count: usize, query: &str) -> Vec<TcpStream> {
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        let mut socket = TcpStream::connect(address).expect("a connection");
        let head = format!("GET /events/stream?{query} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        socket.write_all(head.as_bytes()).expect("the request is taken");
        sockets.push(socket);
    }
    let mut buffer = [0; 2048];
    for socket in &mut sockets {
        let mut greeting = Vec::new();
        while !greeting.windows(13).any(|part| part == b"event: ready\n") {
            let length = socket.read(&mut buffer).expect("the greeting");
            assert!(length > 0, "the connection ended");
            greeting.extend_from_slice(&buffer[..length]);
        }
        socket.set_nonblocking(true).expect("a socket");
    }
    sockets
}
