//! Where a shop does not move, and why.

use souk_conformance::make;
use souk_domain::ProductId;
use souk_embedded::{Embedded, EmbeddedConfig, EmbeddedMoveSource, OpenError};
use souk_ports::{Holds, IdGenerator as _, Keeper};
use std::sync::Arc;

use crate::bed::{Bed, refusal};

async fn shop_with_a_product(bed: &Bed, name: &str) {
    let shop = bed.open(name);
    bed.run(&shop, make::unit([make::create(ProductId(bed.ids.next_id()), "thing", 9)])).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_another_shop_is_left_alone() {
    let bed = Bed::new();
    shop_with_a_product(&bed, "old").await;
    shop_with_a_product(&bed, "other").await;
    let other = bed.contents("other").await;
    let mut target = bed.target("other");
    let told = refusal(souk_move::load(&bed.departure("old"), &mut *target, &mut |_| {}).await);
    assert!(told.contains("holds products already") && told.contains("mv "), "{told}");
    target.close().await;
    assert_eq!(bed.contents("other").await, other);

    bed.complete("old", "new").await;
    let mut target = bed.target("new");
    let told = refusal(souk_move::load(&bed.departure("other"), &mut *target, &mut |_| {}).await);
    assert!(told.contains("another shop, which came from old"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_done_is_not_done_again() {
    let bed = Bed::new();
    shop_with_a_product(&bed, "old").await;
    let done = bed.complete("old", "new").await;
    let mut target = bed.target("new");
    let again = souk_move::load(&bed.departure("old"), &mut *target, &mut |_| {}).await.unwrap();
    assert_eq!(again, done);
    shop_with_a_product(&bed, "old").await;
    let told = refusal(souk_move::load(&bed.departure("old"), &mut *target, &mut |_| {}).await);
    assert!(told.contains("has taken writes since"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_whose_products_the_old_system_keeps_does_not_move() {
    let bed = Bed::new();
    shop_with_a_product(&bed, "old").await;
    let keep = async |keeper: Keeper| {
        let shop = bed.open("old");
        shop.catalog().set_keeper(keeper).await.unwrap();
        shop.close().await;
    };
    keep(Keeper::Source).await;
    let mut target = bed.target("new");
    let told = refusal(souk_move::load(&bed.departure("old"), &mut *target, &mut |_| {}).await);
    assert!(told.contains("`souk migrate cutover`") && told.contains("finish --give-up"), "{told}");
    assert!(matches!(target.holds().await.unwrap(), Holds::Nothing), "the target stays as it was");

    // `souk migrate follow` begins between two runs.
    keep(Keeper::Souk).await;
    souk_move::load(&bed.departure("old"), &mut *target, &mut |_| {}).await.unwrap();
    keep(Keeper::Source).await;
    refusal(souk_move::load(&bed.departure("old"), &mut *target, &mut |_| {}).await);
    target.close().await;

    keep(Keeper::Souk).await;
    bed.complete("old", "new").await;
    assert_eq!(bed.contents("new").await, bed.contents("old").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_souk_starts_on_a_half_moved_folder_and_no_shop_leaves_it() {
    let bed = Bed::new();
    shop_with_a_product(&bed, "old").await;
    let mut target = bed.target("new");
    souk_move::load(&bed.departure("old"), &mut *target, &mut |_| {}).await.unwrap();
    assert!(matches!(target.holds().await.unwrap(), Holds::Beginning(_)));
    target.close().await;
    let config = EmbeddedConfig::new(bed.path("new"));
    let opened = Embedded::open(&config, bed.clock.clone(), Arc::new(souk_conformance::SeededIds::new(3)));
    let told = opened.err().expect("it is half moved").to_string();
    assert!(told.contains("run `souk move --to embedded` again"), "{told}");
    assert!(matches!(EmbeddedMoveSource::open(&bed.path("new")).err(), Some(OpenError::HalfMoved { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_at_work_does_not_move() {
    let bed = Bed::new();
    let _shop = bed.open("old");
    let told = EmbeddedMoveSource::open(&bed.path("old")).err().expect("it is in use").to_string();
    assert!(told.contains(&format!("process {}", std::process::id())), "{told}");
}
