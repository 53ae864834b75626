//! The tables of a source.

use serde_json::Value;
use souk_ports::{SourceColumn, SourceTable, TableName};
use tokio_postgres::{Row, SimpleQueryMessage};

/// A row for each column of each table that can be read: schema, table, column, type, whether in the primary key, and
/// the table and column that it refers to by itself.
pub const TABLES: &str = "SELECT n.nspname::text, c.relname::text, a.attname::text, \
     format_type(a.atttypid, a.atttypmod), coalesce(a.attnum = ANY(k.conkey), false), f.nspname::text, \
     f.relname::text, f.attname::text \
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
     JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     LEFT JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'p' \
     LEFT JOIN LATERAL (SELECT fn.nspname, fc.relname, fa.attname FROM pg_constraint AS fk \
         JOIN pg_class AS fc ON fc.oid = fk.confrelid JOIN pg_namespace AS fn ON fn.oid = fc.relnamespace \
         JOIN pg_attribute AS fa ON fa.attrelid = fk.confrelid AND fa.attnum = fk.confkey[1] \
         WHERE fk.conrelid = c.oid AND fk.contype = 'f' AND fk.conkey = ARRAY[a.attnum] LIMIT 1) AS f ON true \
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'souk') \
     AND n.nspname NOT LIKE 'pg\\_%' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') \
     ORDER BY n.nspname, c.relname, a.attnum";

/// Puts columns together to tables.
pub fn tables(rows: &[Row]) -> Vec<SourceTable> {
    let mut tables: Vec<SourceTable> = Vec::new();
    for row in rows {
        let (schema, name): (String, String) = (row.get(0), row.get(1));
        if tables.last().is_none_or(|last| (&last.schema, &last.name) != (&schema, &name)) {
            tables.push(SourceTable { schema, name, columns: Vec::new(), key: Vec::new() });
        }
        let table = tables.last_mut().expect("one was pushed");
        let column: String = row.get(2);
        if row.get(4) {
            table.key.push(column.clone());
        }
        let refers_to = row.get::<_, Option<String>>(5).zip(row.get(6)).zip(row.get(7));
        let refers_to = refers_to.map(|((schema, table), column)| (schema, table, column));
        table.columns.push(SourceColumn { name: column, data_type: row.get(3), refers_to });
    }
    tables
}

/// Of the tables in $1 and $2, schemas and names, those that somebody may write, and what they are partitions of.
pub const WRITABLE: &str = "SELECT DISTINCT n.nspname::text, c.relname::text \
     FROM unnest($1::text[], $2::text[]) AS given (schema, name) JOIN pg_namespace AS gn ON gn.nspname = given.schema \
     JOIN pg_class AS gc ON gc.relnamespace = gn.oid AND gc.relname = given.name \
     CROSS JOIN LATERAL (SELECT gc.oid UNION SELECT relid::oid FROM pg_partition_ancestors(gc.oid)) AS whole (oid) \
     JOIN pg_class AS c ON c.oid = whole.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2";

/// The tables that a plan reads, in whichever of its steps: the server has seen through views.
pub fn scanned(explained: &[SimpleQueryMessage]) -> Vec<TableName> {
    let text = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    let text: Vec<String> = explained.iter().filter_map(text).collect();
    let mut tables = Vec::new();
    scan(&serde_json::from_str(&text.join("\n")).unwrap_or_default(), &mut tables);
    tables
}

fn scan(plan: &Value, tables: &mut Vec<TableName>) {
    match plan {
        Value::Array(steps) => steps.iter().for_each(|step| scan(step, tables)),
        Value::Object(step) => {
            if let (Some(schema), Some(name)) = (step.get("Schema"), step.get("Relation Name"))
                && let (Some(schema), Some(name)) = (schema.as_str(), name.as_str())
            {
                tables.push(TableName { schema: schema.to_owned(), name: name.to_owned() });
            }
            step.values().for_each(|value| scan(value, tables));
        }
        _ => {}
    }
}
