//! Create, read, replace, patch, delete.

use serde_json::{Value, json};
use souk_domain::EventType;

use crate::support::{Shop, merge};

#[tokio::test]
async fn the_guides_own_command_creates_a_product() {
    let shop = Shop::open();
    let body = r#"{"name":"Test Product","price":99.99,"stock":10,"sellerId":"seller1"}"#;
    let answer = shop.call("POST", "/products", &[("content-type", "application/json")], body).await;
    insta::assert_snapshot!(
        format!("{} {} {}\n{}", answer.status, answer.header("etag"), answer.header("location"), answer.text),
        @r#"
    201 "1" /products/01990000-0000-7000-8000-000000000002
    {"id":"01990000-0000-7000-8000-000000000002","sellerId":"seller1","sku":null,"name":"Test Product","description":null,"category":"general","price":99.99,"stock":10,"lowStockThreshold":null,"lowStock":false,"version":1,"createdAt":"2026-11-22T18:00:00.000Z","updatedAt":"2026-11-22T18:00:00.000Z"}
    "#
    );
    let read = shop.get(answer.header("location")).await.expect(200);
    assert_eq!((read.text.as_str(), read.header("etag")), (answer.text.as_str(), "\"1\""));
    assert_eq!(shop.events(&answer.id()).await, [EventType::ProductCreated]);
}

#[tokio::test]
async fn a_product_created_below_its_threshold_is_low() {
    let shop = Shop::open();
    let low = shop.create(json!({"stock": 4})).await;
    assert_eq!(low.body["lowStock"], true);
    assert_eq!(shop.events(&low.id()).await, [EventType::ProductCreated, EventType::LowStockWarning]);
    let own = shop.create(json!({"stock": 4, "lowStockThreshold": 4})).await;
    assert_eq!((&own.body["lowStock"], &own.body["lowStockThreshold"]), (&json!(false), &json!(4)));
}

#[tokio::test]
async fn the_seller_may_come_in_a_header() {
    let shop = Shop::open();
    let body = r#"{"name":"n","price":1,"quantity":3}"#;
    let answer = shop.call("POST", "/products", &[("x-seller-id", "s.1")], body).await.expect(201);
    assert_eq!((&answer.body["sellerId"], &answer.body["stock"]), (&json!("s.1"), &json!(3)));
    let body = r#"{"name":"n","price":1,"stock":3,"sellerId":"other"}"#;
    let answer = shop.call("POST", "/products", &[("x-seller-id", "s.1")], body).await;
    assert_eq!(answer.expect_problem(422, "validation-failed").pointers(), ["/sellerId"]);
    let answer = shop.call("POST", "/products", &[("x-seller-id", "a b")], body).await;
    answer.expect_problem(400, "malformed-request");
    let answer =
        shop.call("POST", "/products", &[("x-seller-id", "other"), ("x-seller-id", "s.1")], body).await;
    answer.expect_problem(400, "malformed-request");
}

#[tokio::test]
async fn faults_are_told_with_pointers() {
    let shop = Shop::open();
    let answer = shop.post("/products", json!({"nmae": "x", "price": -1, "stock": 1, "sellerId": "s"})).await;
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&answer.expect_problem(422, "validation-failed").body["errors"]).unwrap(),
        @r#"
    [
      {
        "code": "unknown",
        "detail": "is unknown; known are name, price, stock, quantity, sellerId, sku, description, category, lowStockThreshold",
        "pointer": "/nmae"
      },
      {
        "code": "required",
        "detail": "is required",
        "pointer": "/name"
      },
      {
        "code": "range",
        "detail": "must be from 0 to 1000000000",
        "pointer": "/price"
      }
    ]
    "#
    );
}

#[tokio::test]
async fn a_sku_is_unique_per_seller() {
    let shop = Shop::open();
    let first = shop.create(json!({"sku": "85123A"})).await;
    let body = json!({"name": "n", "price": 1, "stock": 1, "sellerId": "seller1", "sku": "85123A"});
    let taken = shop.post("/products", body).await.expect_problem(409, "sku-taken");
    assert_eq!(taken.body["productId"], first.body["id"]);
    shop.create(json!({"sku": "85123A", "sellerId": "seller2"})).await;

    let second = shop.create(json!({"sku": "other"})).await;
    let path = format!("/products/{}", second.id());
    let taken = shop.call("PATCH", &path, &[], r#"{"sku":"85123A"}"#).await.expect_problem(409, "sku-taken");
    assert_eq!(taken.body["productId"], first.body["id"]);
    // Given up, it is free.
    shop.call("PATCH", &format!("/products/{}", first.id()), &[], r#"{"sku":null}"#).await.expect(200);
    shop.call("PATCH", &path, &[], r#"{"sku":"85123A"}"#).await.expect(200);
}

#[tokio::test]
async fn put_replaces_everything_that_can_change() {
    let shop = Shop::open();
    let created =
        shop.create(json!({"sku": "A", "description": "d", "category": "c", "lowStockThreshold": 3})).await;
    let path = format!("/products/{}", created.id());
    shop.clock.advance(1500);
    let answer = shop.call("PUT", &path, &[], r#"{"name":"New","price":2,"quantity":1}"#).await.expect(200);
    assert_eq!(answer.header("etag"), "\"2\"");
    let mut expected = created.body.clone();
    merge(
        &mut expected,
        json!({"name": "New", "price": 2, "stock": 1, "sku": null, "description": null, "category": "general",
            "lowStockThreshold": null, "lowStock": true, "version": 2, "updatedAt": "2026-11-22T18:00:01.500Z"}),
    );
    assert_eq!(answer.body, expected);
    assert_eq!(
        shop.events(&created.id()).await,
        [EventType::ProductCreated, EventType::ProductUpdated, EventType::LowStockWarning]
    );
    let answer =
        shop.call("PUT", &path, &[], r#"{"name":"New"}"#).await.expect_problem(422, "validation-failed");
    assert_eq!(answer.pointers(), ["/price", "/stock"]);
}

#[tokio::test]
async fn an_equal_body_changes_nothing() {
    let shop = Shop::open();
    let created = shop.create(json!({"sku": "A"})).await;
    let path = format!("/products/{}", created.id());
    shop.clock.advance(1000);
    // As it was read: read-only fields included.
    for method in ["PUT", "PATCH"] {
        let answer = shop.call(method, &path, &[], &created.text).await.expect(200);
        assert_eq!(
            (answer.text.as_str(), answer.header("etag")),
            (created.text.as_str(), "\"1\""),
            "{method}"
        );
    }
    shop.call("PATCH", &path, &[], "{}").await.expect(200);
    assert_eq!(shop.events(&created.id()).await, [EventType::ProductCreated]);
}

#[tokio::test]
async fn read_only_fields_must_equal_what_is_there() {
    let shop = Shop::open();
    let created = shop.create(json!({})).await;
    let path = format!("/products/{}", created.id());
    let body = json!({"id": "01990000-0000-7000-8000-00000000ffff", "sellerId": "other", "lowStock": true, "version": 2,
        "createdAt": "2026-11-22T18:00:00.001Z", "updatedAt": "2026-11-22T18:00:00.001Z"});
    let answer =
        shop.call("PATCH", &path, &[], &body.to_string()).await.expect_problem(422, "validation-failed");
    assert_eq!(answer.pointers(), ["/id", "/sellerId", "/lowStock", "/version", "/createdAt", "/updatedAt"]);
    assert!(answer.body["errors"].as_array().unwrap().iter().all(|fault| fault["code"] == "read-only"));
}

#[tokio::test]
async fn what_is_wrong_and_what_is_read_only_is_told_at_once() {
    let shop = Shop::open();
    let path = format!("/products/{}", shop.create(json!({})).await.id());
    let body = r#"{"name":"","price":-1,"stock":1,"sellerId":"other","version":2,"lowStock":false,"x":1}"#;
    for method in ["PUT", "PATCH"] {
        let answer = shop.call(method, &path, &[], body).await.expect_problem(422, "validation-failed");
        assert_eq!(answer.pointers(), ["/x", "/name", "/price", "/sellerId", "/version"], "{method}");
        assert_eq!(answer.body["errors"][4]["code"], "read-only");
        // Of a product that is not there, nothing differs.
        let absent = "/products/01990000-0000-7000-8000-00000000ffff";
        let answer = shop.call(method, absent, &[], body).await.expect_problem(422, "validation-failed");
        assert_eq!(answer.pointers(), ["/x", "/name", "/price"], "{method}");
    }
}

#[tokio::test]
async fn the_header_stands_for_the_seller_of_a_change() {
    let shop = Shop::open();
    let created = shop.create(json!({})).await;
    let path = format!("/products/{}", created.id());
    let whole = r#"{"name":"New","price":2,"stock":1}"#;
    for (method, body) in
        [("PUT", whole), ("PATCH", r#"{"price":3}"#), ("PATCH", r#"{"sellerId":"seller1"}"#)]
    {
        shop.call(method, &path, &[("x-seller-id", "seller1")], body).await.expect(200);
        let other = [("x-seller-id", "other")];
        let answer = shop.call(method, &path, &other, body).await.expect_problem(422, "validation-failed");
        assert_eq!(answer.pointers(), ["/sellerId"]);
        assert!(answer.body["detail"].as_str().unwrap().contains("X-Seller-Id"), "{}", answer.text);
        let bad = shop.call(method, &path, &[("x-seller-id", "a b")], body).await;
        bad.expect_problem(400, "malformed-request");
    }
    assert_eq!(shop.get(&path).await.body["version"], 3);
    // Beside other faults it is told with them.
    let answer = shop.call("PATCH", &path, &[("x-seller-id", "other")], r#"{"price":-1}"#).await;
    assert_eq!(answer.expect_problem(422, "validation-failed").pointers(), ["/price", "/sellerId"]);
}

#[tokio::test]
async fn patch_changes_what_it_names() {
    let shop = Shop::open();
    let created =
        shop.create(json!({"sku": "A", "description": "d", "category": "c", "lowStockThreshold": 20})).await;
    assert_eq!(created.body["lowStock"], true);
    let path = format!("/products/{}", created.id());
    let patch = r#"{"price":0.0001,"category":null,"lowStockThreshold":null,"description":null}"#;
    let merge_patch = [("content-type", "application/merge-patch+json")];
    let answer = shop.call("PATCH", &path, &merge_patch, patch).await.expect(200);
    let mut expected = created.body.clone();
    merge(
        &mut expected,
        json!({"price": 0.0001, "category": "general", "lowStockThreshold": null, "description": null,
            "lowStock": false, "version": 2}),
    );
    assert_eq!(answer.body, expected);
    let answer =
        shop.call("PATCH", &path, &[], r#"{"name":null}"#).await.expect_problem(422, "validation-failed");
    assert_eq!(answer.pointers(), ["/name"]);
}

#[tokio::test]
async fn a_deleted_product_is_gone() {
    let shop = Shop::open();
    let created = shop.create(json!({"sku": "A"})).await;
    let path = format!("/products/{}", created.id());
    let answer = shop.call("DELETE", &path, &[], "").await.expect(204);
    assert_eq!((answer.text.as_str(), answer.header("etag")), ("", ""));
    for (method, body) in [("DELETE", ""), ("GET", ""), ("PATCH", "{}")] {
        let answer = shop.call(method, &path, &[], body).await.expect_problem(404, "not-found");
        assert_eq!(answer.body["productId"], created.body["id"]);
    }
    let answer = shop.adjust(&created.id(), json!({"delta": 1, "reason": "other"})).await;
    answer.expect_problem(404, "not-found");
    assert_eq!(shop.events(&created.id()).await, [EventType::ProductCreated, EventType::ProductDeleted]);
    // Its sku is free again.
    shop.create(json!({"sku": "A"})).await;
}

#[tokio::test]
async fn malformed_ids_are_not_found() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    let fine = r#"{"name":"n","price":1,"stock":1}"#;
    let long = "x".repeat(5000);
    let bare = id.replace('-', "");
    for id in ["1", "null", "%FF", "%20", "01990000-0000-7000-8000-00000000000g", &bare, &long] {
        for (method, path, body) in [
            ("GET", format!("/products/{id}"), ""),
            ("PUT", format!("/products/{id}"), fine),
            ("PATCH", format!("/products/{id}"), "{}"),
            ("DELETE", format!("/products/{id}"), ""),
            ("POST", format!("/products/{id}/stock-adjustments"), r#"{"delta":1,"reason":"other"}"#),
        ] {
            shop.call(method, &path, &[], body).await.expect_problem(404, "not-found");
        }
    }
    shop.get("/products/01990000-0000-7000-8000-00000000ffff").await.expect_problem(404, "not-found");
    shop.get(&format!("/products/{}", id.to_uppercase())).await.expect(200);
}

#[tokio::test]
async fn unknown_parameters_are_refused_everywhere() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    let fine = r#"{"name":"n","price":1,"stock":1}"#;
    let line = json!({"items": [{"productId": id, "delta": 1, "reason": "other"}]}).to_string();
    for (method, path, body) in [
        ("GET", format!("/products/{id}?verbose=1"), ""),
        ("GET", "/products?sort_by=name".to_owned(), ""),
        ("POST", "/products?dry=1".to_owned(), r#"{"name":"n","price":1,"stock":1,"sellerId":"s"}"#),
        ("PUT", format!("/products/{id}?x"), fine),
        ("PATCH", format!("/products/{id}?x="), "{}"),
        ("DELETE", format!("/products/{id}?x=1"), ""),
        ("POST", format!("/products/{id}/stock-adjustments?x=1"), r#"{"delta":1,"reason":"other"}"#),
        ("POST", "/stock-adjustments?x=1".to_owned(), &line),
    ] {
        let answer = shop.call(method, &path, &[], body).await.expect_problem(400, "malformed-request");
        assert!(answer.body["detail"].as_str().unwrap().contains("is unknown"), "{}", answer.text);
    }
    assert_eq!(shop.get(&format!("/products/{id}")).await.body["version"], 1);
}

#[tokio::test]
async fn every_resource_says_what_it_allows() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    for (path, allow) in [
        ("/products".to_owned(), "GET,HEAD,POST"),
        (format!("/products/{id}"), "GET,HEAD,PUT,PATCH,DELETE"),
        (format!("/products/{id}/stock-adjustments"), "POST"),
        ("/stock-adjustments".to_owned(), "POST"),
    ] {
        let answer = shop.call("TRACE", &path, &[], "").await.expect_problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), allow);
    }
    let head = shop.call("HEAD", &format!("/products/{id}"), &[], "").await.expect(200);
    assert_eq!((head.text.as_str(), head.header("etag")), ("", "\"1\""));
}

#[tokio::test]
async fn health_tells_of_the_catalog() {
    let shop = Shop::open();
    let health = shop.get("/health").await.expect(200);
    assert_eq!((&health.body["status"], &health.body["service"]), (&json!("ok"), &json!("api")));
    assert_eq!(health.body["checks"]["catalog"]["status"], "ok");
    shop.get("/readyz").await.expect(200);
    assert!(shop.get("/metrics").await.text.contains("souk_http_requests_total"));
    assert!(matches!(health.body["checks"]["catalog"]["detail"], Value::String(_)));
}
