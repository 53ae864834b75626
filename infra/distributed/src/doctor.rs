//! What there is to look at of outbox and relay, for `souk doctor`: changes nothing, and asks Postgres alone, since
//! reading the position that counts would end the relay that runs.

use souk_domain::Timestamp;
use souk_ports::{Clock, Finding, Findings};
use tokio_postgres::Client;

use crate::attributes::Attributes;
use crate::outbox::ReadError;
use crate::position::Position;
use crate::session::{DatabaseNow, identify};
use crate::snapshot::Snapshot;
use crate::sql;
use crate::status::MAX_COUNTED;

/// Events that wait longer than this are not about to be published.
const OLD_MS: i64 = 10_000;

/// Examines outbox and relay of the database behind `client`.
pub async fn examine(client: &Client, transactional_id: &str, clock: &dyn Clock, findings: Findings<'_>) {
    if let Err(error) = look(client, transactional_id, clock, findings).await {
        let remedy =
            "start `souk api` or `souk up` once, which makes what is missing, or see the server's log";
        findings(Finding::warn("outbox", format!("it cannot be looked at: {error}"), remedy));
    }
}

async fn look(
    client: &Client,
    transactional_id: &str,
    clock: &dyn Clock,
    findings: Findings<'_>,
) -> Result<(), ReadError> {
    let Some(database) = identify(client).await? else {
        let remedy = "name the primary in DATABASE_URL";
        findings(Finding::warn("relay", "this is a standby: its relay is elsewhere", remedy));
        return Ok(());
    };
    let rows = client
        .query(
            "SELECT transactional_id, position, (extract(epoch FROM now() - updated_at) * 1000)::int8 \
             FROM souk.relay_hint ORDER BY updated_at DESC",
            &[],
        )
        .await?;
    let hint = rows.iter().find(|row| row.get::<_, &str>(0) == transactional_id);
    let position = hint.and_then(|row| Position::from_record(row.get::<_, &str>(1).as_bytes()).ok());
    let leading: bool = !client.query(sql::HOLDERS, &[&sql::LOCK]).await?.is_empty();
    let others: Vec<&str> = rows.iter().map(|row| row.get(0)).filter(|id| *id != transactional_id).collect();
    findings(relay(transactional_id, position.as_ref(), &others, &database, leading));
    let seen = position.map_or_else(Snapshot::nothing, |position| position.snapshot);
    let (xmax, running) = (seen.xmax(), seen.running());
    let limit = i64::try_from(MAX_COUNTED).unwrap_or(i64::MAX);
    let waiting: i64 = client.query_one(&sql::count(), &[&xmax, &running, &limit]).await?.get(0);
    let first = client.query_opt(&sql::oldest(), &[&xmax, &running]).await?;
    let oldest = first.and_then(|row| Some(Attributes::find(row.get(0))?.time));
    findings(outbox(waiting, oldest, clock.now(), leading));
    Ok(())
}

/// Judges where the relay was last, as the database remembers it.
fn relay(
    id: &str,
    position: Option<&Position>,
    others: &[&str],
    database: &DatabaseNow,
    leading: bool,
) -> Finding {
    const NAME: &str = "relay";
    let now = database.identity;
    let Some(position) = position else {
        return match others.first() {
            Some(other) => Finding::fail(
                NAME,
                format!("{id} has published nothing of this database, but {other} has"),
                format!(
                    "set KAFKA_TRANSACTIONAL_ID={other}, or see the api's /health for how to go on under a new name"
                ),
            ),
            None if leading => Finding::ok(NAME, format!("{id} runs and has published nothing yet")),
            None => Finding::ok(NAME, format!("{id} has published nothing yet, and none runs")),
        };
    };
    let remedy =
        "the api's /health says how to go on: nothing is published before somebody says that this is meant";
    if position.database != now {
        let detail = format!("{id} was last at another database ({}), this is {now}", position.database);
        return Finding::fail(NAME, detail, remedy);
    }
    if position.newest().xmax() > database.snapshot.xmax() {
        let detail = format!(
            "{id} was last at transaction {}, and the database has come to {} only: an older copy was put back",
            position.newest().xmax().0,
            database.snapshot.xmax().0
        );
        return Finding::fail(NAME, detail, remedy);
    }
    let runs = if leading { "runs" } else { "does not run" };
    Finding::ok(
        NAME,
        format!("{id} {runs}, last at transaction {} of this database", position.newest().xmax().0),
    )
}

fn outbox(waiting: i64, oldest: Option<Timestamp>, now: Timestamp, leading: bool) -> Finding {
    const NAME: &str = "outbox";
    let age = oldest.map_or(0, |oldest| (now.millis() - oldest.millis()).max(0));
    // The database's memory of the relay trails it a little, so that a few are published already.
    let detail = match waiting {
        0 => "no event waits".to_owned(),
        waiting => format!("about {waiting} events wait to be published, the oldest for {} s", age / 1000),
    };
    let finding = if waiting > 0 && age > OLD_MS {
        let remedy = if leading {
            "if it does not shrink, see whether the api reaches Kafka (/health), and for long transactions in Kafka"
        } else {
            "start `souk api` or `souk up`: its relay publishes them"
        };
        Finding::warn(NAME, detail, remedy)
    } else {
        Finding::ok(NAME, detail)
    };
    finding.with("waitingEvents", waiting).with("oldestAgeMs", age)
}

#[cfg(test)]
mod tests {
    use souk_ports::Level;

    use super::*;
    use crate::position::DatabaseIdentity;

    const IDENTITY: DatabaseIdentity = DatabaseIdentity { system_identifier: 7, timeline: 1 };

    fn now() -> DatabaseNow {
        DatabaseNow { identity: IDENTITY, snapshot: "900:900:".parse().unwrap() }
    }

    fn at(identity: DatabaseIdentity, snapshot: &str) -> Position {
        Position::at(identity, snapshot.parse().unwrap())
    }

    #[test]
    fn a_position_of_another_database_fails() {
        let other = DatabaseIdentity { timeline: 2, ..IDENTITY };
        for (position, level) in [
            (at(IDENTITY, "800:800:"), Level::Ok),
            (at(other, "800:800:"), Level::Fail),
            (at(IDENTITY, "901:901:"), Level::Fail),
        ] {
            assert_eq!(relay("id", Some(&position), &[], &now(), true).level, level, "{position:?}");
        }
        assert_eq!(relay("id", None, &["other"], &now(), true).level, Level::Fail);
        assert_eq!(relay("id", None, &[], &now(), false).level, Level::Ok);
    }

    #[test]
    fn events_that_wait_for_long_are_a_warning() {
        let oldest = Some(Timestamp::from_millis(0));
        assert_eq!(outbox(0, None, Timestamp::from_millis(1), false).level, Level::Ok);
        assert_eq!(outbox(5, oldest, Timestamp::from_millis(500), true).level, Level::Ok);
        let late = outbox(5, oldest, Timestamp::from_millis(20_000), false);
        assert_eq!(late.level, Level::Warn);
        assert!(late.remedy.unwrap().contains("souk api"));
    }
}
