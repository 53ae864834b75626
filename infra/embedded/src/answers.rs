//! Stored answers of idempotency keys.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use souk_domain::Timestamp;
use souk_ports::{Answer, Idempotency};

/// How long an idempotency key is kept: as long as a client may keep retrying.
pub(crate) const KEY_LIFETIME_MS: i64 = 24 * 3_600_000;

/// Returns fingerprint and answer of a key that has not expired.
pub(crate) fn load(
    connection: &Connection,
    key: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<([u8; 32], Answer)>> {
    let mut statement = connection.prepare_cached(
        "SELECT fingerprint, status, etag, location, body FROM idempotency WHERE key = ?1 AND stored_at > ?2",
    )?;
    statement
        .query_row(params![key, now.millis() - KEY_LIFETIME_MS], |row| {
            let body: Vec<u8> = row.get(4)?;
            let answer = Answer {
                status: row.get(1)?,
                etag: row.get(2)?,
                location: row.get(3)?,
                body: Bytes::from(body),
            };
            Ok((row.get(0)?, answer))
        })
        .optional()
}

/// Stores the answer of a key.
pub(crate) fn store(
    connection: &Connection,
    idempotency: &Idempotency,
    answer: &Answer,
    now: Timestamp,
) -> rusqlite::Result<()> {
    // REPLACE: an expired key that was not purged yet gives way.
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO idempotency (key, fingerprint, status, etag, location, body, stored_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            &*idempotency.key,
            idempotency.fingerprint,
            answer.status,
            answer.etag,
            answer.location,
            &*answer.body,
            now.millis()
        ])?;
    Ok(())
}
