//! Bad days of the source: killed, cut off, busy all the while. What its own client knows is compared row by row.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use souk_fault_proxy::{Postgres, Proxy};
use souk_servers::{Kind, Options, Scratch, Server};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::{Shop, connect};
use crate::support::{Souk, Start, eventually, run_souk};

/// Writes per second of a shop that is busy, as far as the machine lets it.
const PER_SECOND: u32 = 2_000;
/// How long nothing comes through.
const CUT_OFF: Duration = Duration::from_secs(60);

/// Pieces by row.
type Ledger = BTreeMap<String, i64>;

/// A client of the old system with a ledger of its own.
struct Busy {
    over: Arc<AtomicBool>,
    /// Whether it may write; it finds out by itself that it may not.
    open: Arc<AtomicBool>,
    ledger: Arc<Mutex<Ledger>>,
    writer: Option<JoinHandle<()>>,
}

impl Busy {
    /// Begins; it leaves the row `but` alone.
    fn begin(url: String, but: String) -> Self {
        let (over, open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        let ledger = Arc::new(Mutex::new(Ledger::new()));
        let writer = {
            let (over, open, ledger) = (Arc::clone(&over), Arc::clone(&open), Arc::clone(&ledger));
            std::thread::spawn(move || write(&url, &but, &over, &open, &ledger))
        };
        Self { over, open, ledger, writer: Some(writer) }
    }

    fn is_shut_out(&self) {
        eventually("the writer was told that it may not", || {
            (!self.open.load(Ordering::SeqCst)).then_some(())
        });
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
fn write(url: &str, but: &str, over: &AtomicBool, open: &AtomicBool, ledger: &Mutex<Ledger>) {
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

/// Inserts, updates and deletes go on through every step; a follower makes way for those that turn, and goes on after them.
#[test]
fn a_shop_that_is_busy_all_the_while_loses_no_write() {
    let shop = Shop::new(2_000);
    let sold = shop.id("Product 77");
    let busy = Busy::begin(shop.url.clone(), sold.clone());
    let souk = Start::new(shop.path()).start();
    let beside = |step: &[&str]| {
        let output = shop.step(&[step, &["--data-dir", "data"]].concat(), &[]);
        assert_eq!(output.code, Some(0), "{step:?}: {output:?}");
    };
    let restock = || {
        let answer = souk
            .api()
            .post(&format!("/products/{sold}/stock-adjustments"), r#"{"delta":1,"reason":"restock"}"#);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["product"]["stock"].as_i64().expect("pieces")
    };
    busy.writes();
    beside(&["plan"]);
    beside(&["copy"]);
    let mut following = shop.follow();
    eventually("souk follows", || {
        let status = run_souk(shop.path(), &["migrate", "status", "--json"], &[]).json();
        (status["follow"]["caughtUp"] == true).then_some(())
    });
    for _ in 0..2 {
        busy.writes();
        beside(&["cutover", "--within", "120s"]);
        busy.is_shut_out();
        assert!(of_souk(&souk, &sold) == busy.ledger(), "souk has what the old system has written");
        let pieces = restock();
        eventually("the follower writes back", || (shop.quantity("Product 77") == pieces).then_some(()));
        let pieces = restock();
        beside(&["rollback", "--within", "120s"]);
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
    beside(&["cutover", "--within", "120s"]);
    busy.is_shut_out();
    let ledger = busy.ledger();
    assert!(of_souk(&souk, &sold) == ledger, "souk has what the old system has written");
    assert!(of_the_table(&shop, &sold) == ledger, "the old table has it, too");
    beside(&["finish"]);
}

#[test]
fn a_source_that_is_killed_and_one_that_is_cut_off_are_waited_for() {
    let scratch = Scratch::new("migrate").expect("a scratch folder");
    let mut server = Server::start(Kind::Postgres, scratch.folder("postgres"), Options::default())
        .expect("a Postgres of its own: run `cargo xtask test`, which brings the programs");
    let url = server.env().into_iter().find(|(name, _)| *name == "DATABASE_URL").expect("its URL").1;
    let mut shop = Shop::on(url, 1_000);
    let proxy = Proxy::<Postgres>::start(([127, 0, 0, 1], server.port()).into()).expect("a proxy");
    let through = shop.url.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
    std::fs::write(shop.path().join("source.url"), through).expect("our own folder");
    shop.done(&["plan"]);
    let souk = Start::new(shop.path()).start();
    let mut following = shop.follow();
    let id = shop.id("Product 1");
    let arrives = |shop: &Shop, pieces: i64| {
        shop.sql(&format!("UPDATE products SET quantity = {pieces} WHERE name = 'Product 1'"));
        eventually("the change has arrived", || {
            (souk.api().get(&format!("/products/{id}")).json()["stock"] == pieces).then_some(())
        });
    };
    let is_said = |shop: &Shop, what: &str| {
        eventually("status to say why it waits", || {
            let status = run_souk(shop.path(), &["migrate", "status"], &[]).stdout;
            status.contains(what).then_some(())
        });
    };
    arrives(&shop, 501);
    // What is not copied yet is waited for by the copy itself.
    eventually("the copy to be over", || {
        let status = run_souk(shop.path(), &["migrate", "status", "--json"], &[]).json();
        (status["follow"]["caughtUp"] == true).then_some(())
    });
    server.kill();
    is_said(&shop, "cannot be reached");
    server.restart().expect("it starts on the same data");
    shop.reconnect();
    arrives(&shop, 502);

    proxy.switches().refuse(true);
    proxy.cut();
    shop.sql("UPDATE products SET quantity = 503 WHERE name = 'Product 1'");
    std::thread::sleep(CUT_OFF);
    is_said(&shop, "cannot be reached");
    proxy.switches().refuse(false);
    arrives(&shop, 504);
    following.signal(libc::SIGINT);
    assert!(following.wait().success());

    // Killed somewhere in the middle of a cut-over: it took effect, or the old system writes on, or it is given again.
    for pause in [20, 80, 200, 500] {
        let mut turning = shop.begin(&["cutover", "--within", "60s"]);
        std::thread::sleep(Duration::from_millis(pause));
        server.kill();
        server.restart().expect("it starts on the same data");
        shop.reconnect();
        let over = turning.wait().success()
            || shop.step(&["cutover", "--within", "60s", "--data-dir", "data"], &[]).code == Some(0);
        assert!(over, "after {pause} ms: {:?}", turning.log());
        let back = shop.step(&["rollback", "--within", "60s", "--data-dir", "data"], &[]);
        assert_eq!(back.code, Some(0), "after {pause} ms: {back:?}");
        let compared = shop.step(&["compare", "--json", "--data-dir", "data"], &[]).json();
        assert_eq!(compared["ok"], true, "after {pause} ms: {compared}");
        arrives_by_step(&shop, i64::try_from(pause).expect("small"));
    }
}

/// The old system writes again.
fn arrives_by_step(shop: &Shop, pieces: i64) {
    shop.sql(&format!("UPDATE products SET quantity = {pieces} WHERE name = 'Product 2'"));
    let followed = shop.step(&["follow", "--once", "--data-dir", "data"], &[]);
    assert_eq!(followed.code, Some(0), "{followed:?}");
}

#[test]
fn a_copy_that_waits_for_its_source_says_so_and_goes_on() {
    let scratch = Scratch::new("migrate-copy").expect("a scratch folder");
    let server = Server::start(Kind::Postgres, scratch.folder("postgres"), Options::default())
        .expect("a Postgres of its own: run `cargo xtask test`, which brings the programs");
    let url = server.env().into_iter().find(|(name, _)| *name == "DATABASE_URL").expect("its URL").1;
    let shop = Shop::on(url, 60_000);
    let proxy = Proxy::<Postgres>::start(([127, 0, 0, 1], server.port()).into()).expect("a proxy");
    let through = shop.url.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
    std::fs::write(shop.path().join("source.url"), through).expect("our own folder");
    shop.done(&["plan"]);
    let mut copying = shop.begin(&["copy", "--json"]);
    let status = || run_souk(shop.path(), &["migrate", "status", "--json"], &[]).json();
    eventually("the copy has begun", || (status()["copy"]["rows"].as_u64() > Some(0)).then_some(()));
    assert_eq!(status()["atWork"]["step"], "copy");
    proxy.switches().refuse(true);
    proxy.cut();
    eventually("status to say why it waits", || {
        status()["waits"].as_str().is_some_and(|why| why.contains("cannot be reached")).then_some(())
    });
    let told = run_souk(shop.path(), &["migrate", "status"], &[]).stdout;
    assert!(told.contains("copy: at work (process ") && told.contains("; waits: "), "{told}");
    proxy.switches().refuse(false);
    assert!(copying.wait().success(), "{:?}", copying.log());
    assert!(status()["waits"].is_null() && status()["atWork"].is_null());
    assert_eq!(shop.step(&["compare", "--json", "--data-dir", "data"], &[]).json()["ok"], true);
}
