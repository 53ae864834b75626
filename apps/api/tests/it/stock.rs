//! Stock adjustments of one product.

use serde_json::json;
use souk_domain::EventType;

use crate::support::Shop;

#[tokio::test]
async fn a_sale_takes_stock_and_tells_what_was_there() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    let body = json!({"delta": -3, "reason": "sale", "reference": "536365", "unitPrice": 2.55,
        "occurredAt": "2010-12-01T08:26:00Z", "changeFrom": 10});
    let answer = shop.adjust(&id, body).await.expect(200);
    assert_eq!(answer.header("etag"), "\"2\"");
    assert_eq!((&answer.body["previousStock"], &answer.body["product"]["stock"]), (&json!(10), &json!(7)));
    assert!(
        answer.text.starts_with(r#"{"product":{"id":"#) && answer.text.ends_with(r#","previousStock":10}"#)
    );
    assert_eq!(shop.events(&id).await, [EventType::ProductCreated, EventType::ProductUpdated]);
}

#[tokio::test]
async fn crossings_are_told_once_each_way() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    for (delta, low) in [(-6, true), (-1, true), (2, false), (1, false)] {
        let answer = shop.adjust(&id, json!({"delta": delta, "reason": "correction"})).await.expect(200);
        assert_eq!(answer.body["product"]["lowStock"], low);
    }
    use EventType::{LowStockWarning, ProductCreated, ProductUpdated, StockReplenished};
    assert_eq!(
        shop.events(&id).await,
        [
            ProductCreated,
            ProductUpdated,
            LowStockWarning,
            ProductUpdated,
            ProductUpdated,
            StockReplenished,
            ProductUpdated
        ]
    );
}

#[tokio::test]
async fn stock_never_goes_below_0() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    let answer = shop.adjust(&id, json!({"delta": -11, "reason": "sale"})).await;
    let answer = answer.expect_problem(409, "insufficient-stock");
    assert_eq!((&answer.body["stock"], &answer.body["productId"]), (&json!(10), &json!(id)));
    assert_eq!(shop.stock(&id).await, 10);
    shop.adjust(&id, json!({"delta": -10, "reason": "sale"})).await.expect(200);
    assert_eq!(shop.stock(&id).await, 0);
}

#[tokio::test]
async fn stock_never_goes_above_its_most() {
    let shop = Shop::open();
    let id = shop.create(json!({"stock": 1_000_000_000})).await.id();
    let answer = shop.adjust(&id, json!({"delta": 1, "reason": "restock"})).await;
    assert_eq!(answer.expect_problem(422, "validation-failed").pointers(), ["/delta"]);
}

#[tokio::test]
async fn change_from_must_be_what_is_there() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    let answer = shop.adjust(&id, json!({"delta": -1, "reason": "sale", "changeFrom": 9})).await;
    assert_eq!(answer.expect_problem(409, "stock-changed").body["stock"], 10);
    assert_eq!(shop.stock(&id).await, 10);
}

#[tokio::test]
async fn a_sign_that_contradicts_its_reason_is_refused() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    for (delta, reason) in [(1, "sale"), (-1, "return"), (-1, "restock")] {
        let answer = shop.adjust(&id, json!({"delta": delta, "reason": reason})).await;
        assert_eq!(answer.expect_problem(422, "validation-failed").pointers(), ["/delta"], "{reason}");
    }
}

#[tokio::test]
async fn the_future_is_5_minutes_away_at_most() {
    let shop = Shop::open();
    let id = shop.create(json!({})).await.id();
    let at = |time: &str| json!({"delta": -1, "reason": "sale", "occurredAt": time});
    shop.adjust(&id, at("2026-11-22T18:05:00Z")).await.expect(200);
    let answer = shop.adjust(&id, at("2026-11-22T18:05:00.001Z")).await;
    assert_eq!(answer.expect_problem(422, "validation-failed").pointers(), ["/occurredAt"]);
}
