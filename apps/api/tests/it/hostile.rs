//! Requests that nobody should send.

use serde_json::json;

use crate::support::{Shop, send};

#[tokio::test]
async fn hostile_bodies_are_refused_and_the_service_goes_on() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    let deep = "[".repeat(100_000);
    let closed = format!("{{\"name\":{deep}{}}}", "]".repeat(100_000));
    let objects = "{\"a\":".repeat(50_000);
    let digits = format!("{{\"price\":{}}}", "9".repeat(500_000));
    let cases: Vec<(Vec<u8>, u16)> = vec![
        (deep.clone().into(), 400),
        (format!("{deep}{}", "]".repeat(100_000)).into(), 422),
        (b"[1, 2}".to_vec(), 400),
        (b"\"a string".to_vec(), 400),
        (b"12abc".to_vec(), 400),
        (format!("{{\"name\":{deep}").into(), 400),
        (closed.into(), 422),
        (objects.into(), 400),
        (digits.into(), 422),
        (b"{\"price\":1e999999999}".to_vec(), 422),
        (b"{\"price\":-0.0000000000000000000000000000000001}".to_vec(), 422),
        (b"{\"name\":\"\\ud83d\"}".to_vec(), 422),
        (b"{\"name\":\"\xc3\x28\"}".to_vec(), 400),
        (b"\xff\xfe{\x00}\x00".to_vec(), 400),
        (b"{\"name\":\"a\\u0000b\"}".to_vec(), 422),
        (vec![b' '; 1 << 20], 400),
        (vec![b' '; (1 << 20) + 1], 413),
        (vec![0; 1000], 400),
    ];
    let path = format!("/products/{id}");
    for (body, status) in &cases {
        for (method, path) in [("POST", "/products"), ("PUT", &*path), ("PATCH", &*path)] {
            let answer = send(&shop.router, method, path, &[], body).await;
            let start = String::from_utf8_lossy(&body[..body.len().min(30)]);
            assert_eq!(answer.status, *status, "{method} {start}: {}", answer.text);
        }
    }
    assert_eq!(shop.get(&path).await.expect(200).body["version"], 1);
}

#[tokio::test]
async fn only_json_is_taken() {
    let shop = Shop::open();
    let body = r#"{"name":"n","price":1,"stock":1,"sellerId":"s"}"#;
    for media_type in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"]
    {
        let answer = shop.call("POST", "/products", &[("content-type", media_type)], body).await;
        answer.expect_problem(415, "unsupported-media-type");
    }
    let answer =
        shop.call("POST", "/products", &[("content-type", "application/json; charset=utf-8")], body).await;
    answer.expect(201);
}
