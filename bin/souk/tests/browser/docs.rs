//! The page at `/docs`: the calls of each service, read and tried in a real browser, under the page's own policy. That
//! nothing in it breaks the policy is seen when the browser is closed, as everywhere.

use serde_json::json;

use crate::axe::violations;
use crate::browser::Browser;
use crate::shop::Shop;
use crate::support::{Start, eventually};

/// What is wrong with Swagger UI itself, which is vendored unchanged: nothing else may be.
const SWAGGERS_OWN: [&str; 4] = ["heading-order", "nested-interactive", "region", "select-name"];

/// Opens the page of the service at that port with one call unfolded.
fn open(port: u16, call: &str) -> Browser {
    Browser::open(&format!("http://localhost:{port}/docs#/{call}"))
}

/// Tries the call that is unfolded; returns its status and what came back.
fn try_it(page: &Browser) -> (String, String) {
    page.click("button", "Execute");
    eventually("the answer is shown", || {
        let shown = page.script(
            "const row = document.querySelector('.live-responses-table tbody tr');
             return row && [row.querySelector('.response-col_status').innerText, row.innerText]",
        );
        let text = |index: usize| shown[index].as_str().map(|text| text.trim().to_owned());
        text(0).zip(text(1)).filter(|(status, _)| !status.is_empty())
    })
}

#[test]
fn every_service_has_a_page_on_which_its_calls_can_be_tried() {
    let shop = Shop::start();
    let ports = shop.souk.ports;
    for (port, service, path) in [
        (ports.api, "api", "/products/{id}/stock-adjustments"),
        (ports.notifications, "notifications", "/events/stream"),
        (ports.analytics, "analytics", "/aggregates"),
        (ports.web, "web", "/config.json"),
    ] {
        let page = open(port, "service/getLiveness");
        page.find("heading", &format!("souk: {service}…"));
        // Lines may break in a path, at characters without a width.
        eventually(path, || page.text().replace('\u{200b}', "").contains(path).then_some(()));
        let (status, answer) = try_it(&page);
        assert_eq!(status, "200", "{service}: {answer}");
        assert!(answer.contains("ok") && answer.contains("x-request-id"), "{service}: {answer}");
    }
}

#[test]
fn on_one_port_a_call_of_any_service_is_tried_where_the_page_is() {
    let shop = Shop::start_with(Start::monolith);
    shop.product("Lantern", "ann", 9);
    let page = open(shop.souk.ports.api, "products/listProducts");
    let (status, answer) = try_it(&page);
    assert!(status == "200" && answer.contains("Lantern"), "{status}: {answer}");
    page.leave();
    page.visit(&format!("http://localhost:{}/docs#/analytics/getSummary", shop.souk.ports.api));
    let (status, answer) = try_it(&page);
    assert!(status == "200" && answer.contains("stockValue"), "{status}: {answer}");
}

#[test]
fn the_page_is_as_accessible_as_swagger_ui_is() {
    let shop = Shop::start();
    let page = open(shop.souk.ports.api, "service/getLiveness");
    try_it(&page);
    let found = violations(&page);
    let ours: Vec<_> =
        found.iter().filter(|found| !SWAGGERS_OWN.iter().any(|own| found["rule"] == *own)).collect();
    assert!(ours.is_empty(), "{}", serde_json::to_string_pretty(&ours).unwrap_or_default());
    // What is tolerated and no longer there is taken off the list.
    for own in SWAGGERS_OWN {
        assert!(found.iter().any(|found| found["rule"] == json!(own)), "{own} is mended");
    }
}
