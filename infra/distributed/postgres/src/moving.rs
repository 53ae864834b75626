//! The catalog's part of a shop that moves with `souk move`: rows and answers as they are, past the write path, each batch
//! in one transaction with how far the move is. What the outbox is to a move is the relay's matter.

use std::sync::Arc;

use bytes::Bytes;
use souk_domain::Timestamp;
use souk_ports::{Answer, CatalogRow, ErrorKind, Milestone, PortError, StoredAnswer};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Transaction};
use uuid::Uuid;

use crate::config::PostgresConfig;
use crate::connect::{ConnectError, Role, Server, reason};
use crate::failure::port_error;
use crate::migrate;
use crate::rows::{COLUMNS, Columns, read, signed};

/// How far a move into this database is; the one row stays when the move is finished, and says where the shop is from.
/// Made by the first move: most databases never see one.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS souk.moves (one boolean NOT NULL DEFAULT true CONSTRAINT moves_one \
     PRIMARY KEY CHECK (one), number bigint NOT NULL, record text NOT NULL, finished boolean NOT NULL)";

/// Whether there is that table; not to_regclass, which answers from before another session's commit.
const HAS_TABLE: &str =
    "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'souk' AND tablename = 'moves')";

/// What a database says of a move into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMove {
    /// The last milestone.
    pub milestone: Milestone,
    /// Whether it was the last of all.
    pub finished: bool,
}

/// A session that moves a catalog in or out.
pub struct PgMove {
    client: Client,
    address: String,
    /// Whether there is a schema souk.
    has_schema: bool,
}

impl PgMove {
    /// Connects and brings the schema up to date.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn open(config: &PostgresConfig) -> Result<Self, ConnectError> {
        let server = Server::new(config);
        let client = server.open(Role::Other).await?.client;
        migrate::migrate(&client, &server).await?;
        Ok(Self { client, address: server.address, has_schema: true })
    }

    /// Connects and changes nothing.
    ///
    /// # Errors
    /// [`ConnectError`]; also when a schema is there that is not the one that this souk works with.
    pub async fn look(config: &PostgresConfig) -> Result<Self, ConnectError> {
        let server = Server::new(config);
        let client = server.open(Role::Other).await?.client;
        let version = migrate::check(&client, &server).await?;
        if version > 0 && !migrate::is_current(version) {
            return Err(
                server.refused("has an older schema souk: run `souk api` once to bring it up to date")
            );
        }
        Ok(Self { client, address: server.address, has_schema: version > 0 })
    }

    /// Returns the session.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the URL without its password, for messages.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns what the database says of a move into it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn stored(&self) -> Result<Option<StoredMove>, PortError> {
        stored(&self.client).await.map_err(port_error)
    }

    /// Tells what of a shop is there; `None` when nothing is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn contents(&self) -> Result<Option<&'static str>, PortError> {
        if !self.has_schema {
            return Ok(None);
        }
        for (table, what) in [
            ("products", "products"),
            ("tombstones", "traces of deleted products"),
            ("relay_hint", "the trace of a relay"),
        ] {
            let sql = format!("SELECT EXISTS (SELECT FROM souk.{table})");
            if self.client.query_one(&sql, &[]).await.map_err(port_error)?.get(0) {
                return Ok(Some(what));
            }
        }
        Ok(self.has_waiting_events().await?.then_some("events that wait for the relay"))
    }

    /// Tells whether the outbox has rows.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_waiting_events(&self) -> Result<bool, PortError> {
        let leaf = |leaf| format!("EXISTS (SELECT FROM souk.outbox_{leaf})");
        let any = (0..crate::sql::LEAVES).map(leaf).collect::<Vec<_>>().join(" OR ");
        Ok(self.client.query_one(&format!("SELECT {any}"), &[]).await.map_err(port_error)?.get(0))
    }

    /// Notes a milestone; with `finished`, the last one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note(&mut self, milestone: &Milestone, finished: bool) -> Result<(), PortError> {
        self.write(async |transaction| store(transaction, milestone, finished).await).await
    }

    /// Takes away rows and answers.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn clear(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.write(async |transaction| {
            let sql = "TRUNCATE souk.products, souk.tombstones, souk.idempotency_keys";
            transaction.batch_execute(sql).await?;
            store(transaction, milestone, false).await
        })
        .await
    }

    /// Takes in rows that are not there.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_rows(&mut self, rows: &[CatalogRow], milestone: &Milestone) -> Result<(), PortError> {
        let products: Vec<_> = rows.iter().filter_map(|row| row.product.clone().map(Arc::new)).collect();
        let products: Vec<_> = products.iter().collect();
        let gone: Vec<(Uuid, i64)> = rows
            .iter()
            .filter(|row| row.product.is_none())
            .map(|row| (row.id.0, signed(row.version)))
            .collect();
        let (ids, versions): (Vec<Uuid>, Vec<i64>) = gone.into_iter().unzip();
        self.write(async |transaction| {
            let c = Columns::of(&products);
            let sql = format!(
                "INSERT INTO souk.products ({COLUMNS}) SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], \
                 $4::bigint[], $5::bigint[], $6::int[], $7::int[], $8::boolean[], $9::text[], $10::text[], \
                 $11::text[], $12::text[], $13::text[])"
            );
            let columns: [&(dyn ToSql + Sync); 13] = [
                &c.id,
                &c.price,
                &c.version,
                &c.created_at,
                &c.updated_at,
                &c.stock,
                &c.low_stock_threshold,
                &c.low_stock,
                &c.seller_id,
                &c.category,
                &c.name,
                &c.sku,
                &c.description,
            ];
            transaction.execute(&sql, &columns).await?;
            let sql = "INSERT INTO souk.tombstones (id, version) SELECT * FROM unnest($1::uuid[], $2::bigint[])";
            transaction.execute(sql, &[&ids, &versions]).await?;
            store(transaction, milestone, false).await
        })
        .await
    }

    /// Takes in answers that are not there.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_answers(
        &mut self,
        answers: &[StoredAnswer],
        milestone: &Milestone,
    ) -> Result<(), PortError> {
        self.write(async |transaction| {
            let sql = "INSERT INTO souk.idempotency_keys (key, fingerprint, status, etag, location, body, stored_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let insert = transaction.prepare(sql).await?;
            for StoredAnswer { key, fingerprint, answer, stored_at } in answers {
                let status = i16::try_from(answer.status).expect("a status has three digits");
                let (fingerprint, body, time) = (&fingerprint[..], &answer.body[..], stored_at.millis());
                let values: [&(dyn ToSql + Sync); 7] =
                    [&&**key, &fingerprint, &status, &answer.etag, &answer.location, &body, &time];
                transaction.execute(&insert, &values).await?;
            }
            store(transaction, milestone, false).await
        })
        .await
    }

    /// Returns answers in the order of their keys after `after`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn answers(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredAnswer>, PortError> {
        let sql = "SELECT key, fingerprint, status, etag, location, body, stored_at FROM souk.idempotency_keys \
                   WHERE key > $1 ORDER BY key LIMIT $2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        // Keys are never empty.
        let rows = self.client.query(sql, &[&after.unwrap_or_default(), &limit]).await.map_err(port_error)?;
        rows.iter().map(answer).collect()
    }

    /// Has the search index made anew from the rows by the next souk that starts here, and the planner know the tables.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn refresh(&self) -> Result<(), PortError> {
        let sql = "TRUNCATE souk.search_state; ANALYZE souk.products; ANALYZE souk.tombstones; \
                   ANALYZE souk.idempotency_keys";
        self.client.batch_execute(sql).await.map_err(port_error)
    }

    async fn write(
        &mut self,
        work: impl AsyncFnOnce(&Transaction<'_>) -> Result<(), Error>,
    ) -> Result<(), PortError> {
        let place = self.address.clone();
        let done = async {
            self.client.batch_execute(TABLE).await?;
            let transaction = self.client.transaction().await?;
            work(&transaction).await?;
            transaction.commit().await
        };
        done.await.map_err(|error| {
            let message = format!("{place} cannot be written: {}", reason(&error));
            PortError::new(ErrorKind::Unavailable, message).with_source(error)
        })
    }
}

/// Tells whether a move into this database has begun and is not finished.
pub(crate) async fn is_unfinished(client: &Client) -> Result<bool, Error> {
    Ok(stored(client).await?.is_some_and(|stored| !stored.finished))
}

async fn stored(client: &Client) -> Result<Option<StoredMove>, Error> {
    if !client.query_one(HAS_TABLE, &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = client.query_opt("SELECT number, record, finished FROM souk.moves", &[]).await?;
    Ok(row.map(|row| StoredMove {
        milestone: Milestone { number: row.get::<_, i64>(0).unsigned_abs(), record: row.get(1) },
        finished: row.get(2),
    }))
}

async fn store(transaction: &Transaction<'_>, milestone: &Milestone, finished: bool) -> Result<(), Error> {
    let number = i64::try_from(milestone.number).expect("a move has fewer milestones than 2^63");
    let sql = "INSERT INTO souk.moves (number, record, finished) VALUES ($1, $2, $3) ON CONFLICT (one) DO UPDATE \
               SET number = excluded.number, record = excluded.record, finished = excluded.finished";
    transaction.execute(sql, &[&number, &milestone.record, &finished]).await.map(drop)
}

fn answer(row: &Row) -> Result<StoredAnswer, PortError> {
    let broken = || PortError::new(ErrorKind::InvalidData, "a stored answer cannot be read");
    Ok(StoredAnswer {
        key: Arc::from(read::<&str>(row, 0)?),
        fingerprint: read::<&[u8]>(row, 1)?.try_into().map_err(|_| broken())?,
        answer: Answer {
            status: u16::try_from(read::<i16>(row, 2)?).map_err(|_| broken())?,
            etag: read(row, 3)?,
            location: read(row, 4)?,
            body: Bytes::copy_from_slice(read(row, 5)?),
        },
        stored_at: Timestamp::from_millis(read(row, 6)?),
    })
}
