//! Every page, for everybody: readers who do not see it, narrow screens, dark rooms; on one port, too.

use serde_json::json;

use crate::axe::violations;
use crate::browser::{Browser, keys};
use crate::shop::Shop;

/// The pages, as their links and headings call them.
pub const PAGES: [&str; 5] = ["Products", "Low stock", "Notifications", "Analytics", "Operations"];

/// A shop in which every page has something to show.
fn lively() -> Shop {
    let shop = Shop::start();
    for (name, seller, stock) in [("Lantern", "ann", 6), ("Candle", "bob", 0), ("Wick", "ann", 40)] {
        shop.product(name, seller, stock);
    }
    shop
}

/// Makes some things happen, so that histories and charts have entries.
fn stir(shop: &Shop) {
    let lantern = shop.named("Lantern").expect("it was created")["id"].as_str().expect("an id").to_owned();
    shop.sell(&lantern, 2);
    shop.change(&lantern, &json!({"category": "light"}));
}

pub fn assert_accessible(page: &Browser, what: &str) {
    let found = violations(page);
    assert!(found.is_empty(), "{what}: {}", serde_json::to_string_pretty(&found).unwrap_or_default());
}

/// A desk's screen, and the narrowest that is promised.
const SCREENS: [(u32, u32); 2] = [(1280, 900), (360, 740)];

/// Calls `check` in each scheme on each screen, with words for it.
fn everywhere(page: &Browser, mut check: impl FnMut(&str)) {
    for scheme in ["light", "dark"] {
        page.prefer(scheme);
        for (width, height) in SCREENS {
            page.resize(width, height);
            check(&format!("{scheme}, {width} wide"));
        }
    }
}

#[test]
fn every_page_is_accessible_in_light_and_dark_wide_and_narrow() {
    let shop = lively();
    let page = shop.visit();
    page.reads("Live");
    stir(&shop);
    everywhere(&page, |how| {
        for name in PAGES {
            page.go(name);
            page.settle();
            assert_accessible(&page, &format!("{name}, {how}"));
        }
        page.go("Products");
        page.click("button", "New product");
        page.find("dialog", "New product");
        page.settle();
        assert_accessible(&page, &format!("the editor, {how}"));
        page.press(&keys::ESCAPE.to_string());
        page.gone("dialog", "New product");
        page.press("?");
        page.find("dialog", "Keyboard");
        page.settle();
        assert_accessible(&page, &format!("the help, {how}"));
        page.press(&keys::ESCAPE.to_string());
        page.gone("dialog", "Keyboard");
    });
}

#[test]
fn an_empty_shop_is_accessible_and_helps() {
    let shop = Shop::start();
    let page = shop.visit();
    page.find("button", "Fill with the sample shop");
    everywhere(&page, |how| {
        for name in PAGES {
            page.go(name);
            page.settle();
            assert_accessible(&page, &format!("{name}, empty, {how}"));
        }
    });
}

#[test]
fn nothing_moves_for_whoever_wants_it_so() {
    let shop = lively();
    let page = shop.visit();
    page.reads("Live");
    let durations = || {
        page.script(
            "const style = (of) => getComputedStyle(document.querySelector(of));
             const seconds = (text) => Math.max(...text.split(',').map(parseFloat));
             return [seconds(style('[data-new]').transitionDuration), seconds(style('.pill .dot').animationDuration),
               style('.pill .dot').animationIterationCount]",
        )
    };
    assert_eq!(durations(), json!([0.14, 2.4, "1"]), "who has not asked for less sees it move, once");
    page.prefer("light");
    assert_eq!(durations(), json!([0, 0.00001, "1"]));
}

#[test]
fn no_page_is_wider_than_a_small_screen() {
    let shop = lively();
    shop.product(
        "A very long name of a product that does not end before the screen does, and goes on",
        "ann",
        9,
    );
    let page = shop.visit();
    stir(&shop);
    for (width, height) in [(360, 740), (768, 1024), (900, 900), (1024, 768), (1600, 900)] {
        page.resize(width, height);
        for name in PAGES {
            page.go(name);
            page.settle();
            let wide = page.script("return document.documentElement.scrollWidth");
            assert!(
                wide.as_u64().is_some_and(|wide| wide <= u64::from(width)),
                "{name} is {wide} wide on {width}"
            );
        }
    }
}

#[test]
fn on_one_port_it_is_at_the_root_and_as_live() {
    let shop = Shop::start_with(crate::support::Start::monolith);
    assert_eq!(shop.souk.ports.web, shop.souk.ports.api);
    let page = shop.visit();
    page.reads("Live");
    shop.product("Lantern", "ann", 9);
    page.find("rowheader", "Lantern");
    page.click("button", "Increase stock of Lantern");
    page.holds("textbox", "Stock of Lantern", "10");
    for name in PAGES {
        page.go(name);
        page.settle();
    }
}
