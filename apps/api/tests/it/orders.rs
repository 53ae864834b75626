//! Orders of several lines: all or nothing.

use serde_json::{Value, json};

use crate::support::Shop;

fn line(id: &str, delta: i64) -> Value {
    json!({"productId": id, "delta": delta, "reason": "sale"})
}

#[tokio::test]
async fn an_order_takes_all_its_lines() {
    let shop = Shop::open();
    let (one, two) = (shop.create(json!({})).await.id(), shop.create(json!({})).await.id());
    // A product may be in several lines; each sees those before it.
    let order = json!({"items": [line(&one, -1), line(&two, -2), line(&one, -3)]});
    let answer = shop.post("/stock-adjustments", order).await.expect(200);
    assert_eq!(answer.header("etag"), "");
    let lines: Vec<_> = answer.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            (
                line["product"]["id"].as_str().unwrap(),
                line["previousStock"].as_i64().unwrap(),
                line["product"]["version"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(lines, [(one.as_str(), 10, 2), (two.as_str(), 10, 2), (one.as_str(), 9, 3)]);
    assert_eq!((shop.stock(&one).await, shop.stock(&two).await), (6, 8));
}

#[tokio::test]
async fn an_order_that_fails_writes_nothing() {
    let shop = Shop::open();
    let (one, two) = (shop.create(json!({})).await.id(), shop.create(json!({"stock": 2})).await.id());
    let absent = "01990000-0000-7000-8000-00000000ffff";
    let mut stale = line(&one, -1);
    stale["changeFrom"] = json!(99);
    let order = json!({"items": [line(&one, -4), line(&two, -3), line(absent, -1), stale]});
    let answer = shop.post("/stock-adjustments", order).await.expect_problem(409, "insufficient-stock");
    assert_eq!((&answer.body["stock"], &answer.body["productId"]), (&json!(2), &json!(two)));
    let mut errors = answer.body["errors"].clone();
    for error in errors.as_array_mut().unwrap() {
        assert!(error.as_object_mut().unwrap().remove("detail").is_some());
    }
    assert_eq!(
        errors,
        json!([
            {"pointer": "/items/1", "code": "insufficient-stock", "productId": two, "stock": 2},
            {"pointer": "/items/2", "code": "not-found", "productId": absent, "stock": null},
            // What is at hand, not what the first line would have left.
            {"pointer": "/items/3", "code": "stock-changed", "productId": one, "stock": 10},
        ])
    );
    assert_eq!((shop.stock(&one).await, shop.stock(&two).await), (10, 2));
    assert_eq!(shop.events(&one).await.len(), 1);
}

#[tokio::test]
async fn a_refusal_tells_what_is_at_hand_and_how_many_to_order() {
    let shop = Shop::open();
    let one = shop.create(json!({"stock": 10})).await.id();
    let order = json!({"items": [line(&one, -3), line(&one, -8), line(&one, -7), line(&one, -1)]});
    let answer = shop.post("/stock-adjustments", order).await.expect_problem(409, "insufficient-stock");
    assert_eq!(answer.body["stock"], 10);
    let stocks: Vec<_> =
        answer.body["errors"].as_array().unwrap().iter().map(|error| &error["stock"]).collect();
    assert_eq!(stocks, [10, 10]);
    let detail = |at: usize| answer.body["errors"][at]["detail"].as_str().unwrap().to_owned();
    assert!(
        detail(0).ends_with(
            "has 10 in stock, 7 after the lines before this one, less than the change takes: order at most 7"
        ),
        "{}",
        detail(0)
    );
    assert!(detail(1).ends_with("less than the change takes: wait until there is more"), "{}", detail(1));
    assert_eq!(
        answer.body["detail"].as_str().unwrap(),
        format!("/items/1: {}; nothing was written", detail(0))
    );
    // Doing what it says helps.
    let order = json!({"items": [line(&one, -3), line(&one, -7)]});
    shop.post("/stock-adjustments", order).await.expect(200);
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let shop = Shop::open();
    let one = shop.create(json!({"stock": 7})).await.id();
    let absent = "01990000-0000-7000-8000-00000000ffff";
    let change = |delta: i64, from: i64| json!({"delta": delta, "reason": "other", "changeFrom": from});
    let full = shop.create(json!({"stock": 999_999_998})).await.id();
    for (id, body, code, remedy) in [
        (absent, change(1, 7), "not-found", "list products with GET /products"),
        (&one, change(-8, 7), "insufficient-stock", "order at most 7"),
        (&one, change(-1, 6), "stock-changed", "read it again and send the change anew"),
        (&full, change(5, 999_999_998), "validation-failed", "add at most 2"),
    ] {
        let answer = shop.adjust(id, body).await;
        assert_eq!(answer.code(), code, "{}", answer.text);
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.ends_with(remedy), "{detail}");
    }
    let answer = shop.get("/products/1").await.expect_problem(404, "not-found");
    assert!(answer.body["detail"].as_str().unwrap().ends_with("GET /products"), "{}", answer.text);
}

#[tokio::test]
async fn the_first_line_that_failed_gives_the_code() {
    let shop = Shop::open();
    let one = shop.create(json!({})).await.id();
    let absent = "01990000-0000-7000-8000-00000000ffff";
    let order = json!({"items": [line(absent, -1), line(&one, -11)]});
    let answer = shop.post("/stock-adjustments", order).await.expect_problem(404, "not-found");
    assert_eq!(answer.pointers(), ["/items/0", "/items/1"]);
    let full = shop.create(json!({"stock": 1_000_000_000})).await.id();
    let order = json!({"items": [{"productId": full, "delta": 1, "reason": "restock"}]});
    let answer = shop.post("/stock-adjustments", order).await.expect_problem(422, "validation-failed");
    assert_eq!(answer.pointers(), ["/items/0"]);
}

#[tokio::test]
async fn faulty_lines_are_named_by_their_place() {
    let shop = Shop::open();
    let one = shop.create(json!({})).await.id();
    let order = json!({"items": [line(&one, -1), {"productId": "x", "delta": 1, "reason": "sale"}]});
    let answer = shop.post("/stock-adjustments", order).await.expect_problem(422, "validation-failed");
    assert_eq!(answer.pointers(), ["/items/1/productId", "/items/1/delta"]);
    assert_eq!(shop.stock(&one).await, 10);
    for items in [json!([]), json!({}), Value::Null, json!(vec![line(&one, -1); 501])] {
        let answer = shop.post("/stock-adjustments", json!({"items": items})).await;
        assert_eq!(answer.expect_problem(422, "validation-failed").pointers(), ["/items"]);
    }
}

#[tokio::test]
async fn an_order_has_no_single_version_to_match() {
    let shop = Shop::open();
    let one = shop.create(json!({})).await.id();
    let order = json!({"items": [line(&one, -1)]}).to_string();
    let answer = shop.call("POST", "/stock-adjustments", &[("if-match", "\"1\"")], &order).await;
    assert!(
        answer.expect_problem(400, "malformed-request").body["detail"].as_str().unwrap().contains("If-Match")
    );
}

#[tokio::test]
async fn the_largest_order_passes() {
    let shop = Shop::open();
    let one = shop.create(json!({"stock": 1000})).await.id();
    let order = json!({"items": vec![line(&one, -2); 500]});
    let answer = shop.post("/stock-adjustments", order).await.expect(200);
    assert_eq!(answer.body["items"].as_array().unwrap().len(), 500);
    assert_eq!(shop.stock(&one).await, 0);
}
