//! What there is to look at in the database, for `souk doctor`: changes nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use souk_ports::{Finding, Findings, clock_skew};
use tokio_postgres::Client;

use crate::config::PostgresConfig;
use crate::connect::{ConnectError, Role, Server};
use crate::migrate;

/// Sessions that one souk opens beside committers and readers: relay, search index, housekeeping.
const OTHER_SESSIONS: usize = 4;
/// A transaction that has been open for so long keeps the relay from emptying the outbox, and vacuum from its work.
const LONG_OPEN_S: i64 = 60;

/// Examines the database that `config` names.
pub async fn examine(config: &PostgresConfig, findings: Findings<'_>) {
    let server = Server::new(config);
    let session = match server.open(Role::Other).await {
        Ok(session) => session,
        Err(ConnectError::Unreachable(text)) => {
            let remedy = "start the server, or correct host and port in DATABASE_URL";
            return findings(Finding::unreachable("postgres", text, remedy));
        }
        Err(ConnectError::Refused(text)) => {
            return findings(Finding::fail(
                "postgres",
                text,
                "correct DATABASE_URL or the server as it says",
            ));
        }
    };
    if let Err(error) = look(&session.client, &server, config, findings).await {
        let text = format!("it did not answer a question: {}", crate::connect::reason(&error));
        findings(Finding::fail("postgres", text, "see the server's log"));
    }
}

async fn look(
    client: &Client,
    server: &Server,
    config: &PostgresConfig,
    findings: Findings<'_>,
) -> Result<(), tokio_postgres::Error> {
    let version: String = client.query_one("SELECT current_setting('server_version')", &[]).await?.get(0);
    findings(Finding::ok("postgres", format!("Postgres {version} at {}", server.address)));
    findings(schema(client, server).await);
    durability(client, findings).await?;
    findings(connections(client, config).await?);
    findings(open_transactions(client).await?);
    let before = now_ms();
    let theirs: i64 =
        client.query_one("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8", &[]).await?.get(0);
    findings(clock_skew("postgres.clock", theirs - (before + now_ms()) / 2));
    Ok(())
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

async fn schema(client: &Client, server: &Server) -> Finding {
    const NAME: &str = "postgres.schema";
    match migrate::check(client, server).await {
        Ok(0) => Finding::warn(
            NAME,
            "there is no schema souk yet",
            "start `souk api` or `souk up`, which makes it",
        ),
        Ok(version) if migrate::is_current(version) => Finding::ok(NAME, format!("version {version}"))
            .with("version", i64::try_from(version).unwrap_or(0)),
        Ok(version) => Finding::warn(
            NAME,
            format!("version {version}, older than this souk's"),
            "start `souk api` or `souk up` of this version, which brings it up to date",
        ),
        Err(error) => {
            Finding::fail(NAME, error.to_string(), "use the souk that wrote it, or another database")
        }
    }
}

/// What makes a commit survive: settings of the server, not of this session.
async fn durability(client: &Client, findings: Findings<'_>) -> Result<(), tokio_postgres::Error> {
    let sql = "SELECT name, reset_val FROM pg_settings \
               WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name";
    for row in client.query(sql, &[]).await? {
        let (setting, value): (&str, &str) = (row.get(0), row.get(1));
        let name = format!("postgres.{}", setting.replace('_', "-"));
        findings(match (setting, value) {
            ("fsync", "off") => Finding::fail(
                &name,
                "off: a power cut destroys the database",
                "set fsync = on in postgresql.conf and reload",
            ),
            ("full_page_writes", "off") => Finding::fail(
                &name,
                "off: a power cut can tear pages",
                "set full_page_writes = on in postgresql.conf and reload, unless the file system writes pages whole",
            ),
            ("synchronous_commit", "off") => Finding::ok(
                &name,
                "off at the server; souk's sessions switch it on, unless DATABASE_URL's options say otherwise",
            ),
            (_, value) => Finding::ok(&name, value),
        });
    }
    Ok(())
}

async fn connections(client: &Client, config: &PostgresConfig) -> Result<Finding, tokio_postgres::Error> {
    const NAME: &str = "postgres.connections";
    let row = client
        .query_one(
            "SELECT current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8, \
             (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')",
            &[],
        )
        .await?;
    let (most, used): (i64, i64) = (row.get(0), row.get(1));
    let free = most - used;
    let needed = i64::try_from(config.committers + config.readers + OTHER_SESSIONS).unwrap_or(i64::MAX);
    let detail = format!("{free} of {most} free; one souk takes up to {needed}");
    let remedy = "raise max_connections, or end sessions that nobody needs (pg_stat_activity)";
    let finding = if free <= 1 {
        Finding::fail(NAME, detail, remedy)
    } else if free < needed {
        Finding::warn(NAME, detail, remedy)
    } else {
        Finding::ok(NAME, detail)
    };
    Ok(finding.with("free", free).with("max", most))
}

async fn open_transactions(client: &Client) -> Result<Finding, tokio_postgres::Error> {
    const NAME: &str = "postgres.transactions";
    // Those of other databases count too: they hold the same horizon of transaction ids.
    let oldest = client
        .query_opt(
            "SELECT extract(epoch FROM clock_timestamp() - since)::int8, who FROM ( \
               SELECT xact_start AS since, format('process %s (%s, %s)', pid, coalesce(nullif(application_name, ''), \
                 'no name'), coalesce(state, 'state hidden')) AS who \
               FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() \
                 AND backend_type = 'client backend' \
               UNION ALL SELECT prepared, format('prepared transaction %s', gid) FROM pg_prepared_xacts \
             ) AS open ORDER BY since LIMIT 1",
            &[],
        )
        .await?;
    let Some(oldest) = oldest else {
        return Ok(Finding::ok(NAME, "none is open for long").with("oldestSeconds", 0));
    };
    let (age, who): (i64, String) = (oldest.get(0), oldest.get(1));
    let finding = if age >= LONG_OPEN_S {
        Finding::warn(
            NAME,
            format!(
                "{who} has had a transaction open for {age} s: what is removed keeps its space meanwhile"
            ),
            "let it commit, or end it with pg_terminate_backend (ROLLBACK PREPARED for a prepared one)",
        )
    } else {
        Finding::ok(NAME, format!("the oldest is open for {age} s"))
    };
    Ok(finding.with("oldestSeconds", age))
}
