//! Metrics of one service: a registry, and counts and durations of requests by route template.
//!
//! Handles are looked up once for each endpoint, method and status, never for each request.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds in seconds: from an answer out of memory to one that waited for a slow store.
const DURATION_BUCKETS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The registries of a service: its own, and one for each app in it.
#[derive(Debug)]
pub struct Metrics {
    service: Registry,
    apps: Vec<Registry>,
    http: HttpMetrics,
}

impl Metrics {
    /// Makes a registry with `souk_build_info` and the metrics of HTTP requests.
    pub fn new(service: &'static str) -> Self {
        let mut registry = Registry::default();
        let build = Info::new(vec![("service", service), ("version", crate::VERSION)]);
        registry.register("souk_build", "What is running", build);
        let http = HttpMetrics {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
        };
        registry.register("souk_http_requests", "Requests answered", http.requests.clone());
        registry.register_with_unit(
            "souk_http_request_duration",
            "Time from a request's head to its answer's head",
            Unit::Seconds,
            http.durations.clone(),
        );
        Self { service: registry, apps: vec![Registry::default()], http }
    }

    /// Returns the app's registry, to add to it.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.apps[0]
    }

    /// Takes the apps of another service in; what that service counted of its own requests is left out.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.apps.extend(other.apps);
    }

    pub(crate) fn into_parts(self) -> (Registries, HttpMetrics) {
        let mut registries = vec![self.service];
        registries.extend(self.apps);
        (Registries(registries), self.http)
    }
}

/// Registries that are shown as one.
#[derive(Debug)]
pub(crate) struct Registries(Vec<Registry>);

/// Writes registries as OpenMetrics text.
pub(crate) fn render(registries: &Registries) -> String {
    /// Ends a text, so that only the last may have it.
    const END: &str = "# EOF\n";
    let mut text = String::new();
    for registry in &registries.0 {
        text.truncate(text.strip_suffix(END).unwrap_or(&text).len());
        encode(&mut text, registry).expect("writing to a string cannot fail");
    }
    text
}

/// Turns OpenMetrics text into the Prometheus text format 0.0.4, which names a counter and an info with their suffix,
/// knows no type `info`, which its parsers refuse, and has neither units nor an end mark.
pub(crate) fn to_prometheus(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        if let Some(words) = line.strip_prefix("# HELP ") {
            // Comes before the type, which decides on the name.
            help = words.split_once(' ').map(|(_, words)| words);
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|type_| type_.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            if let Some(help) = help.take() {
                let _ = writeln!(text, "# HELP {name}{suffix} {help}");
            }
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The metrics of HTTP requests.
#[derive(Debug, Clone)]
pub(crate) struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: Arc<str>,
    status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: Arc<str>,
}

/// The methods that have a label of their own; made-up ones share `OTHER`, so that nobody can fill our memory.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"];

/// The statuses that have a handle of their own; others are looked up.
const STATUSES: [u16; 16] = [200, 201, 204, 304, 400, 404, 405, 409, 412, 413, 415, 422, 500, 503, 206, 301];

/// Resolved handles of one endpoint.
#[derive(Debug)]
pub(crate) struct EndpointMetrics {
    http: HttpMetrics,
    methods: [OnceLock<MethodMetrics>; METHODS.len()],
}

#[derive(Debug)]
struct MethodMetrics {
    labels: RouteLabels,
    duration: Histogram,
    requests: [OnceLock<Counter>; STATUSES.len()],
}

impl EndpointMetrics {
    pub(crate) fn new(http: HttpMetrics) -> Self {
        Self { http, methods: Default::default() }
    }

    /// Counts a request; `route` is asked for only the first time.
    pub(crate) fn count(
        &self,
        method: &Method,
        route: impl FnOnce() -> Arc<str>,
        status: StatusCode,
        duration: Duration,
    ) {
        let index = METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(METHODS.len() - 1);
        let metrics = self.methods[index].get_or_init(|| {
            let labels = RouteLabels { method: METHODS[index], route: route() };
            let duration = self.http.durations.get_or_create_owned(&labels);
            MethodMetrics { labels, duration, requests: Default::default() }
        });
        metrics.duration.observe(duration.as_secs_f64());
        match STATUSES.iter().position(|known| *known == status.as_u16()) {
            Some(known) => {
                metrics.requests[known].get_or_init(|| self.counter(&metrics.labels, status)).inc();
            }
            None => {
                self.counter(&metrics.labels, status).inc();
            }
        }
    }

    fn counter(&self, labels: &RouteLabels, status: StatusCode) -> Counter {
        self.http.requests.get_or_create_owned(&RequestLabels {
            method: labels.method,
            route: labels.route.clone(),
            status: u32::from(status.as_u16()),
        })
    }
}
