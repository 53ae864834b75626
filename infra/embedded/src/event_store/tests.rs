mod recent;

use std::collections::BTreeMap;

use proptest::prelude::*;
use rusqlite::Connection;
use souk_domain::{Amount, ProductId};
use souk_ports::{AggregateKey, Dimension, ErrorKind, Measures, Offset, Window};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

const LOG: LogId = LogId(u64::MAX - 7);
const NOW: Timestamp = Timestamp::MAX;

struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        NOW
    }
}

struct Fixture {
    dir: TempDir,
    store: EmbeddedEventStore,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        Self { dir, store }
    }

    fn reopen(self) -> Self {
        drop(self.store);
        let store = open(&self.dir);
        Self { dir: self.dir, store }
    }

    fn connection(&self) -> Connection {
        Connection::open(self.dir.path().join("analytics.db")).unwrap()
    }
}

fn open(dir: &TempDir) -> EmbeddedEventStore {
    let db = AnalyticsDb::open(&dir.path().join("analytics.db"), None).unwrap();
    EmbeddedEventStore::new(db, &dir.path().join("souk.db"), Arc::new(Frozen), Duration::MAX)
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn item(window: Window, by: Dimension, bucket: i64, key: &str) -> AggregateKey {
    let bucket = (window != Window::All).then(|| Timestamp::from_millis(bucket));
    AggregateKey { window, by, bucket, key: Arc::from(key) }
}

fn delta(key: AggregateKey, first: Offset, last: Offset, amount: i64) -> ItemDelta {
    let measures = Measures {
        events: [1, 0, 0, 0, 0],
        revenue: Amount::from_units(i128::from(amount)),
        stock_delta: -amount,
        ..Measures::default()
    };
    ItemDelta { key, first, last, measures }
}

fn product(n: u128) -> String {
    ProductId(Uuid::from_u128(n)).to_string()
}

fn query(window: Window, by: Dimension) -> AggregateQuery {
    AggregateQuery { window, by, key: None, from: None, to: None, limit: 100, after: None }
}

/// Returns every item of the query as (bucket, key, revenue), read in pages of `limit`.
async fn pages(store: &EmbeddedEventStore, query: &AggregateQuery, limit: usize) -> Vec<(i64, String, i128)> {
    let (mut query, mut found) = (AggregateQuery { limit, ..query.clone() }, Vec::new());
    loop {
        let page = store.aggregates(LOG, &query).await.unwrap();
        assert!(page.items.len() <= limit);
        for item in &page.items {
            let bucket = item.key.bucket.map_or(0, Timestamp::millis);
            found.push((bucket, item.key.key.to_string(), item.measures.revenue.units()));
        }
        if !page.more {
            return found;
        }
        query.after = page.items.last().map(|item| (item.key.bucket, item.key.key.clone()));
    }
}

#[test]
fn an_item_counts_an_offset_once() {
    run(async {
        let fixture = Fixture::new();
        let key = item(Window::All, Dimension::Total, 0, "total");
        let first = [delta(key.clone(), 0, 4, 10)];
        assert_eq!(fixture.store.add(LOG, 0, &first).await.unwrap(), []);
        assert_eq!(fixture.store.add(LOG, 0, &first).await.unwrap(), [RefusedItem { index: 0, counted: 4 }]);
        // Another partition, another log: other items.
        assert_eq!(fixture.store.add(LOG, 1, &first).await.unwrap(), []);
        assert_eq!(fixture.store.add(LogId(1), 0, &first).await.unwrap(), []);
        assert_eq!(fixture.store.add(LOG, 0, &[delta(key, 5, 5, 1)]).await.unwrap(), []);
        let fixture = fixture.reopen();
        let total = fixture.store.aggregates(LOG, &query(Window::All, Dimension::Total)).await.unwrap();
        assert_eq!(total.items[0].measures.revenue, Amount::from_units(21));
        assert_eq!(total.items[0].measures.events, [3, 0, 0, 0, 0]);
        let rows = fixture.store.scan_items(LOG, None, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| (row.partition, row.counted)).collect::<Vec<_>>(), [(0, 5), (1, 4)]);
    });
}

#[test]
fn pages_are_in_the_order_of_bucket_and_key_and_complete() {
    run(async {
        let fixture = Fixture::new();
        let mut deltas = Vec::new();
        for bucket in [-86_400_000, 0, 86_400_000] {
            for n in 0..5_u8 {
                deltas.push(delta(item(Window::Day, Dimension::Seller, bucket, &format!("s{n}")), 0, 0, 1));
                let id = product(u128::from(n) << 100);
                deltas.push(delta(item(Window::Day, Dimension::Product, bucket, &id), 0, 0, 1));
            }
        }
        deltas.push(delta(item(Window::Day, Dimension::Product, 86_400_000, &product(9)), 0, 0, 1));
        fixture.store.add(LOG, 0, &deltas).await.unwrap();
        fixture.store.add(LOG, 1, &deltas).await.unwrap();
        for by in [Dimension::Seller, Dimension::Product] {
            let mut expected: Vec<_> = deltas
                .iter()
                .filter(|d| d.key.by == by)
                .map(|d| (d.key.bucket.map_or(0, Timestamp::millis), d.key.key.to_string(), 2))
                .collect();
            expected.sort();
            for limit in [1, 2, 3, 100] {
                assert_eq!(pages(&fixture.store, &query(Window::Day, by), limit).await, expected);
                for key in [expected[1].1.clone(), "nobody".to_owned()] {
                    let one = AggregateQuery { key: Some(Arc::from(&*key)), ..query(Window::Day, by) };
                    let expected: Vec<_> = expected.iter().filter(|(_, k, _)| *k == key).cloned().collect();
                    assert_eq!(pages(&fixture.store, &one, limit).await, expected);
                    let tail = AggregateQuery { from: Some(Timestamp::from_millis(1)), ..one };
                    assert_eq!(pages(&fixture.store, &tail, limit).await, expected[expected.len().min(2)..]);
                }
                let range = AggregateQuery {
                    from: Some(Timestamp::from_millis(0)),
                    to: Some(Timestamp::from_millis(86_400_000)),
                    ..query(Window::Day, by)
                };
                let middle: Vec<_> = expected.iter().filter(|(bucket, ..)| *bucket == 0).cloned().collect();
                assert_eq!(pages(&fixture.store, &range, limit).await, middle);
            }
        }
        let (mut scanned, mut after) = (Vec::new(), None);
        loop {
            let rows = fixture.store.scan_items(LOG, after.as_ref(), 7).await.unwrap();
            let Some(last) = rows.last() else { break };
            after = Some(last.clone());
            scanned.extend(rows);
        }
        let keys: std::collections::HashSet<_> =
            scanned.iter().map(|row| (row.key.clone(), row.partition)).collect();
        assert_eq!((scanned.len(), keys.len()), (deltas.len() * 2, deltas.len() * 2));
    });
}

#[test]
fn no_query_scans_or_sorts() {
    run(async {
        let fixture = Fixture::new();
        fixture.store.add(LOG, 0, &[]).await.unwrap();
        let connection = fixture.connection();
        for (sql, parameters) in [
            (
                "SELECT bucket, key, measures FROM items WHERE series = ?1 AND (bucket, key) > (?2, ?3) AND bucket < ?4 ORDER BY bucket, key, partition",
                4,
            ),
            (
                "SELECT bucket, key, measures FROM items INDEXED BY items_by_key WHERE series = ?1 AND key = ?2 AND bucket >= ?3 AND bucket < ?4 ORDER BY bucket, partition",
                4,
            ),
            (
                "SELECT bucket FROM product_items WHERE series = ?1 AND bucket >= ?2 AND bucket < ?3 ORDER BY bucket LIMIT 1",
                3,
            ),
            (
                "SELECT measures FROM product_items WHERE (series, bucket, key, partition) > (?1, ?2, ?3, ?4) AND series < ?5 ORDER BY series, bucket, key, partition LIMIT ?6",
                6,
            ),
        ] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let values = rusqlite::params_from_iter(std::iter::repeat_n(0, parameters));
            let plan: Vec<String> =
                statement.query_map(values, |row| row.get(3)).unwrap().map(Result::unwrap).collect();
            assert!(plan.len() == 1 && plan[0].starts_with("SEARCH"), "{sql}: {plan:?}");
        }
        recent::write_log(&fixture.dir, &[]);
        let log = Connection::open(fixture.dir.path().join("souk.db")).unwrap();
        for column in ["seller_id", "product_id", "type"] {
            let sql = super::recent::filter_sql(column);
            let mut statement = log.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let values = rusqlite::params_from_iter(std::iter::repeat_n(0, statement.parameter_count()));
            let plan: String = statement.query_row(values, |row| row.get(3)).unwrap();
            let block = if column == "type" { "" } else { "<expr>=? AND " };
            assert!(
                plan.contains("COVERING INDEX") && plan.contains(&format!("({block}{column}=? AND rowid>?")),
                "{plan}"
            );
        }
    });
}

#[test]
fn positions_survive_and_belong_to_log_and_group() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("analytics.db");
        let db = AnalyticsDb::open(&path, None).unwrap();
        assert_eq!(db.positions(LOG, "a").await.unwrap(), []);
        db.commit_position(LOG, "a", 0, 7).await.unwrap();
        db.commit_position(LOG, "a", 0, 9).await.unwrap();
        db.commit_position(LOG, "b", 1, 3).await.unwrap();
        db.commit_position(LogId(2), "a", 0, 1).await.unwrap();
        drop(db);
        let db = AnalyticsDb::open_read_only(&path).unwrap();
        assert_eq!(db.positions(LOG, "a").await.unwrap(), [(0, 9)]);
        assert_eq!(db.all_positions(LOG).await.unwrap(), [("a".to_owned(), 0, 9), ("b".to_owned(), 1, 3)]);
        let refused = db.commit_position(LOG, "a", 0, 10).await.unwrap_err();
        assert!(refused.to_string().contains("reading only"), "{refused}");
    });
}

#[test]
fn refuses_a_file_of_a_newer_version() {
    let fixture = Fixture::new();
    fixture.connection().pragma_update(None, "user_version", 99).unwrap();
    let path = fixture.dir.path().join("analytics.db");
    assert!(matches!(AnalyticsDb::open(&path, None), Err(crate::OpenError::Newer { version: 99, .. })));
    assert!(matches!(AnalyticsDb::open_read_only(&path), Err(crate::OpenError::Newer { version: 99, .. })));
}

#[test]
fn a_full_file_is_unavailable_and_recovers() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let db = AnalyticsDb::open(&dir.path().join("analytics.db"), Some(64 << 10)).unwrap();
        let store = EmbeddedEventStore::new(db, &dir.path().join("souk.db"), Arc::new(Frozen), Duration::MAX);
        let deltas = |from: u64| -> Vec<_> {
            (from..from + 2000)
                .map(|n| delta(item(Window::All, Dimension::Product, 0, &product(n.into())), n, n, 1))
                .collect()
        };
        let error = store.add(LOG, 0, &deltas(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(store.health().await.unwrap().problem.is_some_and(|p| p.contains("full")));
        assert_eq!(store.scan_items(LOG, None, 1).await.unwrap(), []);
        assert_eq!(store.add(LOG, 0, &deltas(0)[..10]).await.unwrap(), []);
        assert_eq!(store.health().await.unwrap().problem, None);
    });
}

/// Folds events as analytics does: each event counts in the items that its bits name.
fn fold(events: &[(Offset, u8)], guards: &BTreeMap<AggregateKey, Offset>, only: bool) -> Vec<ItemDelta> {
    let mut deltas: BTreeMap<AggregateKey, ItemDelta> = BTreeMap::new();
    for (offset, bits) in events {
        for bit in (0..8).filter(|bit| bits & (1 << bit) != 0) {
            let by = if bit < 4 { Dimension::Seller } else { Dimension::Product };
            let name = if bit < 4 { format!("s{bit}") } else { product(bit) };
            let key = item(Window::All, by, 0, &name);
            if only && guards.get(&key).is_none_or(|counted| offset <= counted) {
                continue;
            }
            let entry = deltas.entry(key.clone()).or_insert_with(|| delta(key, *offset, *offset, 0));
            let one = delta(entry.key.clone(), *offset, *offset, i64::try_from(*offset).unwrap() + 1);
            entry.measures =
                if entry.measures.revenue == Amount::ZERO { Measures::default() } else { entry.measures };
            entry.measures.merge(&one.measures);
            entry.last = *offset;
        }
    }
    deltas.into_values().collect()
}

async fn add_batch(store: &EmbeddedEventStore, events: &[(Offset, u8)]) {
    let deltas = fold(events, &BTreeMap::new(), false);
    let refused = store.add(LOG, 0, &deltas).await.unwrap();
    let guards = refused.iter().map(|r| (deltas[r.index].key.clone(), r.counted)).collect();
    assert_eq!(store.add(LOG, 0, &fold(events, &guards, true)).await.unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_replay_and_any_cut_counts_each_offset_once(
        bits in proptest::collection::vec(any::<u8>(), 1..60),
        cuts in proptest::collection::vec((0_usize..60, 1_usize..30), 1..12),
    ) {
        run(async {
            let events: Vec<(Offset, u8)> = bits.iter().enumerate().map(|(n, b)| (n as u64 * 3, *b)).collect();
            let (once, many) = (Fixture::new(), Fixture::new());
            add_batch(&once.store, &events).await;
            // Batches begin anywhere up to where the ones before ended, as after a crash or a rebalance.
            let mut done = 0;
            for (start, length) in cuts {
                let start = start.min(done);
                let end = (start + length).min(events.len());
                add_batch(&many.store, &events[start..end]).await;
                done = done.max(end);
            }
            add_batch(&many.store, &events[done..]).await;
            let expected = once.store.scan_items(LOG, None, 1000).await.unwrap();
            assert_eq!(many.store.scan_items(LOG, None, 1000).await.unwrap(), expected);
        });
    }
}
