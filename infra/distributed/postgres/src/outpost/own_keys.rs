//! Rows of a table whose keys are no products' ids: each is found by its own key, and one that is added gets its key from the
//! table, or from an expression of the operator's.
//!
//! Whose an added row is lies beside it, written by the same transaction: the product's id cannot be told from such a key.
//! It is kept for each table by itself, since keys of two tables may be the same.

use std::collections::HashMap;

use souk_domain::ProductId;
use souk_ports::{BackRow, BackWriting, GivenKey, fault};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

use super::way_back::{Columns, P, names, update, values};
use super::{SCHEMA, full_name, quoted};

/// A key has one product; that of a product that is gone may be given again.
const MAKE_KEYS: &str = "CREATE TABLE IF NOT EXISTS souk_capture.keys (of regclass NOT NULL, key text NOT NULL \
     CONSTRAINT an_added_row_has_a_key CHECK (key <> ''), id uuid NOT NULL, PRIMARY KEY (of, key), UNIQUE (of, id))";

/// The column $2 of the table $1: the name of its type, the same in SQL without a length, and whether it gives keys. A domain
/// stands for the type that it is over, and may have a default of its own.
pub(super) const COLUMN: &str = "WITH RECURSIVE types AS (SELECT a.atthasdef OR a.attidentity <> '' AS gives, t.* \
     FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid WHERE a.attrelid = to_regclass($1::text) \
     AND a.attname = $2::text::name AND NOT a.attisdropped \
     UNION ALL SELECT d.gives OR d.typdefault IS NOT NULL, t.* FROM types AS d JOIN pg_type AS t ON t.oid = d.typbasetype \
     WHERE d.typtype = 'd') SELECT typname::text, format_type(oid, -1), gives FROM types WHERE typtype <> 'd'";

/// The sequence behind the column $2 of the table $1, where it may not be used. An identity's needs no right.
pub(super) const UNUSABLE_SEQUENCE: &str = "SELECT (SELECT name FROM (SELECT pg_get_serial_sequence($1::text, $2::text)) \
     AS behind (name) WHERE NOT has_sequence_privilege(name, 'USAGE') AND NOT EXISTS (SELECT FROM pg_attribute AS a \
     WHERE a.attrelid = to_regclass($1::text) AND a.attname = $2::text::name AND a.attidentity <> ''))";

/// Writes rows by their own keys, of the type `data_type`; `new` makes those of added rows, else the table does. Returns the
/// keys of added rows.
pub(super) async fn write(
    client: &Client,
    writing: &BackWriting<'_>,
    data_type: &str,
    new: Option<&str>,
) -> Result<Vec<GivenKey>, Error> {
    let (name, key) = (full_name(writing.table), quoted(&writing.table.key));
    if !writing.delete.is_empty() {
        let delete = format!("DELETE FROM {name} WHERE {key} = ANY ($1::text[]::{data_type}[])");
        client.execute(&delete, &[&writing.delete]).await?;
    }
    let added = writing.put.iter().filter(|row| row.key.is_none());
    let ids: Vec<Uuid> = added.map(|row| row.product.id.0).collect();
    let mut known: HashMap<Uuid, String> = HashMap::new();
    if !ids.is_empty() {
        client.batch_execute(MAKE_KEYS).await?;
        // What a transaction has added whose end nobody heard of.
        let ask =
            format!("SELECT id, key FROM {SCHEMA}.keys WHERE of = to_regclass($1::text) AND id = ANY ($2)");
        known.extend(client.query(&ask, &[&name, &ids]).await?.iter().map(|row| (row.get(0), row.get(1))));
    }
    let (mut keys, mut there, mut absent): (Vec<&str>, Vec<&BackRow>, Vec<&BackRow>) = Default::default();
    for row in writing.put {
        match row.key.as_ref().or_else(|| known.get(&row.product.id.0)) {
            Some(key) => {
                keys.push(key);
                there.push(row);
            }
            None => absent.push(row),
        }
    }
    if !there.is_empty() {
        let rows = Columns::of(there.iter().copied());
        let given: Vec<&(dyn ToSql + Sync)> = rows.given().into_iter().chain([&keys as _]).collect();
        let p = with_keys(data_type);
        client.execute(&update(writing, &p, "p.own_key"), &given).await?;
        client.execute(&insert_again(writing, &p), &given).await?;
    }
    let mut all: Vec<GivenKey> =
        known.iter().map(|(id, key)| GivenKey { id: ProductId(*id), key: key.clone() }).collect();
    if absent.is_empty() {
        return Ok(all);
    }
    // Row by row: which key is whose is told by nothing but the statement.
    let add = client.prepare(&add(writing, data_type, new)).await?;
    let remember = client
        .prepare(&format!(
            "INSERT INTO {SCHEMA}.keys (of, key, id) VALUES (to_regclass($1::text), $2, $3) \
             ON CONFLICT (of, key) DO UPDATE SET id = excluded.id"
        ))
        .await?;
    for row in absent {
        let added = client.query_opt(&add, &Columns::of([row]).given()).await?;
        // A trigger may have put the row elsewhere: without a key it is refused, by the table of keys.
        let key: Option<String> = added.and_then(|row| row.get(0));
        if !fault::planted("migrate-forgets-keys") {
            client.execute(&remember, &[&name, &key, &row.product.id.0]).await?;
        }
        all.extend(key.map(|key| GivenKey { id: row.product.id, key }));
    }
    Ok(all)
}

/// Products as columns, each with the key of its row.
fn with_keys(data_type: &str) -> String {
    let own_key = format!("changed, own_key::{data_type} AS own_key");
    P.replacen("changed", &own_key, 1)
        .replace("$12::int4[]", "$12::int4[], $13::text[]")
        .replace("updated, changed)", "updated, changed, own_key)")
}

/// Adds rows that are gone though their key is known: somebody went past the fence.
fn insert_again(writing: &BackWriting<'_>, p: &str) -> String {
    let (name, key) = (full_name(writing.table), quoted(&writing.table.key));
    format!(
        "INSERT INTO {name} ({key}, {}) OVERRIDING SYSTEM VALUE SELECT p.own_key, {} FROM {p} \
         WHERE NOT EXISTS (SELECT FROM {name} AS t WHERE t.{key} = p.own_key)",
        names(writing),
        values(writing)
    )
}

/// Adds a row, and tells its key. One that an expression makes is cast without a length: what is too long for the column is
/// refused and not cut.
fn add(writing: &BackWriting<'_>, data_type: &str, new: Option<&str>) -> String {
    let (name, key) = (full_name(writing.table), quoted(&writing.table.key));
    let (names, values) = (names(writing), values(writing));
    match new {
        Some(new) => format!(
            "INSERT INTO {name} ({key}, {names}) OVERRIDING SYSTEM VALUE SELECT ({new})::{data_type}, {values} FROM {P} \
             RETURNING ({key})::text"
        ),
        None => format!("INSERT INTO {name} ({names}) SELECT {values} FROM {P} RETURNING ({key})::text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_beside_its_product() {
        let p = with_keys("bpchar");
        assert!(p.contains("changed, own_key::bpchar AS own_key FROM unnest("), "{p}");
        assert!(
            p.contains("$12::int4[], $13::text[]) AS given (")
                && p.ends_with("updated, changed, own_key)) AS p")
        );
    }
}
