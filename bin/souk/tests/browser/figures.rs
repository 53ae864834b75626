//! Pages of figures: they grow while one looks, turn red where something is, and are written as the reader writes.

use serde_json::Value;
use souk_fault_proxy::{Proxy, Raw};

use crate::browser::Browser;
use crate::pages::assert_accessible;
use crate::shop::{Shop, outages};
use crate::support::{eventually, free_port};

/// Returns what a chart says to those who listen, and its picture.
fn chart(page: &Browser, title: &str) -> (String, Value) {
    let script = format!(
        "const chart = document.querySelector('figure[aria-label=\"{title}\"]');
         return [chart?.querySelector('[role=img]')?.getAttribute('aria-label'), chart?.querySelector('canvas')?.toDataURL()];"
    );
    let found = page.script(&script);
    (found[0].as_str().unwrap_or_default().to_owned(), found[1].clone())
}

#[test]
fn charts_grow_while_one_looks() {
    let shop = Shop::start();
    let lantern = shop.product("Lantern", "ann", 100);
    shop.sell(&lantern, 3);
    let page = shop.visit();
    page.reads("Live");
    page.go("Analytics");
    page.reads("Units sold\n3");
    eventually("the chart is drawn", || chart(&page, "Units").0.contains("Sold: at most 3").then_some(()));
    page.settle();
    let before = chart(&page, "Revenue");
    assert!(before.0.contains("at most 37.50"), "{}", before.0);
    shop.sell(&lantern, 4);
    page.reads("Units sold\n7");
    eventually("the charts grow", || {
        let after = chart(&page, "Revenue");
        let told = after.0.contains("at most 87.50") && chart(&page, "Units").0.contains("Sold: at most 7");
        (told && after.1 != before.1).then_some(())
    });
    page.find("link", "Lantern");
}

#[test]
fn operations_says_what_is_red_and_what_to_do() {
    let gone = free_port();
    let api = format!("http://127.0.0.1:{gone}");
    let shop = Shop::start_with(|start| start.env("API_URL", &api));
    let page = Browser::blank().tolerating(outages);
    page.visit(&format!("{}#/operations?seller=ann", shop.url()));
    page.find("region", "Needs attention");
    page.reads("api cannot be reached");
    page.reads(&format!("Nothing answers at {api}. Start the service (souk api)"));
    // The others are well, and none of them is narrowed to a seller.
    page.find("region", "Service notifications");
    page.reads("ann is chosen, which changes nothing here");
    for scheme in ["light", "dark"] {
        page.prefer(scheme);
        page.settle();
        assert_accessible(&page, &format!("something is red, {scheme}"));
    }
}

#[test]
fn sellers_are_known_once_analytics_answers() {
    let port = free_port();
    let figures = Proxy::<Raw>::start(format!("127.0.0.1:{port}").parse().expect("an address"));
    let figures = figures.expect("a free port");
    let url = format!("http://{}", figures.address());
    figures.switches().refuse(true);
    let shop =
        Shop::start_with(|start| start.env("HEALTH_PORT", &port.to_string()).env("ANALYTICS_URL", &url));
    shop.product("Lantern", "ann", 9);
    let page = Browser::blank().tolerating(outages);
    page.visit(&shop.url());
    page.find("rowheader", "Lantern");
    assert!(page.look("option", "ann").is_empty());
    figures.switches().refuse(false);
    eventually("the sellers are known", || (!page.look("option", "ann").is_empty()).then_some(()));
}

#[test]
fn figures_are_in_the_readers_manner() {
    let shop = Shop::start();
    let lantern = shop.product("Lantern", "ann", 1_234_567);
    let page = Browser::blank();
    page.prefer_locale("de-DE");
    page.visit(&shop.url());
    page.holds("textbox", "Stock of Lantern", "1.234.567");
    page.reads("12,50");
    shop.sell(&lantern, 3);
    page.holds("textbox", "Stock of Lantern", "1.234.564");
    page.go("Analytics");
    eventually("the chart is drawn", || chart(&page, "Revenue").0.contains("at most 37,50").then_some(()));
}
