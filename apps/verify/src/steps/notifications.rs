//! Notifications: it is healthy, and the event of the new product arrives live.

use std::time::{Duration, Instant};

use super::{Walk, Watch, product_of};
use crate::finding::{Finding, Trouble};
use crate::health::{Health, silent};
use crate::remedy;
use crate::report::{StepName, shown};
use crate::stream::Stream;
use crate::visit::{Made, Visit};

pub(super) async fn step(visit: &mut Visit, watch: Watch<'_>) {
    let mut walk = Walk::new(StepName::Notifications, visit, watch);
    let target = visit.targets.stream.clone();
    let late =
        |limit: Duration| Trouble::unreachable(format!("no answer within {limit:?}"), remedy::late(&target));
    let healthy = walk
        .check("health", late, async {
            let health = Health::ask(&mut visit.client(&target.service_base())).await?;
            let summary = health.summary();
            visit.healths.insert("notifications", health);
            Ok(summary)
        })
        .await;
    if healthy && visit.stream.is_none() {
        // It could not be opened before the write, or there was none: what is wrong with it?
        let late = |limit: Duration| {
            Trouble::fault(format!("the stream did not begin within {limit:?}"), remedy::stream(&target))
        };
        walk.check("stream", late, open(visit)).await;
    }
    match (product_of(visit), &visit.stream) {
        (Ok(product), Some(_)) => {
            let mut created = None;
            let mut stream = visit.stream.take();
            let late = |limit: Duration| {
                let what = format!("the event of the new product did not arrive within {limit:?}");
                Trouble::fault(what, remedy::no_event(visit))
            };
            let asked = match &visit.made {
                Made::Product(_, asked) => *asked,
                _ => Instant::now(),
            };
            let work = async {
                let stream = stream.as_mut().expect("it was there a moment ago");
                let arrival = stream.wait_for("ProductCreated", &product).await;
                let arrival = arrival.map_err(|what| Trouble::fault(what, remedy::no_event(visit)))?;
                if let Made::Product(product, _) = &visit.made
                    && arrival.event["data"]["product"] != *product
                {
                    let what = "the event tells another product than the api answered";
                    return Err(Trouble::fault(what, remedy::audit()));
                }
                let after = arrival.at.saturating_duration_since(asked);
                created = Some(arrival);
                Ok(format!("the event arrived {} after the request", shown(after)))
            };
            walk.check("event", late, work).await;
            visit.stream = stream;
            visit.created = created;
        }
        (Err(why), _) => walk.skip("event", why),
        (_, None) => walk.skip("event", "the stream is not open"),
    }
    walk.end(visit);
}

async fn open(visit: &mut Visit) -> Finding {
    let target = visit.targets.stream.clone();
    match Stream::open(&target, &visit.seller).await {
        Ok(_) if product_of(visit).is_ok() => {
            // Opened after the write, it proves nothing about it.
            let what = "the stream could not be opened before the write, and can be now";
            Err(Trouble::fault(what, "run `souk verify` again"))
        }
        Ok(_) => Ok("the stream begins".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Err(silent(&target, &error)),
        Err(error) => {
            Err(Trouble::fault(format!("the stream cannot be read: {error}"), remedy::stream(&target)))
        }
    }
}
