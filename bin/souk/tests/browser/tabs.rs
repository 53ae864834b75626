//! The one stream of a browser: shared by its tabs, with a SharedWorker and without, and honest about gaps.

use crate::browser::Browser;
use crate::live::settled;
use crate::pages::assert_accessible;
use crate::shop::Shop;
use crate::support::eventually;

/// Returns how many readers the stream has.
fn readers(shop: &Shop) -> u64 {
    let health = shop.souk.notifications().get("/health").json();
    health["checks"]["stream"]["readers"].as_u64().unwrap_or_else(|| panic!("no readers in {health}"))
}

#[test]
fn all_tabs_share_one_stream_and_one_count() {
    let shop = Shop::start();
    let page = shop.visit();
    page.reads("Live");
    page.new_tab();
    page.visit(&shop.url());
    page.reads("Live");
    assert_eq!(readers(&shop), 1);
    shop.product("Lantern", "ann", 9);
    page.find("rowheader", "Lantern");
    page.find("button", "Notifications, 1 unread");
    page.to_tab(0);
    page.find("rowheader", "Lantern");
    // Read in one, it is read in the other.
    page.click("button", "Notifications, 1 unread");
    page.find("link", "Lantern");
    page.to_tab(1);
    page.find("button", "Notifications");
}

#[test]
fn without_a_shared_worker_one_tab_leads_and_another_takes_over() {
    let shop = Shop::start();
    let notifications = format!("{}#/notifications", shop.url());
    let page = Browser::blank();
    // As in browsers of most phones.
    page.before_pages("delete globalThis.SharedWorker");
    page.visit(&notifications);
    assert_eq!(page.script("return typeof SharedWorker"), "undefined");
    page.reads("Live");
    shop.product("Lantern", "ann", 9);
    page.find("link", "Lantern");
    page.reload();
    page.find("link", "Lantern");

    page.new_tab();
    page.before_pages("delete globalThis.SharedWorker");
    page.visit(&notifications);
    page.find("link", "Lantern");
    page.reads("Live");
    assert_eq!(readers(&shop), 1);

    page.to_tab(0);
    page.close_tab();
    page.to_tab(0);
    shop.product("Candle", "ann", 9);
    page.find("link", "Candle");
    page.find("link", "Lantern");
    eventually("one reader is left", || (readers(&shop) == 1).then_some(()));
}

#[test]
fn a_page_that_is_gone_back_to_shows_what_happened_meanwhile() {
    let shop = Shop::start();
    let lantern = shop.product("Lantern", "ann", 9);
    let page = shop.visit();
    page.reads("Live");
    page.find("rowheader", "Lantern");
    page.visit_other("about:blank");
    shop.product("Candle", "ann", 9);
    shop.sell(&lantern, 2);
    page.back();
    page.find("rowheader", "Candle");
    page.holds("textbox", "Stock of Lantern", "7");
    page.reads("Live");
    shop.product("Wick", "ann", 9);
    page.find("rowheader", "Wick");
}

#[test]
fn a_gap_is_told_and_what_was_missed_can_be_had() {
    let shop = Shop::start();
    // What is no page of souk's has no icon.
    let page = shop.visit().tolerating(|words| words.contains("favicon.ico"));
    page.reads("Live");
    shop.product("Lantern", "ann", 9);
    page.find("rowheader", "Lantern");
    settled(&page);
    page.leave();
    page.visit_other(&format!("{}config.json", shop.url()));
    shop.product("Candle", "ann", 9);
    forget_the_place(&page);

    page.visit(&shop.url());
    page.reads("Some events were missed.");
    page.reads("The place where this browser was could not be read.");
    page.settle();
    for scheme in ["light", "dark"] {
        page.prefer(scheme);
        assert_accessible(&page, &format!("a gap, {scheme}"));
    }
    page.click("button", "Catch up");
    page.find("link", "Lantern");
    assert!(page.look("link", "Candle").is_empty(), "it was missed");
    page.click("button", "Load what analytics has");
    page.find("link", "Candle");
    page.reads("Nothing is missing any more.");
    page.reads("Live");
    // The other way brings everything once more, and nothing twice.
    page.click("button", "Replay the whole log");
    shop.product("Wick", "ann", 9);
    page.find("link", "Wick");
    eventually("each is there once", || {
        let once = |name: &str| page.look("link", name).len() == 1;
        (once("Lantern") && once("Candle") && once("Wick")).then_some(())
    });
}

/// Spoils the position that this browser has written down, as a fault of its disk may.
fn forget_the_place(page: &Browser) {
    let done = page.later(
        "const open = indexedDB.open('souk-stream');
         open.onsuccess = () => {
           const db = open.result;
           const write = db.transaction('meta', 'readwrite');
           const meta = write.objectStore('meta');
           const read = meta.get('state');
           read.onsuccess = () => meta.put({...read.result, lastId: 'nonsense'}, 'state');
           write.oncomplete = () => { db.close(); done(true); };
           write.onerror = write.onabort = () => done(String(write.error));
         };",
    );
    assert_eq!(done, true);
}

#[test]
fn a_browser_comes_to_the_next_test_with_nothing_left_in_it() {
    let shop = Shop::start();
    let page = shop.visit();
    page.script("localStorage.setItem('left', 'behind')");
    page.reads("Live");
    page.new_tab();
    page.visit(&shop.url());
    drop(page);
    let page = Browser::blank();
    assert_eq!(page.script("return location.href"), "about:blank");
    page.visit(&shop.url());
    assert_eq!(page.script("return localStorage.getItem('left')"), serde_json::Value::Null);
    assert_eq!(page.script("return history.length"), 2, "a new tab has been nowhere else");
}
