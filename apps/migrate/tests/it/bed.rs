//! A database of its own for each test with a shop's table in it, an empty catalog, and an operator's folder.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_domain::{Product, ProductId};
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_events::decode;
use souk_migrate::{
    Comparison, Copied, Deps, Folder, Following, Mapping, MigrateError, Pace, Patient, Plan, Turn, Turned,
    Way, compare, copy, cut_over, plan, propose, roll_back,
};
use souk_ports::{RandomIds, ReadLimit, Source, SystemClock};
use souk_postgres::{PgOutpost, PgSource, PostgresConfig};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// The table of the monolith that the first users come from.
pub const PRODUCTS: &str = "CREATE TABLE products (id UUID PRIMARY KEY, sellerId TEXT NOT NULL, name TEXT NOT NULL, \
     description TEXT, price NUMERIC NOT NULL, quantity INTEGER NOT NULL, category TEXT NOT NULL, \
     createdAt TIMESTAMP DEFAULT now() NOT NULL, updatedAt TIMESTAMP DEFAULT now() NOT NULL)";

/// Rows of it, numbered from 1 to $1: every tenth one is low.
pub const FILL: &str = "INSERT INTO products SELECT gen_random_uuid(), 'seller' || n % 7, 'Product ' || n, \
     CASE WHEN n % 3 = 0 THEN NULL ELSE 'Described ' || n END, n / 100.0, CASE WHEN n % 10 = 0 THEN 2 ELSE n % 90 + 5 END, \
     'c' || n % 5, '2020-01-01'::timestamp + n * interval '1 minute', \
     '2024-01-01'::timestamp + n * interval '1 second' FROM generate_series(1, $1::int) AS n";

/// How long what has to come is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Long enough on a busy machine: what a test asserts is never the time.
pub const TURN: Turn = Turn { within: Duration::from_secs(120), writers_stopped: false, one_way: false };

/// Everything that a migration needs.
pub struct Bed {
    pub sql: Client,
    pub embedded: Embedded,
    pub deps: Deps,
    pub folder: Folder,
    url: String,
    database: String,
    _scratch: TempDir,
}

/// Returns the URL of the server to test with.
fn server() -> String {
    std::env::var("DATABASE_URL").unwrap_or_else(|_| {
        panic!(
            "DATABASE_URL is not set: run `cargo xtask test`, or `eval \"$(cargo xtask services env)\"` after \
             `cargo xtask services up`"
        )
    })
}

async fn session(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| {
        panic!("the server of DATABASE_URL cannot be used ({error}): run `cargo xtask test`")
    });
    tokio::spawn(connection);
    client
}

fn open(folder: &Path) -> Embedded {
    Embedded::open(&EmbeddedConfig::new(folder), Arc::new(SystemClock), Arc::new(RandomIds)).unwrap()
}

impl Bed {
    /// Makes one; `schema` are the statements that make the shop.
    pub async fn new(schema: &str) -> Self {
        let database = format!("souk_test_{}", Uuid::now_v7().simple());
        let create = format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'");
        session(&server()).await.batch_execute(&create).await.unwrap();
        let (front, _) = server().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let url = format!("{front}/{database}");
        let sql = session(&url).await;
        sql.batch_execute(schema).await.unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let embedded = open(&scratch.path().join("data"));
        let deps = Deps {
            source: Patient::over(PgSource::connect(&PostgresConfig::parse(&url).unwrap()).await.unwrap()),
            catalog: embedded.catalog(),
            target: embedded.log().identity().to_string(),
            clock: Arc::new(SystemClock),
        };
        let folder = Folder::open(&scratch.path().join("migration"), "test").unwrap();
        Self { sql, embedded, deps, folder, url, database, _scratch: scratch }
    }

    /// Makes one with the monolith's table and `rows` rows.
    pub async fn monolith(rows: i32) -> Self {
        let bed = Self::new(PRODUCTS).await;
        bed.sql.execute(FILL, &[&rows]).await.unwrap();
        bed
    }

    /// Runs statements in the source.
    pub async fn run(&self, statements: &str) {
        self.sql.batch_execute(statements).await.unwrap_or_else(|error| panic!("{statements}: {error:?}"));
    }

    /// Another session on the source.
    pub async fn another(&self) -> Arc<PgSource> {
        PgSource::connect(&PostgresConfig::parse(&self.url).unwrap()).await.unwrap()
    }

    /// Another plain session.
    pub async fn session(&self) -> Client {
        session(&self.url).await
    }

    /// The mapping that is proposed, with policies.
    pub async fn mapping(&self, policies: &str) -> Mapping {
        let tables = self.deps.source.tables().await.unwrap();
        let proposal = propose(&tables, None, "app").unwrap();
        Mapping::parse(&format!("{}{policies}\n", proposal.text)).unwrap()
    }

    pub async fn plan(&self, mapping: &Mapping) -> Result<Plan, MigrateError> {
        plan(&self.deps.source, mapping, &self.folder, 20_000.0, |_| {}).await
    }

    pub async fn copy(&self, mapping: &Mapping) -> Result<Copied, MigrateError> {
        copy(&self.deps, mapping, &self.folder, |_| {}).await
    }

    /// What souk has in the source.
    pub fn outpost(&self) -> Arc<PgOutpost> {
        PgOutpost::new(&PostgresConfig::parse(&self.url).unwrap())
    }

    /// The same, with the rights of a role.
    pub fn outpost_as(&self, role: &str) -> Arc<PgOutpost> {
        PgOutpost::new(&self.config_as(role))
    }

    /// The source, with the rights of a role.
    pub async fn source_as(&self, role: &str) -> Arc<dyn Source> {
        Patient::over(PgSource::connect(&self.config_as(role)).await.unwrap())
    }

    fn config_as(&self, role: &str) -> PostgresConfig {
        PostgresConfig::parse(&format!("{}?options=-c%20role%3D{role}", self.url)).unwrap()
    }

    /// What the steps work with that are taken while both systems run.
    pub fn way<'a>(&'a self, mapping: &'a Mapping) -> Way<'a> {
        let outpost = self.outpost();
        Way {
            deps: &self.deps,
            capture: outpost.clone(),
            old: outpost,
            log: self.embedded.log(),
            mapping,
            folder: &self.folder,
            trigger: true,
        }
    }

    /// Follows while `work` is done.
    pub async fn follow_while<T>(
        &self,
        mapping: &Mapping,
        work: impl Future<Output = T>,
    ) -> (T, Result<Following, MigrateError>) {
        Self::follow_with(&self.way(mapping), work).await
    }

    /// Follows in a way of one's own while `work` is done.
    pub async fn follow_with<T>(
        way: &Way<'_>,
        work: impl Future<Output = T>,
    ) -> (T, Result<Following, MigrateError>) {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let following = souk_migrate::follow(way, async { drop(stopped.await) }, |_| {}, |_| {});
        let working = async {
            let done = work.await;
            drop(stop);
            done
        };
        tokio::join!(working, following)
    }

    pub async fn cut_over(&self, mapping: &Mapping) -> Result<Turned, MigrateError> {
        cut_over(&self.way(mapping), TURN, std::future::pending(), |_| {}).await
    }

    pub async fn roll_back(&self, mapping: &Mapping) -> Result<Turned, MigrateError> {
        roll_back(&self.way(mapping), TURN, std::future::pending(), |_| {}).await
    }

    /// Waits until both sides are the same.
    pub async fn settled(&self, mapping: &Mapping) {
        let began = Instant::now();
        loop {
            match compare(&self.deps, mapping, |_| {}).await {
                // The follower knows it, too.
                Ok(comparison) if comparison.ok && self.has_caught_up() => return,
                Ok(different) => assert!(began.elapsed() < PATIENCE, "still different: {different}"),
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn has_caught_up(&self) -> bool {
        self.folder.record().unwrap().follow.is_some_and(|follow| follow.caught_up)
    }

    /// Waits until the record says so of the follower: it is written after what it stands for.
    pub async fn recorded(&self, so: impl Fn(&Pace) -> bool) {
        let began = Instant::now();
        loop {
            let pace = self.folder.record().unwrap().follow.unwrap_or_default().pace;
            if so(&pace) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "not recorded: {pace:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until souk has a product of this name, or has none.
    pub async fn named(&self, name: &str, there: bool) {
        let began = Instant::now();
        while self.products().await.values().any(|product| product.name.as_str() == name) != there {
            assert!(began.elapsed() < PATIENCE, "{name} did not become {there}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks the source for one value.
    pub async fn one<T: for<'a> tokio_postgres::types::FromSql<'a>>(&self, question: &str) -> T {
        self.sql.query_one(question, &[]).await.unwrap_or_else(|error| panic!("{question}: {error:?}")).get(0)
    }

    pub async fn compare(&self, mapping: &Mapping) -> Comparison {
        compare(&self.deps, mapping, |_| {}).await.unwrap()
    }

    /// Returns every product.
    pub async fn products(&self) -> BTreeMap<ProductId, Product> {
        let rows = self.deps.catalog.scan(None, usize::MAX).await.unwrap();
        rows.into_iter().filter_map(|row| Some((row.id, row.product?))).collect()
    }

    /// Returns every event of the log.
    pub async fn events(&self) -> Vec<souk_domain::Event> {
        let log = self.embedded.log();
        let mut events = Vec::new();
        // The embedded log has one partition.
        let (mut offset, partition) = (0, 0);
        loop {
            let limit = ReadLimit { records: 10_000, bytes: usize::MAX };
            let records = log.read(partition, offset, limit).await.unwrap();
            let Some(last) = records.last() else { return events };
            offset = last.offset + 1;
            events.extend(records.iter().map(|record| decode(&record.payload).unwrap()));
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.database);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { session(&server()).await.batch_execute(&sql).await })
        });
        if let Err(error) = dropping.join().unwrap() {
            eprintln!("the test's database was not dropped: {error}");
        }
    }
}
