//! The book of those who write: what each row has to be, whoever keeps the products.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio_postgres::Client;

use super::keys::{ANY_GIVEN, Keys};
use super::old::OldShop;
use super::wait_for;
use crate::bench::http::{Connection, request};
use crate::bench::souk::Souk;
use crate::bench::stats::median;

/// Rows that the old system's customers buy; those that it adds come on top.
const KNOWN: i64 = 2_000;
const POISONED: &str = "nobody panics while writing into the book";

/// By the key of the row.
type Entries = BTreeMap<String, Entry>;

/// What a row is, for its writers.
#[derive(Debug, Clone)]
struct Entry {
    /// What souk calls it.
    id: String,
    /// `None`: it is deleted.
    pieces: Option<i64>,
}

/// The old system's writer, and the book that it shares with those who sell through souk.
pub struct Book {
    runtime: Handle,
    sql: Client,
    souk: Connection,
    keys: Keys,
    port: u16,
    shared: Arc<Shared>,
    writer: Option<JoinHandle<anyhow::Result<()>>>,
    sold: u64,
}

struct Shared {
    entries: Mutex<Entries>,
    /// Whether the old system may write.
    open: AtomicBool,
    over: AtomicBool,
    /// Writes that the old system's database took, and that it refused.
    taken: AtomicU64,
    refused: AtomicU64,
}

/// What an old system does all day, the more frequent the more often.
struct Work {
    sell: String,
    add: String,
    delete: String,
}

impl Work {
    fn on(keys: Keys) -> Self {
        let this = format!("WHERE id = $1::text::{}", keys.sql_type());
        let (column, value) = keys.new_key();
        Self {
            sell: format!(
                "UPDATE products SET quantity = CASE WHEN quantity > 0 THEN quantity - 1 ELSE 50 END, updatedAt = now() \
                 {this} RETURNING quantity::int8"
            ),
            add: format!(
                "INSERT INTO products ({column}sellerId, name, price, quantity, category) VALUES ({value}'seller1', \
                 'added by the old system', 3.25, 40, 'retail') RETURNING id::text, quantity::int8"
            ),
            delete: format!("DELETE FROM products {this}"),
        }
    }
}

impl Book {
    /// Sets the old system to work.
    pub fn begin(old: &OldShop, souk: &Souk, rate: u32) -> anyhow::Result<Self> {
        let (sql, writer, runtime, keys) = (old.session()?, old.session()?, old.handle(), old.keys());
        let known = "SELECT id::text, quantity::int8 FROM products WHERE name <> '' AND price >= 0 ORDER BY \
                     md5(id::text) LIMIT $1";
        let rows = runtime.block_on(sql.query(known, &[&KNOWN]))?;
        let entry = |row: &tokio_postgres::Row| {
            let key: String = row.get(0);
            (key.clone(), Entry { id: keys.id(&key), pieces: Some(row.get(1)) })
        };
        let shared = Arc::new(Shared {
            entries: Mutex::new(rows.iter().map(entry).collect()),
            open: AtomicBool::new(true),
            over: AtomicBool::new(false),
            taken: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let writer = {
            let (shared, runtime) = (Arc::clone(&shared), runtime.clone());
            std::thread::spawn(move || write(&runtime, &writer, &shared, keys, rate))
        };
        let connection = runtime.block_on(Connection::open(souk.api))?;
        let port = souk.api;
        Ok(Self { runtime, sql, souk: connection, keys, port, shared, writer: Some(writer), sold: 0 })
    }

    /// Lets the old system write again.
    pub fn work(&self) {
        self.shared.open.store(true, Ordering::SeqCst);
    }

    /// Waits until the old system has found out that it may not write any more.
    pub fn wait_until_shut_out(&self) -> anyhow::Result<()> {
        let shut = || Ok((!self.shared.open.load(Ordering::SeqCst)).then_some(()));
        wait_for("the refusal of the old system's writes", shut).map(drop)
    }

    /// Connects anew: souk closes a connection that is idle for as long as a step takes.
    fn reconnect(&mut self) -> anyhow::Result<()> {
        self.souk = self.runtime.block_on(Connection::open(self.port))?;
        Ok(())
    }

    /// Sells through souk's api.
    pub fn sell_on_souk(&mut self, sales: usize) -> anyhow::Result<usize> {
        self.reconnect()?;
        let rows: Vec<(String, String)> = {
            let entries = self.shared.entries.lock().expect(POISONED);
            let there = entries.iter().filter(|(_, entry)| entry.pieces.is_some_and(|pieces| pieces > 0));
            there.map(|(key, entry)| (key.clone(), entry.id.clone())).take(sales).collect()
        };
        for (key, id) in &rows {
            let path = format!("/products/{id}/stock-adjustments");
            let sale = request("POST", &path, Some(r#"{"delta":-1,"reason":"sale"}"#));
            self.runtime.block_on(self.souk.succeed(&sale))?;
            let mut entries = self.shared.entries.lock().expect(POISONED);
            if let Some(Entry { pieces: Some(pieces), .. }) = entries.get_mut(key) {
                *pieces -= 1;
            }
        }
        self.sold += rows.len() as u64;
        Ok(rows.len())
    }

    /// Times the way from a write in the old table to souk: the median of some.
    pub fn old_to_souk(&mut self, looks: usize) -> anyhow::Result<Duration> {
        self.reconnect()?;
        let mut took = Vec::new();
        for look in 0..looks {
            let name = format!("seen from afar {look} {:?}", Instant::now());
            let (column, value) = self.keys.new_key();
            let insert = format!(
                "INSERT INTO products ({column}sellerId, name, price, quantity, category) VALUES ({value}'seller1', $1, 1, \
                 60, 'retail') RETURNING id::text"
            );
            let row = self.runtime.block_on(self.sql.query_one(&insert, &[&name]))?;
            let key: String = row.get(0);
            let id = self.keys.id(&key);
            let ((), lag) = wait_for("a row of the old table in souk", || {
                let product = self.on_souk(&id)?;
                Ok(product.is_some_and(|product| product["name"] == name.as_str()).then_some(()))
            })?;
            self.note(key, id, 60);
            took.push(lag.as_secs_f64());
        }
        Ok(Duration::from_secs_f64(median(&took)))
    }

    /// Times the way from a write in souk to the old table: the median of some.
    pub fn souk_to_old(&mut self, looks: usize) -> anyhow::Result<Duration> {
        self.reconnect()?;
        let mut took = Vec::new();
        for _ in 0..looks {
            let body = r#"{"name":"made in souk","price":2.5,"stock":30,"sellerId":"seller2"}"#;
            let answer =
                self.runtime.block_on(self.souk.succeed(&request("POST", "/products", Some(body))))?;
            let product: Value = serde_json::from_slice(answer)?;
            let id = product["id"].as_str().context("a product has an id")?.to_owned();
            let (key, lag) = wait_for("a product of souk in the old table", || {
                let Some(key) = self.key_of(&id)? else { return Ok(None) };
                Ok(self.in_old(&key)?.is_some().then_some(key))
            })?;
            self.note(key, id, 30);
            took.push(lag.as_secs_f64());
        }
        Ok(Duration::from_secs_f64(median(&took)))
    }

    /// Holds every entry against both sides while nobody writes; returns how many there are.
    pub fn is_true_on_both_sides(&mut self) -> anyhow::Result<usize> {
        self.reconnect()?;
        let entries = self.shared.entries.lock().expect(POISONED).clone();
        for (key, Entry { id, pieces }) in &entries {
            let (old, new) = (self.in_old(key)?, self.on_souk(id)?);
            let new = new.map(|product| product["stock"].as_i64().context("a product has a stock"));
            let new = new.transpose()?;
            if old != *pieces || new != *pieces {
                bail!(
                    "row {key} was left with {pieces:?} pieces by its writer: {old:?} in the old table, {new:?} in souk"
                );
            }
        }
        Ok(entries.len())
    }

    /// Ends it; returns writes of the old system, writes through souk's api, and writes of the old system that were refused.
    ///
    /// # Errors
    /// When the old system's writer had ended before.
    pub fn end(mut self) -> anyhow::Result<(u64, u64, u64)> {
        self.shared.over.store(true, Ordering::SeqCst);
        if let Some(writer) = self.writer.take() {
            let ended = writer.join().map_err(|_| anyhow::anyhow!("it panicked")).and_then(|done| done);
            ended.context("the old system's writer ended too early")?;
        }
        let count = |number: &AtomicU64| number.load(Ordering::SeqCst);
        Ok((count(&self.shared.taken), self.sold, count(&self.shared.refused)))
    }

    fn note(&self, key: String, id: String, pieces: i64) {
        self.shared.entries.lock().expect(POISONED).insert(key, Entry { id, pieces: Some(pieces) });
    }

    /// Returns the key of the row that a product of souk's own has, once it has one.
    fn key_of(&self, id: &str) -> anyhow::Result<Option<String>> {
        let Some(ask) = self.keys.asked_by() else { return Ok(Some(id.to_owned())) };
        if !self.runtime.block_on(self.sql.query_one(ANY_GIVEN, &[]))?.get::<_, bool>(0) {
            return Ok(None);
        }
        let row = self.runtime.block_on(self.sql.query_opt(ask, &[&id]))?;
        Ok(row.map(|row| row.get(0)))
    }

    fn on_souk(&mut self, id: &str) -> anyhow::Result<Option<Value>> {
        let get = request("GET", &format!("/products/{id}"), None);
        let (status, body) = self.runtime.block_on(self.souk.call(&get))?;
        match status {
            200 => Ok(Some(serde_json::from_slice(body)?)),
            404 => Ok(None),
            _ => bail!("souk answered {status}: {}", String::from_utf8_lossy(body)),
        }
    }

    fn in_old(&self, key: &str) -> anyhow::Result<Option<i64>> {
        let select =
            format!("SELECT quantity::int8 FROM products WHERE id = $1::text::{}", self.keys.sql_type());
        let row = self.runtime.block_on(self.sql.query_opt(&select, &[&key]))?;
        Ok(row.map(|row| row.get(0)))
    }
}

/// Writes at a steady pace, and into the book what the database has taken.
fn write(runtime: &Handle, sql: &Client, shared: &Shared, keys: Keys, rate: u32) -> anyhow::Result<()> {
    let (pace, work) = (Duration::from_secs(1) / rate, Work::on(keys));
    let mut known: Vec<String> = shared.entries.lock().expect(POISONED).keys().cloned().collect();
    let mut due = Instant::now();
    let mut n = 0;
    while !shared.over.load(Ordering::SeqCst) {
        if !shared.open.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
            due = Instant::now();
            continue;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        due += pace;
        n += 1;
        // Never two in a row on the same, and all in turn.
        let at = (n * 7_919) % known.len();
        let outcome = match n % 20 {
            0 => {
                runtime.block_on(sql.query(&work.add, &[])).map(|rows| (rows[0].get(0), Some(rows[0].get(1))))
            }
            // What it adds goes again: the shop stays as large as it is.
            10 if known.len() > 500 => {
                let key = known[at].clone();
                runtime.block_on(sql.execute(&work.delete, &[&key])).map(|_| (key, None))
            }
            _ => {
                let key = known[at].clone();
                runtime
                    .block_on(sql.query(&work.sell, &[&key]))
                    .map(|rows| (key, rows.first().map(|row| row.get(0))))
            }
        };
        match outcome {
            Ok((key, pieces)) => {
                match pieces {
                    None => known.retain(|known| *known != key),
                    Some(_) if !known.contains(&key) => known.push(key.clone()),
                    Some(_) => {}
                }
                let entry = Entry { id: keys.id(&key), pieces };
                shared.entries.lock().expect(POISONED).insert(key, entry);
                shared.taken.fetch_add(1, Ordering::SeqCst);
            }
            // It was told who keeps the products now.
            Err(error) if error.as_db_error().is_some() => {
                shared.refused.fetch_add(1, Ordering::SeqCst);
                shared.open.store(false, Ordering::SeqCst);
            }
            Err(error) => return Err(error).context("the old system's database is gone"),
        }
    }
    Ok(())
}
