//! A database of its own for each test, with rows that committers could have written, and a relay over it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_distributed::{Relay, RelayConfig, RelayState, Rotation, Sessions, Sinks};
use souk_ports::SystemClock;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const OUTBOX: &str = include_str!("../../postgres/src/schema/souk_1.sql");

/// Returns a setting that the servers give.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run `cargo xtask test`, or `eval \"$(cargo xtask services env)\"` after `cargo xtask \
             services up`"
        )
    })
}

/// Returns a name that nothing else has.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::now_v7().simple())
}

async fn connect(config: &tokio_postgres::Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A database that goes with the test.
pub struct Database {
    config: tokio_postgres::Config,
    name: String,
}

impl Database {
    /// Makes one with the outbox in it.
    pub async fn create() -> Arc<Self> {
        let database = Self::create_empty().await;
        let client = database.client().await;
        client.batch_execute("CREATE SCHEMA souk").await.unwrap();
        client.batch_execute(OUTBOX).await.unwrap();
        // Nobody feeds the search index here.
        client.batch_execute("DELETE FROM souk.outbox_readers").await.unwrap();
        client.batch_execute("CREATE TABLE audit (x int)").await.unwrap();
        database
    }

    /// Makes one with nothing in it.
    pub async fn create_empty() -> Arc<Self> {
        let url = setting("DATABASE_URL");
        let mut config: tokio_postgres::Config = url.parse().unwrap();
        let server = connect(&config).await.expect("DATABASE_URL can be reached");
        let name = unique("souk_test");
        server.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        config.dbname(&name);
        Arc::new(Self { config, name })
    }

    /// Makes a copy of it as it is now; nobody may be connected to it.
    pub async fn copy(self: &Arc<Self>) -> Arc<Self> {
        let copy = Self::create_empty().await;
        let (from, to) = (&self.name, &copy.name);
        let server = connect(&setting("DATABASE_URL").parse().unwrap()).await.unwrap();
        server.batch_execute(&format!("DROP DATABASE {to}")).await.unwrap();
        souk_conformance::eventually("the sessions to end", || async {
            server.batch_execute(&format!("CREATE DATABASE {to} TEMPLATE {from}")).await.ok()
        })
        .await;
        copy
    }

    /// Returns the URL of it.
    pub fn url(&self) -> String {
        let url = setting("DATABASE_URL");
        let (server, query) = url.split_once('?').map_or((&*url, ""), |(server, query)| (server, query));
        let (server, _) = server.rsplit_once('/').expect("DATABASE_URL names a database");
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        format!("{server}/{}{query}", self.name)
    }

    /// Opens a session.
    pub async fn client(&self) -> Client {
        connect(&self.config).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A thread and a runtime of its own: this one may be gone at any moment.
        let mut config = self.config.clone();
        let (name, url) = (self.name.clone(), setting("DATABASE_URL"));
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                config = url.parse().unwrap();
                let server = connect(&config).await.unwrap();
                server.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
            });
        });
        // What cannot be removed is left to the server's end.
        let _ = removal.join();
    }
}

/// Sessions with the database, as the catalog would give them.
pub struct TestSessions {
    pub database: Arc<Database>,
    pub nudge: Arc<Notify>,
}

impl TestSessions {
    pub fn new(database: &Arc<Database>) -> Arc<Self> {
        Arc::new(Self { database: database.clone(), nudge: Arc::default() })
    }
}

#[async_trait]
impl Sessions for TestSessions {
    async fn open(&self) -> Result<Client, String> {
        connect(&self.database.config).await.map_err(|error| format!("DATABASE_URL: {error}"))
    }

    fn nudge(&self) -> Arc<Notify> {
        self.nudge.clone()
    }
}

/// An event as the catalog writes it, of `product` at `version`.
pub fn event(product: Uuid, version: u64) -> Vec<u8> {
    format!(
        r#"{{"specversion":"1.0","id":"{}","source":"/souk/api","type":"ProductUpdated","subject":"{product}","time":"2026-11-22T18:00:00.123Z","datacontenttype":"application/json","sellerid":"seller1","data":{{"version":{version}}}}}"#,
        Uuid::now_v7()
    )
    .into_bytes()
}

/// Returns the product and the version of an event.
pub fn read_event(payload: &[u8]) -> (Uuid, u64) {
    let event: serde_json::Value = serde_json::from_slice(payload).unwrap();
    (event["subject"].as_str().unwrap().parse().unwrap(), event["data"]["version"].as_u64().unwrap())
}

/// Adds a row to a leaf.
pub async fn insert_into(client: &Client, leaf: usize, product: Uuid, version: u64) {
    let sql = format!(
        "INSERT INTO souk.outbox_{leaf} (seq, product_id, payload) VALUES (nextval('souk.outbox_seq'), $1, $2)"
    );
    client.execute(&sql, &[&product, &event(product, version)]).await.unwrap();
}

/// Adds a row to the leaf of the current epoch, as a committer does.
pub async fn insert(client: &Client, product: Uuid, version: u64) {
    let epoch: i64 = client.query_one("SELECT epoch FROM souk.outbox_epoch", &[]).await.unwrap().get(0);
    insert_into(client, usize::try_from(epoch % 4).unwrap(), product, version).await;
}

/// Adds `rows` rows in one statement, versions 1 to `rows` of one product.
pub async fn insert_many(client: &Client, leaf: usize, product: Uuid, rows: i64) {
    let (head, tail) = {
        let event = String::from_utf8(event(product, 0)).unwrap();
        let (head, tail) = event.split_once(r#""version":0"#).unwrap();
        let (before, after) = head.split_once(r#""id":""#).unwrap();
        let rest = &after[36..];
        ((before.to_owned() + r#""id":""#, rest.to_owned() + r#""version":"#), tail.to_owned())
    };
    let sql = format!(
        "INSERT INTO souk.outbox_{leaf} (seq, product_id, payload) \
         SELECT nextval('souk.outbox_seq'), $1, \
         convert_to($2 || gen_random_uuid()::text || $3 || n || $4, 'UTF8') FROM generate_series(1, $5::int8) AS n"
    );
    client.execute(&sql, &[&product, &head.0, &head.1, &tail, &rows]).await.unwrap();
}

/// A relay that runs until it is dropped.
pub struct Running {
    pub relay: Arc<Relay>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

/// How relays of tests work: quick to take over.
pub fn config() -> RelayConfig {
    RelayConfig { lease: Duration::from_secs(2), ..RelayConfig::new("api-service-transaction") }
}

/// Leaves are left after `rows` rows and emptied at once.
pub fn rotation(rows: u64) -> Rotation {
    Rotation { rows, after: Duration::from_millis(200), settles_after: Duration::ZERO }
}

impl Running {
    /// Starts a relay.
    pub fn start(config: RelayConfig, sessions: Arc<dyn Sessions>, sinks: Arc<dyn Sinks>) -> Self {
        let relay = Arc::new(Relay::over(config, sessions, sinks, Arc::new(SystemClock)));
        let shutdown = CancellationToken::new();
        let task = tokio::spawn({
            let (relay, shutdown) = (relay.clone(), shutdown.clone());
            async move { relay.run(shutdown).await }
        });
        Self { relay, shutdown, task }
    }

    /// Waits until it is in a state.
    pub async fn until(&self, what: &str, is: impl Fn(&RelayState) -> bool) -> RelayState {
        let mut watch = self.relay.watch();
        let status = souk_conformance::within(what, watch.wait_for(|status| is(&status.state))).await;
        status.unwrap().state.clone()
    }

    /// Waits until it publishes.
    pub async fn leads(&self) {
        self.until("the relay to lead", |state| *state == RelayState::Leading).await;
    }

    /// Ends it in order.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }

    /// Ends it wherever it is.
    pub async fn kill(self) {
        self.task.abort();
        // Cancelled, not panicked.
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
    }
}
