//! What is asked of a source. The operator's expressions stand in parentheses; values are parameters, always.

use souk_ports::{SourceQuery, SourceRow};

/// Settings of the session. It reads what was committed, page by page, and holds nothing up; a key's order and a number's
/// text must not depend on what the role or the database is set to; and a reader that was killed is soon noticed.
pub const SESSION: &str = "SET default_transaction_read_only = on; SET statement_timeout = 0; SET TimeZone = 'UTC'; \
     SET extra_float_digits = 1; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = 0; \
     SELECT set_config('client_connection_check_interval', '1s', false) \
     WHERE current_setting('server_version_num')::int >= 140000";

/// The server's own identifier and the database's; who may not know the first gets the second alone.
pub const IDENTITY: &str = "SELECT CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE') \
     THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE 'unknown' END, \
     (SELECT oid::text FROM pg_database WHERE datname = current_database())";

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

/// Codes that several rows of a seller have, $1 of them, each with the number of all.
pub fn shared_skus(query: &SourceQuery) -> Option<String> {
    let expression = |name| {
        let at = SourceRow::FIELDS.iter().position(|field| *field == name)?;
        query.fields[at].as_ref()
    };
    let (seller, sku) = (expression("sellerId")?, expression("sku")?);
    Some(format!(
        "SELECT seller, sku, rows, count(*) OVER () FROM (SELECT ({seller})::text AS seller, ({sku})::text AS sku, \
         count(*) AS rows FROM {} GROUP BY 1, 2 HAVING count(*) > 1) AS shared \
         WHERE seller IS NOT NULL AND sku <> '' ORDER BY 1, 2 LIMIT $1",
        query.from
    ))
}
