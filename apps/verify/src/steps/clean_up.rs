//! Removes what was created, whatever happened before, and sees that this arrives, too.

use std::time::Duration;

use souk_client::{delete, problem};

use super::{Walk, Watch, api};
use crate::finding::{Finding, Trouble};
use crate::remedy;
use crate::report::StepName;
use crate::visit::{Made, Visit};

/// Removes the product. Where nobody said whether there is one, it asks again under the same key: then it is known.
pub(crate) async fn clean_up(visit: &mut Visit, watch: Watch<'_>) {
    if matches!(visit.made, Made::Nothing | Made::Removed(_)) {
        return;
    }
    let mut walk = Walk::new(StepName::CleanUp, visit, watch);
    let left = remedy::left_behind(visit);
    let late =
        |limit: Duration| Trouble::fault(format!("the product was not removed within {limit:?}"), left);
    let removed = walk.check("removed", late, remove(visit)).await;
    let product = visit.product().map(str::to_owned);
    match (visit.created.is_some(), product) {
        (true, Some(product)) if removed => {
            let mut stream = visit.stream.take();
            let late = |limit: Duration| {
                let what = format!("the event of the removal did not arrive within {limit:?}");
                Trouble::fault(what, remedy::no_event(visit))
            };
            let work = async {
                let stream = stream.as_mut().expect("the first event came from it");
                let arrival = stream.wait_for("ProductDeleted", &product).await;
                let arrival = arrival.map_err(|what| Trouble::fault(what, remedy::no_event(visit)))?;
                let version = &arrival.event["data"]["version"];
                if (*version != 2) || stream.arrived.len() != 2 {
                    let what = format!(
                        "{} events of the product arrived, the last with version {version}: there are to be 2",
                        stream.arrived.len()
                    );
                    return Err(Trouble::fault(what, remedy::audit()));
                }
                Ok("its event arrived".to_owned())
            };
            walk.check("event", late, work).await;
        }
        // Of a stream that did not bring the first event, enough has been said.
        _ => {}
    }
    walk.end(visit);
}

async fn remove(visit: &mut Visit) -> Finding {
    if let Made::Unknown(request) = visit.made.clone() {
        let product = api::ask(visit, &request).await;
        match product {
            Ok(product) => visit.made = Made::Product(product, std::time::Instant::now()),
            Err(Trouble::Unreachable { what, .. }) => {
                return Err(Trouble::unreachable(what, remedy::left_behind(visit)));
            }
            // It was refused: there is nothing to remove.
            Err(_) => return Ok("nothing was created".to_owned()),
        }
    }
    let Some(id) = visit.product().map(str::to_owned) else { return Ok("nothing was created".to_owned()) };
    let api = visit.targets.api.clone();
    let mut client = visit.client(&api);
    let mut request = Vec::new();
    delete(&mut request, &api, &format!("/products/{id}"));
    let reply = client.send(&request).await;
    let reply = reply.map_err(|error| Trouble::of(&error, remedy::left_behind(visit)))?;
    match reply.status {
        // Not found: an earlier try removed it, whose answer was lost.
        204 | 404 => {
            visit.made = Made::Removed(Some(id));
            Ok("the product is removed".to_owned())
        }
        status => {
            let what = format!("DELETE was answered {status} {}", problem(client.body()));
            Err(Trouble::fault(what, remedy::left_behind(visit)))
        }
    }
}
