//! More events than anybody reads: the page stays small, answers its reader, and is right in the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::browser::keys;
use crate::live::notices;
use crate::shop::Shop;
use crate::support::Client;

/// Events of an order, and the time from one order to the next: 2,000 events a second.
const LINES: usize = 100;
const PERIOD: Duration = Duration::from_millis(50);
/// How long it lasts. `cargo xtask bench --browser` does it for minutes, and measures.
const ORDERS: usize = 120;

/// More elements than any page has whose size does not follow the number of events.
const MOST_ELEMENTS: u64 = 4_000;
/// Twice what the history keeps of each group, which it cuts from time to time.
const MOST_NOTICES: u64 = 2 * (1_000 + 500 + 250);

#[test]
fn a_flood_leaves_the_page_small_responsive_and_right() {
    let shop = Shop::start();
    let ids: Vec<String> =
        (0..20).map(|n| shop.product(&format!("Lantern {n:02}"), "ann", 1_000_000)).collect();
    let page = shop.visit();
    // High enough for all of them: rows far below the screen are not in the document.
    page.resize(1280, 1600);
    page.reads("Live");
    page.find("rowheader", "Lantern 00");
    page.script(
        "globalThis.longTasks = [];
         new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((task) => task.duration)))
           .observe({entryTypes: ['longtask']});",
    );
    let over = AtomicBool::new(false);
    let api = shop.api();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            flood(api, &ids);
            over.store(true, Ordering::Release);
        });
        while !over.load(Ordering::Acquire) {
            page.press("?");
            page.find("dialog", "Keyboard");
            page.press(&keys::ESCAPE.to_string());
            page.gone("dialog", "Keyboard");
            let elements = page.script("return document.querySelectorAll('*').length");
            assert!(elements.as_u64().is_some_and(|n| n < MOST_ELEMENTS), "{elements} elements");
        }
    });
    for (n, id) in ids.iter().enumerate() {
        let name = format!("Stock of Lantern {n:02}");
        let stock = shop.read(id)["stock"].as_u64().expect("a stock");
        page.holds("textbox", &name, &grouped(stock));
    }
    let kept = notices(&page);
    assert!(kept > 0 && kept <= MOST_NOTICES, "{kept} notices are kept");
    let tasks = page.script("return longTasks.map(Math.round)");
    println!("long tasks of the page, in ms: {tasks}");
}

/// Sells one piece of a product with each line, keeping to the rate as well as the machine lets it.
fn flood(mut api: Client, ids: &[String]) {
    let began = Instant::now();
    for order in 0..ORDERS {
        let due = PERIOD * u32::try_from(order).expect("few orders");
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        let items: Vec<_> = (0..LINES)
            .map(|line| json!({"productId": ids[(order * 7 + line) % ids.len()], "delta": -1, "reason": "sale"}))
            .collect();
        let sold = api.post("/stock-adjustments", &json!({"items": items}).to_string());
        assert_eq!(sold.status, 200, "{}", sold.text());
    }
}

/// Returns the number as an American reader sees it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
