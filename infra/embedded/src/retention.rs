//! Trims what nobody needs any more, so that the file stops growing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{Clock, Offset, PortError};
use tokio_util::sync::CancellationToken;

use crate::answers::KEY_LIFETIME_MS;
use crate::committer::Committer;
use crate::event_store::AnalyticsDb;
use crate::log::unsigned;
use crate::sqlite;

/// Time between two looks for old rows.
const PERIOD: Duration = Duration::from_secs(30);
/// Rows removed in one step: a few milliseconds, so that writes hardly wait.
const STEP: i64 = 1000;
/// The group whose position tells what the archive holds ends like this.
const ARCHIVE_GROUP: &str = "-archive";

/// Removes old events and idempotency keys.
pub(crate) struct Retention {
    pub committer: Arc<Committer>,
    pub positions: Arc<AnalyticsDb>,
    pub identity: LogId,
    /// Age from which an event may go.
    pub keep: Duration,
    pub clock: Arc<dyn Clock>,
    /// Where the search index is.
    pub indexed: Arc<AtomicU64>,
}

impl Retention {
    /// Works until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
            if let Err(error) = self.sweep().await {
                tracing::warn!(error = %error, "old rows could not be trimmed and will be tried again");
            }
        }
    }

    /// Trims everything that may go now.
    pub async fn sweep(&self) -> Result<(), PortError> {
        let limit = self.limit().await?;
        let keep = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
        let now = self.clock.now().millis();
        let oldest = Timestamp::from_millis(now.saturating_sub(keep));
        while self
            .committer
            .maintain(move |c| trim_events(c, limit, oldest))
            .await?
            .map_err(sqlite::port_error)?
        {}
        let expired = now - KEY_LIFETIME_MS;
        while self.committer.maintain(move |c| trim_keys(c, expired)).await?.map_err(sqlite::port_error)? {}
        Ok(())
    }

    /// Returns the offset below which every consumer has passed and the archive holds everything.
    async fn limit(&self) -> Result<Offset, PortError> {
        let all = self.positions.all_positions(self.identity).await?;
        if !all.iter().any(|(group, _, _)| group.ends_with(ARCHIVE_GROUP)) {
            return Ok(0);
        }
        let passed = all.iter().map(|(_, _, next)| *next).min().unwrap_or(0);
        Ok(passed.min(self.indexed.load(Ordering::Acquire)))
    }
}

/// Removes one step of events; tells whether there may be more. The newest row always stays: it carries the offset
/// that the next one follows.
fn trim_events(connection: &mut Connection, limit: Offset, oldest: Timestamp) -> rusqlite::Result<bool> {
    let Some(newest) = connection
        .query_row("SELECT max(\"offset\") FROM events", [], |row| row.get::<_, Option<i64>>(0))
        .optional()?
        .flatten()
    else {
        return Ok(false);
    };
    let limit = unsigned(newest).min(limit);
    let removed = connection
        .prepare_cached(
            "DELETE FROM events WHERE \"offset\" IN (SELECT \"offset\" FROM \
             (SELECT \"offset\", time FROM events WHERE \"offset\" < ?1 ORDER BY \"offset\" LIMIT ?3) WHERE time < ?2)",
        )?
        .execute(params![i64::try_from(limit).unwrap_or(i64::MAX), oldest.millis(), STEP])?;
    Ok(i64::try_from(removed).unwrap_or(0) == STEP)
}

/// Removes one step of expired idempotency keys; tells whether there may be more.
fn trim_keys(connection: &mut Connection, expired: i64) -> rusqlite::Result<bool> {
    let removed = connection
        .prepare_cached(
            "DELETE FROM idempotency WHERE seq IN \
             (SELECT seq FROM (SELECT seq, stored_at FROM idempotency ORDER BY seq LIMIT ?2) WHERE stored_at <= ?1)",
        )?
        .execute(params![expired, STEP])?;
    Ok(i64::try_from(removed).unwrap_or(0) == STEP)
}
