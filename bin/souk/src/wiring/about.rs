//! What each service says on `GET /`: on the first line what it is, then where its things are.

use crate::screen::url;
use crate::wiring::listeners::{Bound, Door};

/// Where every service says what it promises.
const CONTRACTS: &str = "/docs, /openapi.json, /asyncapi.json";

/// Returns the text of the service behind `door`.
pub fn of(door: Door, bound: &Bound) -> String {
    let (api, notifications, analytics) =
        (bound.api.map(url), bound.notifications.map(url), bound.analytics.map(url));
    let web = bound.web.map(url);
    let here = match door {
        Door::Api | Door::All => api.clone(),
        Door::Notifications => notifications.clone(),
        Door::Analytics => analytics.clone(),
        Door::Web => web.clone(),
    };
    let here = here.expect("who asks is bound");
    let what = match door {
        Door::Api => "products and stock of a marketplace; every change becomes an event",
        Door::Notifications => "live events of a marketplace as Server-Sent Events",
        Door::Analytics => "figures, recent events and archive of a marketplace",
        Door::Web => "the dashboard of a marketplace: open it in a browser",
        Door::All => {
            "a marketplace: products and stock, live events, figures and archive; in a browser, its dashboard"
        }
    };
    let things = match door {
        Door::Api => format!("{here}/products, {here}/health, {here}/metrics, {CONTRACTS}"),
        Door::Notifications => format!("{here}/events/stream, {here}/health, {here}/metrics, {CONTRACTS}"),
        Door::Analytics => {
            format!(
                "{here}/summary, /aggregates, /events, /archive, /progress, /health, /metrics, {CONTRACTS}"
            )
        }
        Door::Web => format!("{here}/, {here}/config.json, {here}/health, {here}/metrics, {CONTRACTS}"),
        Door::All => format!(
            "{here}/products, /events/stream, /summary, /aggregates, /events, /archive, /progress, /health, /metrics, {CONTRACTS}"
        ),
    };
    let others = [
        (Door::Api, "api", api.map(|url| format!("{url}/"))),
        (Door::Notifications, "live events", notifications.map(|url| format!("{url}/events/stream"))),
        (Door::Analytics, "analytics", analytics.map(|url| format!("{url}/"))),
        (Door::Web, "dashboard", web.map(|url| format!("{url}/"))),
    ];
    let mut text = format!("{what}\n{things}");
    for (other, name, place) in others {
        if let Some(place) = place.filter(|_| other != door && door != Door::All) {
            text.push_str(&format!("; {name} {place}"));
        }
    }
    text
}
