//! End to end: the event is among the recent ones, and an object of the archive covers it.

use std::time::Duration;

use serde_json::Value;
use souk_client::{Client, problem};
use souk_domain::Timestamp;
use souk_events::Cursor;

use super::analytics::read;
use super::{LOOK_AGAIN, Walk, Watch, product_of};
use crate::finding::{Finding, Trouble};
use crate::remedy;
use crate::report::StepName;
use crate::visit::Visit;

/// Objects of a page: the most that lists give.
const PAGE: usize = 500;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

pub(super) async fn step(visit: &mut Visit, watch: Watch<'_>) {
    let mut walk = Walk::new(StepName::EndToEnd, visit, watch);
    let there = visit.healths.contains_key("analytics");
    match product_of(visit) {
        Err(why) => {
            walk.skip("recent", why);
            walk.skip("archive", why);
        }
        Ok(_) if !there => {
            walk.skip("recent", "analytics is not there");
            walk.skip("archive", "analytics is not there");
        }
        Ok(product) => {
            let late = |limit: Duration| {
                let what = format!("the event was not among the recent ones within {limit:?}");
                Trouble::fault(what, remedy::not_taken_in(visit))
            };
            walk.check("recent", late, recent(visit, &product)).await;
            let late = |limit: Duration| {
                let what = format!("the archive did not have the event within {limit:?}");
                Trouble::fault(what, remedy::archive(visit))
            };
            walk.check("archive", late, archive(visit)).await;
        }
    }
    walk.end(visit);
}

/// Waits until the event is among the recent ones, once, and as it arrived.
async fn recent(visit: &Visit, product: &str) -> Finding {
    let mut client = visit.client(&visit.targets.analytics);
    let path = format!("/events?sellerId={}", visit.seller);
    loop {
        let body = read(&mut client, &path, &remedy::not_taken_in(visit)).await?;
        let page: Value = serde_json::from_slice(body).unwrap_or_default();
        let found: Vec<&Value> = page["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|event| event["type"] == "ProductCreated" && event["subject"] == product)
            .collect();
        match found[..] {
            [] => tokio::time::sleep(LOOK_AGAIN).await,
            [event] if visit.created.as_ref().is_some_and(|arrival| arrival.event != *event) => {
                let what = "the recent event is another one than arrived";
                return Err(Trouble::fault(what, remedy::audit()));
            }
            [_] => return Ok("the event is among the recent ones".to_owned()),
            _ => {
                let what = format!("the event is {} times among the recent ones", found.len());
                return Err(Trouble::fault(what, remedy::audit()));
            }
        }
    }
}

/// Has everything archived, and looks for the object that covers the event.
async fn archive(visit: &Visit) -> Finding {
    let Some(arrival) = &visit.created else {
        return Err(Trouble::Skipped("the stream did not tell the event's place in the log".to_owned()));
    };
    let target = &visit.targets.analytics;
    let mut client = visit.client(target);
    let request = format!(
        "POST {}/archive/flush HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n",
        target.path, target.authority
    );
    let remedy = || remedy::archive(visit);
    let reply = client.send(request.as_bytes()).await.map_err(|error| Trouble::of(&error, remedy()))?;
    if reply.status != 200 {
        let what = format!("POST /archive/flush was answered {} {}", reply.status, problem(client.body()));
        return Err(Trouble::fault(what, remedy()));
    }
    let mut places = places(visit, arrival.position.as_ref());
    if places.is_empty() {
        let what = "the event's id is no position in the log";
        return Err(Trouble::fault(what, remedy::stranger(&visit.targets.stream)));
    }
    // An object has the hour of its first event, and is closed by age long before a day has passed, unless told otherwise.
    let lately = arrival.event["time"].as_str().and_then(|time| time.parse().ok()).map(|time: Timestamp| {
        format!("&from={}", Timestamp::from_millis(time.millis().saturating_sub(DAY_MS)))
    });
    for from in [lately, Some(String::new())].into_iter().flatten() {
        if let Some(key) = cover(&mut client, &from, &mut places, &remedy()).await? {
            // The partition and the object in it say enough.
            let short: Vec<&str> = key.rsplitn(3, '/').take(2).collect();
            return Ok(format!("archived in {}/{}", short.last().unwrap_or(&""), short[0]));
        }
    }
    let (partition, offset) = places[0];
    Err(Trouble::fault(
        format!("no archived object covers offset {offset} of partition {partition}"),
        remedy(),
    ))
}

/// Takes out of `places` what archived objects cover; returns the last object's key when nothing is left.
async fn cover(
    client: &mut Client,
    from: &str,
    places: &mut Vec<(usize, u64)>,
    remedy: &str,
) -> Result<Option<String>, Trouble> {
    let mut after = String::new();
    loop {
        let body = read(client, &format!("/archive?limit={PAGE}{from}{after}"), remedy).await?;
        let page: Value = serde_json::from_slice(body).unwrap_or_default();
        for object in page["items"].as_array().into_iter().flatten() {
            let number = |field: &str| object[field].as_u64();
            places.retain(|(partition, offset)| {
                object["partition"] != *partition
                    || number("firstOffset").is_none_or(|first| *offset < first)
                    || number("nextOffset").is_none_or(|next| next <= *offset)
            });
            if places.is_empty() {
                return Ok(Some(object["key"].as_str().unwrap_or_default().to_owned()));
            }
        }
        match page["nextCursor"].as_str() {
            Some(cursor) => after = format!("&cursor={cursor}"),
            None => return Ok(None),
        }
    }
}

/// Returns where the event can be, as partition and offset: at the end of a partition that moved while it arrived.
/// With other writers several may have moved, and then each of these ends is to be archived.
fn places(visit: &Visit, after: Option<&Cursor>) -> Vec<(usize, u64)> {
    let (Some(before), Some(after)) = (visit.stream.as_ref().and_then(|s| s.began_at.as_ref()), after) else {
        return Vec::new();
    };
    let moved = |(partition, next): (usize, &u64)| {
        let moved = before.next.get(partition).is_none_or(|before| before < next);
        moved.then(|| (partition, next.saturating_sub(1)))
    };
    after.next.iter().enumerate().filter_map(moved).collect()
}
