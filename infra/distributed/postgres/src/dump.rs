//! Dumps by Postgres' own tools, and their trial in a scratch database.
//!
//! `pg_dump` reads in the snapshot of a transaction in which counts and digests are taken, too: so both are of one moment
//! while the database is in use. Passwords reach the tools through their environment, never through their arguments.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use souk_ports::{DatabaseDump, Dumped, ErrorKind, PortError, TriedOut, fault};
use tokio_postgres::{Client, Error};
use uuid::Uuid;

use crate::config::PostgresConfig;
use crate::connect::{ConnectError, Server};
use crate::source::fault as explain;

mod tables;
mod tools;

use tables::{TABLES, digest, relation};
use tools::{Tool, environment, run};

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
        run(tool, &args, &environment(scratch), None, &mut |_| {}).await?;
        let client = self.connect(scratch).await?;
        self.survey(&client).await
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

    async fn try_out(&self, file: &Path, dumped: &Dumped, keep: bool) -> Result<TriedOut, PortError> {
        let client = self.connect(&self.config).await?;
        let about = client.query_one(tables::ABOUT, &[]).await.map_err(|error| self.fault(&error))?;
        let tool = Tool::find("pg_restore", about.get(0))?;
        let database = format!("souk_restore_{}", &Uuid::now_v7().simple().to_string()[..20]);
        let [encoding, collate, ctype] = &dumped.text;
        let make = |collate: &str, ctype: &str| {
            format!(
                "CREATE DATABASE {database} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
                literal(encoding),
                literal(collate),
                literal(ctype)
            )
        };
        let mut made = client.batch_execute(&make(collate, ctype)).await;
        if made.as_ref().is_err_and(|error| error.code().is_some_and(|code| code.code() == "22023")) {
            // Another server may not have the locale; rows and their digests do not depend on it.
            made = client.batch_execute(&make("C", "C")).await;
        }
        made.map_err(|error| match error.code().map(tokio_postgres::error::SqlState::code) {
            Some("42501") => PortError::new(
                ErrorKind::InvalidData,
                format!(
                    "a scratch database cannot be made at {}: ALTER ROLE … CREATEDB, or try the backup on another server with --into",
                    self.place()
                ),
            ),
            _ => self.fault(&error),
        })?;
        let tables = self.restored(&tool, file, &self.config.with_database(&database)).await;
        if !keep {
            let drop = client.batch_execute(&format!("DROP DATABASE {database} WITH (FORCE)")).await;
            if let Err(error) = drop {
                tracing::warn!(error = %error, database, "the scratch database is left behind: drop it by hand");
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

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
