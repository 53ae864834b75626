//! Stored answers of idempotency keys.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use souk_domain::Timestamp;
use souk_ports::{Answer, ErrorKind, Idempotency, PortError};
use tokio_postgres::Row;

use crate::rows::read;

/// How long an idempotency key is kept: as long as a client may keep retrying.
pub(crate) const KEY_LIFETIME_MS: i64 = 24 * 3_600_000;

/// The answers that a batch knows: stored ones and its own.
#[derive(Default)]
pub(crate) struct Keys {
    known: HashMap<Arc<str>, ([u8; 32], Answer)>,
    /// Keys whose answer is too old to count: their rows give way.
    pub expired: Vec<String>,
    /// What this batch stores.
    pub new: Vec<(Idempotency, Answer)>,
}

impl Keys {
    /// Takes in stored answers.
    pub fn load(&mut self, rows: &[Row], now: Timestamp) -> Result<(), PortError> {
        for row in rows {
            let key: &str = read(row, 0)?;
            if read::<i64>(row, 6)? <= now.millis() - KEY_LIFETIME_MS {
                self.expired.push(key.to_owned());
                continue;
            }
            let broken = || PortError::new(ErrorKind::InvalidData, "a stored answer cannot be read");
            let fingerprint = read::<&[u8]>(row, 1)?.try_into().map_err(|_| broken())?;
            let answer = Answer {
                status: u16::try_from(read::<i16>(row, 2)?).map_err(|_| broken())?,
                etag: read(row, 3)?,
                location: read(row, 4)?,
                body: Bytes::copy_from_slice(read(row, 5)?),
            };
            self.known.insert(Arc::from(key), (fingerprint, answer));
        }
        Ok(())
    }

    /// Returns fingerprint and answer of a key that was used.
    pub fn find(&self, key: &str) -> Option<&([u8; 32], Answer)> {
        self.known.get(key)
    }

    /// Notes the answer of a unit that took effect.
    pub fn use_up(&mut self, idempotency: Idempotency, answer: Answer) {
        self.known.insert(idempotency.key.clone(), (idempotency.fingerprint, answer.clone()));
        self.new.push((idempotency, answer));
    }
}

/// Answers as one array for each column.
#[derive(Default)]
pub(crate) struct AnswerColumns<'a> {
    pub key: Vec<&'a str>,
    pub fingerprint: Vec<&'a [u8]>,
    pub status: Vec<i16>,
    pub etag: Vec<Option<&'a str>>,
    pub location: Vec<Option<&'a str>>,
    pub body: Vec<&'a [u8]>,
}

impl<'a> AnswerColumns<'a> {
    /// Makes columns of `answers`, by key, so that two batches never wait for each other crosswise.
    pub fn of(answers: &'a [(Idempotency, Answer)]) -> Self {
        let mut sorted: Vec<_> = answers.iter().collect();
        sorted.sort_unstable_by(|(a, _), (b, _)| a.key.cmp(&b.key));
        let mut columns = Self::default();
        for (idempotency, answer) in sorted {
            columns.key.push(&idempotency.key);
            columns.fingerprint.push(&idempotency.fingerprint);
            columns.status.push(i16::try_from(answer.status).expect("HTTP statuses have three digits"));
            columns.etag.push(answer.etag.as_deref());
            columns.location.push(answer.location.as_deref());
            columns.body.push(&answer.body);
        }
        columns
    }
}
