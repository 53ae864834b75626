//! What `souk doctor` finds in a database.

use souk_ports::{Finding, Level};
use souk_postgres::{PostgresConfig, doctor};

use crate::database::{Database, server, session};

async fn examined(url: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    doctor::examine(&PostgresConfig::parse(url).unwrap(), &mut |finding| found.push(finding)).await;
    assert!(!format!("{found:?}").contains(":password@"), "secrets are not shown: {found:?}");
    found
}

fn level(found: &[Finding], name: &str) -> Level {
    found.iter().find(|finding| finding.name == name).unwrap_or_else(|| panic!("no {name}: {found:?}")).level
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_use_is_well() {
    let database = Database::create().await;
    let empty = examined(&database.url).await;
    assert_eq!(level(&empty, "postgres.schema"), Level::Warn, "nobody has made it yet");
    let postgres = database.connect(1).await;
    let found = examined(&database.url).await;
    for name in
        ["postgres", "postgres.schema", "postgres.full-page-writes", "postgres.connections", "postgres.clock"]
    {
        assert_eq!(level(&found, name), Level::Ok, "{found:?}");
    }
    postgres.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_fails() {
    let database = Database::create().await;
    database.connect(1).await.close().await;
    let client = session(&database.url).await;
    client.batch_execute("UPDATE souk.meta SET value = '999' WHERE key = 'schema_version'").await.unwrap();
    let found = examined(&database.url).await;
    assert_eq!(level(&found, "postgres.schema"), Level::Fail, "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_unreachable() {
    let found = examined("postgres://postgres:password@127.0.0.1:9/app").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].unreachable && found[0].remedy.is_some(), "{found:?}");
    let missing = crate::database::with_database(&server(), "souk_test_there_is_none");
    let found = examined(&missing).await;
    assert!(found[0].level == Level::Fail && !found[0].unreachable, "{found:?}");
}
