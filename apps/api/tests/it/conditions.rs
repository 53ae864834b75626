//! `If-Match` and `If-None-Match`.

use serde_json::json;

use crate::support::Shop;

const BODY: &str = r#"{"name":"n","price":1,"stock":1}"#;
const NEW: &str = r#"{"name":"n","price":1,"stock":1,"sellerId":"s"}"#;

#[tokio::test]
async fn every_change_honours_if_match() {
    let shop = Shop::open();
    for (method, tail, body, status) in [
        ("PUT", "", BODY, 200),
        ("PATCH", "", r#"{"price":7}"#, 200),
        ("POST", "/stock-adjustments", r#"{"delta":-1,"reason":"sale"}"#, 200),
        ("DELETE", "", "", 204),
    ] {
        let id = shop.create(json!({})).await.id();
        let path = format!("/products/{id}{tail}");
        for tag in ["\"2\"", "W/\"1\"", "\"x\""] {
            let answer = shop.call(method, &path, &[("if-match", tag)], body).await;
            let answer = answer.expect_problem(412, "precondition-failed");
            assert_eq!(answer.body["version"], 1, "{method} {tag}");
        }
        let answer = shop.call(method, &path, &[("if-match", "1")], body).await;
        answer.expect_problem(400, "malformed-request");
        assert_eq!(shop.get(&format!("/products/{id}")).await.body["version"], 1);
        shop.call(method, &path, &[("if-match", "\"7\", \"1\"")], body).await.expect(status);
    }
}

#[tokio::test]
async fn a_star_matches_what_exists() {
    let shop = Shop::open();
    let path = format!("/products/{}", shop.create(json!({})).await.id());
    shop.call("PUT", &path, &[("if-match", "*")], BODY).await.expect(200);
    shop.call("DELETE", &path, &[("if-match", "*")], "").await.expect(204);
    shop.call("PUT", &path, &[("if-match", "*")], BODY).await.expect_problem(404, "not-found");
}

/// RFC 9110, section 13.1.2: a method must not be performed when the condition is false.
#[tokio::test]
async fn no_write_passes_over_if_none_match() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    let path = format!("/products/{id}");
    let order = json!({"items": [{"productId": id, "delta": -1, "reason": "sale"}]}).to_string();
    for (method, target, body) in [
        ("PUT", path.clone(), BODY),
        ("PATCH", path.clone(), r#"{"price":7}"#),
        ("POST", format!("{path}/stock-adjustments"), r#"{"delta":-1,"reason":"sale"}"#),
        ("POST", "/stock-adjustments".to_owned(), &order),
        ("POST", "/products".to_owned(), NEW),
        ("DELETE", path.clone(), ""),
    ] {
        for tag in ["*", "\"1\"", "W/\"1\"", "\"2\""] {
            let answer = shop.call(method, &target, &[("if-none-match", tag)], body).await;
            let answer = answer.expect_problem(400, "malformed-request");
            let detail = answer.body["detail"].as_str().unwrap();
            assert!(detail.contains("If-None-Match"), "{method} {target}: {detail}");
        }
    }
    assert_eq!(shop.get(&path).await.expect(200).body["version"], 1);
    assert_eq!(shop.get("/products").await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_create_has_nothing_to_match() {
    let shop = Shop::open();
    let answer = shop.call("POST", "/products", &[("if-match", "*")], NEW).await;
    answer.expect_problem(400, "malformed-request");
}

#[tokio::test]
async fn an_unchanged_product_is_not_sent_again() {
    let shop = Shop::open();
    let path = format!("/products/{}", shop.create(json!({})).await.id());
    for tag in ["\"1\"", "W/\"1\"", "\"0\", \"1\"", "*"] {
        let answer = shop.call("GET", &path, &[("if-none-match", tag)], "").await.expect(304);
        assert_eq!(
            (answer.text.as_str(), answer.header("etag"), answer.header("content-type")),
            ("", "\"1\"", "")
        );
    }
    shop.call("GET", &path, &[("if-none-match", "\"2\"")], "").await.expect(200);
    shop.call("PATCH", &path, &[], r#"{"price":7}"#).await.expect(200);
    let answer = shop.call("GET", &path, &[("if-none-match", "\"1\"")], "").await.expect(200);
    assert_eq!(answer.header("etag"), "\"2\"");
}
