//! After a restore: what the outbox holds is compared with the log by event id, and what is missing is published.
//!
//! Nothing about transaction ids or places is trusted here. First every row is stamped with a transaction of this
//! database, because those of a dump mean nothing in it; then the rows are read as of one snapshot, the log is read from
//! an hour before the oldest of them, and what it does not have goes out in order. The position moves on with the last
//! of it: cut off anywhere, the comparison begins anew, and what it had published is not missing any more.
//!
//! It may take long, and whoever stands by must not take it for one that is gone: rows come some at a time, so that the
//! session is free in between, and while the log is read or written the relay speaks to Postgres.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use souk_domain::Timestamp;
use souk_ports::{EventLog, Offset, Partition, PartitionBounds, PortError, ReadLimit};
use tokio_postgres::{Client, IsolationLevel, Portal, Row, Transaction};
use uuid::Uuid;

use crate::attributes::Attributes;
use crate::judge::chain;
use crate::outbox::{CHUNK_BYTES, CHUNK_ROWS};
use crate::position::{DatabaseIdentity, Position, Unsettled};
use crate::relay::Ended;
use crate::session::speak_while;
use crate::sink::{Outgoing, SendError, Sink};
use crate::snapshot::Snapshot;
use crate::sql::{self, LEAVES};

/// How much clocks of the api and the brokers may differ.
const CLOCK_SKEW_MILLIS: i64 = 3_600_000;
/// Rows that come at once: few enough that those of the largest events are no burden.
const ROWS_AT_ONCE: i32 = 512;

/// What a comparison found.
pub(crate) struct Settled {
    /// Where to go on.
    pub position: Position,
    /// Events that the outbox held.
    pub in_outbox: usize,
    /// Events of them that the log did not have.
    pub missing: usize,
}

/// Publishes what the outbox has and the log has not; speaks to Postgres several times in a `lease`.
pub(crate) async fn publish_missing(
    client: &mut Client,
    sink: &mut dyn Sink,
    log: &dyn EventLog,
    token: &str,
    database: DatabaseIdentity,
    lease: Duration,
) -> Result<Settled, Ended> {
    stamp(client).await?;
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let row = transaction.query_one("SELECT pg_snapshot_send(pg_current_snapshot())", &[]).await?;
    let snapshot = Snapshot::from_wire(row.get(0)).map_err(crate::outbox::ReadError::from)?;
    let mut missing = HashSet::new();
    let mut oldest: Option<Timestamp> = None;
    let events = transaction.prepare(&sql::events()).await?;
    let portal = transaction.bind(&events, &[]).await?;
    while let Some(rows) = some(&transaction, &portal).await? {
        for found in rows.iter().filter_map(|row| Attributes::find(row.get(1))) {
            missing.insert(found.id);
            oldest = Some(oldest.map_or(found.time, |oldest| oldest.min(found.time)));
        }
    }
    let in_outbox = missing.len();
    if let Some(oldest) = oldest {
        let since = Timestamp::from_millis(oldest.millis() - CLOCK_SKEW_MILLIS);
        let crossed_off = speak_while(&transaction, lease, cross_off(log, since, &mut missing)).await?;
        crossed_off.map_err(|error| Ended::Retry(chain(&error)))?;
    }
    let position = Position::at(database, snapshot);
    let unsettled = Unsettled::new(token).to_record();
    let mut batch: Vec<Outgoing> = Vec::new();
    let mut bytes = 0;
    let portal = transaction.bind(&events, &[]).await?;
    while let Some(rows) = some(&transaction, &portal).await? {
        for row in rows {
            let payload: &[u8] = row.get(1);
            if !Attributes::find(payload).is_none_or(|found| missing.contains(&found.id)) {
                continue;
            }
            bytes += payload.len();
            batch.push(Outgoing { key: row.get::<_, Uuid>(0), payload: Bytes::copy_from_slice(payload) });
            if batch.len() >= CHUNK_ROWS || bytes >= CHUNK_BYTES {
                // Nobody goes on from anywhere until all is out.
                let sending = publish(sink, std::mem::take(&mut batch), unsettled.clone());
                speak_while(&transaction, lease, sending).await??;
                bytes = 0;
            }
        }
    }
    speak_while(&transaction, lease, publish(sink, batch, position.to_record())).await??;
    transaction.commit().await?;
    Ok(Settled { position, in_outbox, missing: missing.len() })
}

/// Returns the next rows; `None` after the last.
async fn some(transaction: &Transaction<'_>, portal: &Portal) -> Result<Option<Vec<Row>>, Ended> {
    let rows = transaction.query_portal(portal, ROWS_AT_ONCE).await?;
    Ok(Some(rows).filter(|rows| !rows.is_empty()))
}

async fn publish(sink: &mut dyn Sink, batch: Vec<Outgoing>, position: Bytes) -> Result<(), Ended> {
    sink.publish(batch, position).await.map_err(|error| match error {
        SendError::Fenced(_) => Ended::Fenced,
        other => Ended::Retry(other.to_string()),
    })
}

/// Gives every row of the outbox a transaction of this database.
async fn stamp(client: &mut Client) -> Result<(), Ended> {
    let transaction = client.transaction().await?;
    for leaf in 0..LEAVES {
        transaction.batch_execute(&format!("LOCK TABLE souk.outbox_{leaf} IN ACCESS EXCLUSIVE MODE")).await?;
    }
    for leaf in 0..LEAVES {
        transaction
            .batch_execute(&format!("UPDATE souk.outbox_{leaf} SET xid = pg_current_xact_id()"))
            .await?;
    }
    transaction.batch_execute("SET LOCAL synchronous_commit = on").await?;
    Ok(transaction.commit().await?)
}

/// Removes from `missing` what the log has since `since`.
async fn cross_off(
    log: &dyn EventLog,
    since: Timestamp,
    missing: &mut HashSet<Uuid>,
) -> Result<(), PortError> {
    for (partition, bounds) in (0..).zip(log.bounds().await?) {
        let mut from = first_since(log, partition, bounds, since).await?;
        while from < bounds.next {
            let records = log.read(partition, from, ReadLimit::default()).await?;
            let Some(last) = records.last() else { break };
            from = last.offset + 1;
            for record in &records {
                if let Some(found) = Attributes::find(&record.payload) {
                    missing.remove(&found.id);
                }
            }
        }
    }
    Ok(())
}

/// Returns the offset of a record such that all before it were appended before `since`, by halving.
async fn first_since(
    log: &dyn EventLog,
    partition: Partition,
    bounds: PartitionBounds,
    since: Timestamp,
) -> Result<Offset, PortError> {
    let one = ReadLimit { records: 1, ..ReadLimit::default() };
    let (mut low, mut high) = (bounds.earliest, bounds.next);
    while low < high {
        let middle = low + (high - low) / 2;
        match log.read(partition, middle, one).await?.first() {
            Some(record) if record.appended_at < since => low = record.offset + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
