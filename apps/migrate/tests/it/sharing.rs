//! Codes that several rows of a seller have: nobody steals them from anybody, in a copy and while both systems run.

use crate::bed::Bed;

const SHOP: &str = "CREATE TABLE products (id INT PRIMARY KEY, seller TEXT, name TEXT, price INT, stock INT, sku TEXT); \
     INSERT INTO products SELECT n, 'a', 'p' || n, 1, 9, 'S' || n FROM generate_series(1, 20) AS n";

async fn sku_of(bed: &Bed, name: &str) -> Option<String> {
    let products = bed.products().await;
    let product = products.values().find(|product| product.name.as_str() == name);
    Some(product?.sku.as_ref()?.as_str().to_owned())
}

/// Sellers may be written in several ways, and one after they were mended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sellers_that_are_mended_to_one_share_their_codes() {
    let bed = Bed::new(SHOP).await;
    bed.run(
        "UPDATE products SET sku = 'T', seller = ' a' WHERE id IN (1); UPDATE products SET sku = 'T' WHERE id = 2; \
         UPDATE products SET sku = 'U', seller = NULL WHERE id = 3; UPDATE products SET sku = 'U', seller = '' WHERE id = 4; \
         UPDATE products SET sku = 'V', seller = 'a b' WHERE id = 5; UPDATE products SET sku = 'V', seller = 'ab' WHERE id = 6; \
         UPDATE products SET sku = 'V', seller = 'c' WHERE id = 7",
    )
    .await;
    let mends = "\"sellerId.missing\" = \"fix\"\n\"sellerId.alphabet\" = \"fix\"\n";
    let plan = bed.plan(&bed.mapping(mends).await).await.unwrap();
    assert_eq!((plan.stop, plan.faults["sku.shared"].rows), (4, 4), "{plan}");
    let mapping = bed.mapping(&format!("{mends}\"sku.shared\" = \"fix\"")).await;
    let copied = bed.copy(&mapping).await.unwrap();
    assert!(copied.comparison.ok, "{}", copied.comparison);
    for (name, sku) in
        [("p1", None), ("p2", None), ("p3", None), ("p4", None), ("p5", Some("V")), ("p6", Some("V"))]
    {
        assert_eq!(sku_of(&bed, name).await.as_deref(), sku, "{name}");
    }
}

/// A row that gets a code which another one has is named, and takes it from nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_becomes_shared_stays_where_it_is_until_somebody_decides() {
    let bed = Bed::new(SHOP).await;
    let mapping = bed.mapping("").await;
    let work = async {
        bed.settled(&mapping).await;
        let before = bed.events().await.len();
        bed.run("UPDATE products SET sku = 'S1' WHERE id = 2").await;
        bed.run("INSERT INTO products VALUES (21, 'a', 'p21', 1, 9, 'S1'); UPDATE products SET stock = 3 WHERE id = 3").await;
        bed.run("UPDATE products SET name = 'after' WHERE id = 4").await;
        bed.named("after", true).await;
        bed.run("UPDATE products SET name = 'after that' WHERE id = 4").await;
        bed.named("after that", true).await;
        before
    };
    let (before, following) = bed.follow_while(&mapping, work).await;
    let refused = following.unwrap().pace.refused;
    let why = refused.get("2").map(String::as_str);
    assert_eq!((why, refused.contains_key("21")), (Some("sku.shared (S1)"), true), "{refused:?}");
    assert_eq!(
        (sku_of(&bed, "p1").await.as_deref(), sku_of(&bed, "p2").await.as_deref()),
        (Some("S1"), Some("S2"))
    );
    let events = bed.events().await.len() - before;
    assert!(events <= 4, "{events} events of three changes: codes went to and fro");
    let work = async {
        bed.run("UPDATE products SET sku = 'S' || id WHERE id IN (2, 21)").await;
        bed.settled(&mapping).await;
        bed.recorded(|pace| !pace.refused.contains_key("2")).await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
    assert_eq!(sku_of(&bed, "p21").await.as_deref(), Some("S21"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_become_shared_change_hands_and_become_unique_again() {
    let bed = Bed::new(SHOP).await;
    let mapping = bed.mapping("\"sku.shared\" = \"fix\"").await;
    let work = async {
        bed.settled(&mapping).await;
        bed.run("UPDATE products SET sku = 'S1' WHERE id = 2").await;
        bed.settled(&mapping).await;
        assert_eq!((sku_of(&bed, "p1").await, sku_of(&bed, "p2").await), (None, None), "as in a copy");
        bed.run("UPDATE products SET sku = 'S' || 13 - id WHERE id IN (5, 6, 7, 8)").await;
        bed.run("UPDATE products SET sku = 'S10' WHERE id = 9; UPDATE products SET sku = 'S9' WHERE id = 10")
            .await;
        bed.settled(&mapping).await;
        assert_eq!(sku_of(&bed, "p5").await.as_deref(), Some("S8"));
        assert_eq!(sku_of(&bed, "p10").await.as_deref(), Some("S9"));
        // The one that is left gets it back.
        bed.run("UPDATE products SET sku = 'S2' WHERE id = 2").await;
        bed.settled(&mapping).await;
        assert_eq!(sku_of(&bed, "p1").await.as_deref(), Some("S1"));
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
}
