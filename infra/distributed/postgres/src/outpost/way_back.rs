//! The fence, and what souk writes into the old table.

use std::time::Duration;

use async_trait::async_trait;
use souk_ports::{
    BackColumn, BackKeys, BackRow, BackWriting, ErrorKind, GivenKey, KeyColumn, OldTable, PortError,
    TableName, WayBack, fault,
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

use super::{MAKE_SCHEMA, PgOutpost, SCHEMA, TRIGGERS, full_name, named, own_keys, quoted};

/// Taken by whoever puts the fence up or takes it down, until the end of the transaction: a fence that was broken off may
/// still be waiting for the table, and must not come up after it was lifted. "soukfenc" in ASCII.
const TURN: &str = "SELECT pg_advisory_xact_lock(8317996140916469347)";

/// Statement by statement, so that COPY and statements without rows are refused too. Making a trigger waits for every
/// transaction that has written the table, and makes the next ones wait.
fn fence(tables: &[TableName], within: Duration) -> String {
    let triggers = tables.iter().map(named).map(|name| {
        format!(
            "CREATE TRIGGER souk_fence_truncate BEFORE TRUNCATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.refuse();
CREATE TRIGGER souk_fence BEFORE INSERT OR UPDATE OR DELETE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.refuse()"
        )
    });
    format!(
        "SET LOCAL lock_timeout = {};
{TURN};
{MAKE_SCHEMA};
DROP FUNCTION IF EXISTS {SCHEMA}.refuse() CASCADE;
CREATE FUNCTION {SCHEMA}.refuse() RETURNS trigger LANGUAGE plpgsql AS $refuse$
BEGIN
  IF current_setting('souk.migration', true) IS DISTINCT FROM 'on' THEN
    RAISE EXCEPTION 'souk keeps the products now: writes to % are refused', TG_TABLE_NAME
      USING ERRCODE = 'read_only_sql_transaction', HINT = 'Send them to souk; `souk migrate rollback` gives the table back.';
  END IF;
  RETURN NULL;
END $refuse$;
{}",
        within.as_millis().clamp(1, 3_600_000),
        triggers.collect::<Vec<_>>().join(";\n")
    )
}

/// Columns that want a value and have no way to one, apart from the key $3 and those of $4.
const UNFILLED: &str = "SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}') FROM pg_attribute AS a \
     WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef \
     AND a.attidentity = '' AND a.attgenerated = '' AND a.attname::text <> $2::text AND a.attname::text <> ALL ($3::text[])";

/// The database, where [`SCHEMA`] is not there and may not be made.
const NO_PLACE: &str = "SELECT CASE WHEN to_regnamespace('souk_capture') IS NULL \
     AND NOT has_database_privilege(current_database(), 'CREATE') THEN current_database()::text END";

#[async_trait]
impl WayBack for PgOutpost {
    async fn fence(&self, tables: &[TableName], within: Duration) -> Result<(), PortError> {
        for table in tables {
            if !self.is_fenced(table).await? {
                return self.run(fence(tables, within)).await;
            }
        }
        Ok(())
    }

    async fn is_fenced(&self, table: &TableName) -> Result<bool, PortError> {
        let sql = format!("SELECT ({TRIGGERS}) = 2");
        let table = table.clone();
        self.with(|client| async move {
            Ok(client.query_one(&sql, &[&table.schema, &table.name, &"refuse"]).await?.get(0))
        })
        .await
    }

    async fn lift(&self) -> Result<(), PortError> {
        // A schema that is not there is no fault either.
        self.run(format!("{TURN}; DROP FUNCTION IF EXISTS {SCHEMA}.refuse() CASCADE")).await
    }

    async fn unfenceable(&self, tables: &[TableName]) -> Result<Vec<String>, PortError> {
        let (_, others) = self.by_trigger_right(tables).await?;
        Ok(others.iter().map(|table| format!("GRANT TRIGGER ON {} is missing", named(table))).collect())
    }

    async fn obstacles(&self, table: &OldTable, columns: &[BackColumn]) -> Result<Vec<String>, PortError> {
        let (name, key) = (full_name(table), table.key.clone());
        let written: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let asked = name.clone();
        let (missing, unfilled, database, sequence) = self
            .with(|client| async move {
                let rights = "SELECT coalesce(array_agg(r), '{}') FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', \
                              'SELECT']) AS r WHERE NOT has_table_privilege(to_regclass($1::text), r)";
                let missing: Vec<String> = client.query_one(rights, &[&asked]).await?.get(0);
                let unfilled: Vec<String> =
                    client.query_one(UNFILLED, &[&asked, &key, &written]).await?.get(0);
                let database: Option<String> = client.query_one(NO_PLACE, &[]).await?.get(0);
                let sequence = client.query_one(own_keys::UNUSABLE_SEQUENCE, &[&asked, &key]).await?;
                Ok((missing, unfilled, database, sequence.get::<_, Option<String>>(0)))
            })
            .await?;
        let mut obstacles = Vec::new();
        if let Some(database) = database {
            obstacles.push(format!("GRANT CREATE ON DATABASE {} is missing", quoted(&database)));
        }
        if !missing.is_empty() {
            obstacles.push(format!("GRANT {} ON {name} is missing", missing.join(", ")));
        }
        if let Some(sequence) = sequence {
            obstacles.push(format!("GRANT USAGE ON SEQUENCE {sequence} is missing"));
        }
        for column in unfilled {
            obstacles.push(format!(
                "the column {column} wants a value and gets none: give [back] of the mapping a line {} = \"…\"",
                quoted(&column)
            ));
        }
        Ok(obstacles)
    }

    async fn key_column(&self, table: &OldTable) -> Result<Option<KeyColumn>, PortError> {
        let (name, key) = (full_name(table), table.key.clone());
        self.with(|client| async move {
            let row = client.query_opt(own_keys::COLUMN, &[&name, &key]).await?;
            Ok(row.map(|row| KeyColumn { type_name: row.get(0), data_type: row.get(1), gives: row.get(2) }))
        })
        .await
    }

    async fn back_position(&self) -> Result<Option<String>, PortError> {
        self.with(|client| async move {
            let there = format!("SELECT to_regclass('{SCHEMA}.way_back') IS NOT NULL");
            if !client.query_one(&there, &[]).await?.get::<_, bool>(0) {
                return Ok(None);
            }
            let row = client.query_opt(&format!("SELECT position FROM {SCHEMA}.way_back"), &[]).await?;
            Ok(row.map(|row| row.get(0)))
        })
        .await
    }

    async fn write(&self, writing: &BackWriting<'_>, position: &str) -> Result<Vec<GivenKey>, PortError> {
        let ids = match writing.keys {
            BackKeys::Ids => uuids(writing.delete)?,
            BackKeys::Own { .. } => Vec::new(),
        };
        self.with(|client| async move {
            let mark = if fault::planted("migrate-without-mark") { "" } else { "SET LOCAL souk.migration = 'on';" };
            client
                .batch_execute(&format!(
                    "BEGIN; {mark} {MAKE_SCHEMA}; CREATE TABLE IF NOT EXISTS {SCHEMA}.way_back \
                     (one boolean PRIMARY KEY DEFAULT true CHECK (one), position text NOT NULL)"
                ))
                .await?;
            let given = match writing.keys {
                BackKeys::Ids => write_by_ids(&client, writing, &ids).await.map(|()| Vec::new())?,
                BackKeys::Own { data_type, new } => {
                    own_keys::write(&client, writing, data_type, new.as_deref()).await?
                }
            };
            let keep = format!(
                "INSERT INTO {SCHEMA}.way_back (position) VALUES ($1) ON CONFLICT (one) DO UPDATE SET position = $1"
            );
            client.execute(&keep, &[&position]).await?;
            fault::crash_point("migrate.back-written");
            client.batch_execute("COMMIT").await?;
            Ok(given)
        })
        .await
    }

    async fn remove(&self) -> Result<(), PortError> {
        self.run(format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")).await
    }
}

/// Reads keys that are products' ids.
fn uuids(keys: &[String]) -> Result<Vec<Uuid>, PortError> {
    let unread = |error: uuid::Error| PortError::new(ErrorKind::Internal, error.to_string());
    keys.iter().map(|key| Uuid::parse_str(key).map_err(unread)).collect()
}

/// Writes rows whose keys are the products' ids.
async fn write_by_ids(client: &Client, writing: &BackWriting<'_>, delete: &[Uuid]) -> Result<(), Error> {
    let (name, key) = (full_name(writing.table), quoted(&writing.table.key));
    if !delete.is_empty() {
        client.execute(&format!("DELETE FROM {name} WHERE {key} = ANY ($1::uuid[])"), &[&delete]).await?;
    }
    if !writing.put.is_empty() {
        let rows = Columns::of(writing.put);
        client.execute(&update(writing, P, "p.id"), &rows.given()).await?;
        client.execute(&insert(writing, P, "p.id"), &rows.given()).await?;
    }
    Ok(())
}

/// Products as columns: what expressions know as `p`.
pub(super) const P: &str = "(SELECT id, sellerid, name, price::numeric AS price, stock, sku, description, category, \
     lowstockthreshold, 'epoch'::timestamptz + created * interval '1 millisecond' AS createdat, \
     'epoch'::timestamptz + updated * interval '1 millisecond' AS updatedat, changed \
     FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::text[], $7::text[], $8::text[], \
     $9::int8[], $10::int8[], $11::int8[], $12::int4[]) AS given (id, sellerid, name, price, stock, sku, description, \
     category, lowstockthreshold, created, updated, changed)) AS p";

/// Changes rows of products `p` that are there, by their `key`: of each the columns whose fields differ, so that what a policy
/// made acceptable in souk stays in the old table as it was.
pub(super) fn update(writing: &BackWriting<'_>, p: &str, key: &str) -> String {
    let set = |column: &BackColumn| {
        let name = quoted(&column.name);
        format!("{name} = CASE WHEN p.changed & {} <> 0 THEN ({}) ELSE t.{name} END", column.of, column.value)
    };
    let columns: Vec<String> = writing.columns.iter().map(set).collect();
    format!(
        "UPDATE {} AS t SET {} FROM {p} WHERE t.{} = {key}",
        full_name(writing.table),
        columns.join(", "),
        quoted(&writing.table.key)
    )
}

/// Adds rows that are not.
fn insert(writing: &BackWriting<'_>, p: &str, key: &str) -> String {
    let (name, column) = (full_name(writing.table), quoted(&writing.table.key));
    let absent = format!("NOT EXISTS (SELECT FROM {name} AS t WHERE t.{column} = {key})");
    format!(
        "INSERT INTO {name} ({column}, {}) SELECT {key}, {} FROM {p} WHERE {absent}",
        names(writing),
        values(writing)
    )
}

/// The columns, in SQL.
pub(super) fn names(writing: &BackWriting<'_>) -> String {
    writing.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
}

/// What goes into them.
pub(super) fn values(writing: &BackWriting<'_>) -> String {
    writing.columns.iter().map(|column| format!("({})", column.value)).collect::<Vec<_>>().join(", ")
}

/// What [`P`] is given.
#[derive(Default)]
pub(super) struct Columns {
    id: Vec<Uuid>,
    seller: Vec<String>,
    name: Vec<String>,
    price: Vec<String>,
    stock: Vec<i64>,
    sku: Vec<Option<String>>,
    description: Vec<Option<String>>,
    category: Vec<String>,
    threshold: Vec<Option<i64>>,
    created: Vec<i64>,
    updated: Vec<i64>,
    changed: Vec<i32>,
}

impl Columns {
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a BackRow>) -> Self {
        let mut columns = Self::default();
        for BackRow { product, changed, .. } in rows {
            columns.id.push(product.id.0);
            columns.seller.push(product.seller_id.as_str().to_owned());
            columns.name.push(product.name.as_str().to_owned());
            columns.price.push(product.price.to_string());
            columns.stock.push(product.stock.get());
            columns.sku.push(product.sku.as_ref().map(|sku| sku.as_str().to_owned()));
            columns.description.push(product.description.as_ref().map(|text| text.as_str().to_owned()));
            columns.category.push(product.category.as_str().to_owned());
            columns.threshold.push(product.low_stock_threshold.map(|stock| stock.get()));
            columns.created.push(product.created_at.millis());
            columns.updated.push(product.updated_at.millis());
            columns.changed.push(changed.cast_signed());
        }
        columns
    }

    pub fn given(&self) -> [&(dyn ToSql + Sync); 12] {
        [
            &self.id,
            &self.seller,
            &self.name,
            &self.price,
            &self.stock,
            &self.sku,
            &self.description,
            &self.category,
            &self.threshold,
            &self.created,
            &self.updated,
            &self.changed,
        ]
    }
}
