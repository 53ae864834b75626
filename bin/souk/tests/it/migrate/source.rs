//! Bad days of the source: killed, cut off, busy all the while. What its own client knows is compared row by row.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use souk_fault_proxy::{Postgres, Proxy};
use souk_servers::{Kind, Options, Scratch, Server};
use tokio::runtime::Runtime;

use super::{Shop, connect};
use crate::support::{Start, eventually};

/// Writes per second of a shop that is busy, as far as the machine lets it.
const PER_SECOND: u32 = 2_000;
/// How long nothing comes through: longer than any pause between two tries.
const CUT_OFF: Duration = Duration::from_secs(10);

/// A client of the old system with a ledger of its own.
struct Busy {
    over: Arc<AtomicBool>,
    /// Whether it may write; it finds out by itself that it may not.
    open: Arc<AtomicBool>,
    writer: Option<JoinHandle<BTreeMap<String, i64>>>,
}

impl Busy {
    fn begin(url: String) -> Self {
        let (over, open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        let writer = {
            let (over, open) = (Arc::clone(&over), Arc::clone(&open));
            std::thread::spawn(move || write(&url, &over, &open))
        };
        Self { over, open, writer: Some(writer) }
    }

    fn is_shut_out(&self) {
        eventually("the writer was told that it may not", || {
            (!self.open.load(Ordering::SeqCst)).then_some(())
        });
    }

    fn may_write(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    /// Returns pieces by row.
    fn end(mut self) -> BTreeMap<String, i64> {
        self.over.store(true, Ordering::SeqCst);
        self.writer.take().expect("it is there").join().expect("the writer does not panic")
    }
}

/// Transactions of twenty writes; what is not committed is not in the ledger.
fn write(url: &str, over: &AtomicBool, open: &AtomicBool) -> BTreeMap<String, i64> {
    const EACH: usize = 20;
    let runtime = Runtime::new().expect("a runtime");
    let client = connect(&runtime, url);
    let rows =
        runtime.block_on(client.query("SELECT id::text, quantity::int8 FROM products", &[])).expect("rows");
    let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let mut ledger: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
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
        let written: Vec<(String, i64)> = (0..EACH)
            .map(|write| {
                n += 1;
                let id = ids[(n * 7_919) % ids.len()].clone();
                (id, i64::try_from((n + write) % 1_000).expect("small"))
            })
            .collect();
        let sql: String = written
            .iter()
            .map(|(id, pieces)| format!("UPDATE products SET quantity = {pieces} WHERE id = '{id}';"))
            .collect();
        match runtime.block_on(client.batch_execute(&format!("BEGIN; {sql} COMMIT"))) {
            Ok(()) => ledger.extend(written),
            Err(error) => {
                let told = error.as_db_error().unwrap_or_else(|| panic!("the source is gone: {error:?}"));
                assert!(told.message().contains("souk"), "{told:?}");
                runtime.block_on(client.batch_execute("ROLLBACK")).expect("the session goes on");
                open.store(false, Ordering::SeqCst);
            }
        }
    }
    ledger
}

#[test]
fn a_shop_that_is_busy_all_the_while_loses_no_write() {
    let shop = Shop::new(2_000);
    let busy = Busy::begin(shop.url.clone());
    let souk = Start::new(shop.path()).start();
    let beside = |step: &[&str]| {
        let output = shop.step(&[step, &["--data-dir", "data"]].concat(), &[]);
        assert_eq!(output.code, Some(0), "{step:?}: {output:?}");
    };
    beside(&["plan"]);
    beside(&["copy"]);
    // Follows for a while beside the writer.
    let mut following = shop.follow();
    let sold = shop.id("Product 77");
    shop.sql(
        "INSERT INTO products (id, sellerId, name, price, quantity, category) \
              VALUES (gen_random_uuid(), 's', 'late', 1, 7, 'c')",
    );
    let late = shop.id("late");
    eventually("a row of now has arrived", || {
        (souk.api().get(&format!("/products/{late}")).status == 200).then_some(())
    });
    following.signal(libc::SIGTERM);
    assert!(following.wait().success());

    beside(&["cutover", "--within", "120s"]);
    busy.is_shut_out();
    let sale = r#"{"delta":1,"reason":"restock"}"#;
    let answer = souk.api().post(&format!("/products/{sold}/stock-adjustments"), sale);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let on_souk = souk.api().get(&format!("/products/{sold}")).json()["stock"].as_i64();
    beside(&["rollback", "--within", "120s"]);
    assert_eq!(Some(shop.quantity("Product 77")), on_souk);
    busy.may_write();
    beside(&["cutover", "--within", "120s"]);
    busy.is_shut_out();

    let ledger = busy.end();
    let (mut cursor, mut seen) = (String::new(), 0);
    loop {
        let page = souk.api().get(&format!("/products?limit=500{cursor}")).json();
        for product in page["items"].as_array().expect("a list") {
            let id = product["id"].as_str().expect("an id");
            // What was sold through souk since is not in the writer's ledger.
            let expected = if *id == late { Some(&7) } else { ledger.get(id) };
            let also = (product["id"] == sold.as_str()).then_some(on_souk).flatten();
            let stock = product["stock"].as_i64();
            assert!(
                stock == expected.copied() || (also.is_some() && stock == also),
                "{product}, {expected:?}"
            );
            seen += 1;
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, 2_001);
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
            let status = crate::support::run_souk(shop.path(), &["migrate", "status"], &[]).stdout;
            status.contains(what).then_some(())
        });
    };
    arrives(&shop, 501);
    // What is not copied yet is waited for by the copy itself.
    eventually("the copy to be over", || {
        let status = crate::support::run_souk(shop.path(), &["migrate", "status", "--json"], &[]).json();
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
