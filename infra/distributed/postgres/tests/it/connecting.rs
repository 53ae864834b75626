//! Starts that fail, each with a text that says what to do and shows no password.

use std::sync::Arc;

use souk_conformance::{SeededIds, TestClock, make};
use souk_ports::{ExecuteError, UnitOfWork};
use souk_postgres::{ConnectError, Postgres, PostgresConfig};
use uuid::Uuid;

use crate::database::{Database, server, session, with_database};

async fn connect(url: &str) -> Result<Postgres, ConnectError> {
    let config = PostgresConfig::parse(url).unwrap();
    Postgres::connect(config, Arc::new(TestClock::default()), Arc::new(SeededIds::new(1))).await
}

/// Connects in vain; returns whether trying again may help, and the text.
async fn failure(url: &str) -> (bool, String) {
    let Err(error) = connect(url).await else { panic!("{url} should not do") };
    let text = error.to_string();
    assert!(text.contains("DATABASE_URL postgres"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    (error.is_retryable(), text)
}

/// The test server's host and port.
fn host() -> String {
    let url = server();
    let (_, rest) = url.rsplit_once('@').unwrap();
    rest.split_once('/').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_wrong_password_is_refused_for_good() {
    let (retry, text) = failure(&format!("postgres://postgres:s3cret@{}/app", host())).await;
    assert!(!retry && text.contains("check the password of postgres"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for() {
    for host in ["127.0.0.1:1", "no-such-host.invalid:5432"] {
        let (retry, text) = failure(&format!("postgres://a:s3cret@{host}/app")).await;
        assert!(retry && text.contains(host) && text.contains("check host and port"), "{text}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_with_its_remedy() {
    let (retry, text) = failure(&with_database(&server(), "souk_no_such")).await;
    assert!(!retry && text.contains("CREATE DATABASE \"souk_no_such\""), "{text}");
}

#[tokio::test]
async fn tls_that_the_server_has_not_got_is_refused() {
    let database = Database::create().await;
    let client = session(&database.url).await;
    let tls: String = client.query_one("SHOW ssl", &[]).await.unwrap().get(0);
    let (retry, text) = match tls.as_str() {
        "off" => failure(&format!("{}?sslmode=require", database.url)).await,
        // With TLS: one that no authority signed, or for another name.
        _ => failure(&format!("{}?sslmode=verify-full&sslrootcert=system", database.url)).await,
    };
    assert!(!retry && text.contains("sslmode"), "{text}");
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let database = Database::create().await;
    connect(&database.url).await.unwrap().close().await;
    let client = session(&database.url).await;
    client.batch_execute("UPDATE souk.meta SET value = '99' WHERE key = 'schema_version'").await.unwrap();
    let (retry, text) = failure(&database.url).await;
    assert!(!retry && text.contains("schema 99") && text.contains("a newer souk wrote it"), "{text}");
}

#[tokio::test]
async fn a_schema_of_somebody_else_is_left_alone() {
    let database = Database::create().await;
    let client = session(&database.url).await;
    client.batch_execute("CREATE SCHEMA souk; CREATE TABLE souk.meta (key text, value text)").await.unwrap();
    let (retry, text) = failure(&database.url).await;
    assert!(!retry && text.contains("is not souk's"), "{text}");
}

#[tokio::test]
async fn a_missing_right_is_named_with_its_grant() {
    let database = Database::create().await;
    let client = session(&server()).await;
    let role = format!("souk_role_{}", Uuid::now_v7().simple());
    client.batch_execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 's3cret'")).await.unwrap();
    let url = format!("postgres://{role}:s3cret@{}/{}", host(), database.name);
    let told = tokio::spawn(async move { failure(&url).await }).await;
    client.batch_execute(&format!("DROP ROLE {role}")).await.unwrap();
    let (retry, text) = told.unwrap();
    assert!(!retry && text.contains("GRANT CREATE, CONNECT ON DATABASE"), "{text}");
}

#[tokio::test]
async fn many_instances_may_start_at_once() {
    let database = Database::create().await;
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let url = database.url.clone();
            tokio::spawn(async move { connect(&url).await.map(drop) })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_reader_changes_nothing() {
    let database = Database::create().await;
    let read_only = || async {
        let config = PostgresConfig::parse(&database.url).unwrap();
        Postgres::read_only(config, Arc::new(TestClock::default())).await
    };
    let Err(ConnectError::Refused(text)) = read_only().await else { panic!("there is nothing to read") };
    assert!(text.contains("no schema souk"), "{text}");
    connect(&database.url).await.unwrap().close().await;
    let reading = read_only().await.unwrap();
    assert!(reading.catalog().scan(None, 10).await.unwrap().is_empty());
    let unit: UnitOfWork = make::unit([make::create(souk_domain::ProductId(Uuid::now_v7()), "no", 1)]);
    assert!(matches!(reading.catalog().execute(unit).await, Err(ExecuteError::Overloaded(_))));
}

#[tokio::test]
async fn an_answer_is_durable_whatever_the_database_says() {
    let database = Database::create().await;
    let client = session(&database.url).await;
    let sql = format!("ALTER DATABASE {} SET synchronous_commit = off", database.name);
    client.batch_execute(&sql).await.unwrap();
    let setting = |url: String| async move {
        let postgres = connect(&url).await.unwrap();
        let row =
            postgres.connection().await.unwrap().query_one("SHOW synchronous_commit", &[]).await.unwrap();
        row.get::<_, String>(0)
    };
    assert_eq!(setting(database.url.clone()).await, "on");
    let asked = format!("{}?options=-csynchronous_commit%3Doff", database.url);
    assert_eq!(setting(asked).await, "off", "whoever asks in the URL gets it");
}
