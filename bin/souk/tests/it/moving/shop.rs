//! A shop in a folder, servers that it may move to, and what is compared between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Installation, Output, Service, Souk, Start, eventually, run_souk};

/// A folder with shops in it, and servers.
pub struct Shop {
    folder: TempDir,
    servers: Installation,
}

/// What has to be the same at every stop.
#[derive(Debug, PartialEq)]
pub struct Contents {
    /// By id.
    pub products: BTreeMap<String, Value>,
    /// By id; each is whole, its version among the rest.
    pub events: BTreeMap<String, Value>,
    /// All of all time.
    pub aggregates: Value,
}

/// Answers that do not fit on a page go on on the next.
fn all(client: &mut Client, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{cursor}"));
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        let page = page.json();
        items.extend(page["items"].as_array().expect("a page has items").iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

fn by_id(items: Vec<Value>) -> BTreeMap<String, Value> {
    items.into_iter().map(|item| (item["id"].as_str().expect("an id").to_owned(), item)).collect()
}

impl Shop {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a scratch folder"), servers: Installation::new() }
    }

    /// The same folder with servers of its own.
    pub fn over(shop: Self) -> Self {
        Self { folder: shop.folder, servers: Installation::new() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts souk over a folder below.
    pub fn up(&self, folder: &str) -> Souk {
        let folder = self.path().join(folder);
        Start::over(self.path(), &folder).start()
    }

    /// Starts api and analytics on the servers.
    pub fn services(&self) -> (Service, Service) {
        let client_id = self.servers.get("ANALYTICS_CLIENT_ID").to_owned();
        let mut api = self.servers.service(self.path(), "api", &[]);
        let id = [("KAFKA_CLIENT_ID", client_id.as_str())];
        let mut analytics = self.servers.service(self.path(), "analytics", &id);
        api.wait_ready();
        analytics.wait_ready();
        (api, analytics)
    }

    /// Returns what `souk api` is told.
    pub fn api_env(&self) -> Vec<(&str, &str)> {
        let mut env = self.servers.env();
        env.retain(|(name, _)| name.starts_with("KAFKA_") || name.starts_with("DATABASE_"));
        env.push(("PORT", "0"));
        env
    }

    /// Returns the settings of a `souk up` that takes any free ports.
    pub fn ports(&self) -> [(&'static str, &'static str); 4] {
        ["API_PORT", "NOTIFICATIONS_PORT", "HEALTH_PORT", "WEB_PORT"].map(|name| (name, "0"))
    }

    /// Moves between a folder below and the servers.
    pub fn step(&self, folder: &str, to: &str, flags: &[&str], more: &[(&str, &str)]) -> Output {
        let args = [&["move", "--to", to][..], flags].concat();
        let mut env = self.servers.env();
        // Batches of a few events, so that a small shop has several.
        env.extend([("DATA_DIR", folder), ("SOUK_HURRY", "1")]);
        env.retain(|(name, _)| !more.iter().any(|(n, _)| n == name));
        env.extend(more);
        run_souk(self.path(), &args, &env)
    }

    pub fn audit(&self, folder: &str) -> Output {
        run_souk(self.path(), &["audit", "--data-dir", folder], &[])
    }

    pub fn audit_servers(&self) -> Output {
        run_souk(self.path(), &["audit"], &self.servers.env())
    }

    /// Creates products, sells until some are low, renames and deletes some.
    pub fn trade(&self, api: &mut Client) {
        for n in 0..40 {
            let product = json!({"name": format!("Product {n}"), "price": 2.5, "stock": 10, "sellerId": format!("s{}", n % 3)});
            let created = api.post("/products", &product.to_string());
            assert_eq!(created.status, 201, "{}", created.text());
            let id = created.json()["id"].as_str().expect("an id").to_owned();
            let sale =
                r#"{"delta":-7,"reason":"sale","unitPrice":2.25,"occurredAt":"2011-12-01T08:26:00.000Z"}"#;
            assert_eq!(api.post(&format!("/products/{id}/stock-adjustments"), sale).status, 200);
            if n % 4 == 0 {
                assert_eq!(api.call("DELETE", &format!("/products/{id}"), &[], None).status, 204);
            }
        }
    }

    /// Sells one piece of the first product that is left under an idempotency key, and returns the answer.
    pub fn sell(&self, api: &mut Client, key: &str) -> Value {
        let products = by_id(all(api, "/products?limit=500"));
        let (id, _) =
            products.iter().find(|(_, product)| product["name"] == "Product 1").expect("it is there");
        let path = format!("/products/{id}/stock-adjustments");
        let sale = r#"{"delta":-1,"reason":"sale"}"#;
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
        let answer = api.call("POST", &path, &headers, Some(sale));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Creates one more product, as a stop on the way does.
    pub fn change(&self, api: &mut Client) {
        let product = json!({"name": "new on the way", "price": 1, "stock": 9, "sellerId": "s1"});
        let created = api.post("/products", &product.to_string());
        assert_eq!(created.status, 201, "{}", created.text());
    }

    /// Waits until the last event of each product has come out of the relay and is among the recent ones.
    pub fn settle(&self, api: &mut Service, analytics: &mut Service) {
        let products = by_id(all(&mut api.client(), "/products?limit=500"));
        eventually("the last event of each product", || {
            let events = all(&mut analytics.client(), "/events?limit=500");
            let told: BTreeSet<(&str, u64)> = events
                .iter()
                .filter_map(|event| Some((event["subject"].as_str()?, event["data"]["version"].as_u64()?)))
                .collect();
            let is_told = |(id, product): (&String, &Value)| {
                product["version"].as_u64().is_some_and(|version| told.contains(&(id, version)))
            };
            products.iter().all(is_told).then_some(())
        });
    }

    pub fn contents(&self, api: &mut Client, analytics: &mut Client) -> Contents {
        // The consumers do not hold each other up, and a flush archives what its own has read by then.
        eventually("every consumer to have everything", || {
            let flushed = analytics.post("/archive/flush", "");
            assert_eq!(flushed.status, 200, "{}", flushed.text());
            let progress = analytics.get("/progress").json();
            let consumers = progress["consumers"].as_array().expect("a list").clone();
            consumers.iter().all(|consumer| consumer["lagEvents"] == 0).then_some(())
        });
        Contents {
            products: by_id(all(api, "/products?limit=500")),
            events: by_id(all(analytics, "/events?limit=500")),
            aggregates: json!([
                all(analytics, "/aggregates?window=day&by=seller&limit=500"),
                all(analytics, "/aggregates?window=all&by=product&limit=500")
            ]),
        }
    }

    /// Asserts that a stop has what another one had.
    pub fn is(&self, expected: &Contents, api: &mut Client, analytics: &mut Client) {
        let found = self.contents(api, analytics);
        assert_eq!(found.products, expected.products);
        assert!(
            found.events == expected.events,
            "{} events of {}",
            found.events.len(),
            expected.events.len()
        );
        assert_eq!(found.aggregates, expected.aggregates);
    }
}
