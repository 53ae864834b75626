//! Pages of figures: they grow while one looks, turn red where something is, and are written as the reader writes.

use serde_json::{Value, json};
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

/// Sells, or takes back, when history has it.
fn move_then(shop: &Shop, id: &str, delta: i32, at: &str) {
    let reason = if delta < 0 { "sale" } else { "return" };
    let body = json!({"delta": delta, "reason": reason, "occurredAt": at}).to_string();
    let moved = shop.api().post(&format!("/products/{id}/stock-adjustments"), &body);
    assert_eq!(moved.status, 200, "{}", moved.text());
}

/// A shop that sold on two days of 2010: ann lanterns, three less one, and bob bread, two.
fn two_days_of_2010() -> (Shop, String) {
    let shop = Shop::start();
    let lantern = shop.product("Lantern", "ann", 100);
    let bread = shop.product("Bread", "bob", 100);
    shop.change(&lantern, &json!({"category": "light"}));
    shop.change(&bread, &json!({"category": "food"}));
    move_then(&shop, &lantern, -3, "2010-12-01T10:00:00Z");
    move_then(&shop, &lantern, 1, "2010-12-01T10:05:00Z");
    move_then(&shop, &bread, -2, "2010-12-02T12:30:00Z");
    eventually("analytics has counted the sales", || {
        let days =
            shop.souk.analytics().get("/aggregates?window=day&by=total&to=2010-12-03T00:00:00Z").json();
        (days["items"][1]["unitsSold"] == 2).then_some(())
    });
    (shop, lantern)
}

/// Canvases take colours as they are just now, which is not yet those of a transition that has begun.
#[test]
fn charts_have_their_colours_where_nothing_moves() {
    let (shop, _) = two_days_of_2010();
    let page = Browser::blank();
    page.prefer("light");
    page.visit(&format!("{}#/analytics", shop.url()));
    let bars = "const probe = document.body.appendChild(document.createElement('span'));
         probe.style.color = 'var(--accent)';
         const wanted = getComputedStyle(probe).color.match(/\\d+/g).slice(0, 3).join();
         const canvas = document.querySelector('figure[aria-label=Revenue] canvas');
         const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
         let found = 0;
         for (let at = 0; at < data.length; at += 4) found += data.slice(at, at + 3).join() === wanted;
         return found";
    eventually("bars of the accent", || {
        page.script("return document.querySelector('figure[aria-label=Revenue] canvas') !== null")
            .as_bool()
            .filter(|there| *there)?;
        (page.script(bars).as_u64()? > 100).then_some(())
    });
}

#[test]
fn every_chart_is_split_by_seller_and_by_category() {
    let (shop, _) = two_days_of_2010();
    let page = Browser::open(&format!("{}#/analytics", shop.url()));
    page.find("button", "Total");
    page.settle();
    let charts = ["Revenue", "Units", "Events per hour"];
    let mut before = charts.map(|title| chart(&page, title).1);
    for (split, [ann, bob]) in [("Sellers", ["ann", "bob"]), ("Categories", ["light", "food"])] {
        page.click("button", split);
        let figures = [["25.00", "25.00"], ["2", "2"], ["2", "1"]];
        for ((title, [first, second]), before) in charts.into_iter().zip(figures).zip(&mut before) {
            eventually(&format!("{title} has lines by {split}"), || {
                let (told, picture) = chart(&page, title);
                let lines = told.contains(&format!("{ann}: at most {first} on"))
                    && told.contains(&format!("{bob}: at most {second} on"));
                (lines && picture != *before).then_some(())
            });
            *before = chart(&page, title).1;
        }
    }
    page.click("button", "Total");
    eventually("the totals are back", || chart(&page, "Units").0.contains("Sold: at most 3").then_some(()));
}

#[test]
fn steps_rankings_and_the_way_to_the_screen_are_there() {
    let (shop, lantern) = two_days_of_2010();
    let page = Browser::open(&format!("{}#/analytics", shop.url()));
    let drawn = |step: &str| {
        let title = format!("Events per {step}");
        eventually(&title, || chart(&page, &title).0.contains("at most").then_some(()));
    };
    drawn("hour");
    page.click("button", "Days");
    drawn("day");
    page.choose("Range", "Last day");
    page.click("button", "Minutes");
    drawn("minute");
    for (ranking, best) in [("Top sellers", "bob"), ("Top products", "Bread bob"), ("Categories", "food")] {
        page.find("table", ranking);
        page.find("rowheader", best);
    }
    page.find("figure", "From the write to this screen");
    page.reads("Live");
    shop.sell(&lantern, 1);
    page.reads("Of the last 30 seconds: half within");
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
