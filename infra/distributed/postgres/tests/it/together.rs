//! Two instances over one database at the same time.

use std::sync::Arc;

use souk_conformance::{Dice, Logged, fold_log, make, within};
use souk_domain::ProductId;
use souk_ports::{Catalog, EventLog as _, ExecuteError, Outcome, ReadLimit};
use souk_postgres::Postgres;
use uuid::Uuid;

use crate::database::Database;
use crate::outbox_log::OutboxLog;

struct Two {
    catalogs: [Arc<dyn Catalog>; 2],
    postgres: [Postgres; 2],
    _database: Database,
}

impl Two {
    async fn open() -> Self {
        let database = Database::create().await;
        let postgres = [database.connect(40_001).await, database.connect(40_002).await];
        let catalogs = [postgres[0].catalog(), postgres[1].catalog()];
        Self { catalogs, postgres, _database: database }
    }
}

/// Every event of the outbox, in the order of a product's events.
pub async fn logged(postgres: &Postgres) -> Vec<Logged> {
    let log = OutboxLog::over(postgres).await;
    let limit = ReadLimit { records: 1_000_000, bytes: usize::MAX };
    let records = log.read(0, 0, limit).await.unwrap();
    records
        .into_iter()
        .map(|record| Logged { event: souk_events::decode(&record.payload).unwrap(), record })
        .collect()
}

pub fn fresh() -> ProductId {
    ProductId(Uuid::now_v7())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_dense_across_instances() {
    let two = Two::open().await;
    let ids: Vec<ProductId> = (0..3).map(|_| fresh()).collect();
    for id in &ids {
        two.catalogs[0].execute(make::unit([make::create(*id, "shared", 1_000)])).await.unwrap();
    }
    let mut writers = Vec::new();
    for writer in 0..16_usize {
        let (catalog, ids) = (two.catalogs[writer % 2].clone(), ids.clone());
        writers.push(tokio::spawn(async move {
            let mut dice = Dice::new(writer as u64);
            for n in 0..30 {
                let id = ids[dice.index(ids.len())];
                // Deletes and creates among them: versions go on over tombstones.
                let unit = match n % 10 {
                    8 => make::unit([make::delete(id)]),
                    9 => make::unit([make::create(id, "again", 1_000), make::adjust(id, -1)]),
                    _ => make::unit([make::adjust(id, -1), make::adjust(ids[0], -1)]),
                };
                match catalog.execute(unit).await {
                    Ok(Outcome::Applied(_)) | Err(ExecuteError::Rejected(_)) => {}
                    other => panic!("expected an effect or a refusal, got {other:?}"),
                }
            }
        }));
    }
    for writer in writers {
        within("a writer", writer).await.unwrap();
    }
    let folds = fold_log(&logged(&two.postgres[0]).await);
    for row in two.catalogs[1].scan(None, 100).await.unwrap() {
        assert_eq!((row.version.0, &row.product), (folds[&row.id].version, &folds[&row.id].product));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_a_sku_and_a_key_are_one_across_instances() {
    let two = Two::open().await;
    for round in 0..8_u8 {
        let id = fresh();
        let mut creators = Vec::new();
        for n in 0..12_usize {
            let catalog = two.catalogs[n % 2].clone();
            // By turns the same id, the same sku and the same key.
            let unit = match round % 3 {
                0 => make::unit([make::create(id, &format!("creator {n}"), 7)]),
                1 => make::unit([make::create_sku("seller1", fresh(), &format!("SKU-{round}"))]),
                _ => make::keyed([make::create(fresh(), "keyed", 7)], &format!("key-{round}"), round),
            };
            creators.push(tokio::spawn(async move { catalog.execute(unit).await }));
        }
        let (mut applied, mut answers) = (0, Vec::new());
        for creator in creators {
            match within("a creator's answer", creator).await.unwrap() {
                Ok(Outcome::Applied(done)) => {
                    applied += 1;
                    answers.push(make::answer(&done));
                }
                Ok(Outcome::Replayed(answer)) => answers.push(answer),
                Err(ExecuteError::Rejected(_)) => {}
                other => panic!("expected an effect, its answer or a refusal, got {other:?}"),
            }
        }
        assert_eq!(applied, 1, "round {round}");
        if round % 3 == 2 {
            assert_eq!(answers.len(), 12);
            assert!(answers.iter().all(|answer| *answer == answers[0]));
        }
    }
    let products = two.catalogs[0].scan(None, 100).await.unwrap();
    assert_eq!(products.len(), 8, "one product for each round");
    assert_eq!(logged(&two.postgres[1]).await.len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_the_outbox_is_known_to_the_relay() {
    let two = Two::open().await;
    let client = two.postgres[0].connection().await.unwrap();
    two.catalogs[1].execute(make::unit([make::create(fresh(), "lantern", 7)])).await.unwrap();
    // What may be truncated, as the relay asks.
    let sql = "SELECT NOT EXISTS (SELECT FROM souk.outbox_0 o, souk.outbox_readers r \
               WHERE NOT pg_visible_in_snapshot(o.xid, r.position::pg_snapshot)), (SELECT count(*) FROM souk.outbox_0)";
    souk_conformance::eventually("the search index to have read the leaf", || async {
        let row = client.query_one(sql, &[]).await.unwrap();
        (row.get::<_, bool>(0) && row.get::<_, i64>(1) == 1).then_some(())
    })
    .await;
    // The next leaf is written to once the relay has moved on.
    client.batch_execute("UPDATE souk.outbox_epoch SET epoch = epoch + 1").await.unwrap();
    souk_conformance::eventually("a write to the next leaf", || async {
        two.catalogs[1].execute(make::unit([make::create(fresh(), "lantern", 7)])).await.unwrap();
        let row = client.query_one("SELECT count(*) FROM souk.outbox_1", &[]).await.unwrap();
        (row.get::<_, i64>(0) > 0).then_some(())
    })
    .await;
}
