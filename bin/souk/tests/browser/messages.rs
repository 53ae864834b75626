//! What is told on top of a page, also while a dialog is open, and the keys that work anywhere.

use serde_json::json;

use crate::browser::{Browser, keys};
use crate::pages::assert_accessible;
use crate::shop::{Shop, refusals};

#[test]
fn toasts_and_conflicts_are_accessible() {
    let shop = Shop::start();
    let id = shop.product("Lantern", "ann", 6);
    let page = shop.visit().tolerating(refusals);
    page.reads("Live");
    shop.sell(&id, 2);
    page.reads("Low stock: Lantern");
    // Whoever is at it keeps it.
    page.focus("button", "Dismiss");
    for scheme in ["light", "dark"] {
        page.prefer(scheme);
        page.settle();
        page.find("button", "Dismiss");
        assert_accessible(&page, &format!("a toast, {scheme}"));
    }
    page.click("button", "Edit Lantern");
    page.find("dialog", "Edit product");
    page.fill("textbox", "Price…", "20");
    shop.change(&id, &json!({"price": 15}));
    page.click("button", "Save");
    page.find("dialog", "Someone else changed this product");
    for scheme in ["light", "dark"] {
        page.prefer(scheme);
        page.settle();
        assert_accessible(&page, &format!("a conflict, {scheme}"));
    }
}

#[test]
fn what_can_be_undone_can_be_while_a_dialog_is_open() {
    let shop = Shop::start();
    let id = shop.product("Lantern", "ann", 9);
    let page = shop.visit();
    page.click("button", "Delete Lantern");
    page.gone("rowheader", "Lantern");
    page.click("button", "New product");
    page.find("dialog", "New product");
    page.click("button", "Undo");
    page.gone("button", "Undo");
    page.press(&keys::ESCAPE.to_string());
    page.gone("dialog", "New product");
    page.find("rowheader", "Lantern");
    assert_eq!(shop.read(&id)["name"], "Lantern");
    // And afterwards it is where it was.
    page.click("button", "Delete Lantern");
    page.click("button", "Undo");
    page.find("rowheader", "Lantern");
}

#[test]
fn keys_that_work_anywhere_can_be_turned_off() {
    let shop = Shop::start();
    shop.product("Lantern", "ann", 9);
    let page = shop.visit();
    page.find("rowheader", "Lantern");
    set_keys(&page);
    page.press("n");
    assert!(!asks_for_a_new_one(&page), "off");
    page.reload();
    page.find("rowheader", "Lantern");
    page.press("n");
    assert!(!asks_for_a_new_one(&page), "off, and remembered");
    set_keys(&page);
    page.press("n");
    assert!(asks_for_a_new_one(&page), "on again");
    page.find("dialog", "New product");
}

/// Turns them off, or on again.
fn set_keys(page: &Browser) {
    page.click("button", "Keyboard help");
    page.find("dialog", "Keyboard");
    page.click("checkbox", "Keys work anywhere on the page");
    page.press(&keys::ESCAPE.to_string());
    page.gone("dialog", "Keyboard");
}

/// The address says so before anything is drawn.
fn asks_for_a_new_one(page: &Browser) -> bool {
    page.script("return location.hash").as_str().is_some_and(|hash| hash.contains("edit=new"))
}
