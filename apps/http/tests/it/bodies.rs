//! Bodies that are no JSON, too large, or too slow.

use axum::body::Body;
use futures_util::stream;
use http::Request;
use serde_json::Value;
use souk_http::{BODY_LIMIT, Refusal};
use tokio::io::AsyncWriteExt as _;

use crate::support::{app, json, read_to_end, send, serve};

fn echo(content_type: &str, body: Body) -> Request<Body> {
    Request::post("/echo").header("content-type", content_type).body(body).unwrap()
}

#[tokio::test]
async fn takes_json_by_all_its_names() {
    for name in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/merge-patch+json",
        "application/a.b+json",
    ] {
        let (response, body) = send(&app(), echo(name, Body::from("{}"))).await;
        assert_eq!((response.status().as_u16(), body.as_str()), (200, "{}"), "{name}");
    }
}

#[tokio::test]
async fn refuses_what_is_no_json_and_says_how_to_send_it() {
    for name in ["application/x-www-form-urlencoded", "text/json", "application/jsonx", "json", ""] {
        let (response, body) = send(&app(), echo(name, Body::from("{}"))).await;
        assert_eq!(response.status().as_u16(), 415, "{name}");
        assert_eq!(json(&body)["code"], "unsupported-media-type");
        assert!(body.contains("Content-Type: application/json"), "{body}");
    }
    let request = Request::post("/echo").body(Body::from("{}")).unwrap();
    assert_eq!(send(&app(), request).await.0.status().as_u16(), 415);
    let mut request = echo("application/json", Body::from("{}"));
    request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(send(&app(), request).await.0.status().as_u16(), 415);
}

#[tokio::test]
async fn takes_exactly_one_mebibyte() {
    let fits = vec![b' '; BODY_LIMIT];
    assert_eq!(send(&app(), echo("application/json", Body::from(fits))).await.0.status().as_u16(), 200);
    let large = vec![b' '; BODY_LIMIT + 1];
    let (response, body) = send(&app(), echo("application/json", Body::from(large))).await;
    assert_eq!((response.status().as_u16(), &json(&body)["code"]), (413, &Value::from("payload-too-large")));
}

#[tokio::test]
async fn joins_pieces_and_bounds_them() {
    let pieces = |count| {
        Body::from_stream(stream::iter((0..count).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1 << 16]))))
    };
    let (response, body) = send(&app(), echo("application/json", pieces(16))).await;
    assert_eq!((response.status().as_u16(), body.len()), (200, 1 << 20));
    assert_eq!(send(&app(), echo("application/json", pieces(17))).await.0.status().as_u16(), 413);
    // Without an end: stops reading after 8 MiB.
    assert_eq!(send(&app(), echo("application/json", pieces(usize::MAX))).await.0.status().as_u16(), 413);
}

#[tokio::test]
async fn says_that_a_body_broke_off() {
    let broken = stream::iter([Ok(&b"{"[..]), Err(std::io::Error::other("gone"))]);
    let (response, body) = send(&app(), echo("application/json", Body::from_stream(broken))).await;
    assert_eq!((response.status().as_u16(), &json(&body)["code"]), (400, &Value::from("malformed-request")));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up_on() {
    let slow = stream::unfold((), async |()| {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        Some((Ok::<_, std::io::Error>(" "), ()))
    });
    let (response, body) = send(&app(), echo("application/json", Body::from_stream(Box::pin(slow)))).await;
    assert_eq!(response.status().as_u16(), 400);
    assert!(body.contains("within 30 s"), "{body}");
}

#[tokio::test]
async fn an_ordinary_client_reads_that_its_body_was_too_large() {
    let server = serve(10, Refusal::Problem);
    let mut stream = server.connect().await;
    let length = 8 << 20;
    let head = format!(
        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; length]).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("payload-too-large"), "{answer}");
}

#[tokio::test]
async fn a_client_that_asks_first_is_refused_before_it_sends() {
    let server = serve(10, Refusal::Problem);
    let mut stream = server.connect().await;
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9000000\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}
