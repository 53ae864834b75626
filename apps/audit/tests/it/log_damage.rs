//! Damage to the log: each is named.

use souk_audit::Check;

use crate::installation::Standing;

/// Types as the log's table has them.
const UPDATED: u8 = 1;
const WARNING: u8 = 3;

/// The first update in the log alone whose product is updated or deleted again later.
fn overtaken(standing: &Standing) -> i64 {
    standing.number(&format!(
        "SELECT min(a.\"offset\") FROM events a JOIN events b ON a.product_id = b.product_id \
         AND b.\"offset\" > a.\"offset\" AND b.type IN (1, 2) \
         WHERE a.type = {UPDATED} AND a.\"offset\" >= {}",
        standing.archive_end()
    ))
}

#[tokio::test]
async fn a_lost_event_is_a_hole_in_the_versions() {
    let standing = Standing::new();
    standing.sql(&format!("DELETE FROM events WHERE \"offset\" = {}", overtaken(&standing)));
    standing.assert_found(&[Check::Versions], "of product").await;
}

#[tokio::test]
async fn the_last_event_of_a_product_is_missed_by_its_row() {
    let standing = Standing::new();
    let last = standing.number("SELECT max(\"offset\") FROM events WHERE type IN (0, 1, 2)");
    standing.sql(&format!("DELETE FROM events WHERE \"offset\" >= {last}"));
    standing.assert_found(&[Check::Catalog], "product").await;
}

#[tokio::test]
async fn an_archived_event_that_the_log_lost_is_named() {
    let standing = Standing::new();
    let offset = standing.archive_end() - 10;
    standing.sql(&format!("DELETE FROM events WHERE \"offset\" = {offset}"));
    let report = standing.assert_found(&[Check::ArchiveLog], &format!("offset 0/{offset} of object")).await;
    assert_eq!(report.differences_total, 1, "the archive's copy stands in for it: {report}");
}

#[tokio::test]
async fn an_event_that_was_rewritten_differs_from_the_archive() {
    let standing = Standing::new();
    let offset = standing.archive_end() - 10;
    standing.sql(&format!(
        "UPDATE events SET payload = CAST(replace(CAST(payload AS TEXT), '\"stock\":', '\"stock\":1') AS BLOB) \
         WHERE \"offset\" = {offset}"
    ));
    standing.assert_found(&[Check::ArchiveLog], &format!("offset 0/{offset} ")).await;
}

#[tokio::test]
async fn an_event_that_was_rewritten_does_not_follow_from_the_state_before_it() {
    let standing = Standing::new();
    let offset = overtaken(&standing);
    standing.sql(&format!(
        "UPDATE events SET payload = CAST(replace(CAST(payload AS TEXT), '\"price\":10.5', '\"price\":9.5') AS BLOB) \
         WHERE \"offset\" = {offset}"
    ));
    standing.assert_found(&[Check::Changes], &format!("at 0/{offset}")).await;
}

#[tokio::test]
async fn a_payload_that_is_no_event_is_named() {
    let standing = Standing::new();
    let offset = overtaken(&standing);
    standing.sql(&format!("UPDATE events SET payload = X'7B7D' WHERE \"offset\" = {offset}"));
    standing.assert_found(&[Check::Events], &format!("offset 0/{offset}")).await;
}

#[tokio::test]
async fn an_event_twice_is_an_id_twice_and_a_version_twice() {
    let standing = Standing::new();
    let offset = standing.number("SELECT max(\"offset\") + 1 FROM events");
    standing.sql(&format!(
        "INSERT INTO events SELECT {offset}, seller_id, product_id, type, time, payload FROM events \
         WHERE \"offset\" = {}",
        overtaken(&standing)
    ));
    standing.assert_found(&[Check::Versions], &format!("at 0/{offset}")).await;
    standing.assert_found(&[Check::EventIds], "events whose id ends in").await;
}

#[tokio::test]
async fn a_crossing_that_nobody_told_is_missed() {
    let standing = Standing::new();
    let told = format!("type = {WARNING} AND \"offset\" >= {}", standing.archive_end());
    let offset = standing.number(&format!("SELECT min(\"offset\") FROM events WHERE {told}"));
    standing.sql(&format!("DELETE FROM events WHERE \"offset\" = {offset}"));
    let report = standing.assert_found(&[Check::Crossings], "product").await;
    assert_eq!(report.differences_total, 1, "{report}");
}

#[tokio::test]
async fn a_crossing_told_twice_is_one_too_many() {
    let standing = Standing::new();
    let offset = standing.number("SELECT max(\"offset\") + 1 FROM events");
    standing.sql(&format!(
        "INSERT INTO events SELECT {offset}, seller_id, product_id, type, time, payload FROM events \
         WHERE type = {WARNING} ORDER BY \"offset\" DESC LIMIT 1"
    ));
    standing.assert_found(&[Check::Crossings], &format!("at 0/{offset}")).await;
}

#[tokio::test]
async fn a_shared_id_is_found_though_all_else_fits() {
    let standing = Standing::new();
    let offset = overtaken(&standing);
    // The id is the second attribute: 36 characters from the 29th on.
    standing.sql(&format!(
        "UPDATE events SET payload = CAST(substr(CAST(payload AS TEXT), 1, 27) || \
         (SELECT substr(CAST(payload AS TEXT), 28, 36) FROM events WHERE \"offset\" = 1) || \
         substr(CAST(payload AS TEXT), 64) AS BLOB) WHERE \"offset\" = {offset}"
    ));
    let report = standing.assert_found(&[Check::EventIds], "events whose id ends in").await;
    assert_eq!(report.differences_total, 1, "{report}");
}

#[tokio::test]
async fn a_log_that_begins_after_the_archive_ends_has_a_gap() {
    let standing = Standing::new();
    standing.sql(&format!("DELETE FROM events WHERE \"offset\" < {}", standing.archive_end() + 5));
    standing.assert_found(&[Check::ArchiveChain], "partition 0").await;
}
