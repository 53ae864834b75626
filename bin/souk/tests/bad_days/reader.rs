//! A reader of the stream that comes back with its `Last-Event-ID` whenever the stream breaks.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;

use super::load::Ports;
use crate::book::verdict::{Told, tell};
use crate::support::EventStream;

/// Between two attempts at a service that is not there.
const RETRY: Duration = Duration::from_millis(50);

/// What it heard.
#[derive(Debug, Default)]
pub struct Heard {
    pub told: Told,
    /// What is to be said against the stream itself.
    pub findings: Vec<String>,
    /// Events, warnings included.
    pub events: u64,
    /// How often it came back.
    pub returns: u64,
    ids: HashSet<String>,
    versions: HashMap<String, u64>,
}

/// Follows the stream from the beginning of the log. Ends with this value, at the latest at the next heartbeat.
#[derive(Debug)]
pub struct Reader {
    heard: Arc<Mutex<Heard>>,
    over: Arc<AtomicBool>,
}

impl Reader {
    /// Begins to read; takes the next instance each time the stream breaks.
    pub fn begin(ports: &Ports) -> Self {
        let reader = Self { heard: Arc::default(), over: Arc::default() };
        let (heard, over, ports) = (Arc::clone(&reader.heard), Arc::clone(&reader.over), Arc::clone(ports));
        std::thread::spawn(move || {
            let (mut last, mut turn) = ("earliest".to_owned(), 0);
            while !over.load(Ordering::Acquire) {
                let port = {
                    let ports = ports.lock().expect("nobody panics holding ports");
                    (!ports.is_empty()).then(|| ports[turn % ports.len()])
                };
                turn += 1;
                let path = format!("/events/stream?lastEventId={last}");
                let Some(Ok(mut stream)) = port.map(|port| EventStream::try_open(port, &path)) else {
                    std::thread::sleep(RETRY);
                    continue;
                };
                while let Ok(frame) = stream.try_next() {
                    if over.load(Ordering::Acquire) {
                        return;
                    }
                    let mut heard = heard.lock().expect("nobody panics while listening");
                    heard.take(frame.event.as_deref(), &frame.data);
                    last = frame.id.unwrap_or(last);
                }
                heard.lock().expect("nobody panics while listening").returns += 1;
            }
        });
        reader
    }

    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("nobody panics while listening")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

impl Heard {
    fn take(&mut self, name: Option<&str>, data: &str) {
        match name {
            None => {}
            Some("gap") => {
                self.findings.push(format!("the stream has a gap: {data}"));
                return;
            }
            Some(_) => return,
        }
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            self.findings.push(format!("the stream carries what is no JSON: {data}"));
            return;
        };
        self.events += 1;
        if !self.ids.insert(event["id"].to_string()) {
            self.findings.push(format!("the stream carries twice: {event}"));
            return;
        }
        // Warnings share the version of the event that caused them.
        if event["data"]["stock"].is_null() {
            self.take_version(&event);
        }
        self.findings.extend(tell(&mut self.told, &event));
    }

    /// Per product, versions are dense and in order.
    fn take_version(&mut self, event: &Value) {
        let Some(version) = event["data"]["version"].as_u64() else {
            self.findings.push(format!("the stream carries an event without a version: {event}"));
            return;
        };
        let last = self.versions.entry(event["subject"].to_string()).or_default();
        if version != *last + 1 {
            self.findings.push(format!("the stream carries, after version {last}: {event}"));
        }
        *last = version;
    }
}
