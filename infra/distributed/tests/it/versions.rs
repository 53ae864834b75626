//! What depends on Postgres with each other version of it that souk takes: those tests once more, with a server of that version.

use souk_conformance::all_pass_again;
use souk_servers::{Kind, Options, Scratch, Server};
use tokio_postgres::NoTls;

/// What reads and empties the outbox, and judges the database. Of how the relay goes on after faults, what its sessions and
/// its lock make of it: the rest is between it and Kafka, and takes longest.
const TESTS: [&str; 6] = [
    "admission::",
    "ordering::",
    "restore::",
    "rotation::",
    "recovery::a_lost_session_with_postgres_is_made_anew",
    "recovery::one_relay_leads_and_another_takes_over_when_it_ends",
];

async fn all_pass_with(version: u32) {
    let scratch = Scratch::new("version").unwrap();
    let options = Options { version: Some(version), ..Options::default() };
    let server = Server::start(Kind::Postgres, scratch.folder("postgres"), options).unwrap();
    let (_, url) = server.env().into_iter().find(|(name, _)| *name == "DATABASE_URL").unwrap();
    // A server that is another one than it should be would make this a test of nothing.
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let row = client.query_one("SHOW server_version_num", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0).parse::<u32>().unwrap() / 10_000, version);
    let passed = all_pass_again(&TESTS, &[("DATABASE_URL", &url)]);
    assert!(passed > 20, "{passed} tests with PostgreSQL {version}");
}

#[tokio::test]
async fn all_pass_with_16() {
    all_pass_with(16).await;
}

#[tokio::test]
async fn all_pass_with_17() {
    all_pass_with(17).await;
}

#[tokio::test]
async fn all_pass_with_18() {
    all_pass_with(18).await;
}
