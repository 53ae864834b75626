//! A service that waits for what it needs: it says so, and is there once its gate opens.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::{Request, StatusCode};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use souk_http::openapi::Contract;
use souk_http::{
    App, Check, ConnectionLimit, Cors, Face, Gate, Metrics, Part, Refusal, Routes, Server, Service, Shutdown,
    Status, Waits,
};

use crate::support::{Fixed, call, exchange, header, json, read_until};

fn face(stream: Option<&'static str>) -> Face {
    Face {
        name: "test",
        about: "a service for tests\n/things".to_owned(),
        backend: "distributed",
        cors: Cors::any(),
        contract: Contract::default(),
        stream,
    }
}

fn app(name: &'static str, path: &'static str, status: Status) -> App {
    let service = Service {
        name,
        about: format!("{name}\n{path}"),
        backend: "distributed",
        cors: Cors::any(),
        health: Arc::new(Fixed(status)),
    };
    let routes = Routes::new(Contract::default()).with_pages(Router::new().route(path, get(async || "here")));
    App::new(service, routes, Metrics::new(name))
}

fn serve(gate: &Gate) -> (std::net::SocketAddr, Shutdown) {
    let listener = souk_http::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
    let limit = ConnectionLimit::new(8);
    tokio::spawn(Server::new(listener, gate.clone(), limit, shutdown.clone(), Refusal::Mixed).run());
    (address, shutdown)
}

async fn ask(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    exchange(&mut stream, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
}

#[tokio::test]
async fn a_closed_gate_says_what_is_waited_for() {
    let waits = Waits::default();
    waits.set("kafka", "localhost:9092: connection refused");
    let gate = Gate::closed(face(Some("/events/stream")), waits);
    let (address, _shutdown) = serve(&gate);

    assert!(ask(address, "/livez").await.starts_with("HTTP/1.1 200 "));
    for path in ["/readyz", "/health"] {
        let answer = ask(address, path).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 "), "{path}: {head}");
        let document = json(body);
        assert_eq!(document["status"], "unavailable");
        let check = &document["checks"]["kafka"];
        assert_eq!(check["detail"], "waiting: localhost:9092: connection refused");
        assert!(check["waitingSeconds"].is_u64(), "{check}");
    }
    let answer = ask(address, "/things/1").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.to_lowercase().contains("retry-after: 2"), "{head}");
    let problem = json(body);
    assert_eq!(problem["code"], "overloaded");
    assert!(problem["detail"].as_str().unwrap().contains("waits for kafka (localhost:9092"), "{problem}");

    let answer = ask(address, "/events/stream").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/event-stream"), "{head}");
    assert!(body.starts_with("retry: "), "an EventSource comes back by itself: {body}");

    assert!(ask(address, "/metrics").await.contains("souk_build_info"));
}

#[tokio::test]
async fn a_connection_from_before_sees_the_gate_open() {
    let gate = Gate::closed(face(None), Waits::default());
    let (address, _shutdown) = serve(&gate);
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.unwrap();
    assert!(read_until(&mut stream, "}").await.starts_with("HTTP/1.1 503 "));

    gate.open(app("test", "/things", Status::Ok).router());
    let answer = exchange(&mut stream, "GET /things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("here"), "{answer}");
}

struct Pipe;

impl Part for Pipe {
    fn name(&self) -> &'static str {
        "pipe"
    }

    fn check(&self) -> Check {
        Check { status: Status::Degraded, detail: "stuck".to_owned(), figures: vec![("waiting", 7)] }
    }

    fn register(self: Arc<Self>, registry: &mut Registry) {
        let waiting: Gauge = Gauge::default();
        waiting.set(7);
        registry.register("souk_pipe_waiting", "Waiting", waiting);
    }
}

#[tokio::test]
async fn merged_apps_share_one_health_and_one_metrics_page() {
    let one = app("one", "/events", Status::Ok).with_part(Arc::new(Pipe));
    // Two checks of one name would hide one of them.
    let merged = App::merge("souk", "all\n/events".to_owned(), vec![one]).router();
    let (response, body) = call(&merged, Request::get("/health")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let health = json(&body);
    assert_eq!((&health["service"], &health["status"]), (&"souk".into(), &"degraded".into()), "{health}");
    assert_eq!(health["checks"]["pipe"]["waiting"], 7);

    let (response, metrics) = call(&merged, Request::get("/metrics")).await;
    assert_eq!(header(&response, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(metrics.contains("souk_pipe_waiting 7\n"), "{metrics}");
    assert_eq!(metrics.matches("souk_build_info{").count(), 1, "{metrics}");
    let open = Request::get("/metrics").header("accept", "application/openmetrics-text");
    let (_, open) = call(&merged, open).await;
    assert!(open.matches("# EOF").count() == 1 && open.ends_with("# EOF\n"), "{open}");
}

#[tokio::test]
async fn one_app_that_is_not_ready_makes_the_whole_not_ready() {
    let apps = vec![app("one", "/events", Status::Unavailable)];
    let merged = App::merge("souk", "all\n/".to_owned(), apps).router();
    assert_eq!(call(&merged, Request::get("/readyz")).await.0.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(call(&merged, Request::get("/events")).await.0.status(), StatusCode::OK);
}

#[tokio::test]
async fn beyond_the_limit_a_stream_is_asked_back_and_a_request_is_refused() {
    let gate = Gate::from(app("test", "/things", Status::Ok).router());
    let listener = souk_http::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let limit = ConnectionLimit::new(0);
    tokio::spawn(Server::new(listener, gate, limit, Shutdown::new(), Refusal::Mixed).run());
    assert!(ask(address, "/things").await.starts_with("HTTP/1.1 503 "));
    let stream = ask(address, "/events/stream").await;
    assert!(stream.starts_with("HTTP/1.1 200 ") && stream.contains("retry: "), "{stream}");
    assert!(ask(address, "/livez").await.starts_with("HTTP/1.1 200 "));
}
