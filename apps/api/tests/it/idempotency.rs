//! A request repeated with its key has one effect and one answer.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, Shop};

const CREATE: &str = r#"{"name":"n","price":1,"stock":10,"sellerId":"s"}"#;
const SALE: &str = r#"{"delta":-1,"reason":"sale"}"#;

fn same(first: &Answer, again: &Answer) {
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    for name in ["etag", "location", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
}

#[tokio::test]
async fn done_twice_it_happens_once() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    let adjustments = format!("/products/{id}/stock-adjustments");
    let order = json!({"items": [{"productId": id, "delta": -2, "reason": "sale"}]}).to_string();
    for (path, body, key) in [
        ("/products", CREATE, "k1"),
        (adjustments.as_str(), SALE, "k2"),
        ("/stock-adjustments", order.as_str(), "k3"),
    ] {
        let first = shop.call("POST", path, &[("idempotency-key", key)], body).await;
        shop.clock.advance(60_000);
        let again = shop.call("POST", path, &[("idempotency-key", key)], body).await;
        same(&first, &again);
    }
    assert_eq!(shop.stock(&id).await, 7);
    assert_eq!(shop.get("/products").await.body["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_answer_of_that_time_is_replayed_whatever_came_after() {
    let shop = Shop::open();
    let first = shop.call("POST", "/products", &[("idempotency-key", "k")], CREATE).await.expect(201);
    let path = format!("/products/{}", first.id());
    shop.call("PATCH", &path, &[], r#"{"name":"other"}"#).await.expect(200);
    same(&first, &shop.call("POST", "/products", &[("idempotency-key", "k")], CREATE).await);
    shop.call("DELETE", &path, &[], "").await.expect(204);
    same(&first, &shop.call("POST", "/products", &[("idempotency-key", "k")], CREATE).await);
    shop.get(&path).await.expect(404);
}

#[tokio::test]
async fn done_at_once_it_happens_once() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    let path = format!("/products/{id}/stock-adjustments");
    let headers = [("idempotency-key", "k")];
    let answers = join_all((0..50).map(|_| shop.call("POST", &path, &headers, SALE))).await;
    let direct = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count();
    assert_eq!(direct, 1);
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.text == answers[0].text));
    assert_eq!(shop.stock(&id).await, 9);
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    let path = format!("/products/{id}/stock-adjustments");
    shop.call("POST", &path, &[("idempotency-key", "k")], SALE).await.expect(200);
    let other_body = r#"{"delta":-2,"reason":"sale"}"#;
    let order = json!({"items": [{"productId": id, "delta": -1, "reason": "sale"}]}).to_string();
    for (path, headers, body) in [
        (path.as_str(), vec![], other_body),
        (path.as_str(), vec![("if-match", "\"2\"")], SALE),
        (path.as_str(), vec![("x-seller-id", "s")], SALE),
        ("/stock-adjustments", vec![], order.as_str()),
        ("/products", vec![], CREATE),
    ] {
        let headers: Vec<_> = headers.into_iter().chain([("idempotency-key", "k")]).collect();
        let answer = shop.call("POST", path, &headers, body).await;
        answer.expect_problem(422, "idempotency-key-reused");
    }
    assert_eq!(shop.stock(&id).await, 9);
}

#[tokio::test]
async fn refusals_are_not_stored() {
    let shop = Shop::open();
    let id = shop.create(json!({"stock": 0})).await.id();
    let path = format!("/products/{id}/stock-adjustments");
    let headers = [("idempotency-key", "k")];
    shop.call("POST", &path, &headers, SALE).await.expect_problem(409, "insufficient-stock");
    shop.adjust(&id, json!({"delta": 5, "reason": "restock"})).await.expect(200);
    let answer = shop.call("POST", &path, &headers, SALE).await.expect(200);
    assert_eq!(answer.header("idempotent-replayed"), "");
}

#[tokio::test]
async fn a_key_lasts_for_a_day() {
    let shop = Shop::open();
    let headers = [("idempotency-key", "k")];
    let first = shop.call("POST", "/products", &headers, CREATE).await.expect(201);
    shop.clock.advance(23 * 3_600_000);
    same(&first, &shop.call("POST", "/products", &headers, CREATE).await);
    shop.clock.advance(2 * 3_600_000);
    let anew = shop.call("POST", "/products", &headers, CREATE).await.expect(201);
    assert_eq!(anew.header("idempotent-replayed"), "");
    assert_ne!(anew.id(), first.id());
}

/// The test of a test: a planted bug turns it red.
#[test]
fn a_fingerprint_without_the_body_would_be_noticed() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "idempotency::a_key_belongs_to_one_request"])
        .env("SOUK_PLANTED_BUG", "fingerprint-without-body")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 failed"), "{text}");
}

#[tokio::test]
async fn keys_are_printable_and_short() {
    let shop = Shop::open();
    let longest = "k".repeat(255);
    for key in [longest.as_str(), "order 17", "\"8e03978e\""] {
        shop.call("POST", "/products", &[("idempotency-key", key)], CREATE).await.expect(201);
    }
    let too_long = "k".repeat(256);
    for key in ["", "a\tb", "é", &too_long] {
        let answer = shop.call("POST", "/products", &[("idempotency-key", key)], CREATE).await;
        answer.expect_problem(400, "malformed-request");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    shop.call("POST", "/products", &twice, CREATE).await.expect_problem(400, "malformed-request");
}
