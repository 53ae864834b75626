//! What runs low: how long it lasts, and what is done about it in its row.

use serde_json::json;

use crate::browser::{Browser, keys};
use crate::shop::{Shop, outages};
use crate::support::{eventually, free_port};

/// What the row of each product says about how long it lasts, first to last.
fn covers(page: &Browser) -> Vec<String> {
    let covers = page
        .script("return [...document.querySelectorAll('tr.low .cover-cell')].map((cell) => cell.innerText)");
    serde_json::from_value(covers).expect("texts")
}

/// Waits until the rows are as `wanted` says.
fn until(page: &Browser, what: &str, wanted: impl Fn(&[String]) -> bool) {
    eventually(what, || wanted(&covers(page)).then_some(()));
}

#[test]
fn what_sells_keeps_its_days_and_is_restocked_in_its_row() {
    let shop = Shop::start_with(|start| start.env("LOW_STOCK_THRESHOLD", "8"));
    // The less there is, the more urgent it looks; but this one sells slower.
    let candle = shop.product("Candle", "ann", 4);
    let lantern = shop.product("Lantern", "ann", 70);
    shop.change(&lantern, &json!({"lowStockThreshold": null}));
    shop.sell(&candle, 1);
    shop.sell(&lantern, 63);
    let sold = format!("/aggregates?window=all&by=product&key={lantern}");
    eventually("analytics has counted the sales", || {
        (shop.souk.analytics().get(&sold).json()["items"][0]["unitsSold"] == 63).then_some(())
    });
    let page = Browser::open(&format!("{}#/low-stock", shop.url()));
    until(&page, "the days of both, the most urgent first", |covers| {
        covers.len() == 2 && covers[0].contains("9 a day") && covers[1].contains("0.1 a day")
    });
    let placeholder = "return document.querySelector('.threshold[placeholder]').placeholder";
    eventually("the api tells its default", || (page.script(placeholder) == "8").then_some(()));

    shop.sell(&lantern, 1);
    page.holds("textbox", "Stock of Lantern", "6");
    assert!(covers(&page)[0].contains("a day"), "what it sold until now is still there: {:?}", covers(&page));
    until(&page, "the newer rate", |covers| covers[0].contains("9.1 a day"));

    page.fill("textbox", "Threshold of Candle", "many");
    page.press(&keys::ENTER.to_string());
    page.reads("“many” is no whole number.");
    page.fill("textbox", "Threshold of Candle", "3");
    page.press(&keys::ENTER.to_string());
    shop.until(&candle, "its threshold", |product| product["lowStockThreshold"] == 3);
    // Rows keep still under the pointer.
    page.point_away();
    page.gone("link", "Candle");

    page.click("button", "Restock…");
    shop.until(&lantern, "two weeks' worth", |product| product["stock"] == 128);
    page.reads("Enough again");
    page.click("button", "Undo");
    shop.until(&lantern, "as it was", |product| product["stock"] == 6);
}

/// More than a page of products that nobody buys and of which nothing is left, and one that sells ten a day and has three.
/// Returns what the first row of the list says of it.
pub fn first_among_hundreds(url: impl FnOnce(&Shop) -> String) -> String {
    let shop = Shop::start();
    let dusty: Vec<_> = (0..520).map(|place| (format!("Dusty {place}"), "bob", 0)).collect();
    shop.products(&dusty);
    let lantern = shop.product("Lantern", "ann", 73);
    shop.sell(&lantern, 70);
    let sold = format!("/aggregates?window=all&by=product&key={lantern}");
    eventually("analytics has counted the sale", || {
        (shop.souk.analytics().get(&sold).json()["items"][0]["unitsSold"] == 70).then_some(())
    });
    let page = Browser::open(&format!("{}#/low-stock", url(&shop)));
    page.reads("below the threshold, the most urgent first");
    // Before that the list may be in an order that goes by the stock alone.
    let unknown = "return document.querySelectorAll('tr.low .skeleton').length";
    eventually("the rates are known", || {
        (!covers(&page).is_empty() && page.script(unknown) == 0).then_some(())
    });
    let first = "const row = document.querySelector('tr.low'); return `${row.querySelector('a').innerText}, ${row.querySelector('.cover-cell').innerText}`";
    page.script(first).as_str().unwrap_or_default().replace('\n', " ")
}

#[test]
fn what_sells_is_first_however_many_have_less() {
    let first = first_among_hundreds(Shop::url);
    assert!(first.starts_with("Lantern, Less than a day") && first.contains("10 a day"), "{first}");
}

#[test]
fn what_runs_low_is_shown_without_analytics() {
    let away = format!("http://localhost:{}", free_port());
    let shop = Shop::start_with(|start| start.env("ANALYTICS_URL", &away));
    shop.product("Lantern", "ann", 3);
    let page = Browser::open(&format!("{}#/low-stock", shop.url())).tolerating(outages);
    page.find("link", "Lantern");
    until(&page, "it says what it does not know", |covers| covers == ["Unknown"]);
}
