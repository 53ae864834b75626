//! The way over, back and over again with souk on Postgres, Kafka, DynamoDB and S3, as an operator takes it.

use serde_json::{Value, json};

use super::Shop;
use crate::support::{Installation, Output, run_souk};

/// A shop that moves to services of its own on the servers.
struct Move {
    shop: Shop,
    servers: Installation,
}

impl Move {
    fn step(&self, step: &[&str]) -> Output {
        let output = self.shop.step(step, &self.servers.env());
        assert_eq!(output.code, Some(0), "{step:?}: {output:?}");
        output
    }

    fn turn(&self, step: &str) -> Value {
        let turned = self.step(&[step, "--within", "120s", "--json"]).json();
        assert_eq!(
            (&turned["ok"], &turned["comparison"]["differences"]),
            (&json!(true), &json!(0)),
            "{turned:#}"
        );
        turned
    }
}

#[test]
fn a_shop_goes_over_and_back_and_over_with_souk_on_servers() {
    let it = Move { shop: Shop::new(60), servers: Installation::new() };
    let mut services =
        ["api", "notifications", "analytics"].map(|name| it.servers.service(it.shop.path(), name, &[]));
    services.iter_mut().for_each(crate::support::Service::wait_ready);
    let [api, notifications, analytics] = &services;
    let (id, gone) = (it.shop.id("Product 40"), it.shop.id("Product 41"));
    let stock = |id: &str| api.get(&format!("/products/{id}")).json()["stock"].clone();

    it.step(&["plan"]);
    it.step(&["follow", "--once"]);
    it.shop.sql("UPDATE products SET quantity = 39 WHERE name = 'Product 40'");
    it.step(&["follow", "--once"]);
    assert_eq!(stock(&id), 39);
    let create = json!({"name": "Made in souk", "price": 1, "stock": 7, "sellerId": "s"}).to_string();
    assert_eq!(api.client().post("/products", &create).status, 503, "the old system keeps the products");

    it.turn("cutover");
    let sale = json!({"delta": -1, "reason": "sale"}).to_string();
    let adjusted = api.client().post(&format!("/products/{id}/stock-adjustments"), &sale);
    assert_eq!(adjusted.status, 200, "{}", adjusted.text());
    assert_eq!(api.client().post("/products", &create).status, 201);
    assert_eq!(api.client().call("DELETE", &format!("/products/{gone}"), &[], None).status, 204);
    it.step(&["follow", "--once"]);
    assert_eq!((it.shop.quantity("Product 40"), it.shop.quantity("Made in souk")), (38, 7));

    it.turn("rollback");
    it.shop.sql("UPDATE products SET quantity = 12 WHERE name IN ('Product 40', 'Made in souk')");
    it.step(&["follow", "--once"]);
    assert_eq!((stock(&id), stock(&gone)), (json!(12), Value::Null));
    it.turn("cutover");

    let urls = [
        format!("http://localhost:{}", api.port),
        format!("http://localhost:{}/events/stream", notifications.port),
        format!("http://localhost:{}", analytics.port),
    ];
    let places = ["--api", &urls[0], "--stream", &urls[1], "--analytics", &urls[2]];
    let check = [&["check", "--reads-within", "10m", "--json"][..], &places].concat();
    let list = it.step(&check).json();
    let criteria = list["criteria"].as_array().expect("criteria");
    assert!(criteria.len() == 8 && criteria.iter().all(|it| it["met"] == "yes"), "{list:#}");
    let finished = it.step(&["finish", "--json"]).json();
    assert_eq!(finished["ok"], true, "{finished:#}");
    // The source is let go, and every criterion is told all the same.
    let list = it.step(&check).json();
    let criteria = list["criteria"].as_array().expect("criteria");
    assert!(criteria.len() == 8 && criteria.iter().all(|it| it["met"] == "yes"), "{list:#}");
    let audit = run_souk(it.shop.path(), &["audit", "--json"], &it.servers.env());
    assert_eq!((audit.code, &audit.json()["ok"]), (Some(0), &json!(true)), "{audit:?}");
}
