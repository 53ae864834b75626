//! Idempotency keys: one effect and one answer, whatever happens in between.

use std::time::Duration;

use souk_domain::{Patch, Version};
use souk_ports::{Answer, ExecuteError, Outcome, UnitOfWork};

use crate::{Dice, Fixture, Shop, make, within};

/// Repeats a unit that took effect before, and returns the answer of that time.
async fn replayed<F: Fixture>(shop: &Shop<F>, unit: UnitOfWork) -> Answer {
    match shop.catalog.execute(unit).await {
        Ok(Outcome::Replayed(answer)) => answer,
        other => panic!("expected the answer of the first time, got {other:?}"),
    }
}

/// Every repeat gets the first answer, though the product has changed since.
pub async fn a_key_gives_one_effect_and_the_same_answer<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("keyed", 100).await;
    let sale = || make::keyed([make::adjust(id, -7)], "order-1", 1);
    let applied = shop.run_unit(sale()).await;
    let answer = make::answer(&applied);
    shop.run(make::adjust(id, -1)).await;
    for _ in 0..3 {
        assert_eq!(replayed(&shop, sale()).await, answer);
    }
    assert_eq!(shop.get(id).await.stock.get(), 92);

    let fresh = shop.new_id();
    let create = || make::keyed([make::create(fresh, "fresh", 3)], "create-1", 2);
    let answer = make::answer(&shop.run_unit(create()).await);
    shop.run(make::delete(fresh)).await;
    assert_eq!(replayed(&shop, create()).await, answer, "also when what it made is gone");
    assert_eq!(shop.find(fresh).await, None);
}

/// Of requests under one key that arrive together, one takes effect, and all get its answer.
pub async fn concurrent_duplicates_of_a_key_take_effect_once<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("keyed", 1_000).await;
    for round in 0..5 {
        let mut requests = Vec::new();
        for _ in 0..32 {
            let catalog = shop.catalog.clone();
            let unit = make::keyed([make::adjust(id, -1)], &format!("round-{round}"), round);
            requests.push(tokio::spawn(async move { catalog.execute(unit).await }));
        }
        let (mut effects, mut answers) = (0, Vec::new());
        for request in requests {
            match within("an answer", request).await.unwrap() {
                Ok(Outcome::Applied(applied)) => {
                    effects += 1;
                    answers.push(make::answer(&applied));
                }
                Ok(Outcome::Replayed(answer)) => answers.push(answer),
                other => panic!("expected an effect or its answer, got {other:?}"),
            }
        }
        assert_eq!(effects, 1);
        assert!(answers.iter().all(|answer| *answer == answers[0]));
    }
    assert_eq!(shop.get(id).await.stock.get(), 995);
}

/// A key belongs to the request that used it first.
pub async fn a_key_with_another_fingerprint_is_refused<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("keyed", 100).await;
    shop.run_unit(make::keyed([make::adjust(id, -1)], "mine", 1)).await;
    let other = shop.catalog.execute(make::keyed([make::adjust(id, -2)], "mine", 2)).await;
    assert!(matches!(other, Err(ExecuteError::KeyReused)), "{other:?}");
    assert_eq!(shop.get(id).await.stock.get(), 99);

    // The same when both arrive together.
    let mut requests = Vec::new();
    for request in 0..20 {
        let catalog = shop.catalog.clone();
        let unit = make::keyed([make::adjust(id, -1)], "contested", request);
        requests.push(tokio::spawn(async move { catalog.execute(unit).await }));
    }
    let mut effects = 0;
    for request in requests {
        match within("an answer", request).await.unwrap() {
            Ok(Outcome::Applied(_)) => effects += 1,
            Err(ExecuteError::KeyReused) => {}
            other => panic!("expected an effect or a refusal, got {other:?}"),
        }
    }
    assert_eq!(effects, 1);
    assert_eq!(shop.get(id).await.stock.get(), 98);
}

/// What was refused may be tried again under its key, by any request.
pub async fn refusals_are_not_stored_under_a_key<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("keyed", 1).await;
    let sale = || make::keyed([make::adjust(id, -5)], "patient", 1);
    let insufficient = make::insufficient(id, 1, 1);
    for _ in 0..2 {
        assert_eq!(shop.refusals(sale()).await[0].rejection, insufficient);
    }
    let mut requests = Vec::new();
    for _ in 0..10 {
        let (catalog, unit) = (shop.catalog.clone(), sale());
        requests.push(tokio::spawn(async move { catalog.execute(unit).await }));
    }
    for request in requests {
        let outcome = within("an answer", request).await.unwrap();
        assert!(matches!(outcome, Err(ExecuteError::Rejected(_))), "{outcome:?}");
    }
    shop.run(make::adjust(id, 10)).await;
    let answer = make::answer(&shop.run_unit(sale()).await);
    assert_eq!(replayed(&shop, sale()).await, answer);
    assert_eq!(shop.get(id).await.stock.get(), 6);

    shop.refusals(make::keyed([make::adjust(id, -50)], "changed my mind", 1)).await;
    shop.run_unit(make::keyed([make::adjust(id, -1)], "changed my mind", 2)).await;
}

/// A request that changed nothing was answered, and is answered so again.
pub async fn a_no_op_under_a_key_is_answered_again<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("same", 10).await;
    let nothing = || make::keyed([make::patch(id, Patch::default())], "nothing", 1);
    let answer = make::answer(&shop.run_unit(nothing()).await);
    shop.run(make::rename(id, "other")).await;
    assert_eq!(replayed(&shop, nothing()).await, answer);
    assert_eq!(shop.get(id).await.version, Version(2));
}

/// An answer is as durable as the write that it answers.
pub async fn a_key_survives_a_reopen<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("keyed", 100).await;
    let order = || make::keyed([make::adjust(id, -7), make::adjust(id, -8)], "order \u{e9} 1", 1);
    let answer = make::answer(&shop.run_unit(order()).await);
    let shop = shop.crash().await;
    assert_eq!(replayed(&shop, order()).await, answer);
    let other = shop.catalog.execute(make::keyed([make::adjust(id, -2)], "order \u{e9} 1", 2)).await;
    assert!(matches!(other, Err(ExecuteError::KeyReused)), "{other:?}");
    assert_eq!(shop.get(id).await.stock.get(), 85);
}

/// Whoever never heard an answer asks again under the same key, and there is one effect.
pub async fn a_key_survives_a_crash_between_commit_and_reply<F: Fixture>() {
    const CRASHES: u8 = 12;
    let mut shop = Shop::<F>::open().await;
    let mut dice = Dice::new(3);
    let id = shop.product("keyed", 1_000).await;
    for crash in 0..CRASHES {
        let key = format!("crash-{crash}");
        let sale = || make::keyed([make::adjust(id, -1)], &key, crash);
        let (catalog, unit) = (shop.catalog.clone(), sale());
        let request = tokio::spawn(async move { catalog.execute(unit).await });
        // From before the request is queued to after it is answered.
        tokio::time::sleep(Duration::from_micros(dice.roll(4_000))).await;
        request.abort();
        let heard = request.await;
        shop = shop.crash().await;
        let again = shop.catalog.execute(sale()).await;
        match (heard, again) {
            (Ok(Ok(Outcome::Applied(applied))), Ok(Outcome::Replayed(answer))) => {
                assert_eq!(make::answer(&applied), answer, "what was answered is kept");
            }
            (Err(_), Ok(Outcome::Applied(_) | Outcome::Replayed(_))) => {}
            unexpected => panic!("expected one effect, got {unexpected:?}"),
        }
        assert_eq!(shop.get(id).await.stock.get(), 999 - i64::from(crash), "one effect for each key");
    }
    let sales = shop.settled_log().await.len();
    assert_eq!(sales, 1 + usize::from(CRASHES), "one event for each key");
}

/// A key holds for 24 hours.
pub async fn a_key_is_replayed_for_a_day<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("keyed", 100).await;
    let sale = || make::keyed([make::adjust(id, -7)], "yesterday", 1);
    let answer = make::answer(&shop.run_unit(sale()).await);
    shop.clock.advance(Duration::from_secs(24 * 3_600 - 1));
    shop.fixture.maintain().await;
    assert_eq!(replayed(&shop, sale()).await, answer);
}
