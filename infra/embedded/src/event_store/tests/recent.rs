//! Recent events against a plain filter over everything.

use bytes::Bytes;
use proptest::prelude::*;
use rusqlite::params;
use souk_domain::{EventType, ProductId, SellerId};
use souk_ports::ErrorKind;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

/// A log's file with these events as (offset, seller, product, type, time).
pub(super) fn write_log(dir: &TempDir, events: &[(i64, u8, u8, u8, i64)]) {
    let schema =
        crate::sqlite::Schema { name: "souk.db", scripts: &[include_str!("../../schema/souk_1.sql")] };
    let connection =
        crate::sqlite::open_writer(&dir.path().join("souk.db"), &schema, crate::sqlite::Durability::Normal)
            .unwrap();
    for (offset, seller, product, event_type, time) in events {
        let id = Uuid::from_u128(u128::from(*product));
        connection
            .execute(
                "INSERT INTO events (\"offset\", seller_id, product_id, type, time, payload)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    offset,
                    format!("s{seller}"),
                    id.as_bytes(),
                    event_type,
                    time,
                    offset.to_string().as_bytes()
                ],
            )
            .unwrap();
    }
}

async fn recent_offsets(store: &EmbeddedEventStore, query: &RecentQuery) -> Vec<i64> {
    let (mut query, mut found) = (query.clone(), Vec::new());
    loop {
        let page = store.recent(&query).await.unwrap();
        assert!(page.items.len() <= query.limit);
        found.extend(
            page.items.iter().map(|b: &Bytes| std::str::from_utf8(b).unwrap().parse::<i64>().unwrap()),
        );
        let Some(next) = page.next else { return found };
        assert!(next.bytes().all(|b| b.is_ascii_alphanumeric()));
        query.cursor = Some(next);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn recent_events_are_those_that_match_newest_first(
        // Gaps that stay within a block of an index, and such that skip one.
        rows in proptest::collection::vec((prop_oneof![5 => 1_i64..4, 1 => 3_000_i64..20_000], 0_u8..3, 0_u8..4, 0_u8..5, 0_i64..3), 0..80),
        queries in proptest::collection::vec((0_u8..5, 0_u8..6, 0_u8..9, 0_i64..100, 0_i64..200, 1_usize..20), 12),
    ) {
        let (mut offset, mut time, mut events) = (0, 0, Vec::new());
        for (gap, seller, product, event_type, pause) in rows {
            offset += gap;
            time += pause;
            events.push((offset, seller, product, event_type, time));
        }
        run(async {
            let fixture = Fixture::new();
            write_log(&fixture.dir, &events);
            for (seller, product, event_type, from, to, limit) in queries {
                // Values beyond what is there stand for no filter.
                let query = RecentQuery {
                    seller_id: (seller < 3).then(|| SellerId::new(format!("s{seller}")).unwrap()),
                    product_id: (product < 4).then(|| ProductId(Uuid::from_u128(product.into()))),
                    event_type: EventType::ALL.get(usize::from(event_type)).copied(),
                    from: (from % 2 == 0).then(|| Timestamp::from_millis(from)),
                    to: (to % 2 == 0).then(|| Timestamp::from_millis(to)),
                    limit,
                    cursor: None,
                };
                let expected: Vec<i64> = events.iter().rev()
                    .filter(|e| query.seller_id.is_none() || e.1 == seller)
                    .filter(|e| query.product_id.is_none() || e.2 == product)
                    .filter(|e| query.event_type.is_none() || e.3 == event_type)
                    .filter(|e| query.from.is_none_or(|from| e.4 >= from.millis()))
                    .filter(|e| query.to.is_none_or(|to| e.4 < to.millis()))
                    .map(|e| e.0).collect();
                assert_eq!(recent_offsets(&fixture.store, &query).await, expected, "{query:?}");
            }
        });
    }
}

#[test]
fn recent_events_end_at_the_retention() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let now = NOW.millis();
        write_log(&dir, &[(1, 0, 0, 0, now - 61_000), (2, 0, 0, 0, now - 60_000), (3, 0, 0, 0, now)]);
        let db = AnalyticsDb::open(&dir.path().join("analytics.db"), None).unwrap();
        let store = EmbeddedEventStore::new(
            db,
            &dir.path().join("souk.db"),
            Arc::new(Frozen),
            Duration::from_secs(60),
        );
        let query = RecentQuery { limit: 10, ..RecentQuery::default() };
        assert_eq!(recent_offsets(&store, &query).await, [3, 2]);
        let early = RecentQuery { from: Some(Timestamp::MIN), ..query.clone() };
        assert_eq!(recent_offsets(&store, &early).await, [3, 2]);
        for cursor in ["", "r", "x2", "r-1", "r99999999999999999999"] {
            let made_up = RecentQuery { cursor: Some(cursor.to_owned()), ..query.clone() };
            assert_eq!(store.recent(&made_up).await.unwrap_err().kind(), ErrorKind::InvalidData, "{cursor}");
        }
    });
}
