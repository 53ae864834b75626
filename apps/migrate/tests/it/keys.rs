//! The way back of tables whose keys are no UUIDs: rows are found by their own keys, and what is created in souk gets one.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use souk_domain::{Command, Patch, Precondition, Product, ProductId, Sku};
use souk_migrate::{Deps, Mapping, MigrateError, Turn, Way, cut_over, finish, roll_back};
use souk_ports::{
    BackColumn, BackWriting, ErrorKind, GivenKey, Keeper, KeyColumn, OldTable, PortError, TableName, WayBack,
};
use uuid::Uuid;

use crate::bed::{Bed, TURN};
use crate::turning::{agreeing, create, set_stock, unit};

/// Keys that the table gives, and takes from nobody.
pub const NUMBERED: &str = "CREATE TABLE goods (no INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, seller TEXT NOT NULL, \
     name TEXT NOT NULL, price NUMERIC NOT NULL, stock INT NOT NULL, category TEXT NOT NULL); \
     INSERT INTO goods (seller, name, price, stock, category) \
     SELECT 'seller' || n % 3, 'Product ' || n, n / 100.0, n, 'old' FROM generate_series(1, 60) AS n";

/// Keys that people give, of a domain over a type that is filled up with blanks.
const CODED: &str = "CREATE DOMAIN article AS CHAR(8); CREATE TABLE \"Goods\" (\"Code\" article PRIMARY KEY, \
     seller TEXT NOT NULL, name TEXT NOT NULL, price NUMERIC NOT NULL, stock INT NOT NULL, category TEXT NOT NULL); \
     INSERT INTO \"Goods\" SELECT 'A' || n, 'seller2', 'Product ' || n, n / 100.0, n, 'old' FROM generate_series(1, 30) AS n";

async fn over(schema: &str) -> (Bed, Mapping) {
    let bed = Bed::new(schema).await;
    let mapping = bed.mapping("").await;
    assert!(mapping.fields["sku"].to_lowercase().starts_with("t."), "the key is proposed: {mapping:?}");
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    let turned = bed.cut_over(&mapping).await.unwrap();
    assert!(turned.ok && turned.keeper == Keeper::Souk, "{turned}");
    (bed, mapping)
}

async fn product(bed: &Bed, name: &str) -> Option<Product> {
    bed.products().await.into_values().find(|product| product.name.as_str() == name)
}

async fn id_of(bed: &Bed, name: &str) -> ProductId {
    product(bed, name).await.unwrap_or_else(|| panic!("souk has no {name}")).id
}

async fn execute(bed: &Bed, command: Command) {
    bed.deps.catalog.execute(unit(command)).await.unwrap();
}

async fn make(bed: &Bed, name: &str, sku: Option<&str>) -> ProductId {
    let id = ProductId(Uuid::now_v7());
    let Command::Create(mut new) = create(id, name) else { unreachable!("it creates") };
    new.fields.sku = sku.map(|sku| Sku::new(sku).unwrap());
    execute(bed, Command::Create(new)).await;
    id
}

async fn delete(bed: &Bed, name: &str) {
    let id = id_of(bed, name).await;
    execute(bed, Command::Delete { id, precondition: Precondition::None }).await;
}

fn set_sku(id: ProductId, sku: &str) -> Command {
    let patch = Patch { sku: Some(Some(Sku::new(sku).unwrap())), ..Patch::default() };
    Command::Patch { id, precondition: Precondition::None, patch, asserted: souk_domain::Asserted::default() }
}

/// Waits until the old table has so many pieces of each, and `-1` of what it does not have.
async fn has_pieces(bed: &Bed, table: &str, wanted: &[(&str, i32)]) {
    let began = Instant::now();
    for (name, pieces) in wanted {
        let ask = format!("SELECT coalesce(max(stock), -1) FROM {table} WHERE name = '{name}'");
        while bed.one::<i32>(&ask).await != *pieces {
            let back = bed.folder.record().unwrap().back;
            assert!(began.elapsed().as_secs() < 60, "{name} has no {pieces} pieces in {table}: {back:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Waits until the record names what the old table refuses, with these words and no others.
async fn refused(bed: &Bed, wanted: &[(ProductId, &str)]) {
    let began = Instant::now();
    loop {
        let refused = bed.folder.record().unwrap().back.unwrap_or_default().pace.refused;
        let is_told = |(id, why): &(ProductId, &str)| {
            refused.get(&id.to_string()).is_some_and(|told| told.contains(why))
        };
        if refused.len() == wanted.len() && wanted.iter().all(is_told) {
            return;
        }
        assert!(began.elapsed().as_secs() < 60, "{wanted:?} are not what is refused: {refused:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn is_back(bed: &Bed, mapping: &Mapping) {
    let turned = bed.roll_back(mapping).await.unwrap();
    assert!(turned.ok && turned.keeper == Keeper::Source && turned.comparison.differences == 0, "{turned}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_for_keys_go_over_and_back_and_over_again() {
    let (bed, mapping) = over(NUMBERED).await;
    assert_eq!(bed.way(&mapping).gives_no_keys().await.unwrap(), None);
    // souk's turn: what is created keeps its own sku, or has none; the key is not it.
    let work = async {
        execute(&bed, set_stock(id_of(&bed, "Product 7").await, 700)).await;
        delete(&bed, "Product 8").await;
        make(&bed, "with a code", Some("M-1")).await;
        make(&bed, "without", None).await;
        let wanted = [("Product 7", 700), ("Product 8", -1), ("with a code", 40), ("without", 40)];
        has_pieces(&bed, "goods", &wanted).await;
        // Once more, now that it has a row; and one that goes again.
        execute(&bed, set_stock(id_of(&bed, "without").await, 41)).await;
        make(&bed, "for a while", None).await;
        has_pieces(&bed, "goods", &[("without", 41), ("for a while", 40)]).await;
        delete(&bed, "for a while").await;
        has_pieces(&bed, "goods", &[("for a while", -1)]).await;
        bed.settled(&mapping).await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
    // And what nobody has followed.
    let late = make(&bed, "late", Some("M-2")).await;
    is_back(&bed, &mapping).await;
    assert_eq!(bed.one::<i64>("SELECT count(*) FROM goods").await, 62);
    let [coded, without] = [id_of(&bed, "with a code").await, id_of(&bed, "without").await];
    // The old system's turn, with the rows that souk made, too.
    bed.run(
        "UPDATE goods SET stock = 5 WHERE name = 'with a code'; UPDATE goods SET stock = 6 WHERE name = 'Product 7'; \
         DELETE FROM goods WHERE name = 'without'; UPDATE goods SET no = DEFAULT WHERE name = 'Product 9'; \
         INSERT INTO goods (seller, name, price, stock, category) VALUES ('seller1', 'made there', 1, 9, 'old')",
    )
    .await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    let products = bed.products().await;
    let code = |id: &ProductId| products[id].sku.as_ref().map(|sku| sku.as_str().to_owned());
    assert_eq!((products[&coded].stock.get(), code(&coded).as_deref()), (5, Some("M-1")));
    assert_eq!((code(&late).as_deref(), products.contains_key(&without)), (Some("M-2"), false));
    let made_there = id_of(&bed, "made there").await;
    let no: String = bed.one("SELECT no::text FROM goods WHERE name = 'made there'").await;
    assert_eq!(code(&made_there), Some(no), "as for every row of the old system's");
    // Over again: they are the same products as before.
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
    execute(&bed, set_stock(coded, 55)).await;
    execute(&bed, set_stock(made_there, 99)).await;
    make(&bed, "at the end", None).await;
    let finished = finish(&bed.way(&mapping), false, agreeing, |_| {}).await.unwrap();
    assert!(finished.ok, "{finished}");
    has_pieces(&bed, "goods", &[("with a code", 55), ("made there", 99), ("at the end", 40)]).await;
    assert_eq!(bed.one::<i64>("SELECT count(*) FROM goods").await, 63);
    let left: i64 = bed.one("SELECT count(*) FROM pg_namespace WHERE nspname = 'souk_capture'").await;
    assert_eq!(left, 0);
    // Whose the rows were nobody knows any more: nothing takes them for others.
    assert!(matches!(bed.copy(&mapping).await, Err(MigrateError::Usage(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_is_given_up_takes_no_created_product_for_another() {
    let (bed, mapping) = over(NUMBERED).await;
    let made = make(&bed, "made in souk", None).await;
    is_back(&bed, &mapping).await;
    bed.copy(&mapping).await.unwrap();
    assert!(bed.products().await.contains_key(&made), "the row is its own");
    assert!(finish(&bed.way(&mapping), true, agreeing, |_| {}).await.unwrap().ok);
    let Err(MigrateError::Found(text)) = bed.copy(&mapping).await else { panic!("not refused") };
    assert!(text.contains("the catalog has products already"), "{text}");
    assert!(bed.products().await.contains_key(&made));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_for_keys_are_written_by_a_line_in_the_mapping_alone() {
    let (bed, mut mapping) = over(CODED).await;
    let why = bed.way(&mapping).gives_no_keys().await.unwrap().unwrap();
    assert!(why.contains("[back]") && why.contains("p.sku"), "{why}");
    let made = make(&bed, "made in souk", Some("TOO-LONG-1")).await;
    let nameless = make(&bed, "nameless", None).await;
    let work = async {
        execute(&bed, set_stock(id_of(&bed, "Product 3").await, 300)).await;
        delete(&bed, "Product 4").await;
        // The others are held up by nobody.
        has_pieces(&bed, "\"Goods\"", &[("Product 3", 300), ("Product 4", -1)]).await;
        refused(&bed, &[(made, "[back]"), (nameless, "[back]")]).await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
    let turn = Turn { within: Duration::from_secs(3), ..TURN };
    let refusal = roll_back(&bed.way(&mapping), turn, pending(), |_| {}).await.unwrap();
    assert!(!refusal.ok && refusal.comparison.differences == 2, "{refusal}");
    assert!(refusal.to_string().contains("only in souk"), "{refusal}");

    mapping.back.insert("Code".into(), "p.sku".into());
    assert_eq!(bed.way(&mapping).gives_no_keys().await.unwrap(), None);
    let fifth = id_of(&bed, "Product 5").await;
    let work = async {
        // What does not fit is refused, and not cut to what is another article's.
        refused(&bed, &[(made, "too long"), (nameless, "null")]).await;
        execute(&bed, set_sku(made, "NEW-1")).await;
        execute(&bed, set_sku(nameless, "A6")).await;
        has_pieces(&bed, "\"Goods\"", &[("made in souk", 40)]).await;
        refused(&bed, &[(nameless, "duplicate key")]).await;
        execute(&bed, set_sku(nameless, "NEW-2")).await;
        has_pieces(&bed, "\"Goods\"", &[("nameless", 40)]).await;
        // The key of a row stays; what else changes is written.
        execute(&bed, set_sku(fifth, "B5")).await;
        execute(&bed, set_stock(fifth, 500)).await;
        has_pieces(&bed, "\"Goods\"", &[("Product 5", 500)]).await;
        refused(&bed, &[(fifth, "the key of a row stays")]).await;
        // Of one that souk made, the code is its own.
        execute(&bed, set_sku(made, "NEW-3")).await;
        execute(&bed, set_stock(made, 33)).await;
        has_pieces(&bed, "\"Goods\"", &[("made in souk", 33)]).await;
        execute(&bed, set_sku(fifth, "A5")).await;
        refused(&bed, &[]).await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
    is_back(&bed, &mapping).await;
    let codes: String = bed
        .one("SELECT string_agg(\"Code\"::text, ' ' ORDER BY \"Code\") FROM \"Goods\" WHERE category = 'new'")
        .await;
    assert_eq!(codes, "NEW-1 NEW-2");
    bed.run("UPDATE \"Goods\" SET stock = 34 WHERE \"Code\" = 'NEW-1'").await;
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
    let made = bed.products().await.remove(&made).unwrap();
    assert_eq!((made.stock.get(), made.sku.unwrap().as_str()), (34, "NEW-3"));
}

/// A key is the next product's once the one before is gone, in the old table as in souk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_is_used_again_is_the_later_products() {
    let (bed, mut mapping) = over(CODED).await;
    mapping.back.insert("Code".into(), "p.sku".into());
    let mut last = id_of(&bed, "Product 1").await;
    for n in 0..3 {
        execute(&bed, Command::Delete { id: last, precondition: Precondition::None }).await;
        last = make(&bed, &format!("again {n}"), Some("A1")).await;
        if n == 1 {
            bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
        }
    }
    is_back(&bed, &mapping).await;
    assert_eq!(bed.one::<String>("SELECT name FROM \"Goods\" WHERE \"Code\" = 'A1'").await, "again 2");
    bed.run("UPDATE \"Goods\" SET stock = 77 WHERE \"Code\" = 'A1'").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    assert_eq!(bed.products().await[&last].stock.get(), 77);
}

/// The log may have forgotten what was sold, and somebody may have gone past the fence: everything is looked at then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_position_everything_is_put_right_by_its_key() {
    let (bed, mapping) = over(NUMBERED).await;
    make(&bed, "made in souk", None).await;
    bed.follow_while(&mapping, has_pieces(&bed, "goods", &[("made in souk", 40)])).await.1.unwrap();
    bed.run(
        "SET souk.migration = 'on'; UPDATE goods SET stock = 88 WHERE no = 1; DELETE FROM goods WHERE no IN (2, 61); \
         INSERT INTO goods (seller, name, price, stock, category) VALUES ('seller1', 'nobody''s', 1, 9, 'old'); \
         UPDATE souk_capture.way_back SET position = 'unknown'; RESET souk.migration",
    )
    .await;
    is_back(&bed, &mapping).await;
    let rows: String = bed
        .one("SELECT string_agg(no || ' ' || name || ' ' || stock, ', ' ORDER BY no) FROM goods WHERE no IN (1, 2) OR no > 60")
        .await;
    assert_eq!(rows, "1 Product 1 1, 2 Product 2 2, 61 made in souk 40");
}

/// What is created in souk would be refused, row by row, though the table gives keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sequence_that_may_not_be_used_is_named_before_anybody_is_shut_out() {
    let bed = Bed::new(&NUMBERED.replace("INT GENERATED ALWAYS AS IDENTITY", "SERIAL")).await;
    let mapping = bed.mapping("").await;
    let role = format!("souk_test_{}", Uuid::now_v7().simple());
    bed.run(&format!(
        "CREATE ROLE {role}; GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON goods TO {role}; \
         DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {role}', current_database()); END $$"
    ))
    .await;
    let deps = Deps { source: bed.source_as(&role).await, ..bed.deps.clone() };
    let outpost = bed.outpost_as(&role);
    let way = Way { deps: &deps, capture: outpost.clone(), old: outpost, ..bed.way(&mapping) };
    Bed::follow_with(&way, bed.settled(&mapping)).await.1.unwrap();
    let error = cut_over(&way, TURN, pending(), |_| {}).await.unwrap_err().to_string();
    assert!(error.contains("GRANT USAGE ON SEQUENCE public.goods_no_seq is missing"), "{error}");
    bed.run(&format!("UPDATE goods SET stock = 3 WHERE no = 4; GRANT USAGE ON goods_no_seq TO {role}")).await;
    assert!(cut_over(&way, TURN, pending(), |_| {}).await.unwrap().ok);
    make(&bed, "made in souk", None).await;
    let turned = roll_back(&way, TURN, pending(), |_| {}).await.unwrap();
    assert!(turned.ok, "{turned}");
    has_pieces(&bed, "goods", &[("made in souk", 40)]).await;
    drop(way);
    drop(deps);
    bed.run(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await;
}

/// Writes, and loses the answer once.
struct LosesAnAnswer {
    old: std::sync::Arc<dyn WayBack>,
    lost: AtomicBool,
}

#[async_trait]
impl WayBack for LosesAnAnswer {
    async fn fence(&self, tables: &[TableName], within: Duration) -> Result<(), PortError> {
        self.old.fence(tables, within).await
    }

    async fn is_fenced(&self, table: &TableName) -> Result<bool, PortError> {
        self.old.is_fenced(table).await
    }

    async fn lift(&self) -> Result<(), PortError> {
        self.old.lift().await
    }

    async fn unfenceable(&self, tables: &[TableName]) -> Result<Vec<String>, PortError> {
        self.old.unfenceable(tables).await
    }

    async fn obstacles(&self, table: &OldTable, columns: &[BackColumn]) -> Result<Vec<String>, PortError> {
        self.old.obstacles(table, columns).await
    }

    async fn key_column(&self, table: &OldTable) -> Result<Option<KeyColumn>, PortError> {
        self.old.key_column(table).await
    }

    async fn back_position(&self) -> Result<Option<String>, PortError> {
        self.old.back_position().await
    }

    async fn write(&self, writing: &BackWriting<'_>, position: &str) -> Result<Vec<GivenKey>, PortError> {
        let given = self.old.write(writing, position).await?;
        if given.is_empty() || self.lost.swap(true, Ordering::SeqCst) {
            return Ok(given);
        }
        // The same rows once more, as whoever knows nothing of the first time hands them in.
        let again = self.old.write(writing, position).await?;
        assert_eq!(again, given, "a row is added once");
        Err(PortError::new(ErrorKind::Unavailable, "the answer was lost"))
    }

    async fn remove(&self) -> Result<(), PortError> {
        self.old.remove().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_whose_answer_was_lost_is_not_added_twice() {
    let (bed, mapping) = over(NUMBERED).await;
    let mut way: Way<'_> = bed.way(&mapping);
    way.old = std::sync::Arc::new(LosesAnAnswer { old: way.old.clone(), lost: AtomicBool::new(false) });
    let work = async {
        make(&bed, "made in souk", None).await;
        has_pieces(&bed, "goods", &[("made in souk", 40)]).await;
        execute(&bed, set_stock(id_of(&bed, "made in souk").await, 39)).await;
        has_pieces(&bed, "goods", &[("made in souk", 39)]).await;
    };
    Bed::follow_with(&way, work).await.1.unwrap();
    assert_eq!(bed.one::<i64>("SELECT count(*) FROM goods WHERE name = 'made in souk'").await, 1);
    is_back(&bed, &mapping).await;
}
