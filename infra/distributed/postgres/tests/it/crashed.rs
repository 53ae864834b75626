//! A server that crashes before a COMMIT got to it.

use std::sync::Arc;
use std::time::Duration;

use souk_conformance::{SeededIds, eventually, make, within};
use souk_ports::{ExecuteError, Outcome, SystemClock};
use souk_postgres::{Postgres, PostgresConfig};
use souk_servers::{Scratch, Server};
use tokio_postgres::Client;

use crate::database::session;
use crate::proxy::{AtCommit, Proxy};
use crate::together::fresh;
use crate::{other_versions, versions};

/// How often the server is crashed until a transaction's id comes once more: something else may have had its first record
/// written to disk.
const TRIES: usize = 10;

/// What a crash loses of the log has its ids given to others, whose "committed" is not ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_given_once_more_acknowledges_nothing() {
    let scratch = Scratch::new("crashed").unwrap();
    let mut options = versions::options();
    // Nobody else writes to disk what was logged last.
    options.settings.push(("wal_writer_delay".to_owned(), "10s".to_owned()));
    let mut server =
        Server::start(souk_servers::Kind::Postgres, scratch.folder("postgres"), options).unwrap();
    let url = other_versions::url(&server);
    let proxy = Proxy::before(url.clone()).await;
    let mut config = PostgresConfig::parse(&proxy.url("app")).unwrap();
    config.committers = 1;
    config.outcome_patience = Duration::from_secs(60);
    let ids = Arc::new(SeededIds::new(41_007));
    let postgres = Postgres::connect(config, Arc::new(SystemClock), ids).await.unwrap();
    for number in 0..TRIES {
        let catalog = postgres.catalog();
        let key = format!("at-the-crash-{number}");
        let id = fresh();
        let unit = || make::keyed([make::create(id, "perhaps", 9)], &key, 1);
        proxy.arm(AtCommit::Hold, true);
        let writing = tokio::spawn({
            let (catalog, unit) = (catalog.clone(), unit());
            async move { catalog.execute(unit).await }
        });
        eventually("the COMMIT to be held", || async { proxy.has_struck().then_some(()) }).await;
        let lost = open_transaction(&session(&url).await).await;
        server.kill();
        server.restart().unwrap();
        let came_again = commit_until(&session(&url).await, lost).await;
        proxy.open();
        let outcome = within("the answer", writing).await.unwrap();
        eventually("writes to be taken again", || async {
            catalog.execute(make::unit([make::create(fresh(), "next", 9)])).await.ok()
        })
        .await;
        let there = catalog.product(id).await.unwrap().is_some();
        match outcome {
            // Tried once more on the server that is back.
            Ok(Outcome::Applied(_)) => assert!(there, "an acknowledged write is lost"),
            Err(ExecuteError::OutcomeUnknown(_)) => assert!(!there, "it never got its COMMIT"),
            other => panic!("unexpected: {other:?}"),
        }
        let again = catalog.execute(unit()).await.unwrap();
        assert_eq!(
            matches!(again, Outcome::Replayed(_)),
            there,
            "the key tells whether it happened: {again:?}"
        );
        if came_again {
            return;
        }
    }
    panic!("in {TRIES} crashes no id was given once more");
}

/// Returns the id of the one transaction that has written and waits for its client.
async fn open_transaction(client: &Client) -> i64 {
    let sql = "SELECT backend_xid::text::int8 FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Commits transactions until one has `id` or a later one; tells whether `id` was among them.
async fn commit_until(client: &Client, id: i64) -> bool {
    let mut came = false;
    loop {
        let given: i64 =
            client.query_one("SELECT pg_current_xact_id()::text::int8", &[]).await.unwrap().get(0);
        came |= given == id;
        if given >= id {
            return came;
        }
    }
}
