//! A small service, and ways to talk to it.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use souk_http::openapi::Contract;
use souk_http::{
    Check, Code, ConnectionLimit, Cors, Health, HealthCheck, Metrics, Problem, Refusal, Routes, Server,
    Service, Shutdown, Status, read_json,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

pub struct Fixed(pub Status);

#[async_trait]
impl HealthCheck for Fixed {
    async fn check(&self) -> Health {
        let check = Check { status: self.0, detail: "as told".to_owned(), figures: vec![("rows", 3)] };
        Health { ready: self.0 != Status::Unavailable, checks: vec![("store", check)] }
    }
}

fn routes() -> Router {
    Router::new()
        .route("/things/{id}", get(async || "a thing").put(async || StatusCode::NO_CONTENT))
        .route("/panics", get(async || -> &'static str { panic!("on purpose") }))
        .route("/fails", get(async || Problem::internal("the disk said: secret")))
        .route("/plain", get(async || (StatusCode::BAD_REQUEST, "an extractor's text")))
        .route("/overloaded", get(async || Problem::new(Code::Overloaded, "queue full").retry_after(7)))
        .route("/never", get(std::future::pending::<&'static str>))
        .route(
            "/echo",
            post(async |headers: HeaderMap, body: Body| -> Result<Bytes, Problem> {
                read_json(&headers, body).await
            }),
        )
}

pub fn service(status: Status, origins: &str) -> Router {
    let service = Service {
        name: "test",
        about: "a service for tests\n/things, /echo".to_owned(),
        backend: "embedded",
        cors: Cors::parse(origins).unwrap(),
        health: Arc::new(Fixed(status)),
    };
    service.router(Routes::new(Contract::default()).with_pages(routes()), Metrics::new("test"))
}

pub fn app() -> Router {
    service(Status::Ok, "*")
}

pub async fn call(app: &Router, request: http::request::Builder) -> (Response<()>, String) {
    send(app, request.body(Body::empty()).unwrap()).await
}

pub async fn send(app: &Router, request: Request) -> (Response<()>, String) {
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).unwrap())
}

pub fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| panic!("not JSON: {body}"))
}

pub fn header<'a>(response: &'a Response<()>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// A server on a port of its own.
pub struct Running {
    pub address: std::net::SocketAddr,
    pub limit: Arc<ConnectionLimit>,
    pub shutdown: Shutdown,
    pub done: tokio::task::JoinHandle<()>,
}

pub fn serve(max: usize, refusal: Refusal) -> Running {
    let listener = souk_http::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, limit, shutdown) =
        (listener.local_addr().unwrap(), ConnectionLimit::new(max), Shutdown::new());
    let server = Server::new(listener, app(), limit.clone(), shutdown.clone(), refusal);
    Running { address, limit, shutdown, done: tokio::spawn(server.run()) }
}

impl Running {
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Writes a request and reads until the other side closes.
pub async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    // A connection that is refused without a word may be closed before this.
    let _ = stream.write_all(request.as_bytes()).await;
    read_to_end(stream).await
}

pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer leaves what was read.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Reads an answer whose body ends with `end`, and leaves the connection open.
pub async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "closed after {answer:?}");
    }
    String::from_utf8(answer).unwrap()
}
