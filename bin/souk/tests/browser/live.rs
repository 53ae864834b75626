//! What arrives by itself: toasts, the history, and nothing missed when the server was away.

use crate::browser::Browser;
use crate::shop::{Shop, outages};
use crate::support::{Start, eventually, free_port};
use souk_fault_proxy::{Proxy, Raw};

#[test]
fn low_stock_is_told_at_once_and_the_bell_counts() {
    let shop = Shop::start();
    let id = shop.product("Lantern", "ann", 6);
    let page = shop.visit();
    page.reads("Live");
    shop.sell(&id, 2);
    page.reads("Low stock: Lantern");
    page.reads("4 left, the threshold is 5");
    page.find("button", "Notifications, …");
    page.click("button", "Notifications, …");
    page.find("heading", "Notifications");
    page.find("link", "Lantern");
    // Read: nothing is left to count.
    page.find("button", "Notifications");
}

#[test]
fn the_history_outlives_a_reload_and_grows_while_nobody_looks() {
    let shop = Shop::start();
    let page = shop.visit();
    page.reads("Live");
    let lantern = shop.product("Lantern", "ann", 6);
    page.find("rowheader", "Lantern");
    page.go("Notifications");
    page.find("link", "Lantern");
    // Elsewhere, nothing of souk is open; the log remembers where this browser was.
    settled(&page);
    page.leave();
    shop.sell(&lantern, 2);
    shop.product("Candle", "ann", 9);
    page.visit(&format!("{}#/notifications", shop.url()));
    page.find("link", "Candle");
    eventually("each is there once", || {
        let text = page.text();
        let count = |words: &str| text.matches(words).count();
        (count("Candle") == 1 && count("New product") == 2 && count("Low stock\u{20}Lantern") == 1)
            .then_some(())
    });
    page.reload();
    page.find("link", "Candle");
}

/// Waits until the history is written down: what is resumed after a crash is what was not.
pub fn settled(page: &Browser) {
    eventually("the history is on disk", || (notices(page) > 0).then_some(()));
}

/// Returns how many notices this browser has written down.
pub fn notices(page: &Browser) -> u64 {
    let count = page.later(
        "const open = indexedDB.open('souk-stream');
         open.onerror = () => done(0);
         open.onsuccess = () => {
           const db = open.result;
           const count = db.transaction('notices').objectStore('notices').count();
           count.onsuccess = () => { db.close(); done(count.result); };
           count.onerror = () => { db.close(); done(0); };
         };",
    );
    count.as_u64().unwrap_or(0)
}

/// What a reader has seen of seven products after the server was killed under the open page, when three of them were
/// created before the stream could be reached again.
pub fn seen_across_a_power_cut(address: impl FnOnce(&Shop) -> String) -> String {
    let ports: Vec<String> = (0..4).map(|_| free_port().to_string()).collect();
    let upstream = format!("127.0.0.1:{}", ports[1]).parse().expect("an address");
    let stream = Proxy::<Raw>::start(upstream).expect("a free port");
    let sse_url = format!("http://{}/events/stream", stream.address());
    let settings = |start: Start| {
        let names = ["API_PORT", "NOTIFICATIONS_PORT", "HEALTH_PORT", "WEB_PORT"];
        let start = names.iter().zip(&ports).fold(start, |start, (name, port)| start.env(name, port));
        start.env("SSE_URL", &sse_url)
    };
    let mut shop = Shop::start_with(settings);
    let page = Browser::open(&address(&shop)).tolerating(outages);
    page.reads("Live");
    for name in ["Lantern", "Candle", "Wick"] {
        shop.product(name, "ann", 9);
        page.find("rowheader", name);
    }
    settled(&page);

    stream.switches().refuse(true);
    shop.power_cut(settings);
    page.reads("Reconnecting");
    for name in ["Lamp", "Torch", "Match"] {
        shop.product(name, "ann", 9);
    }
    stream.switches().refuse(false);
    page.reads("Live");
    shop.product("Ember", "ann", 9);
    // The last in the log: whatever came before has come, or never will.
    page.find("rowheader", "Ember");
    page.go("Notifications");
    page.find("heading", "Notifications");
    let mut text = String::new();
    eventually("the last is in the history", || {
        text = page.text();
        text.contains("Ember").then_some(())
    });
    text
}

#[test]
fn a_server_killed_under_an_open_page_costs_nothing_and_doubles_nothing() {
    let seen = seen_across_a_power_cut(Shop::url);
    assert!(seen.contains("7 products added"), "{seen}");
}
