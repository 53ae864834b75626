//! The dashboard of a shop on Postgres, Kafka, DynamoDB and S3: as live as on the embedded engines.

use crate::pages::PAGES;
use crate::shop::Shop;
use crate::support::{Installation, eventually};

#[test]
fn every_page_works_and_is_as_live() {
    let servers = Installation::new();
    let shop = Shop::start_with(|start| {
        servers.env().into_iter().fold(start, |start, (name, value)| start.env(name, value))
    });
    let page = shop.visit();
    page.reads("Live");
    page.reads(", distributed");
    let lantern = shop.product("Lantern", "ann", 6);
    page.find("rowheader", "Lantern");
    page.click("button", "Increase stock of Lantern");
    shop.until(&lantern, "the press is in Postgres", |product| product["stock"] == 7);
    shop.sell(&lantern, 3);
    page.reads("Low stock: Lantern");
    page.holds("textbox", "Stock of Lantern", "4");

    // Counted, in DynamoDB, before the pages are asked.
    eventually("the sale is among the figures", || {
        let summary = shop.souk.analytics().get("/summary").json();
        (summary["units"] == 4 && summary["lowStockProducts"] == 1).then_some(())
    });
    for name in PAGES {
        page.go(name);
        page.settle();
    }
    page.go("Low stock");
    page.find("link", "Lantern");
    page.go("Notifications");
    page.find("link", "Lantern");
    page.go("Analytics");
    page.reads("37.50");
    page.go("Operations");
    page.reads("Everything is well");
    for words in ["outbox relay", "Consumers", "aggregates", "distributed"] {
        page.reads(words);
    }
    // A browser that comes later can have it, too.
    let other = shop.visit();
    other.find("rowheader", "Lantern");
    other.go("Notifications");
    other.click("button", "Load earlier events");
    other.find("link", "Lantern");
}
