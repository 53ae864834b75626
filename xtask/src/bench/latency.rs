//! From the POST to the frame at a reader, at a fixed rate of writes, against an empty round trip under that load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Bench;
use super::http::{self, Connection};
use super::souk::Souk;
use super::stats::Samples;
use super::table::Row;

/// Writes per second on the embedded engines.
const RATE: u32 = 1_000;
/// Readers of everything.
const READERS: usize = 30;
/// Connections that write: each has a slot of its own in every 20 ms.
const WRITERS: u32 = 20;
/// Pause between empty round trips.
const PROBE: Duration = Duration::from_millis(5);
/// Writes at the beginning that do not count, on the embedded engines.
const WARM: u32 = 500;

/// What the products' names begin with; the write's number follows.
const MARK: &[u8] = br#""name":"write "#;

/// Measures souk.
pub fn post_to_frame(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let mut souk = Souk::start(bench, "latency")?;
    let figures = at_rate(souk.api, souk.stream, RATE, WARM, bench.round().as_secs())?;
    souk.check()?;
    Ok(rows(&figures, "1,000 writes/s", [3.0, 15.0]))
}

/// What is written.
#[derive(Debug, Clone, Copy)]
struct Load {
    /// Writes per second.
    rate: u32,
    /// Writes at the beginning that do not count.
    warm: u32,
    /// All of them.
    writes: u32,
}

/// What one run tells.
#[derive(Clone)]
pub struct Figures {
    frames: Samples,
    answers: Samples,
    empty: Samples,
}

/// Measures `seconds` of writes at `rate` per second, after `warm` writes that do not count.
pub fn at_rate(api: u16, stream: u16, rate: u32, warm: u32, seconds: u64) -> anyhow::Result<Figures> {
    let load = Load { rate, warm, writes: warm + rate * u32::try_from(seconds)? };
    let (frames, answers, empty) = http::block_on(measure(api, stream, load))?;
    let expected = (load.writes - warm) as usize * READERS;
    anyhow::ensure!(frames.len() == expected, "readers got {} frames of {expected}", frames.len());
    Ok(Figures { frames, answers, empty })
}

/// Returns the rows for p50 and p99 with what is asked of each, in milliseconds.
pub fn rows(figures: &Figures, load: &str, most: [f64; 2]) -> Vec<Row> {
    let Figures { mut frames, mut answers, mut empty } = figures.clone();
    let [f50, f99, e50, e99] = [
        frames.percentile_ms(50.0),
        frames.percentile_ms(99.0),
        empty.percentile_ms(50.0),
        empty.percentile_ms(99.0),
    ];
    eprintln!(
        "  frame {f50:.2} / {f99:.2} ms, answer {:.2} / {:.2} ms, empty {e50:.2} / {e99:.2} ms",
        answers.percentile_ms(50.0),
        answers.percentile_ms(99.0)
    );
    let row = |what: &str, ours: f64, empty: f64, most: f64| {
        Row::new(format!("POST to frame, {load}, 30 readers, {what}"), format!("{ours:.2} ms"))
            .against(format!("empty round trip under the same load {empty:.2} ms"))
            .ratio(ours / empty)
            .target(format!("≤ {most} ms"), ours <= most)
    };
    vec![row("p50", f50, e50, most[0]), row("p99", f99, e99, most[1])]
}

/// Shared by writers, readers and the prober.
struct Run {
    start: Instant,
    /// When each write was due, in nanoseconds after `start`.
    due: Vec<AtomicU64>,
    over: AtomicBool,
}

impl Run {
    fn due(&self, number: u32) -> Instant {
        self.start + Duration::from_nanos(self.due[number as usize].load(Ordering::Relaxed))
    }
}

async fn measure(api: u16, stream: u16, load: Load) -> anyhow::Result<(Samples, Samples, Samples)> {
    let Load { rate, writes, .. } = load;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(Reader::connect(stream).await?);
    }
    let step = Duration::from_secs(1) / rate;
    let due = (0..writes).map(|number| (step * number).as_nanos());
    let run = Arc::new(Run {
        start: Instant::now() + Duration::from_millis(50),
        due: due.map(|nanos| AtomicU64::new(u64::try_from(nanos).unwrap_or(u64::MAX))).collect(),
        over: AtomicBool::new(false),
    });
    let readers: Vec<_> =
        readers.into_iter().map(|reader| tokio::task::spawn_local(reader.read(run.clone(), load))).collect();
    let prober = tokio::task::spawn_local(probe(api, run.clone()));
    let writers: Vec<_> =
        (0..WRITERS).map(|first| tokio::task::spawn_local(write(api, run.clone(), first, load))).collect();
    let (mut frames, mut answers) = (Samples::default(), Samples::default());
    for writer in writers {
        answers.extend(writer.await??);
    }
    run.over.store(true, Ordering::Relaxed);
    for reader in readers {
        // A frame that is late by this much is lost; the count tells.
        frames.extend(tokio::time::timeout(Duration::from_secs(10), reader).await???);
    }
    Ok((frames, answers, prober.await??))
}

/// Sends every 20th write when it is due, or as soon as the answer before allows.
async fn write(port: u16, run: Arc<Run>, first: u32, load: Load) -> anyhow::Result<Samples> {
    let mut connection = Connection::open(port).await?;
    let mut answers = Samples::default();
    for number in (first..load.writes).step_by(WRITERS as usize) {
        let body = format!(r#"{{"name":"write {number}","price":99.99,"stock":10,"sellerId":"seller1"}}"#);
        let request = http::request("POST", "/products", Some(&body));
        tokio::time::sleep_until(run.due(number).into()).await;
        connection.succeed(&request).await?;
        if number >= load.warm {
            answers.push(run.due(number).elapsed());
        }
    }
    Ok(answers)
}

async fn probe(port: u16, run: Arc<Run>) -> anyhow::Result<Samples> {
    let mut connection = Connection::open(port).await?;
    let (request, mut samples) = (http::request("GET", "/livez", None), Samples::default());
    while !run.over.load(Ordering::Relaxed) {
        tokio::time::sleep(PROBE).await;
        let began = Instant::now();
        connection.succeed(&request).await?;
        samples.push(began.elapsed());
    }
    Ok(samples)
}

/// A reader that recognises the writes.
struct Reader {
    stream: TcpStream,
    text: Vec<u8>,
}

impl Reader {
    async fn connect(port: u16) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"GET /events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
        let mut text = Vec::with_capacity(64 * 1024);
        while memmem::find(&text, b"event: ready").is_none() {
            anyhow::ensure!(stream.read_buf(&mut text).await? > 0, "the stream ended before it was ready");
        }
        text.clear();
        Ok(Self { stream, text })
    }

    async fn read(mut self, run: Arc<Run>, load: Load) -> anyhow::Result<Samples> {
        let (mut samples, mut seen) = (Samples::default(), 0);
        while seen < load.writes {
            anyhow::ensure!(self.stream.read_buf(&mut self.text).await? > 0, "the stream ended");
            let now = Instant::now();
            let mut taken = 0;
            while let Some(end) = memmem::find(&self.text[taken..], b"\n\n") {
                if let Some(number) = write_number(&self.text[taken..taken + end]) {
                    seen += 1;
                    if number >= load.warm {
                        samples.push(now.saturating_duration_since(run.due(number)));
                    }
                }
                taken += end + 2;
            }
            self.text.drain(..taken);
        }
        Ok(samples)
    }
}

fn write_number(frame: &[u8]) -> Option<u32> {
    let rest = &frame[memmem::find(frame, MARK)? + MARK.len()..];
    let digits = &rest[..memchr::memchr(b'"', rest)?];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_its_writes() {
        assert_eq!(write_number(br#"data: {"name":"write 42","x":1}"#), Some(42));
        assert_eq!(write_number(b": heartbeat"), None);
    }
}
