//! What the relay asks of Postgres. Every statement that looks at the outbox looks at all of its leaves: a committer
//! may still write to one that is no longer the current one.

use std::fmt::Write as _;

/// Number of leaf tables.
pub const LEAVES: usize = 4;

/// The advisory lock of whoever publishes from a database: "soukrely" in ASCII. One for a database, not for a
/// transactional id: two relays with different ids would each publish everything.
pub const LOCK: i64 = 0x736f_756b_7265_6c79;

/// The shared advisory lock of a relay after whose verdict this database takes writes: "soukjudg" in ASCII. Of the session
/// that has [`LOCK`], and gone with it.
pub const ADMITTED: i64 = 0x736f_756b_6a75_6467;

/// Settings of the relay's session. Its statements are index scans whatever the tables' statistics say, planned once;
/// what it writes is a hint, which a crash may lose.
///
/// A relay that is gone without a word is noticed by the server within half a minute, and its lock is free then: between
/// statements and while it is sent an answer by TCP alone, during a statement because the server looks at the connection
/// every second, where its system has a way to (on Windows, and before Postgres 14, the statement's end has to do).
pub const SESSION: &str = "SET application_name = 'souk-relay'; SET plan_cache_mode = force_generic_plan; \
     SET enable_seqscan = off; SET enable_bitmapscan = off; SET max_parallel_workers_per_gather = 0; SET jit = off; \
     SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET synchronous_commit = off; \
     SET default_transaction_isolation = 'read committed'; SET tcp_keepalives_idle = 10; \
     SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = '30s'; \
     DO $do$ BEGIN SET client_connection_check_interval = '1s'; EXCEPTION WHEN invalid_parameter_value OR undefined_object THEN NULL; END $do$";

/// System identifier, WAL file of now (the first eight digits are the timeline; null on a standby), and snapshot.
pub const IDENTITY: &str = "SELECT system_identifier, \
     CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_walfile_name(pg_current_wal_insert_lsn()) END, \
     pg_snapshot_send(pg_current_snapshot()) FROM pg_control_system()";

/// Process ids of whoever holds an advisory lock, with the milliseconds since they last spoke to the server or
/// it to them, and what it does for them: `active`, `idle`, `idle in transaction`.
pub const HOLDERS: &str = "SELECT a.pid, \
     (extract(epoch FROM clock_timestamp() - a.state_change) * 1000)::int8, a.state \
     FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) \
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::int8 = $1::int8 >> 32 \
     AND l.objid::int8 = $1::int8 & 4294967295 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Process ids of whoever holds an advisory lock, with the names of their programs and where they are.
pub const HOLDERS_BY_NAME: &str = "SELECT a.pid, coalesce(nullif(a.application_name, ''), 'an unnamed program'), \
     coalesce(host(a.client_addr), 'this machine') FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) \
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::int8 = $1::int8 >> 32 \
     AND l.objid::int8 = $1::int8 & 4294967295 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Keeps where the relay is, for those who cannot ask Kafka.
pub const KEEP_HINT: &str = "INSERT INTO souk.relay_hint AS hint (transactional_id, position, updated_at) \
     VALUES ($1, $2, now()) ON CONFLICT (transactional_id) \
     DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at";

/// Rows that a snapshot with `xmax` $1 and running transactions $2 does not see, of all leaves: two index ranges each.
fn unseen(columns: &str, rest: &str) -> String {
    let mut sql = String::new();
    for leaf in 0..LEAVES {
        for condition in ["xid >= $1", "xid = ANY($2)"] {
            let union = if sql.is_empty() { "" } else { " UNION ALL " };
            let columns = columns.replace("{leaf}", &leaf.to_string());
            write!(sql, "{union}(SELECT {columns} FROM souk.outbox_{leaf} WHERE {condition}{rest})")
                .expect("a string can be written to");
        }
    }
    sql
}

/// The rows not seen by ($1, $2), at most $3, in no order; and a row of leaf -1 with the snapshot that they were read in.
pub fn waiting() -> String {
    format!(
        "SELECT -1 AS leaf, 0::int8 AS seq, '0'::xid8 AS xid, '00000000-0000-0000-0000-000000000000'::uuid AS key, \
         pg_snapshot_send(pg_current_snapshot()) AS payload \
         UNION ALL (SELECT * FROM ({}) AS unseen LIMIT $3)",
        unseen("{leaf}, seq, xid, product_id, payload", "")
    )
}

/// What is not seen by ($1, $2) after row $3, by ranges of $4 bits of seq: lowest and highest transaction, rows, bytes;
/// and a row without range, with the snapshot.
pub fn ranges() -> String {
    format!(
        "SELECT NULL::int8, '0'::xid8, '0'::xid8, 0::int8, 0::int8, pg_snapshot_send(pg_current_snapshot()) \
         UNION ALL SELECT seq >> $4, min(xid), max(xid), count(*), sum(bytes)::int8, NULL \
         FROM ({}) AS unseen WHERE seq > $3 GROUP BY 1",
        unseen("seq, xid, octet_length(payload) AS bytes", "")
    )
}

/// The rows of transactions $1 to $2 with seq after $3 up to $4, in no order.
pub fn range() -> String {
    let leaf = |leaf: usize| {
        format!(
            "SELECT {leaf}, seq, xid, product_id, payload FROM souk.outbox_{leaf} \
             WHERE xid >= $1 AND xid <= $2 AND seq > $3 AND seq <= $4"
        )
    };
    (0..LEAVES).map(leaf).collect::<Vec<_>>().join(" UNION ALL ")
}

/// Number of rows not seen by ($1, $2), up to $3.
pub fn count() -> String {
    format!("SELECT count(*) FROM (SELECT FROM ({}) AS unseen LIMIT $3) AS counted", unseen("", ""))
}

/// The event of the first row, by seq, among the first of each index range not seen by ($1, $2).
pub fn oldest() -> String {
    format!(
        "SELECT payload FROM ({}) AS first ORDER BY seq LIMIT 1",
        unseen("seq, payload", " ORDER BY xid, seq LIMIT 1")
    )
}

/// The events at place $2 of transaction $1.
pub fn anchor() -> String {
    let leaf = |leaf: usize| format!("SELECT payload FROM souk.outbox_{leaf} WHERE xid = $1 AND seq = $2");
    (0..LEAVES).map(leaf).collect::<Vec<_>>().join(" UNION ALL ")
}

/// Whether leaf `leaf` has rows that ($1, $2) does not see.
pub fn leaf_has_unseen(leaf: usize) -> String {
    format!(
        "SELECT EXISTS (SELECT FROM souk.outbox_{leaf} WHERE xid >= $1) \
         OR EXISTS (SELECT FROM souk.outbox_{leaf} WHERE xid = ANY($2))"
    )
}

/// Positions of whoever else reads the outbox, as snapshots.
pub const READERS: &str = "SELECT position FROM souk.outbox_readers";

/// Key and event of every row, in order.
pub fn events() -> String {
    let leaf = |leaf: usize| format!("SELECT seq, product_id, payload FROM souk.outbox_{leaf}");
    let all = (0..LEAVES).map(leaf).collect::<Vec<_>>().join(" UNION ALL ");
    format!("SELECT product_id, payload FROM ({all}) AS row ORDER BY seq")
}
