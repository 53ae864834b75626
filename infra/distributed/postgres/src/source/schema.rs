//! The tables of a source.

use souk_ports::{SourceColumn, SourceTable};
use tokio_postgres::Row;

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
