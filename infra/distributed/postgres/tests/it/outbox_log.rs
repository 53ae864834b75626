//! The outbox as an event log, so that the catalog's promises can be checked without a relay: one partition, offset = seq.
//!
//! Good for reading once nobody writes; a late commit puts a record before others that were read already.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{
    EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds, PortError, ReadLimit, Tail,
};
use souk_postgres::Postgres;
use tokio_postgres::Client;

/// Reads all leaves at once.
const LEAVES: &str = "(SELECT * FROM souk.outbox_0 UNION ALL SELECT * FROM souk.outbox_1 UNION ALL \
     SELECT * FROM souk.outbox_2 UNION ALL SELECT * FROM souk.outbox_3) AS outbox";

pub struct OutboxLog {
    client: Client,
}

impl OutboxLog {
    pub async fn over(postgres: &Postgres) -> Arc<Self> {
        Arc::new(Self { client: postgres.connection().await.unwrap() })
    }
}

#[async_trait]
impl EventLog for OutboxLog {
    fn identity(&self) -> LogId {
        LogId(1)
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        let sql = format!("SELECT coalesce(max(seq) + 1, 0) FROM {LEAVES}");
        let next: i64 = self.client.query_one(&sql, &[]).await.unwrap().get(0);
        Ok(vec![PartitionBounds { earliest: 0, next: next.unsigned_abs(), last_appended_at: None }])
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError> {
        let sql = format!("SELECT seq, payload FROM {LEAVES} WHERE seq >= $1 ORDER BY seq LIMIT $2");
        let (from, limit) = (i64::try_from(from).unwrap(), i64::try_from(limit.records).unwrap());
        let rows = self.client.query(&sql, &[&from, &limit]).await.unwrap();
        let record = |row: &tokio_postgres::Row| LogRecord {
            partition,
            offset: row.get::<_, i64>(0).unsigned_abs(),
            appended_at: Timestamp::MIN,
            payload: Bytes::copy_from_slice(row.get(1)),
        };
        Ok(rows.iter().map(record).collect())
    }

    async fn tail(&self, _from: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        unreachable!("the catalog's promises follow no log")
    }

    async fn consumer(&self, _group: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        unreachable!("the catalog's promises join no group")
    }

    async fn committed(&self, _group: &str) -> Result<Vec<Offset>, PortError> {
        unreachable!("the catalog's promises join no group")
    }

    async fn dead_letter(&self, _record: &LogRecord, _reason: &str) -> Result<(), PortError> {
        unreachable!("the catalog's promises set nothing aside")
    }
}
