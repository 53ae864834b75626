//! Listens to the event stream during the run: reads frames, marks them in the ledger, resumes with
//! `Last-Event-ID` when the connection is cut.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use memchr::memmem;
use souk_client::{Feed, Frame, Place, Target, jitter};
use souk_domain::EventType;
use souk_events::{Cursor, Envelope};
use uuid::Uuid;

use crate::LoadError;
use crate::ledger::{Ledger, SharedLedger, Source};
use crate::verdict::{FaultKind, StreamFigures};

/// Pause before a reconnect when the stream has not said one.
const RECONNECT: Duration = Duration::from_millis(100);
/// Longest pause taken from `retry:`, so that a drain does not outlast the run's patience.
const LONGEST_RECONNECT: Duration = Duration::from_secs(5);
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
        let mut place = Place::default();
        let started = Instant::now();
        take_frames(&mut feed, &mut place, &ledger);
        while place.last_id.is_empty() {
            feed.fill().await.map_err(|error| target.unreachable(error))?;
            take_frames(&mut feed, &mut place, &ledger);
            if started.elapsed() > patience {
                return Err(target.unexpected("GET /events/stream", "there is no ready event").into());
            }
        }
        let started_at = place.last_id.parse().map_err(|_| {
            target.unexpected("GET /events/stream", format!("its id is no position: {}", place.last_id))
        })?;
        let failed = Arc::new(Mutex::new(None));
        let task = tokio::spawn({
            let (ledger, failed) = (ledger.clone(), failed.clone());
            async move {
                let error = read_on(&target, feed, place, &ledger, patience).await;
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

    /// Returns the next offset of each partition: what lies before was delivered.
    pub fn reached(&self) -> Vec<u64> {
        let ledger = self.ledger.lock().expect("no holder of the ledger panics");
        ledger.position.as_ref().map_or_else(Vec::new, |position| position.next.clone())
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
    mut place: Place,
    ledger: &SharedLedger,
    patience: Duration,
) -> LoadError {
    loop {
        // What came with the head is there before anything is read.
        take_frames(&mut feed, &mut place, ledger);
        while feed.fill().await.is_ok() {
            take_frames(&mut feed, &mut place, ledger);
        }
        let cut = Instant::now();
        feed = loop {
            let pause = place.retry.unwrap_or(RECONNECT).min(LONGEST_RECONNECT);
            tokio::time::sleep(pause + jitter(RECONNECT)).await;
            match Feed::open(target, Some(&place.last_id)).await {
                Ok(feed) => break feed,
                Err(error) if cut.elapsed() > patience => {
                    let seconds = patience.as_secs();
                    return target
                        .unreachable(format!("the stream was lost for {seconds} s: {error}"))
                        .into();
                }
                Err(_) => {}
            }
        };
        ledger.lock().expect("no holder of the ledger panics").resumed += 1;
    }
}

/// Marks every whole frame that has come in the ledger.
fn take_frames(feed: &mut Feed, place: &mut Place, ledger: &SharedLedger) {
    let mut ledger = ledger.lock().expect("no holder of the ledger panics");
    feed.take_frames(place, |frame| take_frame(&frame, &mut ledger));
}

/// Takes one frame: an event, or something about the stream itself.
fn take_frame(frame: &Frame<'_>, ledger: &mut Ledger) {
    let Frame { id, name, data, .. } = *frame;
    let shown = || String::from_utf8_lossy(&frame.text[..frame.text.len().min(300)]).into_owned();
    match (name, data) {
        (b"message", Some(data)) => {
            ledger.events += 1;
            let Some((product, version, kind)) = read_event(data) else {
                ledger.fault(FaultKind::UnreadableFrame, shown);
                return;
            };
            let known = ledger.observe(Source::Stream, product, version, kind);
            let first = move_to(ledger, product, id);
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
fn move_to(ledger: &mut Ledger, product: Uuid, id: Option<&str>) -> bool {
    let Some(next) = id.and_then(|id| id.parse::<Cursor>().ok()) else {
        ledger.offsets = None;
        return true;
    };
    let before = ledger.position.replace(next.clone());
    let (Some(before), Some(offsets)) = (before, &mut ledger.offsets) else { return true };
    if before.log != next.log {
        ledger.offsets = None;
        return true;
    }
    // A partition that an id does not have yet is at 0.
    let was = |partition: usize| before.next.get(partition).copied().unwrap_or(0);
    let moved = next.next.iter().copied().enumerate().filter(|(partition, next)| was(*partition) != *next);
    offsets.take(product, moved.map(|(partition, next)| (partition, next.saturating_sub(1))))
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
