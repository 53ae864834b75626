//! Listens to the events of one seller from before the first write on, and comes back where it was, as a browser does.

use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;
use souk_client::{Feed, Place, Target, jitter};
use souk_events::Cursor;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Pause before the stream is opened again when it has not said one, and the longest that is taken from it.
const RECONNECT: Duration = Duration::from_millis(100);
const LONGEST_RECONNECT: Duration = Duration::from_secs(1);

/// An event that has arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub at: Instant,
    pub event: Value,
    /// The position after it.
    pub position: Option<Cursor>,
}

impl Arrival {
    /// Tells whether it is of that type and product.
    pub fn is(&self, kind: &str, product: &str) -> bool {
        self.event["type"] == kind && self.event["subject"] == product
    }
}

/// What comes out of the stream.
enum Word {
    Arrival(Arrival),
    /// The stream says that something cannot be had any more.
    Gap(String),
}

/// A reader at work.
pub(crate) struct Stream {
    words: mpsc::UnboundedReceiver<Word>,
    /// Everything that has arrived so far.
    pub arrived: Vec<Arrival>,
    /// Where the stream was when it began.
    pub began_at: Option<Cursor>,
    /// Ends the reader with this value.
    _reader: JoinSet<()>,
}

impl Stream {
    /// Opens the stream of `seller` at `target`, and waits until it has begun: whatever is written from then on arrives.
    ///
    /// # Errors
    /// When it cannot be opened, or ends before it has begun.
    pub async fn open(target: &Target, seller: &str) -> io::Result<Self> {
        let mut target = target.clone();
        target.path = format!("{}?sellerId={seller}", target.path);
        let mut place = Place::default();
        let mut feed = Feed::open(&target, None).await?;
        let mut ready = false;
        while !ready {
            feed.take_frames(&mut place, |frame| ready |= frame.name == b"ready");
            if !ready {
                feed.fill().await?;
            }
        }
        let began_at = place.last_id.parse().ok();
        let (sender, words) = mpsc::unbounded_channel();
        let mut reader = JoinSet::new();
        reader.spawn(read_on(target, feed, place, sender));
        Ok(Self { words, arrived: Vec::new(), began_at, _reader: reader })
    }

    /// Waits for the event of that type and product.
    ///
    /// # Errors
    /// What the stream says it cannot deliver.
    pub async fn wait_for(&mut self, kind: &str, product: &str) -> Result<Arrival, String> {
        loop {
            if let Some(found) = self.arrived.iter().find(|arrival| arrival.is(kind, product)) {
                return Ok(found.clone());
            }
            match self.words.recv().await {
                Some(Word::Arrival(arrival)) => self.arrived.push(arrival),
                Some(Word::Gap(what)) => return Err(what),
                None => return Err("its reader ended".to_owned()),
            }
        }
    }
}

/// Reads for as long as somebody listens.
async fn read_on(target: Target, mut feed: Feed, mut place: Place, words: mpsc::UnboundedSender<Word>) {
    loop {
        loop {
            let at = Instant::now();
            feed.take_frames(&mut place, |frame| {
                let Some(data) = frame.data else { return };
                let word = match frame.name {
                    b"message" => match serde_json::from_slice(data) {
                        Ok(event) => {
                            let position = frame.id.and_then(|id| id.parse().ok());
                            Word::Arrival(Arrival { at, event, position })
                        }
                        Err(error) => Word::Gap(format!("a frame that is no event: {error}")),
                    },
                    b"gap" => Word::Gap(format!("a gap: {}", String::from_utf8_lossy(data))),
                    _ => return,
                };
                // Nobody listens any more: the reader is about to be ended.
                let _ = words.send(word);
            });
            if feed.fill().await.is_err() {
                break;
            }
        }
        feed = loop {
            let pause = place.retry.unwrap_or(RECONNECT).min(LONGEST_RECONNECT);
            tokio::time::sleep(pause + jitter(RECONNECT)).await;
            // Whoever waits for an event has a limit, and says then that it did not come.
            if let Ok(feed) = Feed::open(&target, Some(&place.last_id)).await {
                break feed;
            }
        };
    }
}
