//! Who keeps the products: while it is another system, nothing is written here but what comes from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use souk_domain::{Command, Import, Migration, Phase, ProductId, Reference};
use souk_ports::{Catalog, ExecuteError, KEPT_ELSEWHERE, Keeper, UnitOfWork};

use crate::{Fixture, Shop, eventually, make};

fn import(id: ProductId, pieces: i64) -> Command {
    let migration = Migration { source: Reference::new("app.products").unwrap(), phase: Phase::Follow };
    let (seller_id, fields) = (make::seller("seller1"), make::fields("theirs", pieces));
    Command::Import(Import {
        id,
        seller_id,
        fields,
        unmapped: Vec::new(),
        created_at: None,
        updated_at: None,
        noted_at: None,
        migration,
    })
}

async fn refused(catalog: &dyn Catalog, unit: UnitOfWork) {
    match catalog.execute(unit).await {
        Err(ExecuteError::Overloaded(why)) => assert_eq!(why, KEPT_ELSEWHERE),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// Once the source keeps the products, imports alone are taken, also after a crash, until souk keeps them again.
pub async fn only_imports_pass_while_the_source_keeps_the_products<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    assert_eq!(shop.catalog.keeper().await.unwrap(), Keeper::Souk);
    let ours = shop.product("ours", 10).await;
    let keyed = make::keyed([make::adjust(ours, -1)], "order-1", 1);
    shop.run_unit(keyed.clone()).await;
    shop.catalog.set_keeper(Keeper::Source).await.unwrap();
    let before = shop.scan().await;
    refused(&*shop.catalog, make::unit([make::adjust(ours, -1)])).await;
    refused(&*shop.catalog, make::unit([make::create(shop.new_id(), "new", 1)])).await;
    refused(&*shop.catalog, make::unit([make::delete(ours)])).await;
    // Half of it is no import.
    refused(&*shop.catalog, make::unit([import(shop.new_id(), 3), make::rename(ours, "other")])).await;
    assert_eq!(shop.scan().await, before);
    shop.catalog.execute(keyed).await.expect("what was answered before is answered again");
    let theirs = shop.new_id();
    shop.run(import(theirs, 30)).await;
    let shop = shop.crash().await;
    assert_eq!(shop.catalog.keeper().await.unwrap(), Keeper::Source);
    refused(&*shop.catalog, make::unit([make::adjust(theirs, -1)])).await;
    shop.run(import(theirs, 31)).await;
    shop.catalog.set_keeper(Keeper::Souk).await.unwrap();
    shop.run(make::adjust(theirs, -1)).await;
    assert_eq!((shop.get(theirs).await.stock, shop.get(ours).await.stock), (make::stock(30), make::stock(9)));
}

/// Writers that are at work when the keeper changes commit before that is answered, or not at all.
pub async fn no_write_commits_after_the_source_has_become_the_keeper<F: Fixture>() {
    const WRITERS: usize = 8;
    let shop = Shop::<F>::open().await;
    let mut products = Vec::new();
    for n in 0..WRITERS {
        products.push(shop.product(&format!("product {n}"), 1_000_000).await);
    }
    for round in 0..4 {
        let stop = Arc::new(AtomicBool::new(false));
        let (done, refusals) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut writers = Vec::new();
        for id in products.clone() {
            let (catalog, stop) = (shop.catalog.clone(), stop.clone());
            let (done, refusals) = (done.clone(), refusals.clone());
            writers.push(tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    // A catalog that is closed answers without waiting: the test's end must come through.
                    tokio::task::yield_now().await;
                    match catalog.execute(make::unit([make::adjust(id, -1)])).await {
                        Ok(_) => done.fetch_add(1, Ordering::SeqCst),
                        Err(ExecuteError::Overloaded(_)) => refusals.fetch_add(1, Ordering::SeqCst),
                        Err(error) => panic!("{error}"),
                    };
                }
            }));
        }
        eventually("the writers are at work", async || (done.load(Ordering::SeqCst) > 20).then_some(()))
            .await;
        shop.catalog.set_keeper(Keeper::Source).await.unwrap();
        let at_the_change = shop.scan().await;
        eventually("each writer was refused", async || {
            (refusals.load(Ordering::SeqCst) > 3 * WRITERS as u64).then_some(())
        })
        .await;
        assert_eq!(shop.scan().await, at_the_change, "round {round}: something was written afterwards");
        stop.store(true, Ordering::SeqCst);
        for writer in writers {
            writer.await.unwrap();
        }
        shop.catalog.set_keeper(Keeper::Souk).await.unwrap();
    }
}
