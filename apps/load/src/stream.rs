//! Listens to the event stream during the run: reads frames, marks them in the ledger, resumes with
//! `Last-Event-ID` when the connection is cut.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use memchr::memmem;
use souk_domain::EventType;
use souk_events::{Cursor, Envelope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::LoadError;
use crate::client::{Target, jitter};
use crate::ledger::{Ledger, SharedLedger, Source};
use crate::verdict::{FaultKind, StreamFigures};
use crate::wire::{Dechunker, Framing, read_head};

/// Three heartbeats: a stream that is silent for longer is dead, even if its connection is not.
const SILENCE: Duration = Duration::from_secs(45);
/// Pause before a reconnect when the stream has not said one.
const RECONNECT: Duration = Duration::from_millis(100);
/// Longest pause taken from `retry:`, so that a drain does not outlast the run's patience.
const LONGEST_RECONNECT: Duration = Duration::from_secs(5);
/// Room for a read: many frames in one call when the stream is busy.
const READ_SIZE: usize = 256 * 1024;
/// How often the ledger is asked whether everything has arrived.
const POLL: Duration = Duration::from_millis(10);

/// A reader at work.
pub(crate) struct Reader {
    ledger: SharedLedger,
    /// Where the stream was when it began.
    pub started_at: Cursor,
    failed: Arc<Mutex<Option<LoadError>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Reader {
    /// Connects, waits for `ready` and goes on in the background.
    pub async fn start(target: Target, ledger: SharedLedger, patience: Duration) -> Result<Self, LoadError> {
        let mut feed = Feed::open(&target, None).await.map_err(|error| target.unreachable(error))?;
        let mut state = State::default();
        let started = Instant::now();
        feed.take_frames(&mut state, &ledger);
        while state.last_id.is_empty() {
            feed.fill().await.map_err(|error| target.unreachable(error))?;
            feed.take_frames(&mut state, &ledger);
            if started.elapsed() > patience {
                return Err(target.unexpected("GET /events/stream", "there is no ready event"));
            }
        }
        let started_at = state.last_id.parse().map_err(|_| {
            target.unexpected("GET /events/stream", format!("its id is no position: {}", state.last_id))
        })?;
        let failed = Arc::new(Mutex::new(None));
        let task = tokio::spawn({
            let (ledger, failed) = (ledger.clone(), failed.clone());
            async move {
                let error = read_on(&target, feed, state, &ledger, patience).await;
                *failed.lock().expect("nobody panics here") = Some(error);
            }
        });
        Ok(Self { ledger, started_at, failed, task })
    }

    /// Waits until every acknowledged write has arrived, or nothing has for `settle`; returns how long it took.
    pub async fn catch_up(&self, settle: Duration) -> Result<Duration, LoadError> {
        let started = Instant::now();
        let (mut events, mut moved) = (0, started);
        loop {
            {
                let ledger = self.ledger.lock().expect("no holder of the ledger panics");
                if ledger.outstanding(Source::Stream) == 0 {
                    return Ok(started.elapsed());
                }
                if ledger.events != events {
                    (events, moved) = (ledger.events, Instant::now());
                }
            }
            if moved.elapsed() > settle {
                return Ok(started.elapsed());
            }
            self.check()?;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Fails when the stream was lost for good.
    pub fn check(&self) -> Result<(), LoadError> {
        self.failed.lock().expect("nobody panics here").take().map_or(Ok(()), Err)
    }

    /// Returns the ledger that the reader marks.
    pub fn ledger(&self) -> &SharedLedger {
        &self.ledger
    }

    /// Ends the reader.
    pub async fn stop(self) -> StreamFigures {
        self.task.abort();
        let _ = self.task.await;
        let ledger = self.ledger.lock().expect("no holder of the ledger panics");
        StreamFigures { events: ledger.events, resumed: ledger.resumed, caught_up_seconds: 0.0 }
    }
}

/// Reads until the stream cannot be had back for `patience`; returns why.
async fn read_on(
    target: &Target,
    mut feed: Feed,
    mut state: State,
    ledger: &SharedLedger,
    patience: Duration,
) -> LoadError {
    loop {
        // What came with the head is there before anything is read.
        feed.take_frames(&mut state, ledger);
        while feed.fill().await.is_ok() {
            feed.take_frames(&mut state, ledger);
        }
        let cut = Instant::now();
        feed = loop {
            let pause = state.retry.unwrap_or(RECONNECT).min(LONGEST_RECONNECT);
            tokio::time::sleep(pause + jitter(RECONNECT)).await;
            match Feed::open(target, Some(&state.last_id)).await {
                Ok(feed) => break feed,
                Err(error) if cut.elapsed() > patience => {
                    let seconds = patience.as_secs();
                    return target.unreachable(format!("the stream was lost for {seconds} s: {error}"));
                }
                Err(_) => {}
            }
        };
        ledger.lock().expect("no holder of the ledger panics").resumed += 1;
    }
}

/// What outlives a connection.
#[derive(Default)]
struct State {
    last_id: String,
    retry: Option<Duration>,
}

/// One connection to the stream.
struct Feed {
    socket: TcpStream,
    input: Vec<u8>,
    dechunker: Option<Dechunker>,
    /// Text of the stream that is not taken yet.
    text: Vec<u8>,
}

impl Feed {
    async fn open(target: &Target, last_id: Option<&str>) -> io::Result<Self> {
        let mut socket = target.connect().await?;
        let resume = last_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n{resume}\r\n",
            target.path, target.authority
        );
        socket.write_all(request.as_bytes()).await?;
        let mut input = Vec::with_capacity(READ_SIZE);
        let head = loop {
            let read = tokio::time::timeout(SILENCE, socket.read_buf(&mut input)).await??;
            if let Some(head) = read_head(&input).map_err(io::Error::other)? {
                break head;
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        if head.status != 200 {
            return Err(io::Error::other(format!("the stream answers {}", head.status)));
        }
        input.drain(..head.length);
        let dechunker = (head.framing == Framing::Chunked).then(Dechunker::default);
        let mut feed = Self { socket, input, dechunker, text: Vec::with_capacity(READ_SIZE) };
        feed.decode()?;
        Ok(feed)
    }

    /// Waits for more text; an error when the stream is cut.
    async fn fill(&mut self) -> io::Result<()> {
        let read = tokio::time::timeout(SILENCE, self.socket.read_buf(&mut self.input)).await??;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.decode()
    }

    fn decode(&mut self) -> io::Result<()> {
        match &mut self.dechunker {
            Some(dechunker) => {
                dechunker.feed(&self.input, &mut self.text).map_err(io::Error::other)?;
            }
            None => self.text.extend_from_slice(&self.input),
        }
        self.input.clear();
        Ok(())
    }

    /// Marks every whole frame in the ledger; a part of one stays.
    fn take_frames(&mut self, state: &mut State, ledger: &SharedLedger) {
        let mut ledger = ledger.lock().expect("no holder of the ledger panics");
        let mut taken = 0;
        while let Some(end) = memmem::find(&self.text[taken..], b"\n\n") {
            take_frame(&self.text[taken..taken + end], state, &mut ledger);
            taken += end + 2;
        }
        self.text.drain(..taken);
    }
}

/// Takes one frame: an event, or something about the stream itself.
fn take_frame(frame: &[u8], state: &mut State, ledger: &mut Ledger) {
    let (mut id, mut data, mut name) = (None, None, &b"message"[..]);
    for line in frame.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let value = &line[colon + 1..];
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"id" => id = std::str::from_utf8(value).ok(),
            b"data" => data = Some(value),
            b"event" => name = value,
            b"retry" => {
                let millis = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                state.retry = millis.map(Duration::from_millis);
            }
            // A comment, or a field that nobody knows: both are to be ignored.
            _ => {}
        }
    }
    if let Some(id) = id {
        state.last_id.clear();
        state.last_id.push_str(id);
    }
    let shown = || String::from_utf8_lossy(&frame[..frame.len().min(300)]).into_owned();
    match (name, data) {
        (b"message", Some(data)) => {
            ledger.events += 1;
            let Some((product, version, kind)) = read_event(data) else {
                ledger.fault(FaultKind::UnreadableFrame, shown);
                return;
            };
            let known = ledger.observe(Source::Stream, product, version, kind);
            let first = move_to(ledger, id);
            if !known && !first {
                ledger.fault(FaultKind::DoubledInStream, shown);
            }
        }
        (b"gap", _) => ledger.fault(FaultKind::StreamGap, shown),
        (b"ready" | b"cursor", _) => ledger.position = id.and_then(|id| id.parse().ok()),
        _ => {}
    }
}

/// Moves the ledger's position to an event's id and marks the event's offset; tells whether it is the first time.
fn move_to(ledger: &mut Ledger, id: Option<&str>) -> bool {
    let Some(next) = id.and_then(|id| id.parse::<Cursor>().ok()) else {
        ledger.offsets = None;
        return true;
    };
    let before = ledger.position.replace(next.clone());
    let (Some(before), Some(offsets)) = (before, &mut ledger.offsets) else { return true };
    let mut moved = (0..next.next.len()).filter(|p| before.next.get(*p) != Some(&next.next[*p]));
    match (moved.next(), moved.next()) {
        _ if before.log != next.log => ledger.offsets = None,
        (Some(partition), None) => {
            return offsets.mark(partition, next.next[partition].saturating_sub(1));
        }
        (None, _) => return false,
        // Several partitions moved with one event: its own is not told.
        (Some(_), Some(_)) => ledger.offsets = None,
    }
    true
}

/// Reads product, version and type of an event.
///
/// Events have their fields in a fixed order and nothing that a user wrote precedes `data.version`, so that the
/// first match of each name is the right one. Whatever looks different is read as JSON.
fn read_event(data: &[u8]) -> Option<(Uuid, u64, EventType)> {
    quick(data).or_else(|| {
        let envelope = Envelope::read(data).ok()?;
        Some((envelope.subject.0, envelope.version.0, envelope.event_type))
    })
}

fn quick(data: &[u8]) -> Option<(Uuid, u64, EventType)> {
    let (kind, rest) = text_after(data, br#""type":""#)?;
    let (subject, rest) = text_after(rest, br#""subject":""#)?;
    let marker = br#""data":{"version":"#;
    let digits = &rest[memmem::find(rest, marker)? + marker.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    let version = std::str::from_utf8(&digits[..end]).ok()?.parse().ok()?;
    Some((Uuid::try_parse_ascii(subject).ok()?, version, EventType::parse(std::str::from_utf8(kind).ok()?)?))
}

fn text_after<'a>(data: &'a [u8], marker: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let value = &data[memmem::find(data, marker)? + marker.len()..];
    let end = memchr::memchr(b'"', value)?;
    Some(value.split_at(end))
}

#[cfg(test)]
mod tests;
