//! Damage to the catalog and to aggregates: each is named.

use souk_audit::Check;

use crate::installation::Standing;

/// Aggregates as the table names them: window and dimension are the lowest bits of a series.
const ALL_BY_TOTAL: &str = "series % 16 = 12";
const ALL_BY_SELLER: &str = "series % 16 = 13";
const ALL_BY_CATEGORY: &str = "series % 16 = 14";
const DAY_BY_PRODUCT: &str = "series % 16 = 11";

#[tokio::test]
async fn a_row_that_was_changed_differs_from_its_event() {
    for change in [
        "stock = stock + 1",
        "price = price + 1",
        "name = name || '!'",
        "seller_id = seller_id || 'x'",
        "sku = 'new'",
        "description = ''",
        "category = 'other'",
        "low_stock = 1 - low_stock",
        "low_stock_threshold = 77",
        "created_at = created_at - 1",
        "updated_at = updated_at + 1",
    ] {
        let standing = Standing::new();
        standing.sql(&format!("UPDATE products SET {change} WHERE seq = (SELECT min(seq) FROM products)"));
        let report = standing.assert_found(&[Check::Catalog], "of product").await;
        assert_eq!(report.differences_total, 1, "{change}: {report}");
    }
}

#[tokio::test]
async fn a_row_at_another_version_is_named() {
    for (change, times) in [("version = version + 1", 1), ("version = version - 1", 1)] {
        let standing = Standing::new();
        let changed = standing.sql(&format!(
            "UPDATE products SET {change} WHERE version > 1 AND seq = \
             (SELECT min(seq) FROM products WHERE version > 1)"
        ));
        assert_eq!(changed, times);
        standing.assert_found(&[Check::Catalog], "product").await;
    }
}

#[tokio::test]
async fn a_row_that_is_gone_is_missed() {
    let standing = Standing::new();
    standing.sql("DELETE FROM products WHERE seq = (SELECT min(seq) FROM products)");
    let report = standing.assert_found(&[Check::Catalog], "product").await;
    assert_eq!(report.differences_total, 1, "{report}");
}

#[tokio::test]
async fn a_row_that_no_event_made_is_named() {
    let standing = Standing::new();
    standing.sql(
        "INSERT INTO products SELECT seq + 100000, randomblob(16), seller_id, NULL, name, description, category, \
         price, stock, low_stock_threshold, low_stock, version, created_at, updated_at FROM products LIMIT 1",
    );
    let report = standing.assert_found(&[Check::Catalog], "product").await;
    assert_eq!(report.differences_total, 1, "{report}");
}

#[tokio::test]
async fn a_tombstone_that_is_gone_is_missed() {
    let standing = Standing::new();
    standing.sql("DELETE FROM tombstones WHERE id = (SELECT min(id) FROM tombstones)");
    let report = standing.assert_found(&[Check::Catalog], "product").await;
    assert_eq!(report.differences_total, 1, "{report}");
}

#[tokio::test]
async fn a_tombstone_of_another_version_is_named() {
    for change in ["version + 1", "version - 1"] {
        let standing = Standing::new();
        standing.sql(&format!(
            "UPDATE tombstones SET version = {change} WHERE id = (SELECT min(id) FROM tombstones)"
        ));
        standing.assert_found(&[Check::Catalog], "product").await;
    }
}

#[tokio::test]
async fn an_aggregate_that_counts_too_much_is_named() {
    let standing = Standing::new();
    // Any other item's figures will do, as long as they differ.
    standing.analytics_sql(&format!(
        "UPDATE items SET measures = (SELECT measures FROM items WHERE {ALL_BY_SELLER} LIMIT 1) \
         WHERE {ALL_BY_TOTAL}"
    ));
    let report = standing.assert_found(&[Check::Aggregates], "all by total of \"total\"").await;
    assert_eq!(report.differences_total, 1, "{report}");
    standing.analytics_sql(&format!(
        "UPDATE product_items SET measures = (SELECT measures FROM items WHERE {ALL_BY_TOTAL}) \
         WHERE {DAY_BY_PRODUCT} AND key = (SELECT min(key) FROM product_items)"
    ));
    standing.assert_found(&[Check::Aggregates], "day by product").await;
}

#[tokio::test]
async fn an_aggregate_that_is_gone_is_missed() {
    let standing = Standing::new();
    standing.analytics_sql(&format!("DELETE FROM items WHERE {ALL_BY_CATEGORY}"));
    standing.assert_found(&[Check::Aggregates], "all by category of \"general\"").await;
}

#[tokio::test]
async fn an_aggregate_that_says_it_counted_more_or_less_is_named() {
    for change in ["counted + 1", "counted - 1"] {
        let standing = Standing::new();
        standing.analytics_sql(&format!("UPDATE items SET counted = {change} WHERE {ALL_BY_TOTAL}"));
        standing.assert_found(&[Check::Aggregates], "all by total").await;
    }
}

#[tokio::test]
async fn an_aggregate_of_nothing_is_named() {
    let standing = Standing::new();
    standing.analytics_sql(&format!(
        "INSERT INTO items SELECT series, bucket, 'nobody', partition, counted, measures FROM items \
         WHERE {ALL_BY_SELLER} LIMIT 1"
    ));
    let report = standing.assert_found(&[Check::Aggregates], "\"nobody\"").await;
    assert_eq!(report.differences_total, 1, "{report}");
}
