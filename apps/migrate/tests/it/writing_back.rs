//! The way back where the old table refuses something, and where souk may do little in the source.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_domain::ProductId;
use souk_migrate::{Deps, Turn, Way, cut_over, finish, roll_back};
use souk_ports::{BackKeys, BackWriting, Capture as _, Keeper, WayBack as _};
use souk_postgres::PgOutpost;
use uuid::Uuid;

use crate::bed::{Bed, TURN};
use crate::turning::{agreeing, create, id_of, is_refused_by_the_fence, set_stock, unit};

/// Waits until the old table has so many pieces of a product.
async fn has_pieces(bed: &Bed, name: &str, pieces: i32) {
    let began = Instant::now();
    let ask = format!("SELECT coalesce(max(quantity), -1) FROM products WHERE name = '{name}'");
    while bed.one::<i32>(&ask).await != pieces {
        assert!(began.elapsed().as_secs() < 60, "{name} has no {pieces} pieces in the old table");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the record says how many rows the old table refuses.
async fn refused(bed: &Bed, rows: usize) {
    let began = Instant::now();
    loop {
        let back = bed.folder.record().unwrap().back.unwrap_or_default();
        if back.pace.refused.len() == rows {
            return;
        }
        assert!(began.elapsed().as_secs() < 60, "not {rows} refused: {:?}", back.pace.refused);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_the_old_table_refuses_is_told_and_written_once_it_may() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    bed.copy(&mapping).await.unwrap();
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
    bed.run("ALTER TABLE products ADD CONSTRAINT few CHECK (quantity < 1000)").await;
    let [many, some] = [id_of(&bed, "Product 1").await, id_of(&bed, "Product 2").await];
    let catalog = &bed.deps.catalog;
    let work = async {
        catalog.execute(unit(set_stock(many, 5_000))).await.unwrap();
        catalog.execute(unit(set_stock(some, 500))).await.unwrap();
        // It holds nobody else up.
        has_pieces(&bed, "Product 2", 500).await;
        refused(&bed, 1).await;
        bed.run("ALTER TABLE products DROP CONSTRAINT few").await;
        has_pieces(&bed, "Product 1", 5_000).await;
        refused(&bed, 0).await;
        bed.run("ALTER TABLE products ADD CONSTRAINT few CHECK (quantity < 6000)").await;
        catalog.execute(unit(set_stock(many, 7_000))).await.unwrap();
        refused(&bed, 1).await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
    // Nobody follows when it is allowed: a rollback tries it, too.
    let turn = Turn { within: Duration::from_secs(1), ..TURN };
    let refusal = roll_back(&bed.way(&mapping), turn, pending(), |_| {}).await.unwrap();
    assert!(!refusal.ok && refusal.comparison.differences == 1, "{refusal}");
    bed.run("ALTER TABLE products DROP CONSTRAINT few").await;
    let turned = bed.roll_back(&mapping).await.unwrap();
    assert!(turned.ok, "{turned}");
    has_pieces(&bed, "Product 1", 7_000).await;
}

/// A session in the middle of a transaction that failed takes nothing more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_does_not_hold_up_what_comes_after() {
    let bed = Bed::monolith(5).await;
    let role = Role::make(&bed, "SELECT").await;
    let outpost = bed.outpost_as(&role.name);
    let table = outpost.find("products", "id").await.unwrap();
    let nothing = BackWriting { table: &table, keys: &BackKeys::Ids, columns: &[], put: &[], delete: &[] };
    let error = outpost.write(&nothing, "{}").await.unwrap_err().to_string();
    assert!(error.contains("permission denied"), "{error}");
    role.may_create(&bed).await;
    outpost.write(&nothing, "{}").await.unwrap();
    assert_eq!(outpost.back_position().await.unwrap().as_deref(), Some("{}"));
    role.drop(&bed).await;
}

/// A role in the source that owns nothing.
struct Role {
    name: String,
}

impl Role {
    /// Makes one with rights on the table.
    async fn make(bed: &Bed, rights: &str) -> Self {
        let name = format!("souk_test_{}", Uuid::now_v7().simple());
        bed.run(&format!("CREATE ROLE {name}; GRANT {rights} ON products TO {name}")).await;
        Self { name }
    }

    async fn on_database(&self, bed: &Bed, grant: &str) {
        let Self { name } = self;
        bed.run(&format!("DO $$ BEGIN EXECUTE format('{grant} {name}', current_database()); END $$")).await;
    }

    async fn may_create(&self, bed: &Bed) {
        self.on_database(bed, "GRANT CREATE ON DATABASE %I TO").await;
    }

    async fn may_create_no_more(&self, bed: &Bed) {
        self.on_database(bed, "REVOKE CREATE ON DATABASE %I FROM").await;
    }

    async fn drop(self, bed: &Bed) {
        let Self { name } = self;
        bed.run(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await;
    }

    /// All that a migration works with, with this role's rights.
    fn way<'a>(&self, bed: &'a Bed, deps: &'a Deps, mapping: &'a souk_migrate::Mapping) -> Way<'a> {
        let outpost: Arc<PgOutpost> = bed.outpost_as(&self.name);
        Way { deps, capture: outpost.clone(), old: outpost, ..bed.way(mapping) }
    }
}

/// Over and back again, with a change on each side, then the end.
async fn over_and_back(bed: &Bed, way: &Way<'_>, turn: Turn) {
    let catalog = &bed.deps.catalog;
    let id = id_of(bed, "Product 3").await;
    let turned = cut_over(way, turn, pending(), |_| {}).await.unwrap();
    assert!(turned.ok && turned.keeper == Keeper::Souk, "{turned}");
    if !turn.writers_stopped {
        is_refused_by_the_fence(bed).await;
    }
    let work = async {
        catalog.execute(unit(set_stock(id, 321))).await.unwrap();
        catalog.execute(unit(create(ProductId(Uuid::now_v7()), "made in souk"))).await.unwrap();
        has_pieces(bed, "Product 3", 321).await;
        has_pieces(bed, "made in souk", 40).await;
    };
    Bed::follow_with(way, work).await.1.unwrap();
    let turned = roll_back(way, TURN, pending(), |_| {}).await.unwrap();
    assert!(turned.ok && turned.keeper == Keeper::Source, "{turned}");
    bed.run("UPDATE products SET quantity = 4 WHERE name = 'Product 4'").await;
    let work = async {
        bed.settled(way.mapping).await;
    };
    Bed::follow_with(way, work).await.1.unwrap();
    assert!(cut_over(way, turn, pending(), |_| {}).await.unwrap().ok);
    assert!(finish(way, false, agreeing, |_| {}).await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_to_create_is_needed_once() {
    let bed = Bed::monolith(30).await;
    let mapping = bed.mapping("").await;
    let role = Role::make(&bed, "SELECT, INSERT, UPDATE, DELETE, TRIGGER").await;
    let deps = Deps { source: bed.source_as(&role.name).await, ..bed.deps.clone() };
    let way = role.way(&bed, &deps, &mapping);
    bed.copy(&mapping).await.unwrap();
    let error = cut_over(&way, TURN, pending(), |_| {}).await.unwrap_err().to_string();
    assert!(error.contains("GRANT CREATE ON DATABASE"), "named before anybody is shut out: {error}");
    role.may_create(&bed).await;
    Bed::follow_with(&way, bed.settled(&mapping)).await.1.unwrap();
    role.may_create_no_more(&bed).await;
    over_and_back(&bed, &way, TURN).await;
    role.drop(&bed).await;
}

/// Nothing is put on the table: changes are found by comparing, and the operator's word stands for the fence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_a_way_over_and_back_without_the_right_to_a_trigger() {
    let bed = Bed::monolith(30).await;
    let mapping = bed.mapping("").await;
    let role = Role::make(&bed, "SELECT, INSERT, UPDATE, DELETE").await;
    role.may_create(&bed).await;
    let deps = Deps { source: bed.source_as(&role.name).await, ..bed.deps.clone() };
    let way = Way { trigger: false, ..role.way(&bed, &deps, &mapping) };
    let began = Instant::now();
    let work = async {
        bed.settled(&mapping).await;
        // `status` tells of comparisons here, too.
        while bed.folder.record().unwrap().differences.unwrap_or_default().comparisons == 0 {
            assert!(began.elapsed().as_secs() < 60, "no comparison is told of");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    Bed::follow_with(&way, work).await.1.unwrap();
    let error = cut_over(&way, TURN, pending(), |_| {}).await.unwrap_err().to_string();
    assert!(error.contains("GRANT TRIGGER") && error.contains("--writers-stopped"), "{error}");
    over_and_back(&bed, &way, Turn { writers_stopped: true, ..TURN }).await;
    role.drop(&bed).await;
}
