//! The fence, and what souk writes into the old table.

use std::time::Duration;

use async_trait::async_trait;
use souk_domain::ProductId;
use souk_ports::{BackColumn, BackRow, BackWriting, OldTable, PortError, TableName, WayBack, fault};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{MAKE_SCHEMA, PgOutpost, SCHEMA, TRIGGERS, full_name, named, quoted};

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
        let (missing, unfilled, database) = self
            .with(|client| async move {
                let rights = "SELECT coalesce(array_agg(r), '{}') FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', \
                              'SELECT']) AS r WHERE NOT has_table_privilege(to_regclass($1::text), r)";
                let missing: Vec<String> = client.query_one(rights, &[&asked]).await?.get(0);
                let unfilled: Vec<String> =
                    client.query_one(UNFILLED, &[&asked, &key, &written]).await?.get(0);
                let database: Option<String> = client.query_one(NO_PLACE, &[]).await?.get(0);
                Ok((missing, unfilled, database))
            })
            .await?;
        let mut obstacles = Vec::new();
        if let Some(database) = database {
            obstacles.push(format!("GRANT CREATE ON DATABASE {} is missing", quoted(&database)));
        }
        if !missing.is_empty() {
            obstacles.push(format!("GRANT {} ON {name} is missing", missing.join(", ")));
        }
        for column in unfilled {
            obstacles.push(format!(
                "the column {column} wants a value and gets none: give [back] of the mapping a line {} = \"…\"",
                quoted(&column)
            ));
        }
        Ok(obstacles)
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

    async fn write(&self, writing: &BackWriting<'_>, position: &str) -> Result<(), PortError> {
        let (insert, update) = (insert(writing), update(writing));
        let delete = format!(
            "DELETE FROM {} WHERE {} = ANY ($1::uuid[])",
            full_name(writing.table),
            quoted(&writing.table.key)
        );
        let ids: Vec<Uuid> = writing.delete.iter().map(|ProductId(id)| *id).collect();
        let rows = Columns::of(writing.put);
        let (position, any) = (position.to_owned(), !writing.put.is_empty());
        self.with(|client| async move {
            let mark = if fault::planted("migrate-without-mark") { "" } else { "SET LOCAL souk.migration = 'on';" };
            client
                .batch_execute(&format!(
                    "BEGIN; {mark} {MAKE_SCHEMA}; CREATE TABLE IF NOT EXISTS {SCHEMA}.way_back \
                     (one boolean PRIMARY KEY DEFAULT true CHECK (one), position text NOT NULL)"
                ))
                .await?;
            if !ids.is_empty() {
                client.execute(&delete, &[&ids]).await?;
            }
            if any {
                client.execute(&update, &rows.given()).await?;
                client.execute(&insert, &rows.given()).await?;
            }
            let keep = format!(
                "INSERT INTO {SCHEMA}.way_back (position) VALUES ($1) ON CONFLICT (one) DO UPDATE SET position = $1"
            );
            client.execute(&keep, &[&position]).await?;
            fault::crash_point("migrate.back-written");
            client.batch_execute("COMMIT").await
        })
        .await
    }

    async fn remove(&self) -> Result<(), PortError> {
        self.run(format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")).await
    }
}

/// Products as columns: what expressions know as `p`.
const P: &str = "(SELECT id, sellerid, name, price::numeric AS price, stock, sku, description, category, \
     lowstockthreshold, 'epoch'::timestamptz + created * interval '1 millisecond' AS createdat, \
     'epoch'::timestamptz + updated * interval '1 millisecond' AS updatedat, changed \
     FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::text[], $7::text[], $8::text[], \
     $9::int8[], $10::int8[], $11::int8[], $12::int4[]) AS given (id, sellerid, name, price, stock, sku, description, \
     category, lowstockthreshold, created, updated, changed)) AS p";

/// Changes rows that are there: of each the columns whose fields differ, so that what a policy made acceptable in souk
/// stays in the old table as it was.
fn update(writing: &BackWriting<'_>) -> String {
    let set = |column: &BackColumn| {
        let name = quoted(&column.name);
        format!("{name} = CASE WHEN p.changed & {} <> 0 THEN ({}) ELSE t.{name} END", column.of, column.value)
    };
    let columns: Vec<String> = writing.columns.iter().map(set).collect();
    let key = quoted(&writing.table.key);
    format!(
        "UPDATE {} AS t SET {} FROM {P} WHERE t.{key} = p.id",
        full_name(writing.table),
        columns.join(", ")
    )
}

/// Adds rows that are not.
fn insert(writing: &BackWriting<'_>) -> String {
    let name = full_name(writing.table);
    let key = quoted(&writing.table.key);
    let names: Vec<String> = writing.columns.iter().map(|column| quoted(&column.name)).collect();
    let values: Vec<String> = writing.columns.iter().map(|column| format!("({})", column.value)).collect();
    format!(
        "INSERT INTO {name} ({key}, {}) SELECT p.id, {} FROM {P} WHERE NOT EXISTS (SELECT FROM {name} AS t WHERE t.{key} = p.id)",
        names.join(", "),
        values.join(", ")
    )
}

/// What [`P`] is given.
#[derive(Default)]
struct Columns {
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
    fn of(rows: &[BackRow]) -> Self {
        let mut columns = Self::default();
        for BackRow { product, changed } in rows {
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

    fn given(&self) -> [&(dyn ToSql + Sync); 12] {
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
