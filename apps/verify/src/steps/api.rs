//! The api: it is healthy, and creates a product.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use souk_client::{post, problem};

use super::{Walk, Watch};
use crate::finding::{Finding, Trouble};
use crate::health::Health;
use crate::remedy;
use crate::report::StepName;
use crate::stream::Stream;
use crate::visit::{Made, Visit};

pub(super) async fn step(visit: &mut Visit, watch: Watch<'_>) {
    let mut walk = Walk::new(StepName::Api, visit, watch);
    let api = visit.targets.api.clone();
    let late =
        |limit: Duration| Trouble::unreachable(format!("no answer within {limit:?}"), remedy::late(&api));
    let healthy = walk
        .check("health", late, async {
            let health = Health::ask(&mut visit.client(&api)).await?;
            let summary = format!("{}, {} {}", health.summary(), health.backend, health.version);
            if health.service == "souk" {
                visit.targets.take_all_from_the_api();
            }
            visit.healths.insert("api", health);
            Ok(summary)
        })
        .await;
    if healthy {
        // Before the write, so that its event cannot be missed; how it went is a matter of the next step.
        let opened = tokio::time::timeout(visit.timeout, Stream::open(&visit.targets.stream, &visit.seller));
        visit.stream = opened.await.ok().and_then(Result::ok);
        let late = |limit: Duration| {
            Trouble::fault(format!("no answer to POST /products within {limit:?}"), remedy::late(&api))
        };
        walk.check("create", late, create(visit)).await;
    } else {
        walk.skip("create", "nothing is created");
    }
    walk.end(visit);
}

/// Creates a product that touches no figure of value: it costs nothing, there is none of it, and that is enough.
async fn create(visit: &mut Visit) -> Finding {
    let api = visit.targets.api.clone();
    let body = json!({
        "name": "souk verify", "price": 0, "stock": 0, "lowStockThreshold": 0, "category": "souk-verify",
        "sellerId": visit.seller, "description": "made by `souk verify`, which removes it"
    });
    let mut request = Vec::new();
    post(&mut request, &api, "/products", &visit.seller, body.to_string().as_bytes());
    visit.made = Made::Unknown(request.clone());
    let asked = Instant::now();
    let product = ask(visit, &request).await?;
    let id = product["id"].as_str().unwrap_or_default().to_owned();
    visit.made = Made::Product(product, asked);
    Ok(format!("created product {id}"))
}

/// Asks for the product until it is clear how that went.
pub(super) async fn ask(visit: &mut Visit, request: &[u8]) -> Result<Value, Trouble> {
    let api = visit.targets.api.clone();
    let mut client = visit.client(&api);
    let reply = client.send(request).await.map_err(|error| Trouble::of(&error, remedy::unavailable(&api)))?;
    let product: Option<Value> = serde_json::from_slice(client.body()).ok();
    match (reply.status, product) {
        (201, Some(product)) if product["id"].is_string() => Ok(product),
        (status, _) => {
            visit.made = Made::Removed(None);
            let what = format!("POST /products was answered {status} {}", problem(client.body()));
            Err(Trouble::fault(what, remedy::stranger(&api)))
        }
    }
}
