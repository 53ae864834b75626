//! Finding a product, and finding back.

use serde_json::json;

use crate::browser::{Browser, keys};
use crate::shop::Shop;
use crate::support::eventually;

/// Waits until the list shows these products, in this order.
fn lists(page: &Browser, names: &[&str]) {
    let shown = "return [...document.querySelectorAll('th.name')].map((name) => name.textContent)";
    eventually(&format!("the list is {names:?}"), || (page.script(shown) == json!(names)).then_some(()));
}

/// Waits until the row of that product has the focus, or nothing else than `main`.
fn focus_is_on(page: &Browser, id: &str) {
    eventually(&format!("the focus is on {id}"), || {
        let at = page.script("const { dataset, id } = document.activeElement; return dataset.id ?? id");
        (at == id).then_some(())
    });
}

#[test]
fn what_is_asked_for_is_in_the_address_and_back_undoes_it() {
    let shop = Shop::start();
    let lantern = shop.product("Lantern", "ann", 10);
    shop.product("Candle", "bob", 10);
    shop.product("Wick", "ann", 10);
    shop.change(&lantern, &json!({"category": "light"}));
    let check = shop.product("souk verify", "souk-verify-1", 10);
    shop.change(&check, &json!({"category": "souk-verify"}));
    for (by, key) in [("category", "light"), ("category", "souk-verify"), ("seller", "bob")] {
        shop.counted(by, key);
    }
    assert_eq!(shop.api().call("DELETE", &format!("/products/{check}"), &[], None).status, 204);
    let page = shop.visit();
    let newest = ["Wick", "Candle", "Lantern"];
    lists(&page, &newest);

    page.fill("searchbox", "Search products", "LAN");
    lists(&page, &["Lantern"]);
    assert_eq!(page.hash(), "#/products?q=LAN");
    page.press(&keys::ESCAPE.to_string());
    lists(&page, &newest);
    page.find("option", "light");
    page.find("option", "bob");
    assert!(page.look("option", "souk-verify…").is_empty(), "checks are nobody's category and nobody's shop");

    page.choose("Sort", "Name, A to Z");
    lists(&page, &["Candle", "Lantern", "Wick"]);
    page.choose("Category", "light");
    lists(&page, &["Lantern"]);
    page.click("checkbox", "Low stock only");
    page.reads("Nothing fits");
    assert_eq!(page.hash(), "#/products?sort=name&category=light&low=1");
    page.back();
    lists(&page, &["Lantern"]);
    page.back();
    lists(&page, &["Candle", "Lantern", "Wick"]);
    page.choose("Seller", "bob");
    lists(&page, &["Candle"]);
    page.back();
    lists(&page, &["Candle", "Lantern", "Wick"]);
    assert_eq!(page.hash(), "#/products?sort=name");
    page.back();
    lists(&page, &newest);
    page.visit(&format!("{}#/products?sort=-name&category=general", shop.url()));
    lists(&page, &["Wick", "Candle"]);

    // Who types and goes on at once searched here, not there.
    page.script(
        "const search = document.querySelector('[data-search]'); search.value = 'lan';
         search.dispatchEvent(new Event('input', { bubbles: true })); document.querySelector('a[href*=low-stock]').click()",
    );
    page.reads("Everything is in stock");
    assert_eq!(page.later("setTimeout(() => done(location.hash), 300)"), "#/low-stock");
}

#[test]
fn the_drawer_asks_before_it_forgets_and_back_does_not_bring_it_again() {
    let shop = Shop::start();
    let id = shop.product("Lantern", "ann", 10);
    let page = shop.visit();
    page.choose("Sort", "Name, A to Z");
    for again in ["Throw away", "by Escape"] {
        page.click("button", "Edit Lantern");
        page.fill("textbox", "Name…", "Brass lantern");
        page.press(&keys::ESCAPE.to_string());
        page.click("button", "Keep editing");
        page.holds("textbox", "Name…", "Brass lantern");
        page.press(&keys::ESCAPE.to_string());
        page.reads("What you typed is not saved.");
        if again == "Throw away" {
            page.click("button", "Throw away");
        } else {
            page.press(&keys::ESCAPE.to_string());
        }
        page.gone("dialog", "Edit product");
        eventually("the focus is back", || (page.focused() == "Edit Lantern").then_some(()));
    }
    assert_eq!(shop.read(&id)["version"], 1);
    // Thousands are grouped as the list shows them.
    page.click("button", "Edit Lantern");
    page.fill("textbox", "Stock…", "1,000");
    page.click("button", "Save");
    page.gone("dialog", "Edit product");
    shop.until(&id, "a thousand", |product| product["stock"] == 1000);
    page.holds("textbox", "Stock of Lantern", "1,000");
    page.back();
    eventually("the order is what it was first", || (page.hash().is_empty()).then_some(()));
    assert!(page.look("dialog", "Edit product").is_empty());
}

#[test]
fn the_focus_stays_in_the_list_when_a_row_goes() {
    let shop = Shop::start();
    let ids: Vec<String> = ["Ember", "Wick", "Candle"].map(|name| shop.product(name, "ann", 10)).into();
    let page = shop.visit();
    lists(&page, &["Candle", "Wick", "Ember"]);
    page.click("button", "Delete Ember");
    lists(&page, &["Candle", "Wick"]);
    focus_is_on(&page, &ids[1]);
    // It is not kept for whoever comes next in that place.
    page.click("searchbox", "Search products");
    page.point_away();
    shop.product("Torch", "ann", 10);
    lists(&page, &["Torch", "Candle", "Wick"]);
    assert_eq!(page.focused(), "Search products");

    // Where it is deleted from the drawer, its opener is gone.
    page.click("button", "Edit Candle");
    page.click("button", "Delete");
    lists(&page, &["Torch", "Wick"]);
    page.gone("dialog", "Edit product");
    focus_is_on(&page, &ids[1]);
    // Another page has been open meanwhile: what is about to be deleted is not there either.
    page.go("Low stock");
    page.go("Products");
    lists(&page, &["Torch", "Wick"]);
    page.click("button", "Delete Wick");
    page.click("button", "Delete Torch");
    focus_is_on(&page, "main");
}

#[test]
fn a_name_is_words_whatever_it_looks_like() {
    let name = "<img src=x onerror=\"document.title='owned'\"><b>${alert(1)}</b>&amp;";
    let shop = Shop::start();
    let id = shop.product(name, "ann", 6);
    shop.change(&id, &json!({"category": "</td><script>document.title='owned'</script>", "sku": "\"><i>"}));
    let page = shop.visit();
    page.reads("Live");
    page.find("rowheader", name);
    shop.sell(&id, 2);
    page.reads(&format!("Low stock: {name}"));
    page.go("Low stock");
    page.find("link", name);
    page.go("Notifications");
    page.find("link", name);
    page.go("Products");
    page.click("button", &format!("Edit {name}"));
    page.holds("textbox", "Name…", name);
    let made = page.script("return document.querySelectorAll('img, td b, td i, td script, th b').length");
    assert_eq!(made, 0, "it is text");
    assert_eq!(page.script("return document.title"), "Products · souk");
}

#[test]
fn an_empty_shop_is_filled_by_one_press_and_says_how_far_that_is() {
    let shop = Shop::start();
    // A choice of another time, in a shop that has nobody any more.
    let page = Browser::open(&format!("{}#/products?seller=bob", shop.url()));
    page.click("button", "Fill with the sample shop");
    page.reads("The shop is filling up with the sample");
    page.find("rowheader", "…");
    page.find("progressbar", "Sample shop");
    assert_eq!(page.hash(), "#/products", "all of it is seen");
}

/// The first list is asked for before there are scripts, and what was asked then is the answer to nothing later.
#[test]
fn the_first_list_is_there_with_the_page_and_is_not_kept() {
    let shop = Shop::start();
    shop.product("Lantern", "ann", 10);
    let page = shop.visit();
    lists(&page, &["Lantern"]);
    let asked = page.script(
        "const ready = performance.getEntriesByName('souk-ready')[0].startTime;
         const script = performance.getEntriesByType('resource').find((r) => r.name.endsWith('/app/main.js'));
         const lists = performance.getEntriesByType('resource').filter((r) => new URL(r.name).pathname === '/products');
         return lists.filter((r) => r.startTime < ready).map((r) => [new URL(r.name).search, r.startTime < script.responseEnd])",
    );
    assert_eq!(asked, json!([["?limit=100&sort=-createdAt", true]]));

    let elsewhere = Browser::open(&format!("{}#/operations", shop.url()));
    shop.product("Wick", "ann", 10);
    elsewhere.go("Products");
    lists(&elsewhere, &["Wick", "Lantern"]);
    let only = Browser::open(&format!("{}#/products?q=lan", shop.url()));
    lists(&only, &["Lantern"]);
}
