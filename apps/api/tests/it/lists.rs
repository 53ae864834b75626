//! Lists: filters, orders, pages, search.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Shop;

fn names(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

/// Follows `Link` to the end.
async fn all_pages(shop: &Shop, path: &str) -> Vec<Value> {
    let (mut path, mut items) = (path.to_owned(), Vec::new());
    loop {
        let answer = shop.get(&path).await.expect(200);
        items.extend(answer.body["items"].as_array().unwrap().iter().cloned());
        let link = answer.header("link");
        if link.is_empty() {
            assert_eq!(answer.body["nextCursor"], Value::Null);
            return items;
        }
        path =
            link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\"")).unwrap().to_owned();
        assert!(path.ends_with(&format!("cursor={}", answer.body["nextCursor"].as_str().unwrap())), "{path}");
    }
}

#[tokio::test]
async fn pages_hold_everything_once_in_every_order() {
    let shop = Shop::open();
    // Names and stocks with many ties, times too.
    for n in 0_i64..23 {
        if n % 3 == 0 {
            shop.clock.advance(1);
        }
        shop.create(json!({"name": format!("n{}", n * 7 % 5), "stock": n * 5 % 4})).await;
    }
    for (sort, field) in [("createdAt", "createdAt"), ("name", "name"), ("stock", "stock")] {
        let key = |item: &Value| match &item[field] {
            Value::Number(number) => format!("{:020}", number.as_i64().unwrap()),
            text => text.as_str().unwrap().to_owned(),
        };
        let whole = all_pages(&shop, &format!("/products?sort={sort}&limit=500")).await;
        assert_eq!(whole.len(), 23);
        assert!(whole.iter().map(key).is_sorted(), "{sort}");
        for limit in [1, 4, 22, 23, 24] {
            assert_eq!(
                all_pages(&shop, &format!("/products?sort={sort}&limit={limit}")).await,
                whole,
                "{sort} {limit}"
            );
            let mut down = all_pages(&shop, &format!("/products?sort=-{sort}&limit={limit}")).await;
            down.reverse();
            assert!(down.iter().map(key).is_sorted(), "-{sort}");
            assert_eq!(down.len(), 23);
            let ids = |items: &[Value]| {
                let mut ids: Vec<_> = items.iter().map(|item| item["id"].to_string()).collect();
                ids.sort_unstable();
                ids
            };
            assert_eq!(ids(&down), ids(&whole), "-{sort} {limit}");
        }
    }
}

#[tokio::test]
async fn newest_first_when_not_told_otherwise() {
    let shop = Shop::open();
    for name in ["a", "c", "b"] {
        shop.create(json!({"name": name})).await;
        shop.clock.advance(1);
    }
    let page = shop.get("/products").await.expect(200);
    assert_eq!(names(&page.body), ["b", "c", "a"]);
    assert!(page.text.ends_with(r#","nextCursor":null}"#), "{}", page.text);
}

#[tokio::test]
async fn filters_narrow_and_are_kept_across_pages() {
    let shop = Shop::open();
    for n in 0..6 {
        let seller = if n % 2 == 0 { "even" } else { "odd" };
        let fields = json!({"name": format!("n{n}"), "sellerId": seller, "sku": format!("S{n}"), "stock": n,
            "category": if n < 3 { "tea & cake" } else { "general" }});
        shop.create(fields).await;
    }
    for (query, expected) in [
        ("sellerId=even", "n0 n2 n4"),
        ("category=tea+%26%20cake", "n0 n1 n2"),
        ("sku=S3", "n3"),
        ("sellerId=odd&lowStock=true", "n1 n3"),
        ("lowStock=false", "n5"),
        ("sellerId=even&category=tea%20%26%20cake&lowStock=true&sku=S2", "n2"),
        ("sellerId=nobody", ""),
    ] {
        for limit in [1, 50] {
            let items = all_pages(&shop, &format!("/products?{query}&sort=name&limit={limit}")).await;
            let found: Vec<_> = items.iter().map(|item| item["name"].as_str().unwrap()).collect();
            assert_eq!(found.join(" "), expected, "{query}");
        }
    }
}

/// Asks until the search index, which trails, has what is expected.
async fn eventually_found(shop: &Shop, query: &str, expected: &[&str]) {
    loop {
        let page = shop.get(&format!("/products?q={query}&sort=name")).await.expect(200);
        if names(&page.body) == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn search_finds_every_word_as_a_prefix_in_name_or_sku() {
    let shop = Shop::open();
    let hot = shop.create(json!({"name": "KNITTED Union Flag Hot Water Bottle", "sku": "84029G"})).await.id();
    shop.create(json!({"name": "Red Woolly Hottie", "sku": "84029E"})).await;
    shop.create(json!({"name": "Été", "sku": "X"})).await;
    eventually_found(&shop, "hot", &["KNITTED Union Flag Hot Water Bottle", "Red Woolly Hottie"]).await;
    eventually_found(&shop, "BOTTLE+uni", &["KNITTED Union Flag Hot Water Bottle"]).await;
    eventually_found(&shop, "84029e", &["Red Woolly Hottie"]).await;
    eventually_found(&shop, "%C3%89T%C3%89", &["Été"]).await;
    eventually_found(&shop, "hot+nothing", &[]).await;
    shop.call("PATCH", &format!("/products/{hot}"), &[], r#"{"name":"Cold"}"#).await.expect(200);
    eventually_found(&shop, "hot", &["Red Woolly Hottie"]).await;
    eventually_found(&shop, "cold", &["Cold"]).await;
    // Without a word, everything is meant.
    eventually_found(&shop, "-", &["Cold", "Red Woolly Hottie", "Été"]).await;
}

#[tokio::test]
async fn bad_parameters_and_cursors_are_malformed() {
    let shop = Shop::open();
    for n in 0..3 {
        shop.create(json!({"name": format!("n{n}")})).await;
    }
    for query in [
        "limit=0",
        "limit=501",
        "limit=x",
        "sort=price",
        "sort=",
        "lowStock=maybe",
        "sellerId=a%20b",
        "category=",
        "cursor=made-up",
        "cursor=",
        "limit=1&limit=2",
        "q=%ff",
        "offset=10",
    ] {
        let answer = shop.get(&format!("/products?{query}")).await;
        answer.expect_problem(400, "malformed-request");
    }
    // A cursor belongs to the order that gave it out.
    let by_name = shop.get("/products?sort=name&limit=1").await.expect(200);
    let cursor = by_name.body["nextCursor"].as_str().unwrap();
    shop.get(&format!("/products?sort=stock&limit=1&cursor={cursor}"))
        .await
        .expect_problem(400, "malformed-request");
    shop.get(&format!("/products?sort=name&limit=1&cursor={cursor}")).await.expect(200);
}
