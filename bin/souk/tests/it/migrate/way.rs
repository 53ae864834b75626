//! The steps while both systems run, as an operator takes them: beside a running souk, and `kill -9` in each.

use serde_json::{Value, json};
use souk_ports::fault::TURNING_CRASH_POINTS;

use super::{Shop, connect};
use crate::support::{Output, Running, Souk, Start, eventually, run_souk, souk};

const BESIDE: [&str; 2] = ["--data-dir", "data"];

impl Shop {
    /// Takes a step on the folder that [`Start`] uses.
    pub fn beside(&self, step: &[&str], env: &[(&str, &str)]) -> Output {
        self.step(&[step, &BESIDE[..]].concat(), env)
    }

    pub fn done_beside(&self, step: &[&str]) -> Output {
        let output = self.beside(step, &[]);
        assert_eq!(output.code, Some(0), "{step:?}: {output:?}");
        output
    }

    pub fn quantity(&self, name: &str) -> i64 {
        let sql = format!("SELECT quantity::int8 FROM products WHERE name = '{name}'");
        self.runtime.block_on(self.sql.query_one(&sql, &[])).expect("a row").get(0)
    }

    pub fn id(&self, name: &str) -> String {
        let sql = format!("SELECT id::text FROM products WHERE name = '{name}'");
        self.runtime.block_on(self.sql.query_one(&sql, &[])).expect("a row").get(0)
    }

    /// Follows in a process of its own until it is told to end.
    pub fn follow(&self) -> Running {
        self.begin(&["follow", "--json"])
    }

    /// Takes a step in a process of its own.
    pub fn begin(&self, step: &[&str]) -> Running {
        self.begin_with(step, &[])
    }

    pub fn begin_with(&self, step: &[&str], env: &[(&str, &str)]) -> Running {
        let mut command = souk();
        command.arg("migrate").args(step).args(["--source-file", "source.url"]).args(BESIDE);
        command.current_dir(self.path()).env("SOUK_HURRY", "1").envs(env.iter().copied());
        Running::spawn(command)
    }
}

pub fn stock(souk: &Souk, id: &str) -> Value {
    souk.api().get(&format!("/products/{id}")).json()["stock"].clone()
}

pub fn sell(souk: &Souk, id: &str) -> u16 {
    let body = json!({"delta": -1, "reason": "sale"}).to_string();
    souk.api().post(&format!("/products/{id}/stock-adjustments"), &body).status
}

#[test]
fn a_shop_goes_over_and_back_beside_a_running_souk() {
    let shop = Shop::new(300);
    shop.done(&["plan"]);
    let souk = Start::new(shop.path()).start();
    let id = shop.id("Product 60");
    let mut following = shop.follow();
    eventually("the copy has arrived", || (stock(&souk, &id) == 60).then_some(()));
    shop.sql("UPDATE products SET quantity = 59 WHERE name = 'Product 60'");
    eventually("the change has arrived", || (stock(&souk, &id) == 59).then_some(()));
    let refused = souk
        .api()
        .post("/products", &json!({"name": "x", "price": 1, "stock": 1, "sellerId": "s"}).to_string());
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true), "{}", refused.text());
    assert!(refused.text().contains("kept by the old system until the cut-over"), "{}", refused.text());
    following.signal(libc::SIGINT);
    assert!(following.wait().success());

    let over = shop.done_beside(&["cutover", "--within", "120s"]);
    assert!(over.stdout.contains("souk keeps the products") && over.stdout.contains("3001"), "{over:?}");
    assert_eq!(sell(&souk, &id), 200);
    let mut following = shop.follow();
    eventually("the sale is in the old table", || (shop.quantity("Product 60") == 58).then_some(()));
    following.signal(libc::SIGTERM);
    assert!(following.wait().success());
    assert_eq!(sell(&souk, &id), 200);

    let back = shop.done_beside(&["rollback", "--within", "120s"]);
    assert!(back.stdout.contains("the old system keeps the products"), "{back:?}");
    assert_eq!(shop.quantity("Product 60"), 57);
    assert_eq!(sell(&souk, &id), 503);
    shop.sql("UPDATE products SET quantity = 56 WHERE name = 'Product 60'");
    shop.done_beside(&["cutover", "--within", "120s", "--json"]);
    assert_eq!(stock(&souk, &id), 56);
    assert_eq!(sell(&souk, &id), 200);
    let finished = shop.done_beside(&["finish"]);
    assert!(finished.stdout.contains("300 rows (0 skipped), 300 products: 0 differences"), "{finished:?}");
    assert!(finished.stdout.contains("souk's own stores: audited, 300 products"), "{finished:?}");
    shop.sql("UPDATE products SET quantity = 1 WHERE name = 'Product 60'");
    let status = run_souk(shop.path(), &["migrate", "status"], &[]);
    assert!(status.stdout.contains("the migration is finished"), "{status:?}");
    assert!(souk.terminate().success());
    let audit = run_souk(shop.path(), &["audit", "--json", "--data-dir", "data"], &[]).json();
    assert_eq!(audit["ok"], true, "{audit}");
}

#[test]
fn every_step_that_is_killed_anywhere_is_taken_again() {
    let shop = Shop::new(400);
    shop.done(&["plan"]);
    shop.done_beside(&["follow", "--once"]);
    let mut seen = Vec::new();
    let mut kill = |step: &[&str], point: &'static str| {
        let killed = shop.beside(step, &[("SOUK_CRASH_AT", point)]);
        assert!(killed.stderr.contains(&format!("crash point {point}")), "{step:?} at {point}: {killed:?}");
        seen.push(point);
    };
    shop.sql("UPDATE products SET quantity = 1001 WHERE name = 'Product 1'");
    kill(&["follow", "--once"], "migrate.following");
    kill(&["follow", "--once"], "migrate.followed");
    shop.done_beside(&["follow", "--once"]);
    for (round, point) in ["migrate.fenced", "migrate.turning", "migrate.turned"].into_iter().enumerate() {
        shop.sql(&format!("UPDATE products SET quantity = {} WHERE name = 'Product 2'", 2_000 + round));
        kill(&["cutover", "--within", "120s"], point);
        if point != "migrate.turned" {
            shop.done_beside(&["cutover", "--within", "120s"]);
        }
        let souk = Start::new(shop.path()).start();
        let id = shop.id("Product 2");
        assert_eq!(stock(&souk, &id), 2_000 + round);
        assert_eq!(sell(&souk, &id), 200);
        souk.terminate();
        if round == 0 {
            kill(&["follow", "--once"], "migrate.back-written");
        }
        kill(&["rollback", "--within", "120s"], point);
        if point != "migrate.turned" {
            shop.done_beside(&["rollback", "--within", "120s"]);
        }
        assert_eq!(shop.quantity("Product 2"), i64::try_from(1_999 + round).expect("small"));
        let compared = shop.beside(&["compare", "--json"], &[]).json();
        assert_eq!(compared["ok"], true, "{point}: {compared}");
    }
    shop.done_beside(&["cutover", "--within", "120s"]);
    kill(&["finish"], "migrate.finishing");
    kill(&["finish"], "migrate.removed");
    shop.done_beside(&["finish"]);
    shop.sql("UPDATE products SET quantity = 1 WHERE name = 'Product 2'");
    for point in TURNING_CRASH_POINTS {
        assert!(seen.contains(point), "nobody was killed at {point}");
    }
}

/// A follower that wrote its position before what it stands for loses what a crash takes away; only a comparison finds it.
#[test]
fn a_position_that_is_written_first_is_found_out() {
    for (bug, differs) in [("migrate-position-first", true), ("none", false)] {
        let shop = Shop::new(50);
        shop.done(&["plan"]);
        shop.done_beside(&["follow", "--once"]);
        shop.sql("UPDATE products SET quantity = 1001 WHERE name = 'Product 1'");
        // Its target takes nothing: the crash comes before.
        let env = [("SOUK_PLANTED_BUG", bug), ("SOUK_CRASH_AT", "migrate.following")];
        shop.beside(&["follow", "--once"], &env);
        shop.done_beside(&["follow", "--once"]);
        let compared = shop.beside(&["compare", "--json"], &[]).json();
        assert_eq!(compared["differences"], u64::from(differs), "{bug}: {compared}");
    }
}

/// Without the comparison a difference would go over; without the mark souk's own writes would come back.
#[test]
fn a_turn_without_proof_and_writes_without_the_mark_are_found_out() {
    let shop = Shop::new(50);
    shop.done(&["plan"]);
    shop.done_beside(&["follow", "--once"]);
    shop.sql("SET souk.migration = 'on'; UPDATE products SET quantity = 88 WHERE name = 'Product 1'; RESET souk.migration");
    let refused = shop.beside(&["cutover", "--within", "120s"], &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let unproven = shop.beside(&["cutover"], &[("SOUK_PLANTED_BUG", "migrate-turns-unproven")]);
    assert_eq!(unproven.code, Some(0), "the bug is one that this test would notice: {unproven:?}");
    let souk = Start::new(shop.path()).start();
    assert_eq!(sell(&souk, &shop.id("Product 30")), 200);
    let unmarked = shop.beside(&["follow", "--once"], &[("SOUK_PLANTED_BUG", "migrate-without-mark")]);
    let noticed = unmarked.code != Some(0) || unmarked.stdout.contains("souk keeps the products now");
    assert!(noticed, "the fence takes souk for an old writer: {unmarked:?}");
}

/// Nobody can write, or nobody could have: what an operator is told, and what Ctrl-C does.
#[test]
fn a_turn_that_is_broken_off_is_told_and_undone() {
    let shop = Shop::new(300);
    shop.done(&["plan"]);
    shop.done_beside(&["follow", "--once"]);
    shop.beside(&["cutover", "--within", "120s"], &[("SOUK_CRASH_AT", "migrate.fenced")]);
    let status = run_souk(shop.path(), &["migrate", "status"], &[]);
    assert!(status.stdout.contains("nobody can write since"), "{status:?}");
    let rehearsed = shop.done_beside(&["rollback", "--dry-run"]);
    assert!(rehearsed.stdout.contains("take writes again"), "{rehearsed:?}");
    let undone = shop.done_beside(&["rollback", "--within", "120s"]);
    assert!(undone.stdout.contains("the old system keeps the products"), "{undone:?}");
    shop.sql("UPDATE products SET quantity = 1 WHERE name = 'Product 2'");
    let status = run_souk(shop.path(), &["migrate", "status", "--json"], &[]).json();
    assert_eq!((&status["shut"], &status["turns"]), (&Value::Null, &json!([])), "nothing was turned");

    let slow = connect(&shop.runtime, &shop.url);
    let hold = "BEGIN; UPDATE products SET quantity = 3 WHERE name = 'Product 3'";
    shop.runtime.block_on(slow.batch_execute(hold)).expect("a transaction");
    let mut turning = shop.begin(&["cutover", "--within", "120s"]);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    eventually("the cut-over waits for the transaction", || {
        let row = shop.runtime.block_on(shop.sql.query_one(waiting, &[])).expect("a row");
        (row.get::<_, i64>(0) > 0).then_some(())
    });
    turning.signal(libc::SIGINT);
    assert_eq!(turning.wait().code(), Some(1));
    eventually("it says what it did", || {
        turning.log().join("\n").contains("broken off before anything was turned").then_some(())
    });
    shop.runtime.block_on(slow.batch_execute("COMMIT")).expect("its end");
    shop.sql("UPDATE products SET quantity = 4 WHERE name = 'Product 3'");
}

/// What a step would do is what it does, as far as the record knows.
#[test]
fn what_the_steps_would_do_is_said_without_doing_it() {
    let shop = Shop::new(30);
    shop.done(&["plan"]);
    let would = |step: &[&str], what: &str| {
        let said = shop.beside(&[step, &["--dry-run"]].concat(), &[]);
        assert!((said.stdout + &said.stderr).contains(what), "{step:?}");
    };
    would(&["restore", "--from", "kept"], "would compare the checksums of kept");
    would(&["follow"], "copy everything into");
    would(&["rollback"], "the source keeps the products already");
    would(&["finish"], "--give-up");
    would(&["finish", "--give-up"], "compare nothing");
    assert!(!shop.path().join("data").exists(), "nothing was done");
    let mut following = shop.follow();
    eventually("it follows", || {
        let status = run_souk(shop.path(), &["migrate", "status", "--json"], &[]).json();
        (status["follow"]["caughtUp"] == true).then_some(())
    });
    // Beside a step that is at work, too.
    would(&["follow"], "unless they are there, take what changes");
    would(&["cutover"], "to the tables of");
    would(&["cutover", "--one-way", "--writers-stopped"], "would trust that nobody writes");
    assert!(!following.has_ended());
    following.signal(libc::SIGINT);
    assert!(following.wait().success());
    shop.done_beside(&["cutover", "--within", "120s"]);
    would(&["rollback"], "write the rest back");
    would(&["follow"], "into the table of");
    would(&["cutover"], "souk keeps the products already");
}

/// Nobody has to end a follower before a turn, nor begin another one after it; and whoever is turned away hears by whom.
#[test]
fn a_follower_makes_way_for_turns_and_goes_on_after_them() {
    let shop = Shop::new(300);
    let planned = shop.done(&["plan"]);
    let status = || run_souk(shop.path(), &["migrate", "status"], &[]).stdout;
    assert!(status().contains("plan: 300 rows, 300 to take over"), "{planned:?}: {}", status());
    let souk = Start::new(shop.path()).start();
    let id = shop.id("Product 60");
    let mut following = shop.follow();
    eventually("the copy has arrived", || (stock(&souk, &id) == 60).then_some(()));
    assert!(status().contains("plan: ") && status().contains("follow: at work (process "), "{}", status());
    let refused = shop.beside(&["copy"], &[]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(
        refused.stderr.contains(": follow, process ") && refused.stderr.contains(", since "),
        "{refused:?}"
    );
    let elsewhere =
        shop.beside(&["copy", "--state", "other", "--mapping", "souk-migration/mapping.toml"], &[]);
    assert_eq!(elsewhere.code, Some(3), "{elsewhere:?}");
    assert!(elsewhere.stderr.contains(": souk migrate follow, since "), "{elsewhere:?}");

    shop.done_beside(&["cutover", "--within", "120s"]);
    assert_eq!(sell(&souk, &id), 200);
    eventually("the sale is in the old table", || (shop.quantity("Product 60") == 59).then_some(()));
    shop.done_beside(&["rollback", "--within", "120s"]);
    shop.sql("UPDATE products SET quantity = 58 WHERE name = 'Product 60'");
    eventually("the change has arrived", || (stock(&souk, &id) == 58).then_some(()));
    eventually("the follower says how it does", || status().contains("(as of ").then_some(()));
    following.signal(libc::SIGKILL);
    following.wait();
    let told = status();
    assert!(told.contains("nobody follows now") && told.contains("follow: broken off"), "{told}");
    assert!(told.contains(" ago)"), "{told}");
}
