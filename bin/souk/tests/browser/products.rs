//! The products page: what a seller does all day.

use serde_json::json;

use crate::browser::{Browser, keys};
use crate::shop::{Shop, refusals};
use crate::support::eventually;

#[test]
fn a_product_created_in_one_browser_appears_in_another() {
    let shop = Shop::start();
    let (one, other) = (shop.visit(), shop.visit());
    other.reads("Live");
    one.click("button", "New product");
    for (field, text) in [("Name", "Brass lantern"), ("Seller", "ann"), ("Price", "12.50"), ("Stock", "10")] {
        one.fill(role_of(field), &format!("{field}…"), text);
    }
    one.click("button", "Create product");
    one.find("rowheader", "Brass lantern");
    other.find("rowheader", "Brass lantern");
    other.holds("textbox", "Stock of Brass lantern", "10");
    let product = shop.named("Brass lantern").expect("the api has it");
    assert_eq!(
        (&product["sellerId"], &product["price"], &product["stock"]),
        (&json!("ann"), &json!(12.5), &json!(10))
    );
}

/// An input that proposes names is a combobox.
fn role_of(field: &str) -> &'static str {
    if field == "Seller" { "combobox" } else { "textbox" }
}

#[test]
fn a_product_is_created_with_the_keyboard_alone() {
    let shop = Shop::start();
    // So that the button is not the only thing on the page.
    shop.product("Candle", "bob", 9);
    let page = shop.visit();
    page.find("rowheader", "Candle");
    page.tab_to("New product");
    page.press(&keys::ENTER.to_string());
    page.find("dialog", "New product");
    assert!(page.focused().starts_with("Name"), "the first field has the focus, not {:?}", page.focused());
    page.press("Lantern");
    for (field, text) in [("Seller…", "ann"), ("Price…", "3"), ("Stock…", "7")] {
        page.tab_to(field);
        page.press(text);
    }
    page.press(&keys::ENTER.to_string());
    page.find("rowheader", "Lantern");
    page.gone("dialog", "New product");
    assert_eq!(page.focused(), "New product", "the focus is back where it was");
    assert_eq!(shop.named("Lantern").expect("the api has it")["stock"], 7);
}

#[test]
fn the_table_is_worked_with_the_keyboard_alone() {
    let shop = Shop::start();
    let [_, lantern, _] =
        [("Wick", 30), ("Lantern", 20), ("Candle", 10)].map(|(name, stock)| shop.product(name, "ann", stock));
    let page = shop.visit();
    page.find("rowheader", "Wick");
    page.tab_to("Candle…");
    let at = |name: &str| {
        eventually(&format!("the row of {name} has the focus"), || {
            page.focused().starts_with(name).then_some(())
        });
    };
    for (key, name) in
        [(keys::DOWN, "Lantern"), (keys::DOWN, "Wick"), (keys::DOWN, "Wick"), (keys::UP, "Lantern")]
    {
        page.press(&key.to_string());
        at(name);
    }
    page.press("+++-");
    shop.until(&lantern, "three more and one less", |product| product["stock"] == 22);
    page.holds("textbox", "Stock of Lantern", "22");
    at("Lantern");
    page.press(&keys::DELETE.to_string());
    page.gone("rowheader", "Lantern");
    at("Wick");
    page.tab_to("Undo");
    page.press(&keys::ENTER.to_string());
    page.find("rowheader", "Lantern");
    assert_eq!(shop.read(&lantern)["stock"], 22);
}

#[test]
fn faults_are_told_at_their_fields_and_the_dialog_closes_by_escape() {
    let shop = Shop::start();
    let page = shop.visit().tolerating(|words| words.contains("status of 422"));
    page.click("button", "New product");
    page.fill("textbox", "Name…", "Lantern");
    page.fill("textbox", "Stock…", "many");
    page.click("button", "Create product");
    eventually("the fields say what is wrong", || {
        let wrong = page.script(
            "return [...document.querySelectorAll('[aria-invalid]')].map((field) => field.name).join()",
        );
        (wrong == "sellerId,price,stock").then_some(())
    });
    page.press(&keys::ESCAPE.to_string());
    page.reads("What you typed is not saved.");
    page.click("button", "Throw away");
    page.gone("dialog", "New product");
    assert!(shop.named("Lantern").is_none());
}

#[test]
fn stock_changes_by_buttons_and_by_typing_in_every_browser() {
    let shop = Shop::start();
    let id = shop.product("Lantern", "ann", 10);
    let (one, other) = (shop.visit(), shop.visit());
    one.click("button", "Increase stock of Lantern");
    shop.until(&id, "one more", |product| product["stock"] == 11);
    other.holds("textbox", "Stock of Lantern", "11");
    other.fill("textbox", "Stock of Lantern", "25");
    other.press(&keys::ENTER.to_string());
    shop.until(&id, "as many as were typed", |product| product["stock"] == 25);
    // What is no number is refused at its field, and forgotten with it.
    let wrong = || other.script("return document.querySelectorAll('.stepper.wrong, [aria-invalid]').length");
    other.fill("textbox", "Stock of Lantern", "ten");
    other.press(&keys::ENTER.to_string());
    eventually("the field says that it is wrong", || (wrong() == 2).then_some(()));
    other.press(&keys::TAB.to_string());
    other.holds("textbox", "Stock of Lantern", "25");
    eventually("nothing is wrong any more", || (wrong() == 0).then_some(()));
    one.holds("textbox", "Stock of Lantern", "25");
    one.click("button", "Decrease stock of Lantern");
    other.holds("textbox", "Stock of Lantern", "24");
}

fn edit(page: &Browser, field: &str, text: &str) {
    page.fill("textbox", field, text);
}

#[test]
fn what_two_people_changed_is_merged_and_what_collides_is_asked() {
    let shop = Shop::start();
    let id = shop.product("Lantern", "ann", 10);
    let page = shop.visit().tolerating(refusals);
    page.click("button", "Edit Lantern");
    edit(&page, "Name…", "Brass lantern");
    // Another field, by another person: both changes are wanted.
    shop.change(&id, &json!({"category": "light"}));
    page.click("button", "Save");
    page.gone("dialog", "Edit product");
    shop.until(&id, "both changes", |product| {
        product["name"] == "Brass lantern" && product["category"] == "light"
    });

    page.click("button", "Edit Brass lantern");
    edit(&page, "Price…", "20");
    shop.change(&id, &json!({"price": 15}));
    page.click("button", "Save");
    page.find("dialog", "Someone else changed this product");
    assert_eq!(shop.read(&id)["price"], 15, "nothing is overwritten before somebody has chosen");
    page.click("radio", "Yours…");
    page.click("button", "Save the choice");
    shop.until(&id, "the choice", |product| product["price"] == 20);
    page.gone("dialog", "Edit product");
}

#[test]
fn a_deleted_product_comes_back_while_it_can() {
    let shop = Shop::start();
    let id = shop.product("Lantern", "ann", 10);
    let (page, other) = (shop.visit(), shop.visit().tolerating(refusals));
    page.click("button", "Delete Lantern");
    page.gone("rowheader", "Lantern");
    page.click("button", "Undo");
    page.find("rowheader", "Lantern");
    other.find("rowheader", "Lantern");
    assert_eq!(shop.read(&id)["name"], "Lantern");

    page.click("button", "Delete Lantern");
    page.click("button", "Dismiss");
    shop.until(&id, "it is gone", |product| product.is_null());
    page.gone("rowheader", "Lantern");
    other.point_away();
    other.gone("rowheader", "Lantern");
}

#[test]
fn the_seller_switch_is_obeyed_and_remembered() {
    let shop = Shop::start();
    let lantern = shop.product("Lantern", "ann", 10);
    shop.product("Candle", "bob", 10);
    let page = shop.visit();
    page.find("rowheader", "Candle");
    page.find("rowheader", "Lantern");
    eventually("the sellers are known", || (!page.look("option", "bob").is_empty()).then_some(()));
    page.choose("Seller", "bob");
    page.gone("rowheader", "Lantern");
    page.find("rowheader", "Candle");
    assert!(page.script("return location.hash").as_str().is_some_and(|hash| hash.contains("seller=bob")));
    // What happens in the other shop stays there.
    shop.product("Lamp", "ann", 10);
    shop.product("Wick", "bob", 10);
    page.find("rowheader", "Wick");
    assert!(page.look("rowheader", "Lamp").is_empty());
    page.reload();
    page.find("rowheader", "Wick");
    assert!(page.look("rowheader", "Lamp").is_empty());
    page.go("Low stock");
    shop.sell(&lantern, 8);
    let wick = shop.named("Wick").expect("it was created")["id"].as_str().expect("an id").to_owned();
    shop.sell(&wick, 8);
    page.find("rowheader", "Wick…");
    assert!(page.look("rowheader", "Lantern…").is_empty());
}

/// A list of thousands would help nobody to find one of them.
#[test]
fn among_hundreds_a_seller_is_typed() {
    let shop = Shop::start();
    for number in 0..500 {
        shop.product("Lantern", &format!("seller-{number:03}"), 10);
    }
    shop.product("Candle", "zoe", 10);
    shop.counted("seller", "zoe");
    let page = shop.visit();
    eventually("it can be typed", || {
        (page.script("return document.querySelector('input#seller') !== null") == true).then_some(())
    });
    page.fill("combobox", "Seller", "zoe");
    page.press(&keys::TAB.to_string());
    page.gone("rowheader", "Lantern");
    page.find("rowheader", "Candle");
    page.fill("combobox", "Seller", "nobody");
    page.press(&keys::TAB.to_string());
    page.reads("No seller is called nobody");
    page.holds("combobox", "Seller", "zoe");
    assert!(page.hash().contains("seller=zoe"), "{}", page.hash());
    page.reload();
    page.holds("combobox", "Seller", "zoe");
    page.fill("combobox", "Seller", &keys::DELETE.to_string());
    page.press(&keys::TAB.to_string());
    page.find("rowheader", "Lantern");
}
