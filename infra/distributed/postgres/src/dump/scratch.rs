//! Databases to try a dump in: made, known again by their names, dropped when nobody is at work in them any more.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// What the names begin with of those that go again; the time in milliseconds follows, as 12 hex digits, and chance.
const SCRATCH: &str = "souk_restore_";
/// And of those that are kept.
const KEPT: &str = "souk_kept_";
/// A database that is as young may be one that its maker has not connected to yet.
const YOUNG: Duration = Duration::from_secs(60);

/// Scratch databases that this user may drop and nobody is connected to.
const LEFT: &str = "SELECT d.datname::text FROM pg_database AS d WHERE d.datname LIKE 'souk\\_restore\\_%' \
     AND pg_has_role(d.datdba, 'USAGE') AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.datid = d.oid)";

/// Makes a name that no other database has.
pub fn name(keep: bool) -> String {
    let id = Uuid::now_v7().simple().to_string();
    format!("{}{}", if keep { KEPT } else { SCRATCH }, &id[..20])
}

/// Tells whether a name is that of a scratch database whose maker has been connected to it for long, if it lives.
fn is_old(name: &str, now: Duration) -> bool {
    let made = name.strip_prefix(SCRATCH).and_then(|rest| rest.get(..12));
    let made = made.and_then(|hex| u64::from_str_radix(hex, 16).ok()).map(Duration::from_millis);
    made.is_some_and(|made| made + YOUNG < now)
}

/// Drops what processes that were killed have left.
pub async fn drop_stale(client: &Client) -> Result<(), Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for row in client.query(LEFT, &[]).await? {
        let name: String = row.get(0);
        if !is_old(&name, now) {
            continue;
        }
        // Without force: who has connected since keeps it; and another one may have dropped it.
        match client
            .batch_execute(&format!("DROP DATABASE IF EXISTS \"{}\"", name.replace('"', "\"\"")))
            .await
        {
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {}
            dropped => dropped?,
        }
        tracing::info!(database = name, "dropped the scratch database of a restore that was killed");
    }
    Ok(())
}

/// Returns this user's name when it may not make one.
pub async fn may_not_make(client: &Client) -> Result<Option<String>, Error> {
    let sql = "SELECT quote_ident(rolname) FROM pg_roles WHERE rolname = current_user AND NOT (rolcreatedb OR rolsuper)";
    Ok(client.query_opt(sql, &[]).await?.map(|row| row.get(0)))
}

/// Makes one whose text is kept as it was in `text`: encoding, collation, character types.
pub async fn make(client: &Client, name: &str, text: &[String; 3]) -> Result<(), Error> {
    let [encoding, collate, ctype] = text;
    let make = |collate: &str, ctype: &str| {
        format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            literal(encoding),
            literal(collate),
            literal(ctype)
        )
    };
    match client.batch_execute(&make(collate, ctype)).await {
        // Another server may not have the locale; rows and their digests do not depend on it.
        Err(error) if error.code().is_some_and(|code| code.code() == "22023") => {
            client.batch_execute(&make("C", "C")).await
        }
        made => made,
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_long_ago_is_told_from_what_is_new_or_kept() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let (scratch, kept) = (name(false), name(true));
        assert!(!is_old(&scratch, now) && is_old(&scratch, now + YOUNG + Duration::from_secs(1)));
        let later = now + Duration::from_secs(1_000_000);
        assert!(!is_old(&kept, later), "it is the operator's");
        assert!(
            !is_old("souk_restore_mine", later) && !is_old("souk_restore_", later),
            "that is not one of ours"
        );
    }
}
