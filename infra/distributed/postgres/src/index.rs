//! Feeds the search index from the outbox, away from the write path.
//!
//! What it reads from the outbox is only which products changed: their words come from the products as they are now, so
//! that order does not matter and doing it twice is doing it once. Of several instances one does it (an advisory lock). When
//! its place is lost, as after a crash of the server, which empties tables that are not logged, it compares all products.

use std::sync::Arc;
use std::time::Duration;

use souk_domain::tokens;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Row};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::connect::{Role, Server, reason};

/// How long changes gather before they are indexed: many are then one transaction, and a second is promised.
const TICK: Duration = Duration::from_millis(200);
/// How often an instance that is not the one looks whether it could be.
const STANDBY: Duration = Duration::from_secs(2);
/// How long is waited after an error.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// Products in one step: some ten milliseconds of work, so that writes hardly notice.
const STEP: usize = 2048;
/// Changed products from which on all are compared instead: their ids are held in memory, 16 bytes each.
const MANY: i64 = 200_000;
/// The key of the advisory lock: "souk" and "indx" in ASCII.
const LOCK: i64 = 0x736f_756b_696e_6478;

/// Works until `stop`.
pub(crate) async fn run(server: Arc<Server>, stop: CancellationToken) {
    let work = async {
        loop {
            let Err(error) = lead(&server).await;
            tracing::warn!("the search index could not be fed and will be retried: {error}");
            tokio::time::sleep(AFTER_ERROR).await;
        }
    };
    stop.run_until_cancelled(work).await;
}

/// Waits for the lock and indexes until something goes wrong.
async fn lead(server: &Server) -> Result<std::convert::Infallible, String> {
    let session = server.open(Role::Other).await.map_err(|error| error.to_string())?;
    let client = session.client;
    let work = async {
        client
            .batch_execute(
                "SET synchronous_commit = off; SET enable_seqscan = off; SET enable_hashjoin = off; \
                 SET enable_mergejoin = off",
            )
            .await?;
        while !client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await?.get::<_, bool>(0) {
            tokio::time::sleep(STANDBY).await;
        }
        let mut index = Index::load(client).await?;
        loop {
            index.catch_up().await?;
            tokio::time::sleep(TICK).await;
        }
    };
    let done: Result<std::convert::Infallible, Error> = work.await;
    let Err(error) = done;
    if error.code() == Some(&SqlState::UNIQUE_VIOLATION) {
        // Terms and documents contradict each other, which nobody but a hand can have done: made anew.
        let emptied = server.open(Role::Other).await.map_err(|error| error.to_string())?;
        let sql = "TRUNCATE souk.search_state, souk.search_terms, souk.search_documents";
        emptied.client.batch_execute(sql).await.map_err(|error| reason(&error))?;
    }
    Err(reason(&error))
}

struct Index {
    client: Client,
    /// The snapshot up to which everything is indexed; `None` when that is not known.
    position: Option<String>,
}

impl Index {
    async fn load(client: Client) -> Result<Self, Error> {
        // A position ahead of the server is that of another history: a dump that was read in again.
        let row = client
            .query_opt(
                "SELECT position FROM souk.search_state WHERE pg_snapshot_xmax(position::pg_snapshot) <= \
                 pg_snapshot_xmax(pg_current_snapshot())",
                &[],
            )
            .await?;
        Ok(Self { client, position: row.map(|row| row.get(0)) })
    }

    /// Indexes what changed since the last time.
    async fn catch_up(&mut self) -> Result<(), Error> {
        let Some((xmax, running)) = self.position.as_deref().and_then(bounds) else {
            return self.compare_all().await;
        };
        let running: Vec<&str> = running.split(',').filter(|xid| !xid.is_empty()).collect();
        let row = self.client.query_one(&changed(), &[&xmax, &running, &(MANY + 1)]).await?;
        let (now, products): (String, Vec<Uuid>) = (row.get(0), row.get(1));
        if products.len() > usize::try_from(MANY).expect("a small number") {
            return self.compare_all().await;
        }
        if products.is_empty() {
            return Ok(());
        }
        for step in products.chunks(STEP) {
            self.index(step).await?;
        }
        self.remember(now).await
    }

    /// Compares every product and every document.
    async fn compare_all(&mut self) -> Result<(), Error> {
        let now: String = self.client.query_one("SELECT pg_current_snapshot()::text", &[]).await?.get(0);
        let step = i64::try_from(STEP).expect("a small number");
        for sql in [
            "SELECT id FROM souk.products WHERE id > $1 ORDER BY id LIMIT $2",
            "SELECT product FROM souk.search_documents d WHERE product > $1 AND NOT EXISTS \
             (SELECT FROM souk.products p WHERE p.id = d.product) ORDER BY product LIMIT $2",
        ] {
            let mut after = Uuid::nil();
            loop {
                let rows = self.client.query(sql, &[&after, &step]).await?;
                let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
                let Some(last) = ids.last() else { break };
                after = *last;
                self.index(&ids).await?;
            }
        }
        self.remember(now).await
    }

    async fn remember(&mut self, position: String) -> Result<(), Error> {
        // The copy in outbox_readers lets the relay truncate: written in the same transaction, so never ahead.
        self.client
            .execute(
                "WITH state AS (INSERT INTO souk.search_state (position) VALUES ($1) \
                 ON CONFLICT (one) DO UPDATE SET position = excluded.position) \
                 INSERT INTO souk.outbox_readers (name, position) VALUES ('search', $1) \
                 ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = now()",
                &[&position],
            )
            .await?;
        self.position = Some(position);
        Ok(())
    }

    /// Brings the documents and terms of `products` up to date.
    async fn index(&self, products: &[Uuid]) -> Result<(), Error> {
        let rows = self
            .client
            .query(
                "SELECT n.id, p.name, p.sku, d.tokens FROM unnest($1::uuid[]) AS n (id) \
                 LEFT JOIN souk.products p ON p.id = n.id LEFT JOIN souk.search_documents d ON d.product = n.id \
                 WHERE (p.name, p.sku) IS DISTINCT FROM (d.name, d.sku)",
                &[&products],
            )
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let work = Work::of(&rows);
        let client = &self.client;
        client.batch_execute("BEGIN").await?;
        if !work.removed.0.is_empty() {
            let sql = "DELETE FROM souk.search_terms t USING unnest($1::text[], $2::uuid[]) AS n (token, product) \
                       WHERE t.token = n.token AND t.product = n.product";
            client.execute(sql, &[&work.removed.0, &work.removed.1]).await?;
        }
        // Without ON CONFLICT, whose look-up before each row costs a third of the insert: nobody else writes here.
        if !work.added.0.is_empty() {
            let sql = "INSERT INTO souk.search_terms SELECT * FROM unnest($1::text[], $2::uuid[])";
            client.execute(sql, &[&work.added.0, &work.added.1]).await?;
        }
        if !work.gone.is_empty() {
            client
                .execute("DELETE FROM souk.search_documents WHERE product = ANY($1)", &[&work.gone])
                .await?;
        }
        let Documents { products, names, skus, tokens } = &work.changed;
        if !products.is_empty() {
            let sql = "UPDATE souk.search_documents d SET name = n.name, sku = n.sku, tokens = n.tokens FROM \
                       unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS n (product, name, sku, tokens) \
                       WHERE d.product = n.product";
            client.execute(sql, &[products, names, skus, tokens]).await?;
        }
        let Documents { products, names, skus, tokens } = &work.new;
        if !products.is_empty() {
            let sql = "INSERT INTO souk.search_documents (product, name, sku, tokens) \
                       SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])";
            client.execute(sql, &[products, names, skus, tokens]).await?;
        }
        client.batch_execute("COMMIT").await
    }
}

/// The upper end of a snapshot and the transactions that were running in it.
fn bounds(snapshot: &str) -> Option<(&str, &str)> {
    snapshot.split_once(':')?.1.split_once(':')
}

/// Which products have events that are visible now and were not in the snapshot before.
fn changed() -> String {
    let leaf = |n: usize| {
        format!(
            "SELECT product_id FROM souk.outbox_{n} WHERE xid >= $1::text::xid8 OR \
             xid = ANY($2::text[]::xid8[])"
        )
    };
    let leaves: Vec<String> = (0..crate::sql::LEAVES).map(leaf).collect();
    format!(
        "SELECT pg_current_snapshot()::text, ARRAY(SELECT DISTINCT product_id FROM ({}) AS leaves LIMIT $3)",
        leaves.join(" UNION ALL ")
    )
}

/// What differs between products and their documents.
#[derive(Default)]
struct Work<'a> {
    removed: (Vec<&'a str>, Vec<Uuid>),
    added: (Vec<String>, Vec<Uuid>),
    gone: Vec<Uuid>,
    changed: Documents<'a>,
    new: Documents<'a>,
}

/// Documents as one array for each column.
#[derive(Default)]
struct Documents<'a> {
    products: Vec<Uuid>,
    names: Vec<&'a str>,
    skus: Vec<Option<&'a str>>,
    tokens: Vec<String>,
}

impl<'a> Work<'a> {
    fn of(rows: &'a [Row]) -> Self {
        let mut work = Self::default();
        let mut added = Vec::new();
        for row in rows {
            let id: Uuid = row.get(0);
            let (name, sku): (Option<&str>, Option<&str>) = (row.get(1), row.get(2));
            let stored: Option<&str> = row.get(3);
            let old: Vec<&str> = stored.unwrap_or_default().split_whitespace().collect();
            let new = name.map(|name| tokens([name].into_iter().chain(sku))).unwrap_or_default();
            for word in old.iter().filter(|word| !new.iter().any(|kept| kept == *word)) {
                work.removed.0.push(word);
                work.removed.1.push(id);
            }
            if let Some(name) = name {
                let documents = if stored.is_some() { &mut work.changed } else { &mut work.new };
                documents.products.push(id);
                documents.names.push(name);
                documents.skus.push(sku);
                documents.tokens.push(new.iter().flat_map(|word| [" ", word.as_str()]).collect());
                added.extend(
                    new.into_iter().filter(|word| !old.contains(&word.as_str())).map(|word| (word, id)),
                );
            } else {
                work.gone.push(id);
            }
        }
        // In the index's order.
        added.sort_unstable();
        work.added = added.into_iter().unzip();
        work
    }
}
