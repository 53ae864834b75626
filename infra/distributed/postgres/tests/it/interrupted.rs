//! Sessions that end in the middle: nothing lost, nothing twice, answers honest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use souk_conformance::{DEADLINE, SeededIds, eventually, fold_log, make, within};
use souk_domain::{ProductId, query_tokens};
use souk_ports::{ExecuteError, Outcome, ProductQuery, SystemClock};
use souk_postgres::{Postgres, PostgresConfig};

use crate::database::{Database, server, session};
use crate::proxy::{AtCommit, Proxy};
use crate::together::{fresh, logged};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_killed_under_load_lose_nothing_and_do_nothing_twice() {
    let database = Database::create().await;
    let postgres = database.connect(41_001).await;
    let shared = fresh();
    postgres.catalog().execute(make::unit([make::create(shared, "shared", 1_000_000)])).await.unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..12_u8 {
        let (catalog, over) = (postgres.catalog(), Arc::clone(&over));
        writers.push(tokio::spawn(async move {
            let mut told: Vec<(ProductId, Result<Outcome, ExecuteError>)> = Vec::new();
            let mut applied = 0;
            // Through it all, and afterwards until some got through: without a session they are refused at once.
            while !over.load(Ordering::Acquire) || applied < 10 {
                let id = fresh();
                let commands = [make::create(id, "fresh", 9), make::adjust(shared, -1)];
                let key = format!("{writer}-{id}");
                let outcome = catalog.execute(make::keyed(commands, &key, writer)).await;
                match outcome {
                    Ok(_) => applied += 1,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
                told.push((id, outcome));
            }
            told
        }));
    }
    let killer = session(&server()).await;
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(40)).await;
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
        killer.query(sql, &[&database.name]).await.unwrap();
    }
    over.store(true, Ordering::Release);
    let mut done = 0_u64;
    let mut told = Vec::new();
    for writer in writers {
        told.extend(within("a writer", writer).await.unwrap());
    }
    let catalog = postgres.catalog();
    for (id, outcome) in told {
        let there = catalog.product(id).await.unwrap().is_some();
        done += u64::from(there);
        match outcome {
            Ok(Outcome::Applied(_)) => assert!(there, "{id} was answered and is lost"),
            Err(ExecuteError::Overloaded(_)) => assert!(!there, "{id} was refused and is there"),
            Err(ExecuteError::OutcomeUnknown(_)) => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(done >= 120, "only {done} writes got through");
    let shared_now = catalog.product(shared).await.unwrap().unwrap();
    assert_eq!(shared_now.stock.get(), 1_000_000 - i64::try_from(done).unwrap());
    let folds = fold_log(&logged(&postgres).await);
    assert_eq!(folds[&shared].product.as_ref(), Some(&shared_now));
    assert_eq!(folds.len() as u64, 1 + done);
}

async fn over_a_proxy(seed: u16) -> (Database, Proxy, Postgres) {
    let database = Database::create().await;
    let proxy = Proxy::start().await;
    let postgres = database.connect_over(&proxy.url(&database.name), seed).await;
    (database, proxy, postgres)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_to_commit_is_resolved() {
    let (_database, proxy, postgres) = over_a_proxy(41_002).await;
    let catalog = postgres.catalog();
    for at_commit in [AtCommit::LoseReply, AtCommit::LoseRequest, AtCommit::LoseReply] {
        let id = fresh();
        proxy.arm(at_commit, false);
        let unit = make::unit([make::create(id, "once", 9)]);
        let outcome = within("the answer", catalog.execute(unit)).await;
        assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{at_commit:?}: {outcome:?}");
        assert!(proxy.has_struck(), "a COMMIT was lost");
        assert_eq!(catalog.product(id).await.unwrap().unwrap().version.0, 1);
    }
    assert_eq!(logged(&postgres).await.len(), 3, "each happened once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_nobody_can_tell_is_called_unknown() {
    let database = Database::create().await;
    let proxy = Proxy::start().await;
    let mut config = PostgresConfig::parse(&proxy.url(&database.name)).unwrap();
    config.committers = 1;
    config.outcome_patience = Duration::from_millis(300);
    let ids = Arc::new(SeededIds::new(41_003));
    let postgres = Postgres::connect(config, Arc::new(SystemClock), ids).await.unwrap();
    let catalog = postgres.catalog();
    proxy.arm(AtCommit::LoseReply, true);
    let id = fresh();
    let keyed = || make::keyed([make::create(id, "perhaps", 9)], "perhaps", 1);
    let outcome = within("the answer", catalog.execute(keyed())).await;
    assert!(matches!(outcome, Err(ExecuteError::OutcomeUnknown(_))), "{outcome:?}");
    // Without a session nobody waits for nothing.
    let refused = within("the answer", catalog.execute(make::unit([make::create(fresh(), "no", 9)]))).await;
    let Err(ExecuteError::Overloaded(cause)) = refused else { panic!("{refused:?}") };
    assert!(cause.contains("DATABASE_URL postgres://") && !cause.contains("password"), "{cause}");
    proxy.open();
    let again =
        eventually("writes to be taken again", || async { catalog.execute(keyed()).await.ok() }).await;
    assert!(matches!(again, Outcome::Replayed(_)), "the key tells that it had happened: {again:?}");
    eventually("the store to call itself well", || async {
        catalog.health().await.ok().filter(|health| health.problem.is_none())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_beside_its_first_request_gets_the_answer_of_that() {
    let (database, proxy, postgres) = over_a_proxy(41_008).await;
    let other = database.connect_over(&database.url, 41_009).await;
    // With an id of its own each time, as the API gives one.
    let request = || make::keyed([make::create_sku("seller1", fresh(), "LANTERN-1")], "lantern-1", 1);
    proxy.hold("p.sku = n.sku");
    // The first try fails: the second one presumes nothing.
    proxy.arm(AtCommit::LoseRequest, false);
    let (catalog, unit) = (postgres.catalog(), request());
    let repeating = tokio::spawn(async move { catalog.execute(unit).await });
    eventually("the look for the sku", || async { proxy.holds().then_some(()) }).await;
    let first = within("the first answer", other.catalog().execute(request())).await;
    let Ok(Outcome::Applied(done)) = first else { panic!("{first:?}") };
    proxy.release();
    let repeated = within("the repeat's answer", repeating).await.unwrap();
    let Ok(Outcome::Replayed(answer)) = repeated else { panic!("{repeated:?}") };
    assert_eq!(answer, make::answer(&done));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_waits_for_nobody_who_has_left() {
    let database = Database::create().await;
    let proxy = Proxy::start().await;
    let mut config = PostgresConfig::parse(&proxy.url(&database.name)).unwrap();
    config.committers = 2;
    let ids = Arc::new(SeededIds::new(41_010));
    let postgres = Postgres::connect(config, Arc::new(SystemClock), ids).await.unwrap();
    let catalog = postgres.catalog();
    proxy.hold("INSERT INTO souk.products");
    let id = fresh();
    let writing = tokio::spawn({
        let catalog = catalog.clone();
        async move { catalog.execute(make::unit([make::create(id, "held", 9)])).await }
    });
    eventually("the batch to be held", || async { proxy.holds().then_some(()) }).await;
    let closing = tokio::spawn(async move { postgres.close().await });
    let watcher = session(&server()).await;
    eventually("the others to leave", || async {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
        let row = watcher.query_one(sql, &[&database.name]).await.unwrap();
        (row.get::<_, i64>(0) == 1).then_some(())
    })
    .await;
    proxy.close();
    // Two attempts to connect are made for the batch; whoever counts on others makes them without end.
    let gives_up = eventually("the end, or many attempts", || async {
        (closing.is_finished() || proxy.refused() > 5).then(|| closing.is_finished())
    })
    .await;
    // So that there is an end in any case: the test's runtime waits for it.
    proxy.open();
    within("the end", closing).await.unwrap();
    assert!(gives_up, "{} attempts to connect", proxy.refused());
    let outcome = within("the answer", writing).await.unwrap();
    assert!(matches!(outcome, Err(ExecuteError::Overloaded(_))), "{outcome:?}");
    assert!(catalog.product(id).await.unwrap().is_none(), "it was refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_does_not_hold_up_the_end() {
    let database = Database::create().await;
    let proxy = Proxy::start().await;
    let mut config = PostgresConfig::parse(&proxy.url(&database.name)).unwrap();
    config.committers = 1;
    config.outcome_patience = Duration::from_millis(300);
    config.answer_patience = Duration::from_secs(1);
    let ids = Arc::new(SeededIds::new(41_011));
    let postgres = Postgres::connect(config, Arc::new(SystemClock), ids).await.unwrap();
    proxy.fall_silent();
    proxy.arm(AtCommit::LoseRequest, false);
    let unit = make::unit([make::create(fresh(), "perhaps", 9)]);
    within("the answer", postgres.catalog().execute(unit)).await.expect_err("nobody can tell");
    let ended = tokio::time::timeout(DEADLINE, postgres.close()).await;
    // So that there is an end in any case: the test's runtime waits for it.
    proxy.open();
    assert!(ended.is_ok(), "it waits for a session that nobody gives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_index_that_was_lost_is_made_anew() {
    let database = Database::create().await;
    let postgres = database.connect(41_004).await;
    let (kept, gone) = (fresh(), fresh());
    for id in [kept, gone] {
        postgres.catalog().execute(make::unit([make::create(id, "lantern", 9)])).await.unwrap();
    }
    let query = ProductQuery { words: query_tokens("lant"), limit: 10, ..ProductQuery::default() };
    let finds = |postgres: Postgres, count: usize| {
        let query = query.clone();
        async move {
            eventually(&format!("{count} to be found"), || async {
                let found = postgres.catalog().products(&query).await.unwrap().items;
                (found.len() == count).then_some(())
            })
            .await;
        }
    };
    finds(postgres.clone(), 2).await;
    postgres.close().await;
    // As a crash of the server leaves it, with the outbox truncated meanwhile.
    let client = session(&database.url).await;
    client
        .batch_execute("TRUNCATE souk.search_state, souk.search_terms, souk.search_documents, souk.outbox_0")
        .await
        .unwrap();
    client.execute("DELETE FROM souk.products WHERE id = $1", &[&gone.0]).await.unwrap();
    let postgres = database.connect(41_005).await;
    finds(postgres.clone(), 1).await;
    // A document without its product does not stay either. Closed first, once its place is written: whoever is at work has
    // that in memory, and a statement on its way would write it again.
    eventually("its place to be written", || async {
        let row = client.query_one("SELECT count(*) FROM souk.search_state", &[]).await.unwrap();
        (row.get::<_, i64>(0) == 1).then_some(())
    })
    .await;
    postgres.close().await;
    client.batch_execute("TRUNCATE souk.search_state; DELETE FROM souk.products").await.unwrap();
    let _postgres = database.connect(41_006).await;
    eventually("no words to be left", || async {
        let row = client.query_one("SELECT count(*) FROM souk.search_terms", &[]).await.unwrap();
        (row.get::<_, i64>(0) == 0).then_some(())
    })
    .await;
}
