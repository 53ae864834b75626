//! The statements of the write path, prepared once for each session.

use tokio_postgres::{Client, Statement};

use crate::keeper::IS_SOURCE;
use crate::rows::COLUMNS;

/// The leaves of the outbox.
pub(crate) const LEAVES: usize = 4;

/// Prepared statements of a committer's session.
pub(crate) struct Statements {
    /// Locks and reads rows by id.
    pub lock: Statement,
    /// Reads tombstones by id.
    pub tombstones: Statement,
    /// Reads stored answers by key.
    pub answers: Statement,
    /// Finds who has a (seller, sku).
    pub skus: Statement,
    /// Stores answers.
    pub store_answers: Statement,
    /// Makes room where a key has expired.
    pub expire_answers: Statement,
    pub delete: Statement,
    pub release_skus: Statement,
    pub move_stock: Statement,
    pub update: Statement,
    pub insert: Statement,
    pub bury: Statement,
    pub unbury: Statement,
    /// The transaction's id, which tells its outcome when the reply to COMMIT is lost; and whether the products are kept
    /// elsewhere.
    pub xid: Statement,
    /// The latter alone.
    pub is_source: Statement,
    /// The leaf's epoch.
    pub epoch: Statement,
    /// One for each leaf.
    pub outbox: [Statement; LEAVES],
}

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let lock = format!("SELECT {COLUMNS} FROM souk.products WHERE id = ANY($1) ORDER BY id FOR UPDATE");
        let arrays = "$1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::int[], \
             $8::boolean[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[]";
        let insert = format!("INSERT INTO souk.products ({COLUMNS}) SELECT * FROM unnest({arrays})");
        let assignments: Vec<String> =
            COLUMNS.split(", ").skip(1).map(str::trim).map(|name| format!("{name} = n.{name}")).collect();
        let update = format!(
            "UPDATE souk.products p SET {} FROM unnest({arrays}) AS n ({COLUMNS}) WHERE p.id = n.id",
            assignments.join(", ")
        );
        let outbox = |leaf: usize| async move {
            // nextval row by row, in the order of the arrays.
            client
                .prepare(&format!(
                    "INSERT INTO souk.outbox_{leaf} (seq, product_id, payload) \
                     SELECT nextval('souk.outbox_seq'), n.product_id, n.payload \
                     FROM unnest($1::uuid[], $2::bytea[]) AS n (product_id, payload)"
                ))
                .await
        };
        Ok(Self {
            lock: client.prepare(&lock).await?,
            tombstones: client.prepare("SELECT id, version FROM souk.tombstones WHERE id = ANY($1)").await?,
            answers: client
                .prepare(
                    "SELECT key, fingerprint, status, etag, location, body, stored_at \
                     FROM souk.idempotency_keys WHERE key = ANY($1)",
                )
                .await?,
            skus: client
                .prepare(
                    "SELECT p.seller_id, p.sku, p.id FROM unnest($1::text[], $2::text[]) AS n (seller_id, sku) \
                     JOIN souk.products p ON p.sku = n.sku AND p.seller_id = n.seller_id",
                )
                .await?,
            store_answers: client
                .prepare(
                    "INSERT INTO souk.idempotency_keys (key, fingerprint, status, etag, location, body, stored_at) \
                     SELECT n.*, $7::bigint FROM unnest($1::text[], $2::bytea[], $3::smallint[], $4::text[], \
                     $5::text[], $6::bytea[]) AS n",
                )
                .await?,
            expire_answers: client
                .prepare("DELETE FROM souk.idempotency_keys WHERE key = ANY($1) AND stored_at <= $2")
                .await?,
            delete: client.prepare("DELETE FROM souk.products WHERE id = ANY($1)").await?,
            release_skus: client.prepare("UPDATE souk.products SET sku = NULL WHERE id = ANY($1)").await?,
            move_stock: client
                .prepare(
                    "UPDATE souk.products p SET stock = n.stock, low_stock = n.low_stock, version = n.version, \
                     updated_at = n.updated_at FROM unnest($1::uuid[], $2::int[], $3::boolean[], $4::bigint[], \
                     $5::bigint[]) AS n (id, stock, low_stock, version, updated_at) WHERE p.id = n.id",
                )
                .await?,
            update: client.prepare(&update).await?,
            insert: client.prepare(&insert).await?,
            bury: client
                .prepare(
                    "INSERT INTO souk.tombstones (id, version) SELECT * FROM unnest($1::uuid[], $2::bigint[]) \
                     ON CONFLICT (id) DO UPDATE SET version = excluded.version",
                )
                .await?,
            unbury: client.prepare("DELETE FROM souk.tombstones WHERE id = ANY($1)").await?,
            xid: client.prepare(&format!("SELECT pg_current_xact_id()::text, {IS_SOURCE}")).await?,
            is_source: client.prepare(&format!("SELECT {IS_SOURCE}")).await?,
            epoch: client.prepare("SELECT epoch FROM souk.outbox_epoch").await?,
            outbox: [outbox(0).await?, outbox(1).await?, outbox(2).await?, outbox(3).await?],
        })
    }
}
