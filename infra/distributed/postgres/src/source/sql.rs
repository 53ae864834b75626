//! What is asked of a source. The operator's expressions stand in parentheses; values are parameters, always.

use souk_ports::{SourceQuery, SourceRow};

/// Settings of the session. It reads what was committed, page by page, and holds nothing up; a key's order and a number's
/// text must not depend on what the role or the database is set to; and a reader that was killed is soon noticed.
pub const SESSION: &str = "SET default_transaction_read_only = on; SET statement_timeout = 0; SET TimeZone = 'UTC'; \
     SET extra_float_digits = 1; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = 0; \
     DO $do$ BEGIN SET client_connection_check_interval = '1s'; \
     EXCEPTION WHEN invalid_parameter_value OR undefined_object THEN NULL; END $do$";

/// The server's own identifier and the database's; who may not know the first gets the second alone.
pub const IDENTITY: &str = "SELECT CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE') \
     THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE 'unknown' END, \
     (SELECT oid::text FROM pg_database WHERE datname = current_database())";

/// Who has the advisory lock $1, and since when he is there; others' times are not for everybody.
pub const LOCK_HOLDER: &str = "SELECT coalesce(a.application_name, ''), \
     floor(extract(epoch FROM a.backend_start) * 1000)::int8 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) \
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND (l.classid::int8 << 32 | l.objid::int8) = $1::int8 \
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Whether souk has ever added rows to a table here (`outpost::own_keys` says of what this is).
pub const HAS_GIVEN_KEYS: &str = "SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
     WHERE n.nspname = 'souk_capture' AND c.relname = 'keys')";

/// The keys that rows got which souk added to the table $1.
pub const GIVEN_KEYS: &str = "SELECT id, key FROM souk_capture.keys WHERE of = to_regclass($1::text)";

/// Key, fields and times, each as [`super::row`] reads it.
pub fn columns(query: &SourceQuery) -> String {
    let text = |expression: &Option<String>| match expression {
        Some(expression) => format!("({expression})::text"),
        None => "NULL::text".to_owned(),
    };
    // Times without a zone are taken for UTC.
    let time = |expression: &Option<String>| match expression {
        Some(it) => {
            format!("CASE WHEN isfinite({it}) THEN floor(extract(epoch FROM ({it})) * 1000)::int8 END")
        }
        None => "NULL::int8".to_owned(),
    };
    let mut columns = vec![format!("({})::text", query.key)];
    columns.extend(query.fields.iter().map(text));
    columns.extend([time(&query.created_at), time(&query.updated_at)]);
    columns.join(", ")
}

/// The key alone, to learn its type.
pub fn check(query: &SourceQuery) -> String {
    format!("SELECT ({}) FROM {} LIMIT 0", query.key, query.from)
}

pub fn count(query: &SourceQuery) -> String {
    format!("SELECT count(*), count(*) - count({}) FROM {}", query.key, query.from)
}

/// $1 rows, after key $2 where there is one.
pub fn page(query: &SourceQuery, after: bool) -> String {
    let SourceQuery { key, key_type, from, .. } = query;
    let condition =
        if after { format!("{key} > $2::text::{key_type}") } else { format!("{key} IS NOT NULL") };
    format!("SELECT {} FROM {from} WHERE {condition} ORDER BY {key} LIMIT $1", columns(query))
}

/// The rows with keys $1.
pub fn rows(query: &SourceQuery) -> String {
    let SourceQuery { key, key_type, from, .. } = query;
    format!("SELECT {} FROM {from} WHERE {key} = ANY($1::text[]::{key_type}[])", columns(query))
}

/// Codes that several rows of sellers have who are alike, $1 of them, each with the number of all.
pub fn shared_skus(query: &SourceQuery) -> Option<String> {
    let (seller, sku) = (expression(query, "sellerId")?, expression(query, "sku")?);
    let (from, alike) = (&query.from, alike("seller"));
    // Codes that come once are most: they go before anything is sorted.
    Some(format!(
        "WITH given AS NOT MATERIALIZED (SELECT ({seller})::text AS seller, ({sku})::text AS sku FROM {from}), \
         twice AS (SELECT sku FROM given WHERE sku <> '' GROUP BY sku HAVING count(*) > 1) \
         SELECT seller, sku, rows, count(*) OVER () FROM (SELECT seller, sku, count(*) AS rows, \
             sum(count(*)) OVER (PARTITION BY sku, {alike}) AS together FROM given \
             WHERE sku IN (SELECT sku FROM twice) GROUP BY seller, sku) AS told \
         WHERE together > 1 ORDER BY sku, seller LIMIT $1"
    ))
}

/// The rows with a code of $1, of sellers who are alike one of $2.
pub fn rows_with_skus(query: &SourceQuery) -> Option<String> {
    let (seller, sku) = (expression(query, "sellerId")?, expression(query, "sku")?);
    let (seller, given) = (alike(&format!("({seller})::text")), alike("given"));
    Some(format!(
        "SELECT {} FROM {} WHERE ({sku})::text = ANY($1::text[]) \
         AND {seller} IN (SELECT {given} FROM unnest($2::text[]) AS given)",
        columns(query),
        query.from
    ))
}

/// What sellers have in common who may become one: all but the letters that no id has; whoever has none may become
/// the unknown one.
fn alike(seller: &str) -> String {
    format!("coalesce(nullif(regexp_replace({seller}, '[^A-Za-z0-9._-]', '', 'g'), ''), 'unknown')")
}

/// The query, for whoever asks how it is carried out.
pub fn explain(query: &SourceQuery) -> String {
    format!("EXPLAIN (VERBOSE, FORMAT JSON) SELECT {} FROM {}", columns(query), query.from)
}

fn expression<'a>(query: &'a SourceQuery, name: &str) -> Option<&'a String> {
    let at = SourceRow::FIELDS.iter().position(|field| *field == name)?;
    query.fields[at].as_ref()
}
