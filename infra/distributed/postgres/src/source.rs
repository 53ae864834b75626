//! Another system's database as a source of products: read by queries of the operator's own, over a session of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use souk_domain::{ProductId, Timestamp};
use souk_ports::{
    ErrorKind, GivenKey, KeyType, LockHolder, PortError, RowCount, SellersSku, SharedSkus, Source,
    SourceIdentity, SourceQuery, SourceRow, SourceTable, TableName,
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use crate::config::PostgresConfig;
use crate::connect::{ConnectError, Server, reason};

mod schema;
mod sql;

/// The oldest server that can be read: `pg_current_xact_id` and what follows from it came with it.
const OLDEST: i32 = 13;
/// Who migrates from a database: "soukmigr" in ASCII.
const LOCK: i64 = 0x736f_756b_6d69_6772;
/// Queries that a migration has at once are few; mappings that changed are not kept for ever.
const MAX_STATEMENTS: usize = 32;

/// A Postgres database that products are taken over from. A session that was lost is replaced at the next question.
pub struct PgSource {
    server: Server,
    database: String,
    link: Mutex<Arc<Link>>,
    /// One question at a time opens a session.
    opening: tokio::sync::Mutex<()>,
    /// Whether the operators' lock was taken: every session has to have it then.
    locked: AtomicBool,
}

/// A session with the statements that are prepared in it.
struct Link {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
}

impl PgSource {
    /// Connects, for reading.
    ///
    /// # Errors
    /// [`ConnectError`] naming the setting that the URL came from, and the remedy.
    pub async fn connect(config: &PostgresConfig) -> Result<Arc<Self>, ConnectError> {
        let server = Server::new(config);
        let link = Link::open(&server).await?;
        Ok(Arc::new(Self {
            server,
            database: config.database().to_owned(),
            link: Mutex::new(Arc::new(link)),
            opening: tokio::sync::Mutex::new(()),
            locked: AtomicBool::new(false),
        }))
    }

    /// Returns a session that is not known to be lost.
    async fn link(&self) -> Result<Arc<Link>, PortError> {
        let current = || Some(self.link.lock().clone()).filter(|link| !link.client.is_closed());
        if let Some(link) = current() {
            return Ok(link);
        }
        let _turn = self.opening.lock().await;
        if let Some(link) = current() {
            return Ok(link);
        }
        let unavailable = |text: String| PortError::new(ErrorKind::Unavailable, text);
        let link = Link::open(&self.server).await.map_err(|error| unavailable(error.to_string()))?;
        if self.locked.load(Ordering::Relaxed)
            && !link.try_lock().await.map_err(|error| self.fault(&error))?
        {
            let text = format!("another operator took over at {} meanwhile", self.server.address);
            return Err(unavailable(text));
        }
        let link = Arc::new(link);
        *self.link.lock() = link.clone();
        Ok(link)
    }

    async fn query(&self, sql: String, given: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, PortError> {
        let link = self.link().await?;
        match link.query(&sql, given).await {
            Err(error) if is_stale(&error) => {
                // The schema changed under it: what it means now is for the server to say.
                link.statements.lock().remove(&sql);
                link.query(&sql, given).await.map_err(|error| self.fault(&error))
            }
            outcome => outcome.map_err(|error| self.fault(&error)),
        }
    }

    fn fault(&self, error: &Error) -> PortError {
        fault(&self.server.address, error)
    }
}

/// Says what an error of a source means, in its own words.
pub(crate) fn fault(place: &str, error: &Error) -> PortError {
    let Some(db) = error.as_db_error() else {
        let text = format!("the source {place} cannot be reached: {}", reason(error));
        return PortError::new(ErrorKind::Unavailable, text);
    };
    // Classes of SQLSTATE: syntax and names, values, rights, rules of tables; all else passes.
    let lasting = ["42", "22", "23", "0A", "2F", "39", "3F", "P0"];
    let code = db.code().code();
    let kind = if lasting.iter().any(|class| code.starts_with(class)) {
        ErrorKind::InvalidData
    } else {
        ErrorKind::Unavailable
    };
    let hint = db.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    PortError::new(kind, format!("the source {place} says: {}{hint}", db.message()))
}

impl Link {
    async fn open(server: &Server) -> Result<Self, ConnectError> {
        let client = server.connect().await?;
        let explain = |error: Error| server.explain(&error);
        let version = client.query_one("SELECT current_setting('server_version_num')::int / 10000", &[]);
        let version: i32 = version.await.map_err(explain)?.get(0);
        if version < OLDEST {
            let what = format!("is Postgres {version}: souk reads from {OLDEST} on; upgrade the server");
            return Err(server.refused(&what));
        }
        client.batch_execute(sql::SESSION).await.map_err(explain)?;
        Ok(Self { client, statements: Mutex::default() })
    }

    async fn try_lock(&self) -> Result<bool, Error> {
        Ok(self.client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await?.get(0))
    }

    async fn statement(&self, sql: &str) -> Result<Statement, Error> {
        let known = self.statements.lock().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        let mut statements = self.statements.lock();
        if statements.len() >= MAX_STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    async fn query(&self, sql: &str, given: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql).await?;
        self.client.query(&statement, given).await
    }
}

/// Tells whether a prepared statement outlived the tables that it was made for.
fn is_stale(error: &Error) -> bool {
    error.as_db_error().is_some_and(|db| db.message().contains("cached plan must not change result type"))
}

/// Reads a row of [`sql::columns`].
fn row(row: &Row) -> SourceRow {
    const FIELDS: usize = SourceRow::FIELDS.len();
    let time = |column| row.get::<_, Option<i64>>(column).map(Timestamp::from_millis);
    SourceRow {
        key: row.get(0),
        fields: std::array::from_fn(|field| row.get(1 + field)),
        created_at: time(1 + FIELDS),
        updated_at: time(2 + FIELDS),
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[async_trait]
impl Source for PgSource {
    async fn identity(&self) -> Result<SourceIdentity, PortError> {
        let rows = self.query(sql::IDENTITY.to_owned(), &[]).await?;
        let (system, oid): (String, String) = (rows[0].get(0), rows[0].get(1));
        Ok(SourceIdentity {
            id: format!("postgres:{system}:{oid}"),
            place: self.server.address.clone(),
            database: self.database.clone(),
        })
    }

    async fn tables(&self) -> Result<Vec<SourceTable>, PortError> {
        let rows = self.query(schema::TABLES.to_owned(), &[]).await?;
        Ok(schema::tables(&rows))
    }

    async fn check(&self, query: &SourceQuery) -> Result<KeyType, PortError> {
        let link = self.link().await?;
        let explain = |error: Error| self.fault(&error);
        let statement = link.statement(&sql::check(query)).await.map_err(explain)?;
        let name = statement.columns()[0].type_().name().to_owned();
        let known = KeyType { is_uuid: name == "uuid", name };
        // With the key's type, everything that a step asks is asked once.
        let typed = SourceQuery { key_type: known.name.clone(), ..query.clone() };
        link.statement(&sql::page(&typed, true)).await.map_err(explain)?;
        Ok(known)
    }

    async fn count(&self, query: &SourceQuery) -> Result<RowCount, PortError> {
        let rows = self.query(sql::count(query), &[]).await?;
        Ok(RowCount { rows: unsigned(rows[0].get(0)), without_key: unsigned(rows[0].get(1)) })
    }

    async fn page(
        &self,
        query: &SourceQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SourceRow>, PortError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = match after {
            Some(after) => self.query(sql::page(query, true), &[&limit, &after]).await?,
            None => self.query(sql::page(query, false), &[&limit]).await?,
        };
        Ok(rows.iter().map(row).collect())
    }

    async fn rows(&self, query: &SourceQuery, keys: &[String]) -> Result<Vec<SourceRow>, PortError> {
        let rows = self.query(sql::rows(query), &[&keys]).await?;
        Ok(rows.iter().map(row).collect())
    }

    async fn shared_skus(&self, query: &SourceQuery, limit: usize) -> Result<SharedSkus, PortError> {
        let Some(sql) = sql::shared_skus(query) else { return Ok(SharedSkus::default()) };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.query(sql, &[&limit]).await?;
        let count = rows.first().map_or(0, |row| unsigned(row.get(3)));
        let example =
            |row: &Row| (SellersSku { seller: row.get(0), sku: row.get(1) }, unsigned(row.get::<_, i64>(2)));
        Ok(SharedSkus { count, examples: rows.iter().map(example).collect() })
    }

    async fn rows_with_skus(
        &self,
        query: &SourceQuery,
        codes: &[SellersSku],
    ) -> Result<Vec<SourceRow>, PortError> {
        let Some(sql) = sql::rows_with_skus(query) else { return Ok(Vec::new()) };
        let skus: Vec<&str> = codes.iter().map(|code| &*code.sku).collect();
        let sellers: Vec<Option<&str>> = codes.iter().map(|code| code.seller.as_deref()).collect();
        let rows = self.query(sql, &[&skus, &sellers]).await?;
        Ok(rows.iter().map(row).collect())
    }

    async fn tables_of(&self, query: &SourceQuery) -> Result<Vec<TableName>, PortError> {
        let link = self.link().await?;
        let told =
            link.client.simple_query(&sql::explain(query)).await.map_err(|error| self.fault(&error))?;
        let scanned = schema::scanned(&told);
        let (schemas, names): (Vec<&str>, Vec<&str>) =
            scanned.iter().map(|table| (&*table.schema, &*table.name)).unzip();
        let rows = self.query(schema::WRITABLE.to_owned(), &[&schemas, &names]).await?;
        Ok(rows.iter().map(|row| TableName { schema: row.get(0), name: row.get(1) }).collect())
    }

    async fn given_keys(&self, table: &str) -> Result<Vec<GivenKey>, PortError> {
        let there = self.query(sql::HAS_GIVEN_KEYS.to_owned(), &[]).await?;
        if !there[0].get::<_, bool>(0) {
            return Ok(Vec::new());
        }
        let rows = self.query(sql::GIVEN_KEYS.to_owned(), &[&table]).await?;
        Ok(rows.iter().map(|row| GivenKey { id: ProductId(row.get(0)), key: row.get(1) }).collect())
    }

    async fn lock(&self) -> Result<bool, PortError> {
        let link = self.link().await?;
        let taken = link.try_lock().await.map_err(|error| self.fault(&error))?;
        self.locked.store(taken, Ordering::Relaxed);
        Ok(taken)
    }

    async fn lock_holder(&self) -> Result<Option<LockHolder>, PortError> {
        let rows = self.query(sql::LOCK_HOLDER.to_owned(), &[&LOCK]).await?;
        let since = |row: &Row| row.get::<_, Option<i64>>(1).map(Timestamp::from_millis);
        Ok(rows.first().map(|row| LockHolder { name: row.get(0), since: since(row) }))
    }
}
