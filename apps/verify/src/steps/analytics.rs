//! Analytics: it is healthy, has figures for the monitoring, and counts the event.

use std::time::Duration;

use serde_json::Value;
use souk_client::Client;

use super::{LOOK_AGAIN, Walk, Watch, product_of};
use crate::finding::{Finding, Trouble};
use crate::health::Health;
use crate::remedy;
use crate::report::StepName;
use crate::visit::Visit;

/// What every service's figures begin with, whatever it does.
const FIGURE: &str = "souk_build_info{";

pub(super) async fn step(visit: &mut Visit, watch: Watch<'_>) {
    let mut walk = Walk::new(StepName::Analytics, visit, watch);
    let target = visit.targets.analytics.clone();
    let late =
        |limit: Duration| Trouble::unreachable(format!("no answer within {limit:?}"), remedy::late(&target));
    let healthy = walk
        .check("health", late, async {
            let health = Health::ask(&mut visit.client(&target)).await?;
            let summary = health.summary();
            visit.healths.insert("analytics", health);
            Ok(summary)
        })
        .await;
    if healthy {
        walk.check("metrics", late, metrics(visit)).await;
        match product_of(visit) {
            Ok(_) => {
                let late = |limit: Duration| {
                    let what = format!("the event was not counted within {limit:?}");
                    Trouble::fault(what, remedy::not_taken_in(visit))
                };
                walk.check("counted", late, counted(visit)).await;
            }
            Err(why) => walk.skip("counted", why),
        }
    } else {
        walk.skip("metrics", "analytics is not there");
        walk.skip("counted", "analytics is not there");
    }
    walk.end(visit);
}

async fn metrics(visit: &Visit) -> Finding {
    let target = &visit.targets.analytics;
    let mut client = visit.client(target);
    let text = read(&mut client, "/metrics", &remedy::late(target)).await?;
    if String::from_utf8_lossy(text).contains(FIGURE) {
        Ok("metrics".to_owned())
    } else {
        let what = format!("GET /metrics has no {}", FIGURE.trim_end_matches('{'));
        Err(Trouble::fault(what, remedy::stranger(target)))
    }
}

/// Waits until the seller's one event is counted, and once.
async fn counted(visit: &Visit) -> Finding {
    let mut client = visit.client(&visit.targets.analytics);
    let path = format!("/aggregates?window=all&by=seller&key={}", visit.seller);
    loop {
        let remedy = remedy::not_taken_in(visit);
        let body = read(&mut client, &path, &remedy).await?;
        let figures: Value = serde_json::from_slice(body).unwrap_or_default();
        let events = &figures["items"][0]["events"];
        match events["ProductCreated"].as_u64().unwrap_or(0) {
            0 => tokio::time::sleep(LOOK_AGAIN).await,
            1 => return Ok("the event is counted".to_owned()),
            times => {
                return Err(Trouble::fault(format!("the event is counted {times} times"), remedy::audit()));
            }
        }
    }
}

/// Sends a GET and returns the body of a success.
pub(super) async fn read<'a>(client: &'a mut Client, path: &str, remedy: &str) -> Result<&'a [u8], Trouble> {
    client.get(path).await.map_err(|error| Trouble::of(&error, remedy))
}
