//! A cap on the catalog's file that is reached while souk runs.

use serde_json::json;

use crate::support::{Start, eventually};

/// The least that the setting takes.
const CAP_BYTES: usize = 1 << 20;

#[test]
fn a_cap_that_is_reached_refuses_writes_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let souk = Start::new(folder.path()).env("DATA_MAX_BYTES", &CAP_BYTES.to_string()).start();
    let mut api = souk.api();
    let description = "x".repeat(5_000);
    let product =
        json!({"name": "Lantern", "price": 1, "stock": 1, "sellerId": "seller1", "description": description});
    let mut made = Vec::new();
    let refused = loop {
        let reply = api.post("/products", &product.to_string());
        if reply.status != 201 {
            break reply;
        }
        made.push(reply.json()["id"].as_str().expect("an id").to_owned());
        assert!(made.len() * description.len() < 2 * CAP_BYTES, "the cap has no effect");
    };
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    let problem = refused.json();
    assert_eq!(problem["code"], "overloaded", "{problem}");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("DATA_MAX_BYTES") && detail.contains("make room"), "{detail}");

    // Reads go on, of all that was answered and of nothing else.
    assert!(!made.is_empty());
    for id in &made {
        assert_eq!(api.get(&format!("/products/{id}")).status, 200);
    }
    let listed = api.get("/products?limit=500").json();
    assert_eq!(listed["items"].as_array().expect("items").len(), made.len());
    let health = eventually("health to tell of the cap", || {
        let reply = api.get("/health");
        (reply.status == 200 && reply.json()["status"] == "degraded").then(|| reply.json())
    });
    let check = &health["checks"]["catalog"];
    assert_eq!(check["status"], "degraded", "{health}");
    assert!(check["detail"].as_str().is_some_and(|detail| detail.contains("DATA_MAX_BYTES")), "{health}");
    assert_eq!(api.get("/readyz").status, 200, "it is no reason to be taken out of service");
    // Nothing else is held up: analytics takes in what was written.
    eventually("analytics to have every product", || {
        (souk.analytics().get("/summary").json()["products"] == made.len()).then_some(())
    });
}
