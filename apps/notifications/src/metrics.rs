//! What the stream counts.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use souk_events::stream::GapReason;

type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

/// How a stream ended, or did not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// The reader left.
    Client,
    /// The service drains.
    Drain,
    /// There was no room, or no log, for a reader.
    Refused,
}

/// Counters and gauges; readers add to them once per write, not per frame.
#[derive(Debug)]
pub(crate) struct StreamMetrics {
    pub(crate) readers: Gauge,
    pub(crate) opens: Counter,
    pub(crate) frames: Counter,
    pub(crate) bytes: Counter,
    pub(crate) heartbeats: Counter,
    pub(crate) events: Counter,
    pub(crate) unreadable: Counter,
    pub(crate) catch_up_reads: Counter,
    pub(crate) fell_behind: Counter,
    pub(crate) pump_failures: Counter,
    pub(crate) ring_bytes: Gauge,
    pub(crate) ring_events: Gauge,
    pub(crate) ring_oldest: Gauge<f64, AtomicU64>,
    closes: [Counter; 3],
    gaps: [Counter; GapReason::ALL.len()],
}

impl StreamMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let closes = Labelled::default();
        let gaps = Labelled::default();
        let metrics = Self {
            readers: Gauge::default(),
            opens: Counter::default(),
            frames: Counter::default(),
            bytes: Counter::default(),
            heartbeats: Counter::default(),
            events: Counter::default(),
            unreadable: Counter::default(),
            catch_up_reads: Counter::default(),
            fell_behind: Counter::default(),
            pump_failures: Counter::default(),
            ring_bytes: Gauge::default(),
            ring_events: Gauge::default(),
            ring_oldest: Gauge::default(),
            closes: ["client", "drain", "refused"]
                .map(|reason| closes.get_or_create(&[("reason", reason)]).clone()),
            gaps: GapReason::ALL.map(|reason| gaps.get_or_create(&[("reason", reason.as_str())]).clone()),
        };
        let mut counter = |name: &str, help: &str, counter: &Counter| {
            registry.register(name, help, counter.clone());
        };
        counter("souk_stream_opens", "Streams opened", &metrics.opens);
        counter("souk_stream_frames", "Event frames handed to connections", &metrics.frames);
        counter("souk_stream_heartbeats", "Comments and cursor events written", &metrics.heartbeats);
        counter("souk_stream_events", "Events taken from the log", &metrics.events);
        counter("souk_stream_unreadable", "Records left out that are no events", &metrics.unreadable);
        counter("souk_stream_catch_up_reads", "Blocks of the log read", &metrics.catch_up_reads);
        counter("souk_stream_fell_behind", "Readers that the ring left behind", &metrics.fell_behind);
        counter("souk_stream_pump_failures", "Failures to follow the log", &metrics.pump_failures);
        registry.register("souk_stream_readers", "Open streams", metrics.readers.clone());
        registry.register("souk_stream_closes", "Streams ended", closes);
        registry.register("souk_stream_gaps", "Gap events written", gaps);
        registry.register("souk_stream_ring_events", "Events in the ring", metrics.ring_events.clone());
        let (bytes, ring_bytes) = (metrics.bytes.clone(), metrics.ring_bytes.clone());
        registry.register_with_unit("souk_stream_sent", "Bytes handed to connections", Unit::Bytes, bytes);
        registry.register_with_unit("souk_stream_ring", "Memory of the ring", Unit::Bytes, ring_bytes);
        registry.register_with_unit(
            "souk_stream_ring_oldest_age",
            "Time since the oldest event of the ring came",
            Unit::Seconds,
            metrics.ring_oldest.clone(),
        );
        metrics
    }

    pub(crate) fn closed(&self, how: Close) {
        self.closes[how as usize].inc();
    }

    pub(crate) fn gap(&self, reason: GapReason) {
        self.gaps[reason as usize].inc();
    }
}
