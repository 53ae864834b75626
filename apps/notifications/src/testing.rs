//! What tests share: a log in memory, a hub on it, and a client that reads without HTTP.

mod client;
mod fake_log;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use souk_events::Cursor;
use souk_ports::{EventLog, Offset, Partition};

pub(crate) use client::Client;
pub(crate) use fake_log::{FakeLog, product_of};

use crate::config::NotificationsConfig;
use crate::filter::{Filter, PARAMS};
use crate::hub::Hub;
use crate::metrics::StreamMetrics;
use crate::pump::{PumpState, pump};
use crate::reader::Reader;
use crate::resume::{Asked, judge};

/// An event's place in the log: what tests compare.
pub(crate) type Place = (Partition, Offset);

/// Longer than any machine needs; a test that gets here has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A hub that follows a log.
pub(crate) struct Instance {
    pub(crate) hub: Arc<Hub>,
    pub(crate) log: FakeLog,
    pub(crate) pump: Arc<Mutex<PumpState>>,
    task: tokio::task::JoinHandle<()>,
}

impl Instance {
    /// Starts an instance and waits until it takes readers.
    pub(crate) async fn start(log: &FakeLog, config: NotificationsConfig) -> Self {
        let metrics = Arc::new(StreamMetrics::register(&mut Registry::default()));
        let port: Arc<dyn EventLog> = Arc::new(log.clone());
        let hub = Hub::new(config, port.clone(), metrics);
        let state = Arc::new(Mutex::new(PumpState::Starting));
        let (pumped, pump_state) = (hub.clone(), state.clone());
        let task = tokio::spawn(async move { pump(&pumped, &port, &pump_state).await });
        let instance = Self { hub, log: log.clone(), pump: state, task };
        instance.until(|instance| instance.hub.is_open()).await;
        instance
    }

    /// Starts an instance with a ring of so many bytes.
    pub(crate) async fn with_ring(log: &FakeLog, ring_bytes: usize) -> Self {
        Self::start(log, NotificationsConfig { ring_bytes, ..NotificationsConfig::default() }).await
    }

    /// Opens a stream as a request with this query and this `Last-Event-ID` would.
    pub(crate) async fn open(&self, query: &str, last_event_id: Option<&str>) -> Client {
        let params = souk_http::Params::parse(Some(query), PARAMS).expect("a test's query is well formed");
        let filter = Filter::parse(&params).expect("a test's filter is well formed");
        let mut headers = http::HeaderMap::new();
        if let Some(id) = last_event_id {
            headers.insert(
                "last-event-id",
                http::HeaderValue::from_bytes(id.as_bytes()).expect("a header value"),
            );
        }
        let start =
            judge(Asked::read(&headers, &params), &self.hub, &self.log).await.expect("the log is there");
        Client::new(Reader::open(&self.hub, filter, start).expect("there is room"))
    }

    /// Waits until the hub has published everything that the log holds.
    pub(crate) async fn caught_up(&self) {
        let ends: Vec<Offset> =
            self.log.bounds().await.expect("the log is there").iter().map(|bounds| bounds.next).collect();
        self.until(|instance| crate::position::covers(&instance.hub.head().position, &ends)).await;
    }

    /// Waits for a condition.
    pub(crate) async fn until(&self, mut condition: impl FnMut(&Self) -> bool) {
        let wait = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("the condition comes true");
    }

    /// Returns the id of the head.
    pub(crate) fn head(&self) -> String {
        Cursor { log: self.hub.log, next: self.hub.head().position.to_vec() }.to_string()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Asserts that `seen` is `expected`, each event once, and in order within each partition.
pub(crate) fn assert_exactly(seen: &[Place], expected: &[Place]) {
    if let Some(fault) = fault(seen, expected) {
        panic!("{fault}\nseen: {seen:?}\nexpected: {expected:?}");
    }
}

/// Returns what is wrong with what a reader saw.
pub(crate) fn fault(seen: &[Place], expected: &[Place]) -> Option<String> {
    let mut sorted = seen.to_vec();
    // Stable, so that the order within a partition stays as it was seen.
    sorted.sort_by_key(|(partition, _)| *partition);
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    if sorted == expected {
        return None;
    }
    let missing = expected.iter().find(|place| !seen.contains(place));
    let twice = sorted.iter().find(|place| seen.iter().filter(|other| other == place).count() > 1);
    let strange = seen.iter().find(|place| !expected.contains(place));
    Some(format!("missing {missing:?}, twice {twice:?}, unasked {strange:?}, else out of order"))
}
