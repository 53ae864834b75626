//! Brings the schema `souk` up to date: numbered scripts, one transaction each, under a lock that all instances share.

use tokio_postgres::Client;

use crate::connect::{ConnectError, Server};

/// Script number n brings the schema to version n + 1.
const SCRIPTS: &[&str] = &[include_str!("schema/souk_1.sql")];
/// The key of the advisory lock: "souk" in ASCII, twice.
const LOCK: i64 = 0x736f_756b_736f_756b;

/// Brings the schema up to date; whoever comes second finds it done.
pub(crate) async fn migrate(client: &Client, server: &Server) -> Result<(), ConnectError> {
    loop {
        let version = check(client, server).await?;
        let Some(script) = SCRIPTS.get(version) else { return Ok(()) };
        let step = async {
            client.batch_execute("BEGIN").await?;
            client.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
            // Somebody else may have done it while this waited.
            let before = match stored(client).await? {
                Stored::Nothing => Some(0),
                Stored::Version(version) => Some(version),
                Stored::Unreadable => None,
            };
            if before == Some(version) {
                client.batch_execute(&statements(script, version)).await?;
                tracing::debug!("brought the schema souk to version {}", version + 1);
            }
            client.batch_execute("COMMIT").await
        };
        let done: Result<(), tokio_postgres::Error> = step.await;
        if let Err(error) = done {
            let _ = client.batch_execute("ROLLBACK").await;
            return Err(server.explain(&error));
        }
    }
}

/// Returns the version that is there; an error when a newer souk made it.
pub(crate) async fn check(client: &Client, server: &Server) -> Result<usize, ConnectError> {
    match stored(client).await.map_err(|error| server.explain(&error))? {
        Stored::Nothing => Ok(0),
        Stored::Version(version) if version <= SCRIPTS.len() => Ok(version),
        Stored::Version(version) => Err(server.refused(&format!(
            "has schema {version} in souk, this souk knows up to {}: a newer souk wrote it; use that version or another \
             database",
            SCRIPTS.len()
        ))),
        Stored::Unreadable => Err(server.refused(
            "has a schema souk that is not souk's: rename it, or use another database",
        )),
    }
}

/// Tells whether `version` is the one that this souk works with.
pub(crate) fn is_current(version: usize) -> bool {
    version == SCRIPTS.len()
}

fn statements(script: &str, version: usize) -> String {
    let first = if version == 0 {
        "CREATE SCHEMA IF NOT EXISTS souk; CREATE TABLE souk.meta (key text PRIMARY KEY, value text NOT NULL);"
    } else {
        ""
    };
    format!(
        "{first} {script}; INSERT INTO souk.meta VALUES ('schema_version', '{}') \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        version + 1
    )
}

enum Stored {
    Nothing,
    Version(usize),
    Unreadable,
}

async fn stored(client: &Client) -> Result<Stored, tokio_postgres::Error> {
    // Not to_regclass: within a transaction it may answer from before another instance's commit.
    let sql = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'souk' AND tablename = 'meta')";
    let there: bool = client.query_one(sql, &[]).await?.get(0);
    if !there {
        return Ok(Stored::Nothing);
    }
    let row = client.query_opt("SELECT value FROM souk.meta WHERE key = 'schema_version'", &[]).await?;
    Ok(match row.and_then(|row| row.get::<_, String>(0).parse().ok()) {
        Some(version) => Stored::Version(version),
        None => Stored::Unreadable,
    })
}
