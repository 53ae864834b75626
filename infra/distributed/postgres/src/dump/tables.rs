//! What a database holds, as a count and a digest for each table.

use souk_ports::DumpedTable;
use tokio_postgres::{Client, Error};

/// A row's text must not depend on what the role or the database is set to.
pub const SESSION: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; \
     SET extra_float_digits = 1; SET bytea_output = 'hex'; SET xmloption = content; SET statement_timeout = 0; \
     SET idle_in_transaction_session_timeout = 0; SET row_security = off";

/// The moment of the dump.
pub const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Version as a number and in words, encoding, collation, character types.
pub const ABOUT: &str = "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
     pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text FROM pg_database \
     WHERE datname = current_database()";

/// Every table with rows of its own; those of extensions come with the extension.
pub const TABLES: &str = "SELECT n.nspname::text, c.relname::text \
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
     WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' \
     AND n.nspname NOT LIKE 'pg\\_%' AND ($1::text IS NULL OR n.nspname = $1) \
     AND (cardinality($2::text[]) = 0 OR n.nspname || '.' || c.relname = ANY($2)) \
     AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid \
         AND d.deptype = 'e') \
     ORDER BY n.nspname, c.relname";

/// The rights that this user lacks to dump those tables and the sequences that belong to them, as statements that give them.
pub const MISSING: &str = "WITH wanted AS (SELECT c.oid, c.relkind, n.oid AS schema, n.nspname, c.relname \
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' \
     AND n.nspname NOT LIKE 'pg\\_%' AND ($1::text IS NULL OR n.nspname = $1) \
     AND (cardinality($2::text[]) = 0 OR n.nspname || '.' || c.relname = ANY($2) \
         OR EXISTS (SELECT FROM pg_depend AS d JOIN pg_class AS t ON t.oid = d.refobjid \
             JOIN pg_namespace AS tn ON tn.oid = t.relnamespace WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid \
             AND d.deptype IN ('a', 'i') AND c.relkind = 'S' AND tn.nspname || '.' || t.relname = ANY($2))) \
     AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid \
         AND d.deptype = 'e')) \
     SELECT DISTINCT format('GRANT USAGE ON SCHEMA %I TO %I', nspname, current_user) FROM wanted \
     WHERE NOT has_schema_privilege(schema, 'USAGE') \
     UNION ALL SELECT format('GRANT SELECT ON %s%I.%I TO %I', CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE '' END, nspname, \
         relname, current_user) FROM wanted WHERE NOT has_table_privilege(oid, 'SELECT')";

/// Counts a table's rows and adds their hashes up: order does not matter, and memory is flat.
pub async fn digest(client: &Client, schema: &str, name: &str) -> Result<DumpedTable, Error> {
    let half = |from: u8| {
        format!(
            "coalesce(sum(('x' || encode(substring(h FROM {from} FOR 8), 'hex'))::bit(64)::int8::numeric), 0)::text"
        )
    };
    let table = format!("{}.{}", identifier(schema), identifier(name));
    let sql = format!(
        "SELECT count(*), {}, {} FROM (SELECT sha256(convert_to(t::text, 'UTF8')) AS h FROM ONLY {table} AS t) AS hashed",
        half(1),
        half(9)
    );
    let row = client.query_one(&sql, &[]).await?;
    let (rows, one, other): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
    let digest = format!("{:016x}{:016x}", folded(&one), folded(&other));
    Ok(DumpedTable { table: format!("{schema}.{name}"), rows: u64::try_from(rows).unwrap_or(0), digest })
}

/// A sum as 64 bits: its last ones, as arithmetic of that width would have left them.
fn folded(sum: &str) -> u64 {
    let (negative, digits) = sum.strip_prefix('-').map_or((false, sum), |digits| (true, digits));
    let magnitude = digits
        .bytes()
        .fold(0u64, |sum, digit| sum.wrapping_mul(10).wrapping_add(u64::from(digit.wrapping_sub(b'0'))));
    if negative { magnitude.wrapping_neg() } else { magnitude }
}

/// Quotes a name for SQL.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes `schema.table` as the tools' patterns have it.
pub fn relation(table: &str) -> String {
    let (schema, name) = table.split_once('.').unwrap_or(("public", table));
    format!("{}.{}", identifier(schema), identifier(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_their_last_bits() {
        assert_eq!(folded("0"), 0);
        assert_eq!(folded("-1"), u64::MAX);
        assert_eq!(folded("18446744073709551617"), 1);
        assert_eq!(folded("-9223372036854775808"), 1 << 63);
    }

    #[test]
    fn names_are_quoted_for_patterns() {
        assert_eq!(relation("public.Order \"x\""), "\"public\".\"Order \"\"x\"\"\"");
    }
}
