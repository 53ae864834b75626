//! Batches of writes and of reads. DynamoDB may leave part of a batch undone and still call it a success: what comes
//! back is a queue that is asked for again, with pauses that grow, and is never dropped.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, WriteRequest};
use futures_util::{StreamExt as _, TryStreamExt as _};
use souk_ports::{ErrorKind, PortError, fault};

use crate::error::port_error;
use crate::pace::Pace;

/// An item, or a key.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Writes that one request takes.
const WRITES: usize = 25;
/// Keys that one request takes.
const READS: usize = 100;
/// Requests under way at once while the table answers promptly: enough to hide the round trips of a few thousand items
/// a second, few enough that throttling is noticed early.
const CONCURRENT: usize = 8;
/// The first pause after something came back, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(25), Duration::from_secs(2));
/// Rounds in a row that may bring nothing further before the caller is told.
const ROUNDS: u32 = 8;

/// What batches of one table keep in mind.
#[derive(Debug)]
pub(crate) struct Batches {
    pace: Pace,
    /// Items that came back undone, for health.
    undone: AtomicI64,
}

impl Default for Batches {
    fn default() -> Self {
        Self { pace: Pace::new(CONCURRENT), undone: AtomicI64::new(0) }
    }
}

impl Batches {
    /// Returns how many items came back undone so far.
    pub fn undone(&self) -> i64 {
        self.undone.load(Ordering::Relaxed)
    }

    fn count(&self, undone: usize) {
        self.undone.fetch_add(i64::try_from(undone).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

/// A table with what its batches need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<'a> {
    pub client: &'a Client,
    pub name: &'a str,
    pub batches: &'a Batches,
}

impl Table<'_> {
    /// Carries out every write; when it fails, some may have been done: all of them can be asked for again.
    pub async fn write(&self, mut requests: Vec<WriteRequest>) -> Result<(), PortError> {
        let mut patience = Patience::default();
        while !requests.is_empty() {
            let asked = requests.len();
            let mut chunks = Vec::with_capacity(asked / WRITES + 1);
            while !requests.is_empty() {
                chunks.push(requests.split_off(requests.len().saturating_sub(WRITES)));
            }
            requests = futures_util::stream::iter(chunks)
                .map(|chunk| self.write_some(chunk))
                .buffer_unordered(CONCURRENT)
                .try_concat()
                .await?;
            if fault::planted("drop-unprocessed") {
                requests.clear();
            }
            self.batches.count(requests.len());
            patience.after(self.name, asked, requests.len()).await?;
        }
        Ok(())
    }

    /// Sends one request; returns what came back undone.
    async fn write_some(&self, chunk: Vec<WriteRequest>) -> Result<Vec<WriteRequest>, PortError> {
        let request = self.client.batch_write_item().request_items(self.name, chunk);
        let output = self.batches.pace.send(request.send()).await.map_err(|e| port_error(self.name, e))?;
        Ok(output.unprocessed_items.and_then(|mut tables| tables.remove(self.name)).unwrap_or_default())
    }

    /// Reads the items of these keys as they are now, in any order; absent ones are left out.
    pub async fn read(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, PortError> {
        let (mut found, mut patience) = (Vec::with_capacity(keys.len()), Patience::default());
        while !keys.is_empty() {
            let asked = keys.len();
            let mut chunks = Vec::with_capacity(asked / READS + 1);
            while !keys.is_empty() {
                chunks.push(keys.split_off(keys.len().saturating_sub(READS)));
            }
            let mut answers = futures_util::stream::iter(chunks)
                .map(|chunk| self.read_some(chunk))
                .buffer_unordered(CONCURRENT);
            while let Some((items, undone)) = answers.try_next().await? {
                found.extend(items);
                keys.extend(undone);
            }
            drop(answers);
            self.batches.count(keys.len());
            patience.after(self.name, asked, keys.len()).await?;
        }
        Ok(found)
    }

    async fn read_some(&self, keys: Vec<Item>) -> Result<(Vec<Item>, Vec<Item>), PortError> {
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .build()
            .expect("the keys are set");
        let request = self.client.batch_get_item().request_items(self.name, wanted);
        let output = self.batches.pace.send(request.send()).await.map_err(|e| port_error(self.name, e))?;
        let items = output.responses.and_then(|mut tables| tables.remove(self.name)).unwrap_or_default();
        let undone = output.unprocessed_keys.and_then(|mut tables| tables.remove(self.name));
        Ok((items, undone.map(|wanted| wanted.keys).unwrap_or_default()))
    }
}

/// Pauses between rounds: full jitter, longer each time that nothing got done.
#[derive(Default)]
struct Patience {
    fruitless: u32,
}

impl Patience {
    async fn after(&mut self, table: &str, asked: usize, undone: usize) -> Result<(), PortError> {
        if undone == 0 {
            return Ok(());
        }
        self.fruitless = if undone < asked { 0 } else { self.fruitless + 1 };
        if self.fruitless >= ROUNDS {
            return Err(PortError::new(
                ErrorKind::Unavailable,
                format!("table {table} leaves {undone} items of a batch undone: raise its limits or wait"),
            ));
        }
        let longest = PAUSES.0.saturating_mul(1 << (self.fruitless + 1).min(16)).min(PAUSES.1);
        tokio::time::sleep(longest.mul_f64(random())).await;
        Ok(())
    }
}

/// Returns a number from 0 to 1. The standard library's hasher is seeded anew each time.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(0_u8);
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
