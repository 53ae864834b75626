//! A client of the stream that polls a reader itself, as a connection would.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::{DEADLINE, Place};
use crate::reader::Reader;
use crate::sse::Parser;

/// A block that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Got {
    /// Returns the place of an event; `None` for `ready`, `gap` and `cursor`.
    pub(crate) fn place(&self) -> Option<Place> {
        let data: serde_json::Value = serde_json::from_str(&self.data).ok()?;
        serde_json::from_value(data.get("data")?.get("place")?.clone()).ok()
    }
}

/// A client and what it has read.
pub(crate) struct Client {
    pub(crate) reader: Reader,
    pub(crate) parser: Parser,
    pub(crate) got: Vec<Got>,
    places: Vec<Place>,
    pub(crate) comments: usize,
    pub(crate) ended: bool,
    /// The sizes of the chunks.
    pub(crate) chunks: Vec<usize>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Client {
    pub(crate) fn new(reader: Reader) -> Self {
        Self {
            reader,
            parser: Parser::new(),
            got: Vec::new(),
            places: Vec::new(),
            comments: 0,
            ended: false,
            chunks: Vec::new(),
            wakes: Arc::default(),
        }
    }

    /// Reads until the condition holds.
    pub(crate) async fn until(&mut self, mut condition: impl FnMut(&Self) -> bool) {
        let wait = async {
            while !condition(self) {
                assert!(!self.ended, "the stream ended early: {:?}", self.got);
                let bytes = poll_fn(|cx| self.reader.poll_bytes(cx)).await;
                self.take(bytes);
            }
        };
        if tokio::time::timeout(DEADLINE, wait).await.is_err() {
            let last = &self.got[self.got.len().saturating_sub(3)..];
            panic!("the condition did not come true; {} blocks came, last {last:?}", self.got.len());
        }
    }

    /// Reads until so many events have come.
    pub(crate) async fn events(&mut self, count: usize) {
        self.until(|client| client.places.len() >= count).await;
    }

    /// Reads what is there now, and returns whether it waits for more.
    pub(crate) fn now(&mut self) -> bool {
        let waker = Waker::from(self.wakes.clone());
        let mut cx = Context::from_waker(&waker);
        while let Poll::Ready(bytes) = self.reader.poll_bytes(&mut cx) {
            self.take(bytes);
            if self.ended {
                return false;
            }
        }
        true
    }

    /// Returns how often it was woken after [`Client::now`].
    pub(crate) fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    /// Returns the places of all events that came.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.places.clone()
    }

    /// Returns the blocks of that name.
    pub(crate) fn named(&self, name: &str) -> Vec<&Got> {
        self.got.iter().filter(|got| got.name == name).collect()
    }

    /// Returns reason, from and to of each gap.
    pub(crate) fn gaps(&self) -> Vec<(String, String, String)> {
        let read = |got: &&Got| {
            let data: serde_json::Value = serde_json::from_str(&got.data).expect("a gap's data is JSON");
            let text = |name: &str| data[name].as_str().expect("a gap has reason, from and to").to_owned();
            assert_eq!(got.id, text("to"), "a gap's id is where it ends");
            (text("reason"), text("from"), text("to"))
        };
        self.named("gap").iter().map(read).collect()
    }

    fn take(&mut self, bytes: Option<bytes::Bytes>) {
        let Some(bytes) = bytes else {
            self.ended = true;
            return;
        };
        self.chunks.push(bytes.len());
        self.comments += usize::from(bytes.first() == Some(&b':'));
        self.parser.push(&bytes, |event| {
            let (name, id, data) = (event.name().into(), event.id().into(), event.data().into());
            let got = Got { name, id, data };
            self.places.extend(got.place());
            self.got.push(got);
        });
    }
}
