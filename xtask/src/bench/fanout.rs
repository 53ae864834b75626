//! Frames delivered per second to 1,000 readers of everything, saturated, against nchan.
//!
//! Both servers carry the same events: those that souk made are captured and published to nchan byte for byte.
//! Publishers keep a bounded number of events ahead of the readers, so that the servers deliver as fast as they
//! can and nobody falls out of a buffer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Bench;
use super::http::{self, Connection};
use super::nchan::Nchan;
use super::readers::{Counters, Readers};
use super::souk::Souk;
use super::stats::{grouped, median};
use super::table::Row;

/// Readers of everything.
const READERS: usize = 1_000;
/// Events that publishers may be ahead of the readers: enough to keep both servers busy. souk sends adjacent frames
/// in one write, so that more would favour it further.
const AHEAD: u64 = 128;
/// Connections that publish.
const PUBLISHERS: usize = 4;
/// Lines of the orders that make souk's events.
const LINES: usize = 16;
/// Products that they are about.
const PRODUCTS: usize = 64;
/// Events captured for the peer.
const CAPTURED: usize = 1_000;
/// How long publishers wait before they look at the readers again.
const LOOK: Duration = Duration::from_micros(500);

/// Measures both in turns.
pub fn saturated(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let (mut ours, mut theirs, mut frame) = (Vec::new(), Vec::new(), (0.0, 0.0));
    for round in 0..bench.rounds() {
        let (rate, bytes, events) = souk(bench)?;
        ours.push(rate);
        frame.0 = bytes;
        let (rate, bytes) = nchan(bench, events)?;
        theirs.push(rate);
        frame.1 = bytes;
        eprintln!(
            "  round {}: souk {} frames/s of {:.0} bytes, nchan {} of {:.0}",
            round + 1,
            grouped(ours[round]),
            frame.0,
            grouped(theirs[round]),
            frame.1
        );
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    let against = format!("nchan {}/s, same events", grouped(theirs));
    Ok(vec![
        Row::new(
            format!("SSE frames delivered, 1,000 readers, {AHEAD} events ahead"),
            format!("{}/s", grouped(ours)),
        )
        .against(against)
        .at_least(ours / theirs, 3.0),
    ])
}

/// Returns frames per second, bytes per frame, and events to publish elsewhere.
fn souk(bench: &Bench) -> anyhow::Result<(f64, f64, Vec<String>)> {
    let mut souk = Souk::start(bench, "fanout")?;
    let products = http::block_on(create_products(souk.api))?;
    let readers = Readers::connect(souk.stream, "/events/stream", READERS)?;
    let requests = orders(&products);
    let capture = std::thread::spawn({
        let port = souk.stream;
        move || http::block_on(capture(port))
    });
    let (rate, bytes) = measure(bench, &readers, souk.api, &requests, LINES as u64)?;
    souk.check()?;
    let events = capture.join().map_err(|_| anyhow::anyhow!("capturing events panicked"))??;
    Ok((rate, bytes, events))
}

fn nchan(bench: &Bench, events: Vec<String>) -> anyhow::Result<(f64, f64)> {
    let nchan = Nchan::start(bench)?;
    // A channel is made by its first message; without one the readers would wait in vain for their head.
    let requests: Vec<Vec<u8>> =
        events.iter().map(|event| http::request("POST", "/pub", Some(event))).collect();
    http::block_on(async {
        Connection::open(nchan.port).await?.succeed(&requests[0]).await?;
        Ok(())
    })?;
    let readers = Readers::connect(nchan.port, "/sub", READERS)?;
    measure(bench, &readers, nchan.port, &requests, 1)
}

/// Publishes for a while and returns the readers' frames per second, and the size of a frame.
fn measure(
    bench: &Bench,
    readers: &Readers,
    port: u16,
    requests: &[Vec<u8>],
    events_per_request: u64,
) -> anyhow::Result<(f64, f64)> {
    let stop = Arc::new(AtomicBool::new(false));
    let pace = Pace {
        counters: readers.counters.clone(),
        readers: readers.count as u64,
        before: readers.frames(),
        published: AtomicU64::new(0),
        stop: stop.clone(),
    };
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| http::block_on(publish(port, requests, events_per_request, &pace)));
        let warm = Duration::from_secs(2);
        std::thread::sleep(warm);
        let published = || pace.published.load(Ordering::Relaxed);
        let (frames, bytes, events, began) = (readers.frames(), readers.bytes(), published(), Instant::now());
        std::thread::sleep(bench.round());
        let (frames, bytes) = (readers.frames() - frames, readers.bytes() - bytes);
        let (events, seconds) = (published() - events, began.elapsed().as_secs_f64());
        stop.store(true, Ordering::Relaxed);
        publisher.join().map_err(|_| anyhow::anyhow!("publishing panicked"))??;
        readers.check()?;
        if frames == 0 {
            bail!("the readers got nothing");
        }
        // Each event once to each reader, give or take what is on its way.
        let wanted = events * pace.readers;
        if frames.abs_diff(wanted) > 2 * AHEAD * pace.readers {
            bail!("{events} events were published and {frames} frames delivered, not {wanted}");
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        Ok((frames as f64 / seconds, bytes as f64 / frames as f64))
    })
}

/// How far publishers are ahead.
struct Pace {
    counters: Arc<Counters>,
    readers: u64,
    /// Frames before the first event.
    before: u64,
    published: AtomicU64,
    stop: Arc<AtomicBool>,
}

impl Pace {
    fn ahead(&self) -> u64 {
        let delivered = (self.counters.frames.load(Ordering::Relaxed) - self.before) / self.readers;
        self.published.load(Ordering::Relaxed).saturating_sub(delivered)
    }
}

async fn publish(port: u16, requests: &[Vec<u8>], events: u64, pace: &Pace) -> anyhow::Result<()> {
    let from = |part: usize| async move {
        let mut connection = Connection::open(port).await?;
        for request in requests.iter().cycle().skip(part * requests.len() / PUBLISHERS) {
            while pace.ahead() >= AHEAD && !pace.stop.load(Ordering::Relaxed) {
                tokio::time::sleep(LOOK).await;
            }
            if pace.stop.load(Ordering::Relaxed) {
                break;
            }
            pace.published.fetch_add(events, Ordering::Relaxed);
            connection.succeed(request).await?;
        }
        Ok::<_, anyhow::Error>(())
    };
    tokio::try_join!(from(0), from(1), from(2), from(3))?;
    Ok(())
}

async fn create_products(port: u16) -> anyhow::Result<Vec<String>> {
    let mut connection = Connection::open(port).await?;
    let mut ids = Vec::new();
    for number in 0..PRODUCTS {
        let body = format!(
            r#"{{"name":"Test Product {number}","price":99.99,"stock":1000000,"sellerId":"seller{}"}}"#,
            number % 8
        );
        let product = connection.succeed(&http::request("POST", "/products", Some(&body))).await?;
        let product: serde_json::Value = serde_json::from_slice(product)?;
        ids.push(product["id"].as_str().context("a product without an id")?.to_owned());
    }
    Ok(ids)
}

/// Orders that sell pieces, and others that bring them back, so that they can go on for ever.
fn orders(products: &[String]) -> Vec<Vec<u8>> {
    let order = |number: usize| {
        let (delta, reason) = if number.is_multiple_of(2) { (-1, "sale") } else { (1, "return") };
        let lines: Vec<String> = (0..LINES)
            .map(|line| {
                let product = &products[(number / 2 * LINES + line) % products.len()];
                format!(r#"{{"productId":"{product}","delta":{delta},"reason":"{reason}","reference":"{number}"}}"#)
            })
            .collect();
        http::request("POST", "/stock-adjustments", Some(&format!(r#"{{"items":[{}]}}"#, lines.join(","))))
    };
    (0..64).map(order).collect()
}

/// Reads events off souk's stream.
async fn capture(port: u16) -> anyhow::Result<Vec<String>> {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let (mut text, mut events) = (Vec::new(), Vec::new());
    while events.len() < CAPTURED {
        let mut piece = vec![0; 64 * 1024];
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut piece)).await??;
        if read == 0 {
            bail!("the stream ended");
        }
        text.extend_from_slice(&piece[..read]);
        // Whole frames only; chunk sizes lie between them and match nothing here.
        while let Some(end) = memchr::memmem::find(&text, b"\n\n") {
            let frame: Vec<u8> = text.drain(..end + 2).collect();
            let frame = String::from_utf8_lossy(&frame);
            let data = frame.lines().find_map(|line| line.strip_prefix("data: "));
            events.extend(data.filter(|data| data.starts_with(r#"{"specversion""#)).map(str::to_owned));
        }
    }
    Ok(events)
}
