//! A source that is written to all the while. What its own client knows is compared row by row.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::{Shop, connect};
use crate::support::{Running, Souk, Start, eventually, run_souk};

/// Writes per second of a shop that is busy, as far as the machine lets it.
const PER_SECOND: u32 = 2_000;
/// Writes for which a follower is watched.
const WATCHED: u64 = 10_000;

/// Pieces by row.
type Ledger = BTreeMap<String, i64>;

/// A client of the old system with a ledger of its own.
struct Busy {
    over: Arc<AtomicBool>,
    /// Whether it may write; it finds out by itself that it may not.
    open: Arc<AtomicBool>,
    ledger: Arc<Mutex<Ledger>>,
    /// Writes that the source has committed.
    written: Arc<AtomicU64>,
    writer: Option<JoinHandle<()>>,
}

impl Busy {
    /// Begins; it leaves the row `but` alone.
    fn begin(url: String, but: String) -> Self {
        let (over, open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        let (ledger, written) = (Arc::new(Mutex::new(Ledger::new())), Arc::new(AtomicU64::new(0)));
        let writer = {
            let (over, open) = (Arc::clone(&over), Arc::clone(&open));
            let (ledger, written) = (Arc::clone(&ledger), Arc::clone(&written));
            std::thread::spawn(move || write(&url, &but, &over, &open, (&ledger, &written)))
        };
        Self { over, open, ledger, written, writer: Some(writer) }
    }

    fn is_shut_out(&self) {
        eventually("the writer was told that it may not", || {
            (!self.open.load(Ordering::SeqCst)).then_some(())
        });
    }

    /// Has it do nothing for a while.
    fn rests(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    fn may_write(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    /// Waits until it has written for a while.
    fn writes(&self) {
        // Before its first transaction it has written down nothing, not even what was there.
        let before = eventually("it has begun", || Some(self.ledger()).filter(|ledger| !ledger.is_empty()));
        eventually("it writes", || {
            let now = self.ledger();
            let gone = before.keys().filter(|id| !now.contains_key(*id)).count();
            let new = now.keys().filter(|id| !before.contains_key(*id)).count();
            (gone > 50 && new > 50).then_some(())
        });
    }

    /// Returns how many writes the source has committed.
    fn written(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }

    fn ledger(&self) -> Ledger {
        self.ledger.lock().expect("the writer does not panic").clone()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(writer) = self.writer.take() {
            let ended = writer.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the writer panicked");
        }
    }
}

/// Transactions of twenty writes, of all kinds; what is not committed is not in the ledger.
fn write(
    url: &str,
    but: &str,
    over: &AtomicBool,
    open: &AtomicBool,
    (ledger, written): (&Mutex<Ledger>, &AtomicU64),
) {
    const EACH: usize = 20;
    let runtime = Runtime::new().expect("a runtime");
    let client = connect(&runtime, url);
    let rows =
        runtime.block_on(client.query("SELECT id::text, quantity::int8 FROM products", &[])).expect("rows");
    let mut known: Ledger = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    known.remove(but);
    let pace = Duration::from_secs(1) * u32::try_from(EACH).expect("small") / PER_SECOND;
    let (mut n, mut due) = (0_usize, Instant::now());
    while !over.load(Ordering::SeqCst) {
        if !open.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
            due = Instant::now();
            continue;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        due += pace;
        let (mut next, ids) = (known.clone(), known.keys().cloned().collect::<Vec<String>>());
        let mut sql = String::from("BEGIN;");
        for write in 0..EACH {
            n += 1;
            let (id, pieces) = (&ids[(n * 7_919) % ids.len()], i64::try_from(n % 1_000).expect("small"));
            sql += &match write {
                0 | 1 => {
                    let new = Uuid::now_v7().to_string();
                    next.insert(new.clone(), pieces);
                    format!(
                        "INSERT INTO products (id, sellerId, name, price, quantity, category) VALUES ('{new}', 's', 'new', \
                         1, {pieces}, 'c');"
                    )
                }
                2 | 3 => {
                    next.remove(id);
                    format!("DELETE FROM products WHERE id = '{id}';")
                }
                _ => {
                    next.entry(id.clone()).and_modify(|known| *known = pieces);
                    format!("UPDATE products SET quantity = {pieces} WHERE id = '{id}';")
                }
            };
        }
        match runtime.block_on(client.batch_execute(&format!("{sql} COMMIT"))) {
            Ok(()) => {
                known = next;
                ledger.lock().expect("no reader panics").clone_from(&known);
                written.fetch_add(EACH as u64, Ordering::SeqCst);
            }
            Err(error) => {
                let told = error.as_db_error().unwrap_or_else(|| panic!("the source is gone: {error:?}"));
                assert!(told.message().contains("souk"), "{told:?}");
                runtime.block_on(client.batch_execute("ROLLBACK")).expect("the session goes on");
                open.store(false, Ordering::SeqCst);
            }
        }
    }
}

/// What the old table has, without the row `but`.
fn of_the_table(shop: &Shop, but: &str) -> Ledger {
    let rows = shop.runtime.block_on(shop.sql.query("SELECT id::text, quantity::int8 FROM products", &[]));
    let rows = rows.expect("rows");
    rows.iter().map(|row| (row.get(0), row.get(1))).filter(|(id, _): &(String, i64)| id != but).collect()
}

/// What souk has, without the product `but`.
fn of_souk(souk: &Souk, but: &str) -> Ledger {
    let (mut cursor, mut all) = (String::new(), Ledger::new());
    loop {
        let page = souk.api().get(&format!("/products?limit=500{cursor}")).json();
        for product in page["items"].as_array().expect("a list") {
            let id = product["id"].as_str().expect("an id");
            all.insert(id.to_owned(), product["stock"].as_i64().expect("pieces"));
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    all.remove(but);
    all
}

/// What the record says of the follower at its last look.
fn pace(shop: &Shop) -> Value {
    run_souk(shop.path(), &["migrate", "status", "--json"], &[]).json()["follow"].clone()
}

/// How many of the writes of a while a follower took each by itself. Whoever falls behind finds rows written again before he
/// looks, and takes them once: the share is that of his pace to the writer's, on a slow machine as on a fast one.
struct KeptUp {
    written: u64,
    taken: u64,
}

impl KeptUp {
    /// Watches a follower who is at work for as long as it takes to write [`WATCHED`] rows.
    fn watch(shop: &Shop, busy: &Busy) -> Self {
        let taken = || pace(shop)["taken"].as_u64().expect("a count");
        let (written, before) = (busy.written(), taken());
        eventually("it writes on", || (busy.written() > written + WATCHED).then_some(()));
        Self { written: busy.written() - written, taken: taken() - before }
    }

    /// Whether what waited was less than what is written while every row is written four times.
    fn is_close(&self) -> bool {
        self.taken * 4 > self.written
    }
}

/// A shop of so many rows that is written to all the while, planned, copied and followed.
fn followed(env: &[(&str, &str)]) -> (Shop, String, Busy, Souk, Running) {
    let shop = Shop::new(2_000);
    let sold = shop.id("Product 77");
    let busy = Busy::begin(shop.url.clone(), sold.clone());
    let souk = Start::new(shop.path()).env("ARCHIVE_MAX_AGE", "1s").start();
    busy.writes();
    shop.done_beside(&["plan"]);
    shop.done_beside(&["copy"]);
    let following = shop.begin_with(&["follow", "--json"], env);
    eventually("souk follows", || (pace(&shop)["caughtUp"] == true).then_some(()));
    (shop, sold, busy, souk, following)
}

/// Inserts, updates and deletes go on through every step; a follower makes way for those that turn, and goes on after them.
#[test]
fn a_shop_that_is_busy_all_the_while_loses_no_write() {
    let (shop, sold, busy, souk, mut following) = followed(&[]);
    let restock = || {
        let answer = souk
            .api()
            .post(&format!("/products/{sold}/stock-adjustments"), r#"{"delta":1,"reason":"restock"}"#);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["product"]["stock"].as_i64().expect("pieces")
    };
    let kept_up = KeptUp::watch(&shop, &busy);
    assert!(kept_up.is_close(), "{} of {} writes were taken", kept_up.taken, kept_up.written);
    busy.rests();
    eventually("nothing waits any more", || {
        let pace = pace(&shop);
        (pace["waiting"] == 0 && pace["lagMs"] == 0).then_some(())
    });
    assert!(of_souk(&souk, &sold) == busy.ledger(), "a follower for whom nothing waits has everything");
    busy.may_write();
    for _ in 0..2 {
        busy.writes();
        shop.done_beside(&["cutover", "--within", "120s"]);
        busy.is_shut_out();
        assert!(of_souk(&souk, &sold) == busy.ledger(), "souk has what the old system has written");
        let pieces = restock();
        eventually("the follower writes back", || (shop.quantity("Product 77") == pieces).then_some(()));
        let pieces = restock();
        shop.done_beside(&["rollback", "--within", "120s"]);
        assert_eq!(shop.quantity("Product 77"), pieces);
        assert!(
            of_the_table(&shop, &sold) == busy.ledger(),
            "the way back leaves alone what souk has not changed"
        );
        busy.may_write();
        busy.writes();
    }
    following.signal(libc::SIGTERM);
    assert!(following.wait().success());
    shop.done_beside(&["cutover", "--within", "120s"]);
    busy.is_shut_out();
    let (ledger, pieces) = (busy.ledger(), restock());
    assert!(of_souk(&souk, &sold) == ledger, "souk has what the old system has written");
    let finished = shop.beside(&["finish", "--json"], &[]).json();
    let found =
        (&finished["ok"], &finished["comparison"]["differences"], &finished["comparison"]["products"]);
    assert_eq!(found, (&json!(true), &json!(0), &json!(ledger.len() + 1)), "{finished:#}");
    assert!(of_the_table(&shop, &sold) == ledger, "the old table has it, too");
    assert_eq!(shop.quantity("Product 77"), pieces, "what was sold last, too");
    let left = "SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal) + \
                (SELECT count(*) FROM pg_namespace WHERE nspname = 'souk_capture')";
    let left = shop.runtime.block_on(shop.sql.query_one(left, &[])).expect("a count");
    assert_eq!(left.get::<_, i64>(0), 0, "nothing of souk is left");
    let status = run_souk(shop.path(), &["migrate", "status", "--json"], &[]).json();
    let turns = status["turns"].as_array().expect("turns");
    assert_eq!(
        (turns.len(), &status["direction"], &status["shut"]),
        (5, &json!("finished"), &Value::Null),
        "{status:#}"
    );
    assert!(souk.terminate().success());
    // Versions without a gap, every event counted once, in the archive once: of all that was written meanwhile.
    let audit = run_souk(shop.path(), &["audit", "--json", "--data-dir", "data"], &[]).json();
    assert_eq!((&audit["ok"], &audit["products"]), (&json!(true), &json!(ledger.len() + 1)), "{audit:#}");
}

#[test]
fn a_follower_that_falls_behind_is_found_out() {
    let (shop, _, busy, _souk, _following) = followed(&[("SOUK_PLANTED_BUG", "migrate-follower-dawdles")]);
    let kept_up = KeptUp::watch(&shop, &busy);
    assert!(!kept_up.is_close(), "{} of {} writes were taken", kept_up.taken, kept_up.written);
}
