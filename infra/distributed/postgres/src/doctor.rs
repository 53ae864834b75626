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
        findings(judge_setting(row.get(0), row.get(1)));
    }
    Ok(())
}

fn judge_setting(setting: &str, value: &str) -> Finding {
    let name = format!("postgres.{}", setting.replace('_', "-"));
    match (setting, value) {
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
    }
}

async fn connections(client: &Client, config: &PostgresConfig) -> Result<Finding, tokio_postgres::Error> {
    let row = client
        .query_one(
            "SELECT current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8, \
             (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')",
            &[],
        )
        .await?;
    let (most, used): (i64, i64) = (row.get(0), row.get(1));
    let needed = i64::try_from(config.committers + config.readers + OTHER_SESSIONS).unwrap_or(i64::MAX);
    Ok(judge_connections(most, most - used, needed))
}

fn judge_connections(most: i64, free: i64, needed: i64) -> Finding {
    const NAME: &str = "postgres.connections";
    let detail = format!("{free} of {most} free; one souk takes up to {needed}");
    let remedy = "raise max_connections, or end sessions that nobody needs (pg_stat_activity)";
    let finding = if free <= 1 {
        Finding::fail(NAME, detail, remedy)
    } else if free < needed {
        Finding::warn(NAME, detail, remedy)
    } else {
        Finding::ok(NAME, detail)
    };
    finding.with("free", free).with("max", most)
}

async fn open_transactions(client: &Client) -> Result<Finding, tokio_postgres::Error> {
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
    Ok(judge_open(oldest.map(|row| (row.get(0), row.get(1)))))
}

/// Judges the oldest open transaction: its age in seconds and whose it is.
fn judge_open(oldest: Option<(i64, String)>) -> Finding {
    const NAME: &str = "postgres.transactions";
    let Some((age, who)) = oldest else {
        return Finding::ok(NAME, "none is open for long").with("oldestSeconds", 0);
    };
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
    finding.with("oldestSeconds", age)
}

#[cfg(test)]
mod tests {
    use souk_ports::Level;

    use super::*;

    #[test]
    fn settings_that_lose_data_fail() {
        for (setting, value, level) in [
            ("fsync", "on", Level::Ok),
            ("fsync", "off", Level::Fail),
            ("full_page_writes", "off", Level::Fail),
            ("synchronous_commit", "off", Level::Ok),
            ("synchronous_commit", "remote_apply", Level::Ok),
        ] {
            assert_eq!(judge_setting(setting, value).level, level, "{setting} = {value}");
        }
        assert_eq!(judge_setting("full_page_writes", "on").name, "postgres.full-page-writes");
    }

    #[test]
    fn few_connections_are_a_warning_and_none_a_failure() {
        for (free, level) in [(50, Level::Ok), (9, Level::Warn), (1, Level::Fail)] {
            assert_eq!(judge_connections(97, free, 10).level, level, "{free}");
        }
    }

    #[test]
    fn a_transaction_that_is_open_for_long_is_named() {
        assert_eq!(judge_open(None).level, Level::Ok);
        assert_eq!(judge_open(Some((5, "process 7".to_owned()))).level, Level::Ok);
        let long = judge_open(Some((600, "process 7 (psql, idle in transaction)".to_owned())));
        assert_eq!(long.level, Level::Warn);
        assert!(long.detail.contains("process 7 (psql"), "{}", long.detail);
    }
}
