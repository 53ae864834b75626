//! The relay's session with Postgres: which database this is, and who publishes from it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_ports::fault;
use tokio::sync::Notify;
use tokio_postgres::{Client, GenericClient};

use crate::outbox::ReadError;
use crate::position::DatabaseIdentity;
use crate::snapshot::{Snapshot, SnapshotError};
use crate::sql;

/// Leases that a session may be silent for while the server works on a statement of it: an hour, usually.
///
/// Such a one is no sign of a relay that is gone: it is a lock that waits for a dump, or goes over millions of rows after a
/// long outage of Kafka. To end it would help nobody, since whoever takes over has to do the same, and may be ended for it in
/// turn. That its relay is gone the server notices by itself ([`sql::SESSION`]). What is left for this patience is a
/// server that could not.
const LEASES_AT_WORK: u32 = 360;
/// The same while a transaction is open and the server waits for its next statement: to begin it anew costs more.
const LEASES_IN_TRANSACTION: u32 = 6;

/// Makes sessions with the database that holds the outbox.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Opens a session of the relay's own, whose connection is driven elsewhere.
    ///
    /// # Errors
    /// The text names the setting and the remedy.
    async fn open(&self) -> Result<Client, String>;

    /// Is notified after each commit of this process that wrote events.
    fn nudge(&self) -> Arc<Notify>;
}

/// The database behind a session, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseNow {
    /// Which one it is.
    pub identity: DatabaseIdentity,
    /// What it has come to.
    pub snapshot: Snapshot,
}

/// Makes a new session ready for the relay.
pub async fn prepare(client: &Client) -> Result<(), ReadError> {
    Ok(client.batch_execute(sql::SESSION).await?)
}

/// Asks the database who it is; `None` on a standby, which has no outbox to write to.
pub async fn identify(client: &Client) -> Result<Option<DatabaseNow>, ReadError> {
    let row = client.query_one(sql::IDENTITY, &[]).await?;
    let Some(wal_file) = row.get::<_, Option<&str>>(1) else { return Ok(None) };
    // The first eight digits of a WAL file's name are the timeline; the control file's lags behind a promotion.
    let timeline = wal_file.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let timeline = timeline.ok_or_else(|| SnapshotError(wal_file.to_owned()))?;
    // Written as a signed number, meant as an unsigned one.
    let system_identifier = row.get::<_, i64>(0).cast_unsigned();
    let identity = DatabaseIdentity { system_identifier, timeline };
    Ok(Some(DatabaseNow { identity, snapshot: Snapshot::from_wire(row.get(2))? }))
}

/// Tries to become the one relay that publishes from this database.
///
/// A lock whose holder has been silent for `lease` is taken from it: a leader speaks to Postgres several times in that
/// time, whatever it waits for ([`speak_while`]), so this one is stopped or cut off, and its session outlives it. Were it
/// alive after all, nothing would be lost: the lock saves needless work, the fencing of its producer is what makes this
/// safe. One for which the server is at work is no such leader and keeps its lock.
pub async fn try_lead(client: &Client, lease: Duration) -> Result<bool, ReadError> {
    if locked(client).await? {
        return Ok(true);
    }
    for holder in client.query(sql::HOLDERS, &[&sql::LOCK]).await? {
        let (pid, silent, state): (i32, Option<i64>, Option<&str>) =
            (holder.get(0), holder.get(1), holder.get(2));
        let silent = Duration::from_millis(silent.unwrap_or(0).unsigned_abs());
        let leases = match state {
            None | Some("idle") => 1,
            Some("active") if !fault::planted("relay-ends-sessions-at-work") => LEASES_AT_WORK,
            Some(_) => LEASES_IN_TRANSACTION,
        };
        if silent > lease * leases {
            tracing::warn!(pid, ?silent, "the leading relay is silent, its session is ended");
            client.execute("SELECT pg_terminate_backend($1)", &[&pid]).await?;
        }
    }
    locked(client).await
}

/// Waits for `work`, and says to Postgres several times in a `lease` that this relay is alive: whoever stands by would end
/// a session that is silent for longer.
pub async fn speak_while<T>(
    client: &impl GenericClient,
    lease: Duration,
    work: impl Future<Output = T>,
) -> Result<T, ReadError> {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            () = tokio::time::sleep(lease / 4) => {
                if !fault::planted("relay-compares-in-silence") {
                    client.batch_execute("SELECT 1").await?;
                }
            }
        }
    }
}

/// Says to everybody, as long as this session lasts, that this database takes writes.
pub async fn admit(client: &Client) -> Result<(), ReadError> {
    // Shared, so that it is never waited for: a session that is just ending may have it, too.
    client.execute("SELECT pg_advisory_lock_shared($1)", &[&sql::ADMITTED]).await?;
    Ok(())
}

/// Tells whether the relay that publishes, or waits to, has said that this database takes writes.
pub async fn is_admitted(client: &Client) -> Result<bool, ReadError> {
    Ok(!client.query(sql::HOLDERS, &[&sql::ADMITTED]).await?.is_empty())
}

async fn locked(client: &Client) -> Result<bool, ReadError> {
    Ok(client.query_one("SELECT pg_try_advisory_lock($1)", &[&sql::LOCK]).await?.get(0))
}
