//! A database of its own for each test, dropped at the end.

use std::sync::Arc;

use souk_conformance::{SeededIds, TestClock};
use souk_ports::SystemClock;
use souk_postgres::{Postgres, PostgresConfig};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// Returns the URL of the server to test with.
pub fn server() -> String {
    std::env::var("DATABASE_URL").unwrap_or_else(|_| {
        panic!(
            "DATABASE_URL is not set: run `cargo xtask test`, or `eval \"$(cargo xtask services env)\"` after \
             `cargo xtask services up`"
        )
    })
}

/// Returns `url` with another database.
pub fn with_database(url: &str, name: &str) -> String {
    let (base, query) =
        url.split_once('?').map_or((url, String::new()), |(base, query)| (base, format!("?{query}")));
    let (front, _) = base.rsplit_once('/').unwrap();
    format!("{front}/{name}{query}")
}

/// Opens a plain session.
pub async fn session(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| {
        panic!("the server of DATABASE_URL cannot be used ({error}): run `cargo xtask test`")
    });
    tokio::spawn(connection);
    client
}

/// An empty database.
pub struct Database {
    pub name: String,
    pub url: String,
}

impl Database {
    pub async fn create() -> Self {
        let name = format!("souk_test_{}", Uuid::now_v7().simple());
        // template0 has no sessions, so that tests at the same time do not stand in each other's way.
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        session(&server()).await.batch_execute(&sql).await.unwrap();
        let url = with_database(&server(), &name);
        Self { name, url }
    }

    /// Connects a catalog to it, with ids that begin at `seed`.
    pub async fn connect(&self, seed: u16) -> Postgres {
        let config = PostgresConfig::parse(&self.url).unwrap();
        Postgres::connect(config, Arc::new(TestClock::default()), Arc::new(SeededIds::new(seed)))
            .await
            .unwrap()
    }

    /// Connects a catalog over another way, such as a proxy.
    pub async fn connect_over(&self, url: &str, seed: u16) -> Postgres {
        let mut config = PostgresConfig::parse(url).unwrap();
        config.committers = 1;
        Postgres::connect(config, Arc::new(SystemClock), Arc::new(SeededIds::new(seed))).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { session(&server()).await.batch_execute(&sql).await })
        });
        if let Err(error) = dropping.join().unwrap() {
            eprintln!("the test's database was not dropped: {error}");
        }
    }
}
