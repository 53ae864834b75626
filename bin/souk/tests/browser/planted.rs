//! Bugs on purpose: what the other tests check is noticed when it is broken.

use serde_json::json;

use crate::axe::violations;
use crate::browser::Browser;
use crate::live::seen_across_a_power_cut;
use crate::low_stock::first_among_hundreds;
use crate::shop::Shop;
use crate::tamper::Tampered;

#[test]
fn a_stream_that_forgets_where_it_was_is_noticed() {
    let mut served = None;
    let seen = seen_across_a_power_cut(|shop| {
        let tampered = Tampered::serve(
            shop.souk.ports.web,
            "/app/stream/worker.js",
            "if (this.source.readyState === 2) this.#again();",
            "this.lastId = null; this.source.close(); this.#again();",
        );
        served.insert(tampered).url()
    });
    assert!(served.expect("it was served").was_asked(), "the browser has the file from elsewhere");
    assert!(!seen.contains("7 products added"), "{seen}");
}

#[test]
fn a_list_of_the_least_stock_alone_is_noticed() {
    let mut served = None;
    let first = first_among_hundreds(|shop| {
        let tampered = Tampered::serve(
            shop.souk.ports.web,
            "/app/pages/low-stock.js",
            "const MOST = 5_000;",
            "const MOST = 500;",
        );
        served.insert(tampered).url()
    });
    assert!(served.expect("it was served").was_asked(), "the browser has the file from elsewhere");
    assert!(first.starts_with("Dusty"), "{first}");
}

#[test]
fn a_page_that_complains_or_breaks_its_policy_is_noticed() {
    let shop = Shop::start();
    let page = shop.visit();
    page.script("console.error('planted')");
    page.script("const s = document.createElement('script'); s.textContent = '1'; document.body.append(s)");
    let complaints = page.complaints();
    assert!(complaints.iter().any(|words| words.contains("planted")), "{complaints:?}");
    assert!(complaints.iter().any(|words| words.contains("Content Security Policy")), "{complaints:?}");
}

#[test]
fn a_button_without_a_name_and_words_too_pale_are_noticed() {
    let shop = Shop::start();
    let page: Browser = shop.visit();
    page.script(
        "const b = document.createElement('button'); const p = document.createElement('p'); p.textContent = 'pale';
         p.style.color = '#999'; p.style.background = '#888'; document.querySelector('main').append(b, p)",
    );
    let rules: Vec<_> = violations(&page).into_iter().map(|found| found["rule"].clone()).collect();
    assert!(rules.contains(&json!("button-name")) && rules.contains(&json!("color-contrast")), "{rules:?}");
}
