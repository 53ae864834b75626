//! What each service says on `GET /`: on the first line what it is, then where its things are.

use crate::screen::url;
use crate::wiring::listeners::Bound;

pub fn api(bound: &Bound) -> String {
    let (api, notifications, analytics) = urls(bound);
    format!(
        "products and stock of a marketplace; every change becomes an event\n\
         {api}/products, {api}/health, {api}/metrics; live events {notifications}/events/stream; analytics {analytics}/"
    )
}

pub fn notifications(bound: &Bound) -> String {
    let (api, notifications, analytics) = urls(bound);
    format!(
        "live events of a marketplace as Server-Sent Events\n\
         {notifications}/events/stream, {notifications}/health, {notifications}/metrics; api {api}/; \
         analytics {analytics}/"
    )
}

pub fn analytics(bound: &Bound) -> String {
    let (api, notifications, analytics) = urls(bound);
    format!(
        "figures, recent events and archive of a marketplace\n\
         {analytics}/summary, /aggregates, /events, /archive, /progress, /health, /metrics; api {api}/; \
         live events {notifications}/events/stream"
    )
}

fn urls(bound: &Bound) -> (String, String, String) {
    (url(bound.api), url(bound.notifications), url(bound.analytics))
}
