//! Dumps by Postgres' own tools, and their trial in a scratch database.
//!
//! `pg_dump` reads in the snapshot of a transaction in which counts and digests are taken, too: so both are of one moment
//! while the database is in use. Passwords reach the tools through their environment, never through their arguments.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use souk_ports::{DatabaseDump, Dumped, ErrorKind, PortError, TriedOut, fault};
use tokio_postgres::{Client, Error};

use crate::config::PostgresConfig;
use crate::connect::{ConnectError, Server};
use crate::source::fault as explain;

mod scratch;
mod tables;
mod tools;

use tables::{TABLES, digest, relation};
use tools::{Tool, environment, run};

/// Missing rights that are named; more are counted.
const MISSING_SHOWN: usize = 10;

/// A Postgres database and the tools for it.
pub struct PgDump {
    config: PostgresConfig,
    server: Server,
    /// The one schema that is dumped; `None`: everything.
    schema: Option<&'static str>,
    /// The tables that are dumped, as `schema.table`; empty: all.
    only: Vec<String>,
}

impl PgDump {
    /// Makes one of a whole database, or of some of its tables.
    pub fn new(config: &PostgresConfig, only: Vec<String>) -> Arc<Self> {
        Arc::new(Self { config: config.clone(), server: Server::new(config), schema: None, only })
    }

    /// Makes one of what souk has of its own in a database.
    pub fn of_souk(config: &PostgresConfig) -> Arc<Self> {
        Arc::new(Self {
            config: config.clone(),
            server: Server::new(config),
            schema: Some("souk"),
            only: Vec::new(),
        })
    }

    /// Tells whether there is a table that would be dumped.
    ///
    /// # Errors
    /// `Unavailable` when the server cannot be asked.
    pub async fn holds_any(&self) -> Result<bool, PortError> {
        let client = self.connect(&self.config).await?;
        let given: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[&self.schema, &self.only];
        Ok(!client.query(TABLES, given).await.map_err(|error| self.fault(&error))?.is_empty())
    }

    async fn connect(&self, config: &PostgresConfig) -> Result<Client, PortError> {
        let client = Server::new(config).connect().await.map_err(refused)?;
        client.batch_execute(tables::SESSION).await.map_err(|error| self.fault(&error))?;
        Ok(client)
    }

    fn fault(&self, error: &Error) -> PortError {
        explain(&self.server.address, error)
    }

    /// Tells what is in the database that `client` is connected to.
    async fn survey(&self, client: &Client) -> Result<Vec<souk_ports::DumpedTable>, PortError> {
        let given: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[&self.schema, &self.only];
        let mut found = Vec::new();
        for row in client.query(TABLES, given).await.map_err(|error| self.fault(&error))? {
            let (schema, name): (String, String) = (row.get(0), row.get(1));
            found.push(digest(client, &schema, &name).await.map_err(|error| self.fault(&error))?);
        }
        Ok(found)
    }

    /// Tells which of the tables that were asked for is none.
    fn check_tables(&self, found: &[souk_ports::DumpedTable]) -> Result<(), PortError> {
        let missing = self.only.iter().find(|wanted| !found.iter().any(|table| table.table == **wanted));
        match missing {
            None => Ok(()),
            Some(missing) => Err(PortError::new(
                ErrorKind::InvalidData,
                format!(
                    "{} has no table {missing}: name it with its schema, as in public.products",
                    self.place()
                ),
            )),
        }
    }

    async fn restored(
        &self,
        tool: &Tool,
        file: &Path,
        scratch: &PostgresConfig,
    ) -> Result<Vec<souk_ports::DumpedTable>, PortError> {
        // Roles, rights and comments are the server's matter; without them whoever may make a database may try this.
        let mut args: Vec<String> = ["--no-owner", "--no-privileges", "--no-comments", "--no-publications"]
            .map(str::to_owned)
            .to_vec();
        args.extend(["--no-subscriptions", "--no-security-labels", "--exit-on-error"].map(str::to_owned));
        args.push("--dbname".to_owned());
        args.push(scratch.database().to_owned());
        args.push(file.display().to_string());
        // Open from the beginning to the end: a database that is in use is nobody's to drop.
        let client = self.connect(scratch).await?;
        run(tool, &args, &environment(scratch), None, &mut |_| {}).await?;
        self.survey(&client).await
    }

    async fn tool_to_restore(&self, client: &Client) -> Result<Tool, PortError> {
        let about = client.query_one(tables::ABOUT, &[]).await.map_err(|error| self.fault(&error))?;
        Tool::find("pg_restore", about.get(0))
    }

    /// Names the rights that are missing, before a tool stumbles over the first of them.
    async fn check_rights(&self, client: &Client) -> Result<(), PortError> {
        let given: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[&self.schema, &self.only];
        let rows = client.query(tables::MISSING, given).await.map_err(|error| self.fault(&error))?;
        if rows.is_empty() {
            return Ok(());
        }
        let rest = match rows.len().saturating_sub(MISSING_SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let grants: Vec<String> = rows.iter().take(MISSING_SHOWN).map(|row| row.get(0)).collect();
        Err(PortError::new(
            ErrorKind::InvalidData,
            format!(
                "{} has what this user may not read: {}{rest}; or take some tables alone by --table",
                self.place(),
                grants.join("; ")
            ),
        ))
    }
}

#[async_trait]
impl DatabaseDump for PgDump {
    fn place(&self) -> String {
        self.server.address.clone()
    }

    async fn dump(&self, file: &Path, told: &mut (dyn FnMut(u64) + Send)) -> Result<Dumped, PortError> {
        let client = self.connect(&self.config).await?;
        let about = client.query_one(tables::ABOUT, &[]).await.map_err(|error| self.fault(&error))?;
        let version: i32 = about.get(0);
        let tool = Tool::find("pg_dump", version)?;
        // Open until the tool has ended: its snapshot is this one's.
        client.batch_execute(tables::BEGIN).await.map_err(|error| self.fault(&error))?;
        let snapshot = client.query_one("SELECT pg_export_snapshot()", &[]).await;
        let snapshot: String = snapshot.map_err(|error| self.fault(&error))?.get(0);
        self.check_rights(&client).await?;
        let tables = self.survey(&client).await?;
        self.check_tables(&tables)?;
        let mut args = vec!["--format=custom".to_owned(), "--no-password".to_owned()];
        args.push(format!("--snapshot={snapshot}"));
        args.extend(self.schema.map(|schema| format!("--schema={schema}")));
        for table in &tables {
            if !self.only.is_empty() {
                args.push(format!("--table={}", relation(&table.table)));
            }
        }
        if fault::planted("migrate-backup-misses-a-table")
            && let Some(first) = tables.first()
        {
            args.push(format!("--exclude-table-data={}", relation(&first.table)));
        }
        args.push(format!("--file={}", file.display()));
        run(&tool, &args, &environment(&self.config), Some(file), told).await?;
        Ok(Dumped {
            place: self.place(),
            server: about.get(1),
            tool: tool.version,
            text: [about.get(2), about.get(3), about.get(4)],
            tables,
        })
    }

    async fn check_try_out(&self) -> Result<(), PortError> {
        let client = self.connect(&self.config).await?;
        self.tool_to_restore(&client).await?;
        match scratch::may_not_make(&client).await.map_err(|error| self.fault(&error))? {
            None => Ok(()),
            Some(user) => Err(PortError::new(
                ErrorKind::InvalidData,
                format!(
                    "a scratch database cannot be made at {}: let an administrator say ALTER ROLE {user} CREATEDB, or restore \
                     on another server by --into",
                    self.place()
                ),
            )),
        }
    }

    async fn try_out(&self, file: &Path, dumped: &Dumped, keep: bool) -> Result<TriedOut, PortError> {
        let client = self.connect(&self.config).await?;
        let tool = self.tool_to_restore(&client).await?;
        scratch::drop_stale(&client).await.map_err(|error| self.fault(&error))?;
        let database = scratch::name(keep);
        scratch::make(&client, &database, &dumped.text).await.map_err(|error| self.fault(&error))?;
        let tables = self.restored(&tool, file, &self.config.with_database(&database)).await;
        fault::crash_point("migrate.restored");
        if !keep {
            let drop = client.batch_execute(&format!("DROP DATABASE {database} WITH (FORCE)")).await;
            if let Err(error) = drop {
                tracing::warn!(error = %error, database, "the scratch database is left behind for the next restore to drop");
                tables.as_ref().map_err(|error| PortError::new(error.kind(), error.message()))?;
                return Err(self.fault(&error));
            }
        }
        Ok(TriedOut { database, kept: keep, tables: tables? })
    }
}

fn refused(error: ConnectError) -> PortError {
    PortError::new(ErrorKind::Unavailable, error.to_string())
}
