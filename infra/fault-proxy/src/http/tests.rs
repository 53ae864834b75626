//! A tiny server behind the proxy, and a client that sends what the SDKs send.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::testing::{dial, server};
use crate::{Proxy, Times};

type Seen = Arc<Mutex<Vec<Message>>>;

/// Answers everything with an empty batch, in chunks, and keeps what it saw.
fn dynamo(seen: &Seen) -> SocketAddr {
    let seen = Arc::clone(seen);
    server(move |stream| {
        let mut reader = BufReader::new(&stream);
        while let Ok(Some(request)) = Message::read_request(&mut reader, || Ok(())) {
            seen.lock().push(request);
            let reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx-amz-crc32: 1\r\n\r\n\
                         18\r\n{\"UnprocessedItems\": {}}\r\n0\r\n\r\n";
            if (&stream).write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    })
}

fn request(method: &str, target: &str, operation: &str, body: &Value) -> Message {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Message {
        line: format!("{method} {target} HTTP/1.1"),
        headers: vec![
            header("Host", "there"),
            header("X-Amz-Target", &format!("DynamoDB_20120810.{operation}")),
        ],
        body: Vec::new(),
    }
    .with_body(body.to_string().into_bytes())
}

fn call(mut stream: &TcpStream, request: &Message) -> io::Result<Message> {
    stream.write_all(&request.bytes())?;
    Message::read_reply(&mut BufReader::new(stream), false)
}

fn batch(count: u64) -> Message {
    let items: Vec<Value> = (0..count).map(|n| json!({ "PutRequest": { "Item": { "n": n } } })).collect();
    request("POST", "/", "BatchWriteItem", &json!({ "RequestItems": { "Recent": items } }))
}

#[test]
fn throttles_the_next_requests_of_an_operation() {
    let seen = Seen::default();
    let proxy = Proxy::<Http>::start(dynamo(&seen)).unwrap();
    let armed = proxy.arm(HttpFault::new(Call::Operation("UpdateItem"), What::THROTTLED), Times::Next(2));
    let stream = dial(proxy.address());
    let update = request("POST", "/", "UpdateItem", &json!({}));
    assert!(call(&stream, &batch(1)).unwrap().line.contains("200"));
    for _ in 0..2 {
        let reply = call(&stream, &update).unwrap();
        assert!(reply.line.contains("400"), "{reply:?}");
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert!(
            body["__type"].as_str().unwrap().ends_with("#ProvisionedThroughputExceededException"),
            "{body}"
        );
    }
    assert!(call(&stream, &update).unwrap().line.contains("200"));
    assert_eq!((seen.lock().len(), armed.fired()), (2, 2));
}

#[test]
fn leaves_a_part_of_a_batch_unprocessed() {
    let seen = Seen::default();
    let proxy = Proxy::<Http>::start(dynamo(&seen)).unwrap();
    let what = What::Unprocessed { taken: 2 };
    proxy.arm(HttpFault::new(Call::Operation("BatchWriteItem"), what), Times::Next(1));
    let reply = call(&dial(proxy.address()), &batch(5)).unwrap();
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let left = body["UnprocessedItems"]["Recent"].as_array().unwrap();
    assert_eq!(left.len(), 3);
    assert_eq!(left[0]["PutRequest"]["Item"]["n"], 2);
    assert_eq!(reply.header("x-amz-crc32"), None);
    let written: Value = serde_json::from_slice(&seen.lock()[0].body).unwrap();
    assert_eq!(written["RequestItems"]["Recent"].as_array().unwrap().len(), 2);
}

#[test]
fn leaves_a_whole_batch_unprocessed_without_asking_the_server() {
    let seen = Seen::default();
    let proxy = Proxy::<Http>::start(dynamo(&seen)).unwrap();
    proxy.arm(HttpFault::new(Call::Any, What::Unprocessed { taken: 0 }), Times::Next(1));
    let reply = call(&dial(proxy.address()), &batch(3)).unwrap();
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["UnprocessedItems"]["Recent"].as_array().unwrap().len(), 3);
    assert!(seen.lock().is_empty());
}

#[test]
fn loses_the_reply_to_what_was_done() {
    let seen = Seen::default();
    let proxy = Proxy::<Http>::start(dynamo(&seen)).unwrap();
    proxy.arm(HttpFault::new(Call::Method("PUT", ".parquet"), What::LoseReply), Times::Next(1));
    let put = request("PUT", "/bucket/o=1.parquet", "", &json!("object"));
    assert!(call(&dial(proxy.address()), &put).is_err());
    assert_eq!(seen.lock().len(), 1);
    assert!(call(&dial(proxy.address()), &put).unwrap().line.contains("200"));
}

#[test]
fn holds_the_reply_to_what_was_done_for_longer_than_anybody_waits() {
    let seen = Seen::default();
    let proxy = Proxy::<Http>::start(dynamo(&seen)).unwrap();
    let hold = What::HoldReply(Duration::from_millis(300));
    proxy.arm(HttpFault::new(Call::Method("PUT", ".parquet"), hold), Times::Next(1));
    let put = request("PUT", "/bucket/o=1.parquet", "", &json!("object"));
    let stream = dial(proxy.address());
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = call(&stream, &put).unwrap_err();
    assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
    assert_eq!(seen.lock().len(), 1);
}

#[test]
fn passes_headers_and_bodies_on_as_they_are() {
    let seen = Seen::default();
    let proxy = Proxy::<Http>::start(dynamo(&seen)).unwrap();
    let sent = batch(4);
    let reply = call(&dial(proxy.address()), &sent).unwrap();
    assert_eq!(seen.lock().as_slice(), &[sent]);
    assert_eq!(reply.header("x-amz-crc32"), Some("1"));
    assert_eq!(reply.body, br#"{"UnprocessedItems": {}}"#);
}

#[test]
fn tells_who_waits_to_go_on() {
    let seen = Seen::default();
    let proxy = Proxy::<Http>::start(dynamo(&seen)).unwrap();
    let mut stream = dial(proxy.address());
    stream
        .write_all(b"PUT /a HTTP/1.1\r\nHost: there\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    stream.write_all(b"hi").unwrap();
    std::io::BufRead::read_line(&mut reader, &mut String::new()).unwrap();
    assert!(Message::read_reply(&mut reader, false).unwrap().line.contains("200"));
    assert_eq!(seen.lock()[0].body, b"hi");
}
