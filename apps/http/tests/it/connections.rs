//! Connections that are slow, broken, too many, or there when the service ends.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use souk_contract_check::{Calls, Exchange};
use souk_http::Refusal;
use souk_http::openapi::Contract;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{Running, exchange, json, read_to_end, read_until, serve};

const REQUEST: &str = "GET /things/1 HTTP/1.1\r\nhost: x\r\n\r\n";

const CLOSING_REQUEST: &str = "GET /things/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// Waits until a condition holds; the runner's own limit ends a test whose condition never does.
async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn connections_are_kept_alive() {
    let server = serve(10, Refusal::Problem);
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(REQUEST.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "a thing").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    assert_eq!(server.limit.in_use(), 1);
    drop(stream);
    until(|| server.limit.in_use() == 0).await;
}

#[tokio::test]
async fn what_is_no_http_gets_400() {
    let server = serve(10, Refusal::Problem);
    for garbage in
        ["hello\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\x01 HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01"]
    {
        let answer = exchange(&mut server.connect().await, garbage).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{garbage:?}: {answer}");
        assert_is_problem(&answer);
    }
}

#[tokio::test]
async fn a_head_beyond_the_buffer_is_refused() {
    let server = serve(10, Refusal::Problem);
    let mut stream = server.connect().await;
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(300_000));
    // The answer may come before all is written.
    let _ = stream.write_all(head.as_bytes()).await;
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_is_problem(&answer);
    assert!(answer.contains("too large"), "{answer}");
}

/// Also what never reaches a route is answered with a whole problem document and a request id.
fn assert_is_problem(answer: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\ncontent-type: application/problem+json\r\n"), "{answer}");
    let body = json(body);
    assert_eq!((&body["code"], &body["status"]), (&"malformed-request".into(), &400.into()), "{answer}");
    for member in ["type", "title", "detail", "instance"] {
        assert!(body[member].is_string(), "{member} in {answer}");
    }
    let id = body["requestId"].as_str().unwrap();
    assert!(head.contains(&format!("\r\nx-request-id: {id}\r\n")), "{answer}");
}

#[tokio::test]
async fn an_answer_reaches_a_client_that_has_closed_its_side() {
    let server = serve(10, Refusal::Problem);
    let mut stream = server.connect().await;
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(read_to_end(&mut stream).await.ends_with("a thing"));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_in_is_cut_off() {
    let server = serve(10, Refusal::Problem);
    let mut stream = server.connect().await;
    let began = tokio::time::Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nhost").await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
    assert!(began.elapsed() >= Duration::from_secs(10));
    until(|| server.limit.in_use() == 0).await;
}

async fn take_the_only_place(server: &Running) -> TcpStream {
    let mut holder = server.connect().await;
    holder.write_all(REQUEST.as_bytes()).await.unwrap();
    read_until(&mut holder, "a thing").await;
    holder
}

#[tokio::test]
async fn connections_beyond_the_limit_get_a_whole_answer() {
    let server = serve(1, Refusal::Problem);
    let holder = take_the_only_place(&server).await;
    let answer = exchange(&mut server.connect().await, REQUEST).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 2\r\n"), "{answer}");
    assert!(
        answer.contains("\r\nconnection: close\r\n") && answer.contains(r#""code":"overloaded""#),
        "{answer}"
    );
    // Who looks after the service still sees it.
    let answer = exchange(&mut server.connect().await, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    drop(holder);
    until(|| server.limit.in_use() == 0).await;
    take_the_only_place(&server).await;
}

/// Splits an answer into status, headers and body.
fn parsed(answer: &str) -> (u16, HeaderMap, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let (first, lines) = head.split_once("\r\n").unwrap();
    let headers = lines.split("\r\n").map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap())
    });
    (first.split(' ').nth(1).unwrap().parse().unwrap(), headers.collect(), body)
}

#[tokio::test]
async fn beyond_the_limit_all_is_answered_as_promised() {
    let contract = Calls::new(Contract::default().document("test"));
    let server = serve(1, Refusal::Problem);
    let _holder = take_the_only_place(&server).await;
    let pages = contract.operations();
    assert!(pages.len() > 8, "{pages:?}");
    // The routes of the test are unknown to the contract, as a path without a route is.
    let others = [("POST", "/health"), ("GET", "/nothing"), ("PUT", "/things/1"), ("DELETE", "/things/1")];
    let others = others.map(|(method, path)| (method.to_owned(), path.to_owned()));
    for (method, path) in pages.into_iter().chain(others) {
        let target = path.replace("{code}", "stock-changed").replace("{file}", "gone.css");
        let request = format!("{method} {target} HTTP/1.1\r\nhost: x\r\n\r\n");
        let answer = exchange(&mut server.connect().await, &request).await;
        let (status, headers, body) = parsed(&answer);
        let (sent, body) = (&b""[..], Some(body.as_bytes()));
        contract.check(&Exchange { method: &method, target: &target, sent, status, headers: &headers, body });
        let refused = ["/nothing", "/things/1"].contains(&target.as_str());
        assert_eq!(status == 503, refused, "{method} {target}: {answer}");
    }
}

#[tokio::test]
async fn event_streams_beyond_the_limit_are_told_to_come_back() {
    let server = serve(1, Refusal::EventStream);
    let _holder = take_the_only_place(&server).await;
    let request = "GET /things/1 HTTP/1.1\r\nhost: x\r\norigin: http://shop.example\r\n\r\n";
    let answer = exchange(&mut server.connect().await, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains("text/event-stream") && answer.contains("access-control-allow-origin: *"),
        "{answer}"
    );
    for header in ["cache-control: no-store, no-transform", "x-accel-buffering: no"] {
        assert!(answer.contains(&format!("\r\n{header}\r\n")), "{answer}");
    }
    let retry = answer.split_once("\r\n\r\nretry: ").unwrap().1.trim().parse::<u64>().unwrap();
    assert!((2_000..10_000).contains(&retry), "{answer}");
}

#[tokio::test]
async fn a_storm_beyond_the_limit_leaves_those_inside_alone() {
    let server = serve(1, Refusal::Problem);
    let mut holder = take_the_only_place(&server).await;
    let mut storm = Vec::new();
    for _ in 0..400 {
        storm.push(server.connect().await);
    }
    holder.write_all(REQUEST.as_bytes()).await.unwrap();
    assert!(read_until(&mut holder, "a thing").await.starts_with("HTTP/1.1 200 "));
    drop((storm, holder));
    // What is left of the storm may take the place for a moment.
    while !exchange(&mut server.connect().await, CLOSING_REQUEST).await.starts_with("HTTP/1.1 200 ") {}
}

#[tokio::test]
async fn draining_finishes_requests_and_closes_idle_connections() {
    let server = serve(10, Refusal::Problem);
    let mut idle = take_the_only_place(&server).await;
    let mut busy = server.connect().await;
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
                expect: 100-continue\r\n\r\n";
    busy.write_all(head.as_bytes()).await.unwrap();
    // The word to go on shows that the request is being served.
    read_until(&mut busy, "HTTP/1.1 100 Continue\r\n\r\n").await;
    server.shutdown.soft.cancel();
    assert_eq!(read_to_end(&mut idle).await, "");
    busy.write_all(b"{}").await.unwrap();
    let answer = read_to_end(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{}"), "{answer}");
    server.done.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "the listener is closed");
}

#[tokio::test]
async fn aborting_does_not_wait() {
    let server = serve(10, Refusal::Problem);
    let mut stuck = server.connect().await;
    stuck.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    until(|| server.limit.in_use() == 1).await;
    server.shutdown.soft.cancel();
    server.shutdown.hard.cancel();
    server.done.await.unwrap();
    assert_eq!(server.limit.in_use(), 0);
}

/// Runs in a process of its own, since the limit of open files is the process's: starts itself anew under it.
#[tokio::test]
async fn goes_on_after_running_out_of_file_descriptors() {
    const UNDER_LIMIT: &str = "SOUK_TEST_UNDER_LIMIT";
    if std::env::var_os(UNDER_LIMIT).is_some() {
        return with_64_file_descriptors().await;
    }
    let test = "connections::goes_on_after_running_out_of_file_descriptors";
    let status = std::process::Command::new("sh")
        .args(["-c", &format!("ulimit -n 64 && exec \"$0\" --exact {test}")])
        .arg(std::env::current_exe().unwrap())
        .env(UNDER_LIMIT, "1")
        .status()
        .unwrap();
    assert!(status.success());
}

async fn with_64_file_descriptors() {
    let server = serve(1000, Refusal::Problem);
    let mut clients = Vec::new();
    // Both ends are ours: the server runs out somewhere in between.
    while let Ok(client) = TcpStream::connect(server.address).await {
        clients.push(client);
    }
    assert!(clients.len() > 10, "{}", clients.len());
    clients.clear();
    take_the_only_place(&server).await;
}
