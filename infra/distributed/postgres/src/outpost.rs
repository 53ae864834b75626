//! What souk has in another system's database while a shop moves: all in one schema, so that it goes as a whole.
//!
//! | in `souk_capture` | is |
//! |---|---|
//! | `changes`, `note()`, `note_beside()` and their triggers | the capture (`capture`) |
//! | `refuse()` and its triggers | the fence (`way_back`) |
//! | `way_back` | the position in souk's log that the table stands for |
//! | `keys` | whose the rows are that souk added to a table with keys of its own (`own_keys`) |
//!
//! Dropping a function takes its triggers along, which needs no rights on the table.

mod capture;
mod own_keys;
mod way_back;

use std::future::Future;
use std::sync::Arc;

use souk_ports::{ErrorKind, OldTable, PortError, TableName, fault};
use tokio::sync::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use crate::config::PostgresConfig;
use crate::connect::{ConnectError, Server};
use crate::source;

/// The schema of everything that souk makes there.
const SCHEMA: &str = "souk_capture";

/// Makes the schema where there is none. The right to is asked for then alone: `IF NOT EXISTS` alone would ask each time.
const MAKE_SCHEMA: &str = "DO $do$ BEGIN IF to_regnamespace('souk_capture') IS NULL THEN CREATE SCHEMA souk_capture; END IF; END $do$";

/// Settings of the session. Times are UTC, as they are read. A server that cannot look at its connections, by its version or
/// by its system, does without.
const SESSION: &str = "SET statement_timeout = 0; SET lock_timeout = '10s'; SET TimeZone = 'UTC'; SET jit = off; \
     SET idle_in_transaction_session_timeout = 0; \
     DO $do$ BEGIN SET client_connection_check_interval = '1s'; EXCEPTION WHEN invalid_parameter_value OR undefined_object THEN NULL; END $do$";

/// A session that is replaced when it is lost; the first question connects.
pub struct PgOutpost {
    server: Server,
    session: Mutex<Option<Arc<Client>>>,
}

impl PgOutpost {
    /// Makes one.
    pub fn new(config: &PostgresConfig) -> Arc<Self> {
        Arc::new(Self { server: Server::new(config), session: Mutex::new(None) })
    }

    /// Does `work` with the session, alone.
    async fn with<T, F>(&self, work: impl FnOnce(Arc<Client>) -> F) -> Result<T, PortError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut session = self.session.lock().await;
        let client = match session.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => {
                let unavailable =
                    |error: ConnectError| PortError::new(ErrorKind::Unavailable, error.to_string());
                let client = self.server.connect().await.map_err(unavailable)?;
                client.batch_execute(SESSION).await.map_err(|error| self.fault(&error))?;
                Arc::new(client)
            }
        };
        let asked = self.server.unless_answered(&client);
        let done = work(client.clone()).await;
        asked.answered();
        // Put back when all went well: one that failed, or was dropped, may leave a transaction open.
        if done.is_ok() || fault::planted("migrate-keeps-broken-session") {
            *session = Some(client);
        }
        done.map_err(|error| self.fault(&error))
    }

    /// Runs statements in one transaction.
    async fn run(&self, sql: String) -> Result<(), PortError> {
        self.with(|client| async move { client.batch_execute(&format!("BEGIN; {sql}; COMMIT")).await }).await
    }

    /// Parts tables into those that it may put triggers on and those that it may not.
    async fn by_trigger_right(
        &self,
        tables: &[TableName],
    ) -> Result<(Vec<TableName>, Vec<TableName>), PortError> {
        let names: Vec<String> = tables.iter().map(named).collect();
        let sql = "SELECT coalesce(has_table_privilege(to_regclass(name), 'TRIGGER'), false) \
                   FROM unnest($1::text[]) WITH ORDINALITY AS given (name, place) ORDER BY place";
        let rows = self.with(|client| async move { client.query(sql, &[&names]).await }).await?;
        let parted: (Vec<_>, Vec<_>) = tables.iter().zip(&rows).partition(|(_, row)| row.get(0));
        let names = |part: Vec<(&TableName, _)>| part.into_iter().map(|(table, _)| table.clone()).collect();
        Ok((names(parted.0), names(parted.1)))
    }

    fn fault(&self, error: &Error) -> PortError {
        if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
            let text = format!(
                "the source {}: a transaction holds the table; end it (pg_stat_activity shows it) or wait longer",
                self.server.address
            );
            return PortError::new(ErrorKind::Timeout, text);
        }
        source::fault(&self.server.address, error)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn full_name(table: &OldTable) -> String {
    named(&table.table())
}

fn named(table: &TableName) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}

/// Counts the triggers of [`SCHEMA`]'s function $3 on the table $1.$2 that are switched on.
const TRIGGERS: &str = "SELECT count(*) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid \
     JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_proc AS p ON p.oid = t.tgfoid \
     JOIN pg_namespace AS f ON f.oid = p.pronamespace WHERE f.nspname = 'souk_capture' AND n.nspname = $1 \
     AND c.relname = $2 AND p.proname = $3 AND t.tgenabled <> 'D'";
