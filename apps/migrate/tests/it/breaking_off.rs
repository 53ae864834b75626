//! Turns that do not come to their end: whoever could write before can write again, or is told what is shut.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use souk_migrate::{MigrateError, Progress, ShutRecord, Turned, cut_over, follow, roll_back};
use souk_ports::{Keeper, WayBack as _};

use crate::bed::{Bed, TURN};
use crate::turning::{create, id_of, is_refused_by_the_fence, set_stock, unit};

/// Rows of several pages, so that a comparison takes longer than to be told of the end.
const SEVERAL_PAGES: i32 = 9_000;

/// How many wait for a lock.
const WAITING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";

/// Something that is done once, when a step compares: the side that was open is shut by then.
fn once_it_compares(act: impl FnOnce()) -> impl FnMut(Progress) {
    let mut act = Some(act);
    move |progress| {
        if progress.doing == "rows compared"
            && let Some(act) = act.take()
        {
            act();
        }
    }
}

fn is_broken_off(ended: &Result<Turned, MigrateError>) {
    let Err(MigrateError::Found(text)) = ended else { panic!("not broken off: {ended:?}") };
    assert!(text.contains("broken off before anything was turned"), "{text}");
}

async fn old_writers_write(bed: &Bed) {
    bed.run("UPDATE products SET quantity = quantity + 1 WHERE name = 'Product 3'").await;
    let record = bed.folder.record().unwrap();
    assert!(record.shut.is_none() && record.steps["cutover"].ended.is_some(), "{record:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_over_that_is_broken_off_lets_the_old_system_write_again() {
    let bed = Bed::monolith(SEVERAL_PAGES).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    let (ask, asked) = tokio::sync::oneshot::channel();
    let stop = async { asked.await.unwrap() };
    let ended = cut_over(&bed.way(&mapping), TURN, stop, once_it_compares(|| ask.send(()).unwrap())).await;
    is_broken_off(&ended);
    old_writers_write(&bed).await;
    assert_eq!(bed.deps.catalog.keeper().await.unwrap(), Keeper::Source);
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
    is_refused_by_the_fence(&bed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_over_that_waits_for_the_table_is_broken_off_at_once() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    let slow = bed.session().await;
    slow.batch_execute("BEGIN; UPDATE products SET quantity = 99 WHERE name = 'Product 1'").await.unwrap();
    let stop = async {
        while bed.one::<i64>(WAITING).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = cut_over(&bed.way(&mapping), TURN, stop, |_| {}).await;
    is_broken_off(&ended);
    slow.batch_execute("COMMIT").await.unwrap();
    // Nor does the fence come up late.
    assert!(!bed.outpost().is_fenced(&crate::following::table().table()).await.unwrap());
    old_writers_write(&bed).await;
}

/// The server may wait for the table on behalf of a cut-over that is gone, and needs nobody to come to the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_that_comes_up_after_its_cut_over_was_killed_shuts_nobody_out() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    let slow = bed.session().await;
    slow.batch_execute("BEGIN; UPDATE products SET quantity = 99 WHERE name = 'Product 1'").await.unwrap();
    let (killed, table) = (bed.outpost(), crate::following::table().table());
    let tables = [table.clone()];
    let late = tokio::spawn(async move { killed.fence(&tables, TURN.within).await });
    while bed.one::<i64>(WAITING).await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (mut record, since) = (bed.folder.record().unwrap(), bed.deps.clock.now());
    record.begin("cutover", since);
    record.shut = Some(ShutRecord { by: "cutover".into(), since });
    bed.folder.keep(&record).unwrap();
    let has_ended = AtomicBool::new(false);
    let step = async {
        let ended = bed.roll_back(&mapping).await;
        has_ended.store(true, Ordering::SeqCst);
        ended
    };
    let release = async {
        while bed.one::<i64>(WAITING).await < 2 && !has_ended.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        slow.batch_execute("COMMIT").await.unwrap();
    };
    let (ended, ()) = tokio::join!(step, release);
    late.await.unwrap().unwrap();
    assert!(!bed.outpost().is_fenced(&table).await.unwrap(), "a late fence is up");
    let Err(MigrateError::Usage(text)) = ended else { panic!("not refused: {ended:?}") };
    assert!(text.contains("the source keeps the products already"), "{text}");
    old_writers_write(&bed).await;
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_that_is_broken_off_lets_souk_write_again() {
    let bed = Bed::monolith(SEVERAL_PAGES).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    assert!(bed.cut_over(&mapping).await.unwrap().ok);
    let (ask, asked) = tokio::sync::oneshot::channel();
    let stop = async { asked.await.unwrap() };
    let ended = roll_back(&bed.way(&mapping), TURN, stop, once_it_compares(|| ask.send(()).unwrap())).await;
    is_broken_off(&ended);
    is_refused_by_the_fence(&bed).await;
    let id = id_of(&bed, "Product 3").await;
    bed.deps.catalog.execute(unit(set_stock(id, 44))).await.expect("souk writes again");
    assert!(bed.roll_back(&mapping).await.unwrap().ok);
    let stock: i32 = bed.one("SELECT quantity FROM products WHERE name = 'Product 3'").await;
    assert_eq!(stock, 44);
}

/// Both sides are proven the same, and then something fails: nobody may be left shut out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_after_the_comparison_opens_the_side_again_that_was_open() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    bed.run("CREATE TABLE souk_capture.way_back (nothing_that_fits INT)").await;
    let Err(MigrateError::Found(text)) = bed.cut_over(&mapping).await else { panic!("not refused") };
    assert!(text.contains("way_back"), "{text}");
    old_writers_write(&bed).await;
    bed.run("DROP TABLE souk_capture.way_back").await;
    assert!(bed.cut_over(&mapping).await.unwrap().ok);

    // The record cannot be written any more.
    let in_the_way = bed.folder.file("state.json.new");
    let made = in_the_way.clone();
    let block = once_it_compares(move || std::fs::create_dir(made).unwrap());
    let ended = roll_back(&bed.way(&mapping), TURN, pending(), block).await;
    assert!(matches!(ended, Err(MigrateError::Unreachable(_))), "{ended:?}");
    assert_eq!(bed.deps.catalog.keeper().await.unwrap(), Keeper::Souk);
    is_refused_by_the_fence(&bed).await;
    std::fs::remove_dir(in_the_way).unwrap();
    assert!(bed.roll_back(&mapping).await.unwrap().ok);
    let record = bed.folder.record().unwrap();
    assert_eq!((record.turns.len(), record.shut), (2, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn following_that_cannot_begin_leaves_souk_open_and_the_source_as_it_is() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    let own = create(souk_domain::ProductId(uuid::Uuid::now_v7()), "souk's own");
    bed.deps.catalog.execute(unit(own.clone())).await.unwrap();
    let Err(MigrateError::Found(text)) = follow(&bed.way(&mapping), pending(), |_| {}, |_| {}).await else {
        panic!("not refused")
    };
    assert!(text.contains("has products already"), "{text}");
    assert_eq!(bed.deps.catalog.keeper().await.unwrap(), Keeper::Souk);
    let installed: i64 = bed.one("SELECT count(*) FROM pg_namespace WHERE nspname = 'souk_capture'").await;
    assert_eq!(installed, 0);
    let refused = bed.cut_over(&mapping).await;
    assert!(matches!(refused, Err(MigrateError::Found(_))), "{refused:?}");
    assert_eq!(bed.deps.catalog.keeper().await.unwrap(), Keeper::Souk);

    let other = Bed::monolith(50).await;
    other.run("UPDATE products SET price = -1 WHERE name = 'Product 9'").await;
    let refused = follow(&other.way(&mapping), pending(), |_| {}, |_| {}).await;
    assert!(matches!(refused, Err(MigrateError::Found(_))), "{refused:?}");
    assert_eq!(other.deps.catalog.keeper().await.unwrap(), Keeper::Souk);
}
