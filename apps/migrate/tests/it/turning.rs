//! Cut-over, the way back, and rollback: nothing is lost in either direction, and nobody writes on both sides.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use souk_domain::{
    Category, Command, Name, NewProduct, Patch, Precondition, Price, ProductId, Replacement, SellerId, Sku,
    Stock,
};
use souk_migrate::{Direction, Judgement, MigrateError, Turn, cut_over, finish};
use souk_ports::{ExecuteError, Keeper, UnitOfWork, WayBack as _};
use uuid::Uuid;

use crate::bed::{Bed, TURN};

pub fn unit(command: Command) -> UnitOfWork {
    UnitOfWork { commands: vec![command], idempotency: None }
}

pub fn set_stock(id: ProductId, pieces: i64) -> Command {
    let patch = Patch { stock: Some(Stock::new(pieces).unwrap()), ..Patch::default() };
    Command::Patch { id, precondition: Precondition::None, patch, asserted: souk_domain::Asserted::default() }
}

pub fn create(id: ProductId, name: &str) -> Command {
    Command::Create(NewProduct {
        id,
        seller_id: SellerId::new("seller1").unwrap(),
        fields: Replacement {
            sku: None,
            name: Name::new(name).unwrap(),
            description: None,
            category: Category::new("new").unwrap(),
            price: Price::from_units(123_400).unwrap(),
            stock: Stock::new(40).unwrap(),
            low_stock_threshold: None,
        },
    })
}

pub async fn id_of(bed: &Bed, name: &str) -> ProductId {
    ProductId(bed.one::<Uuid>(&format!("SELECT id FROM products WHERE name = '{name}'")).await)
}

/// What the shop's old code says of a product's stock; `None`: there is none.
async fn old_stocks(bed: &Bed) -> BTreeMap<Uuid, i32> {
    let rows = bed.sql.query("SELECT id, quantity FROM products", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

pub async fn is_refused_by_the_fence(bed: &Bed) {
    for statement in [
        "UPDATE products SET quantity = 1 WHERE name = 'nobody'",
        "DELETE FROM products",
        "INSERT INTO products SELECT * FROM products LIMIT 0",
        "TRUNCATE products",
    ] {
        let error = bed.sql.batch_execute(statement).await.unwrap_err();
        let text = error.as_db_error().unwrap().message();
        assert!(text.contains("souk keeps the products now"), "{statement}: {text}");
    }
}

/// Whoever lost the record of a cut-over must not open the old side, which may be behind, nor shut souk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_over_that_the_record_does_not_know_is_not_turned_round() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    bed.copy(&mapping).await.unwrap();
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
    let known = bed.folder.record().unwrap();
    let id = id_of(&bed, "Product 7").await;
    bed.folder.keep(&souk_migrate::Record::default()).unwrap();
    let refusals = [
        bed.roll_back(&mapping).await.map(drop),
        bed.cut_over(&mapping).await.map(drop),
        bed.follow_while(&mapping, async {}).await.1.map(drop),
    ];
    for refusal in refusals {
        let Err(MigrateError::Usage(text)) = refusal else { panic!("not refused: {refusal:?}") };
        assert!(text.contains("--state"), "{text}");
    }
    is_refused_by_the_fence(&bed).await;
    // souk is open as before, and its own record leads back.
    bed.deps.catalog.execute(unit(set_stock(id, 500))).await.unwrap();
    bed.folder.keep(&known).unwrap();
    assert!(bed.roll_back(&mapping).await.unwrap().ok);
    assert_eq!(old_stocks(&bed).await[&id.0], 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_and_back_and_over_and_back_with_a_ledger() {
    let bed = Bed::monolith(400).await;
    let mapping = bed.mapping("").await;
    let mut ledger = old_stocks(&bed).await;
    let ids: Vec<Uuid> = ledger.keys().copied().collect();
    for round in 0..2_i32 {
        // The old system's turn.
        let work = async {
            for (n, id) in (0..).zip(ids.iter().skip(1).take(60)) {
                let pieces = 1_000 * (round + 1) + n;
                bed.sql
                    .execute("UPDATE products SET quantity = $1 WHERE id = $2", &[&pieces, id])
                    .await
                    .unwrap();
                ledger.insert(*id, pieces);
            }
            bed.settled(&mapping).await;
        };
        bed.follow_while(&mapping, work).await.1.unwrap();
        let turned = bed.cut_over(&mapping).await.unwrap();
        assert!(turned.ok && turned.keeper == Keeper::Souk, "{turned}");
        is_refused_by_the_fence(&bed).await;
        // souk's turn.
        let catalog = &bed.deps.catalog;
        let work = async {
            for (n, id) in (0..).zip(ids.iter().skip(30).take(60)) {
                let pieces = 5_000 * (round + 1) + n;
                catalog.execute(unit(set_stock(ProductId(*id), i64::from(pieces)))).await.unwrap();
                ledger.insert(*id, pieces);
            }
            let new = ProductId(Uuid::now_v7());
            catalog.execute(unit(create(new, &format!("made in round {round}")))).await.unwrap();
            ledger.insert(new.0, 40);
            let gone = ids[100 + usize::try_from(round).unwrap()];
            let delete = Command::Delete { id: ProductId(gone), precondition: Precondition::None };
            catalog.execute(unit(delete)).await.unwrap();
            ledger.remove(&gone);
            bed.settled(&mapping).await;
        };
        let (_, following) = bed.follow_while(&mapping, work).await;
        assert_eq!(following.unwrap().direction, Direction::Back);
        // And what nobody has followed yet.
        catalog.execute(unit(set_stock(ProductId(ids[0]), i64::from(77 + round)))).await.unwrap();
        ledger.insert(ids[0], 77 + round);
        let turned = bed.roll_back(&mapping).await.unwrap();
        assert!(turned.ok && turned.keeper == Keeper::Source, "{turned}");
        let refused = catalog.execute(unit(set_stock(ProductId(ids[0]), 1))).await;
        assert!(matches!(refused, Err(ExecuteError::Overloaded(_))), "{refused:?}");
        assert_eq!(old_stocks(&bed).await, ledger, "round {round}");
        let comparison = bed.compare(&mapping).await;
        assert!(comparison.ok, "{comparison}");
        let echoes: i64 = bed
            .one(
                "SELECT count(*) FROM souk_capture.changes AS c WHERE c.key IN \
             (SELECT id::text FROM products WHERE quantity = 77)",
            )
            .await;
        assert_eq!(echoes, 0, "what souk writes back is not captured");
    }
    let turns = bed.folder.record().unwrap().turns;
    assert_eq!(turns.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_over_while_the_shop_is_busy_loses_nothing() {
    let bed = Bed::monolith(500).await;
    let mapping = bed.mapping("").await;
    bed.copy(&mapping).await.unwrap();
    let writer = bed.session().await;
    let ids: Vec<Uuid> = old_stocks(&bed).await.into_keys().collect();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    // An old-style writer with a ledger of what was acknowledged.
    let writing = tokio::spawn(async move {
        let (mut ledger, mut refusals, mut n) = (BTreeMap::new(), 0, 0_i32);
        while !stopped.load(Ordering::SeqCst) {
            n += 1;
            let id = ids[usize::try_from(n).unwrap() * 7 % ids.len()];
            let sql = "UPDATE products SET quantity = $1 WHERE id = $2";
            match writer.execute(sql, &[&n, &id]).await {
                Ok(_) => drop(ledger.insert(id, n)),
                Err(_) => refusals += 1,
            }
        }
        (ledger, refusals)
    });
    let turned = bed.cut_over(&mapping).await;
    // Refused at least once before it is stopped.
    let fenced = bed.outpost();
    let table = souk_ports::OldTable { schema: "public".into(), name: "products".into(), key: "id".into() };
    assert!(fenced.is_fenced(&table.table()).await.unwrap());
    stop.store(true, Ordering::SeqCst);
    let (ledger, _) = writing.await.unwrap();
    let turned = turned.unwrap();
    assert!(turned.ok, "{turned}");
    assert!(!ledger.is_empty());
    let products = bed.products().await;
    for (id, pieces) in ledger {
        assert_eq!(products[&ProductId(id)].stock.get(), i64::from(pieces), "{id}");
    }
    assert!(bed.compare(&mapping).await.ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_difference_refuses_a_cut_over_and_lifts_the_fence() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    // Past the capture, as somebody with the mark would.
    bed.run("SET souk.migration = 'on'; UPDATE products SET quantity = 88 WHERE name = 'Product 1'; RESET souk.migration")
        .await;
    let turned = bed.cut_over(&mapping).await.unwrap();
    assert!(!turned.ok && turned.keeper == Keeper::Source, "{turned}");
    assert_eq!(turned.comparison.differences, 1);
    assert!(turned.to_string().contains("stock is 88 in the source"), "{turned}");
    bed.run("UPDATE products SET quantity = 89 WHERE name = 'Product 1'").await;
    assert_eq!(bed.deps.catalog.keeper().await.unwrap(), Keeper::Source);
    let turned = bed.cut_over(&mapping).await.unwrap();
    assert!(turned.ok, "{turned}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_breaks_a_rule_refuses_a_cut_over() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    let work = async {
        bed.settled(&mapping).await;
        bed.run("UPDATE products SET price = -1 WHERE name = 'Product 1'").await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
    let Err(MigrateError::Found(text)) = bed.cut_over(&mapping).await else { panic!("not refused") };
    assert!(text.contains("price.negative"), "{text}");
    bed.run("UPDATE products SET price = 1 WHERE name = 'Product 1'").await;
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_holds_the_table_is_waited_for_no_longer_than_said() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    let slow = bed.session().await;
    slow.batch_execute("BEGIN; UPDATE products SET quantity = 99 WHERE name = 'Product 1'").await.unwrap();
    let turn = Turn { within: Duration::from_millis(300), ..TURN };
    let Err(MigrateError::Unreachable(text)) = cut_over(&bed.way(&mapping), turn, pending(), |_| {}).await
    else {
        panic!("not refused")
    };
    assert!(text.contains("a transaction holds the table"), "{text}");
    slow.batch_execute("COMMIT").await.unwrap();
    bed.run("UPDATE products SET quantity = 98 WHERE name = 'Product 2'").await;
    let turned = bed.cut_over(&mapping).await.unwrap();
    assert!(turned.ok, "{turned}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_past_the_fence_refuses_a_rollback_until_it_is_put_right() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
    bed.run("SET souk.migration = 'on'; UPDATE products SET quantity = 88 WHERE name = 'Product 1'; RESET souk.migration")
        .await;
    let turn = Turn { within: Duration::from_secs(2), ..TURN };
    let turned = souk_migrate::roll_back(&bed.way(&mapping), turn, pending(), |_| {}).await.unwrap();
    assert!(!turned.ok && turned.keeper == Keeper::Souk, "{turned}");
    is_refused_by_the_fence(&bed).await;
    let id = id_of(&bed, "Product 1").await;
    bed.deps.catalog.execute(unit(set_stock(id, 44))).await.expect("souk writes again");
    assert!(bed.roll_back(&mapping).await.unwrap().ok);
    let stock: i32 = bed.one("SELECT quantity FROM products WHERE name = 'Product 1'").await;
    assert_eq!(stock, 44);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_old_table_cannot_hold_stays_as_it_was_there() {
    let bed = Bed::monolith(20).await;
    // A fix makes it 1.2346 in souk; and there is no column for a sku.
    bed.run("UPDATE products SET price = 1.23456 WHERE name = 'Product 1'").await;
    let mapping = bed.mapping("\"price.fraction\" = \"fix\"").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
    let id = id_of(&bed, "Product 1").await;
    let patch = Patch { sku: Some(Some(Sku::new("A-1").unwrap())), ..Patch::default() };
    let asserted = souk_domain::Asserted::default();
    let with_sku = Command::Patch { id, precondition: Precondition::None, patch, asserted };
    bed.deps.catalog.execute(unit(with_sku)).await.unwrap();
    bed.deps.catalog.execute(unit(set_stock(id, 9))).await.unwrap();
    let turned = bed.roll_back(&mapping).await.unwrap();
    assert!(turned.ok, "{turned}");
    let price: String = bed.one("SELECT price::text FROM products WHERE name = 'Product 1'").await;
    let stock: i32 = bed.one("SELECT quantity FROM products WHERE name = 'Product 1'").await;
    assert_eq!((&*price, stock), ("1.23456", 9));
    // Nor is it taken away by what comes from there, or a difference that would stand in the way of another cut-over.
    bed.run("UPDATE products SET quantity = 8 WHERE name = 'Product 1'").await;
    let turned = bed.cut_over(&mapping).await.unwrap();
    assert!(turned.ok, "{turned}");
    let product = bed.deps.catalog.product(id).await.unwrap().unwrap();
    assert_eq!((product.stock.get(), product.sku), (8, Some(Sku::new("A-1").unwrap())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_turned_round_is_refused_before_anybody_is_shut_out() {
    let bed = Bed::monolith(20).await;
    let mut mapping = bed.mapping("").await;
    mapping.fields.insert("name".into(), "upper(t.name)".into());
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    let Err(MigrateError::Found(text)) = bed.cut_over(&mapping).await else { panic!("not refused") };
    assert!(text.contains("name is `upper(t.name)`") && text.contains("[back]"), "{text}");
    bed.run("ALTER TABLE products ADD COLUMN vat TEXT NOT NULL DEFAULT 'x'; ALTER TABLE products ALTER COLUMN vat DROP DEFAULT")
        .await;
    mapping.back.insert("name".into(), "lower(p.name)".into());
    let Err(MigrateError::Found(text)) = bed.cut_over(&mapping).await else { panic!("not refused") };
    assert!(text.contains("the column vat wants a value"), "{text}");
    bed.run("UPDATE products SET quantity = 5").await;
    mapping.back.insert("vat".into(), "'19'".into());
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
    let new = ProductId(Uuid::now_v7());
    bed.deps.catalog.execute(unit(create(new, "LOUD"))).await.unwrap();
    assert!(bed.roll_back(&mapping).await.unwrap().ok);
    let row: String = bed.one(&format!("SELECT name || vat FROM products WHERE id = '{new}'")).await;
    assert_eq!(row, "loud19");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_over_without_a_way_back_says_so_and_finish_leaves_nothing_behind() {
    let bed = Bed::new(
        "CREATE TABLE products (id INT PRIMARY KEY, seller TEXT, name TEXT, price INT, stock INT); \
         INSERT INTO products SELECT n, 'a', 'p' || n, 1, 9 FROM generate_series(1, 300) AS n",
    )
    .await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    let early = finish(&bed.way(&mapping), false, agreeing, |_| {}).await;
    assert!(matches!(early, Err(MigrateError::Usage(_))), "{early:?}");
    let turned =
        cut_over(&bed.way(&mapping), Turn { one_way: true, ..TURN }, pending(), |_| {}).await.unwrap();
    assert!(turned.ok && turned.one_way, "{turned}");
    let back = bed.roll_back(&mapping).await;
    assert!(matches!(back, Err(MigrateError::Usage(_))), "{back:?}");
    // What is sold from now on is in souk alone, which is told and not passed over.
    let id = *bed.products().await.keys().next().unwrap();
    bed.deps.catalog.execute(unit(set_stock(id, 5))).await.unwrap();
    let refused = finish(&bed.way(&mapping), false, agreeing, |_| {}).await.unwrap();
    let compared = refused.comparison.as_ref().unwrap();
    assert_eq!((refused.ok, compared.rows, compared.differences), (false, 300, 1), "{refused}");
    assert!(refused.to_string().contains("as it was at the cut-over"), "{refused}");
    assert_ne!(bed.folder.record().unwrap().direction, Direction::Finished);
    let finished = finish(&bed.way(&mapping), true, agreeing, |_| {}).await.unwrap();
    assert!(finished.ok && finished.comparison.is_some_and(|it| it.differences == 1));
    let left: i64 = bed
        .one(
            "SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal) + \
             (SELECT count(*) FROM pg_namespace WHERE nspname = 'souk_capture')",
        )
        .await;
    assert_eq!(left, 0);
    assert_eq!(bed.folder.record().unwrap().direction, Direction::Finished);
    assert_eq!(bed.deps.catalog.keeper().await.unwrap(), Keeper::Souk);
}

pub async fn agreeing() -> Judgement {
    Judgement { ok: true, detail: "0 differences".to_owned() }
}

/// The end is looked at once more, both sides and souk's own; what is found stops it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_with_a_difference_or_with_stores_that_do_not_agree_is_refused() {
    let bed = Bed::monolith(60).await;
    let mapping = bed.mapping("").await;
    bed.copy(&mapping).await.unwrap();
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
    let way = bed.way(&mapping);
    let disagreeing = async || Judgement { ok: false, detail: "1 difference".to_owned() };
    let refused = finish(&way, false, disagreeing, |_| {}).await.unwrap();
    assert!(!refused.ok && refused.comparison.as_ref().unwrap().ok, "{refused}");
    assert!(refused.to_string().contains("`souk audit` names"), "{refused}");
    // What souk did not write there, and nobody else may.
    bed.run("SET souk.migration = 'on'; UPDATE products SET quantity = 77 WHERE name = 'Product 3'; RESET souk.migration")
        .await;
    let refused = finish(&way, false, agreeing, |_| {}).await.unwrap();
    assert_eq!((refused.ok, refused.comparison.as_ref().unwrap().differences), (false, 1), "{refused}");
    is_refused_by_the_fence(&bed).await;
    // A sale on its way is no difference: it is written back.
    bed.run("SET souk.migration = 'on'; UPDATE products SET quantity = 8 WHERE name = 'Product 3'; RESET souk.migration")
        .await;
    bed.deps.catalog.execute(unit(set_stock(id_of(&bed, "Product 4").await, 6))).await.unwrap();
    let finished = finish(&way, false, agreeing, |_| {}).await.unwrap();
    assert!(finished.ok, "{finished}");
    assert_eq!(bed.one::<i32>("SELECT quantity FROM products WHERE name = 'Product 4'").await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_after_the_cut_over_is_refused() {
    let bed = Bed::monolith(20).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
    let Err(MigrateError::Usage(text)) = bed.copy(&mapping).await else { panic!("not refused") };
    assert!(text.contains("rollback"), "{text}");
}
