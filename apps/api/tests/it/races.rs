//! Many at once.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Shop, call};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_200_buyers_of_one_unit_exactly_one_wins() {
    let shop = Arc::new(Shop::open());
    for _ in 0..5 {
        let id = shop.create(json!({"stock": 1})).await.id();
        let mut buyers = JoinSet::new();
        for _ in 0..200 {
            let (shop, path) = (shop.clone(), format!("/products/{id}/stock-adjustments"));
            buyers.spawn(async move {
                call(&shop.router, "POST", &path, &[], r#"{"delta":-1,"reason":"sale"}"#).await
            });
        }
        let answers = buyers.join_all().await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        let refused = answers.iter().filter(|answer| answer.code() == "insufficient-stock");
        assert_eq!((won, refused.count()), (1, 199));
        assert_eq!(shop.stock(&id).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_100_creates_with_one_sku_exactly_one_wins() {
    let shop = Arc::new(Shop::open());
    let mut sellers = JoinSet::new();
    for _ in 0..100 {
        let shop = shop.clone();
        let body = r#"{"name":"n","price":1,"stock":1,"sellerId":"s","sku":"A"}"#;
        sellers.spawn(async move { call(&shop.router, "POST", "/products", &[], body).await });
    }
    let answers = sellers.join_all().await;
    let winner = answers.iter().find(|answer| answer.status == 201).unwrap().id();
    let losers: Vec<_> = answers.iter().filter(|answer| answer.code() == "sku-taken").collect();
    assert_eq!(losers.len(), 99);
    assert!(losers.iter().all(|loser| loser.body["productId"] == winner));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_50_changes_to_one_version_exactly_one_wins() {
    let shop = Arc::new(Shop::open());
    let id = shop.create(json!({})).await.id();
    let mut editors = JoinSet::new();
    for n in 0..50 {
        let (shop, path) = (shop.clone(), format!("/products/{id}"));
        editors.spawn(async move {
            let body = json!({"name": format!("n{n}")}).to_string();
            call(&shop.router, "PATCH", &path, &[("if-match", "\"1\"")], &body).await
        });
    }
    let answers = editors.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.body["version"] == 2));
}
