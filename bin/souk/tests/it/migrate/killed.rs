//! What a step works with is killed at each point at which something is durable that was not before: the source's Postgres,
//! and a souk that serves. The step stands still there meanwhile, so that it is neither early nor late.

use serde_json::Value;
use souk_ports::fault::{
    BACKUP_CRASH_POINTS, MIGRATION_CRASH_POINTS, RESTORE_CRASH_POINTS, TURNING_CRASH_POINTS,
};
use souk_servers::{Kind, Options, Scratch, Server};

use super::way::{sell, stock};
use super::{Shop, connect};
use crate::support::{Output, Running, Souk, Start, eventually, run_souk};

/// Rows of several batches, so that a copy has some behind it and some before it.
const ROWS: u32 = 9_000;
const CUTOVER: [&str; 3] = ["cutover", "--within", "120s"];
const ROLLBACK: [&str; 3] = ["rollback", "--within", "120s"];
const FOLLOW: [&str; 2] = ["follow", "--once"];
/// Whoever turns is at these, one after the other.
const TURNS: [&str; 3] = ["migrate.fenced", "migrate.turning", "migrate.turned"];

/// Takes a step up to a point, where it stands still.
fn stopped(shop: &Shop, step: &[&str], at: &str, bug: &str) -> Running {
    let mut running = shop.begin_with(step, &[("SOUK_STOP_AT", at), ("SOUK_PLANTED_BUG", bug)]);
    let stat = format!("/proc/{}/stat", running.pid());
    eventually("the step stands still", || {
        assert!(!running.has_ended(), "{step:?} did not come by {at}: {:#?}", running.log());
        let said = running.log().iter().any(|line| line.starts_with("stop point"));
        // proc(5): the state comes after the name in brackets; T is stopped.
        let stat = std::fs::read_to_string(&stat).unwrap_or_default();
        let stands = stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'));
        (said && stands).then_some(())
    });
    running
}

/// A step that what it works with was taken away from ends well, or says what is not there, in a way that a script can tell.
fn is_done_or_says_why(step: &[&str], at: &str, running: &mut Running) -> bool {
    let code = running.wait().code();
    let said = running.log().join("\n");
    let says_why = ["cannot be reached", "nobody can write now", "does not answer", " says: "]
        .iter()
        .any(|word| said.contains(word));
    match code {
        Some(0) => true,
        Some(1 | 3) if says_why => false,
        _ => panic!("{step:?} at {at} ended with {code:?}: {said}"),
    }
}

/// A shop on a Postgres of its own, which is killed.
struct OwnServer {
    shop: Shop,
    server: Server,
    _scratch: Scratch,
    seen: Vec<String>,
}

impl OwnServer {
    fn new() -> Self {
        let scratch = Scratch::new("migrate-killed").expect("a scratch folder");
        let server = Server::start(Kind::Postgres, scratch.folder("postgres"), Options::default())
            .expect("a Postgres of its own: run `cargo xtask test`, which brings the programs");
        let url = server.env().into_iter().find(|(name, _)| *name == "DATABASE_URL").expect("its URL").1;
        Self { shop: Shop::on(url, ROWS), server, _scratch: scratch, seen: Vec::new() }
    }

    /// Kills it with SIGKILL while a step is where `running` stands, and starts it again on the same data.
    fn kill_under(&mut self, running: &Running) {
        self.server.kill();
        running.signal(libc::SIGCONT);
        self.server.restart().expect("it starts on the same data");
        self.shop.reconnect();
    }

    /// Kills it while a step waits for a table that somebody else has.
    fn kill_while_it_reads(&mut self, step: &[&str]) -> Running {
        let holder = connect(&self.shop.runtime, &self.shop.url);
        let hold = "BEGIN; LOCK TABLE products IN ACCESS EXCLUSIVE MODE";
        self.shop.runtime.block_on(holder.batch_execute(hold)).expect("a lock");
        let running = self.shop.begin(step);
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        eventually("the step waits for the table", || {
            let row = self.shop.runtime.block_on(self.shop.sql.query_one(waits, &[])).expect("a row");
            (row.get::<_, i64>(0) > 0).then_some(())
        });
        self.kill_under(&running);
        running
    }

    /// Kills it at a point of a step; returns whether the step came to its end all the same.
    fn kill_at(&mut self, step: &[&str], at: &str) -> bool {
        self.kill_at_with(step, at, "none")
    }

    fn kill_at_with(&mut self, step: &[&str], at: &str, bug: &str) -> bool {
        let mut running = stopped(&self.shop, step, at, bug);
        self.kill_under(&running);
        self.seen.push(at.split(':').next().expect("a name").to_owned());
        is_done_or_says_why(step, at, &mut running)
    }

    /// The same; it is given again where it did not come to its end.
    fn kill_and_repeat(&mut self, step: &[&str], at: &str) {
        if !self.kill_at(step, at) {
            self.shop.done_beside(step);
        }
    }
}

#[test]
fn a_source_that_is_killed_in_any_step_loses_nothing() {
    let mut it = OwnServer::new();
    assert!(is_done_or_says_why(&["plan"], "its reads", &mut it.kill_while_it_reads(&["plan"])), "it waits");

    let backup = ["backup", "--into", "kept"];
    let mut broken = it.kill_while_it_reads(&backup);
    assert_eq!(broken.wait().code(), Some(3), "{:?}", broken.log());
    assert!(!it.shop.path().join("kept").exists(), "half a backup has no name");
    it.kill_and_repeat(&backup, "migrate.dumped");
    std::fs::remove_dir_all(it.shop.path().join("kept")).expect("our own folder");
    it.kill_and_repeat(&backup, "migrate.backed-up");
    let restore = ["restore", "--from", "kept"];
    it.kill_and_repeat(&restore, "migrate.restored");
    it.shop.done_beside(&restore);

    let waited = it.kill_at_with(&["copy"], "migrate.recorded:2", "migrate-impatient");
    assert!(!waited, "the bug is one that the next lines would notice");
    std::fs::remove_dir_all(it.shop.path().join("data")).expect("our own folder");
    for point in MIGRATION_CRASH_POINTS {
        assert!(it.kill_at(&["copy"], &format!("{point}:2")), "a copy waits for its source");
        let compared = it.shop.beside(&["compare", "--json"], &[]).json();
        assert_eq!(compared["ok"], true, "{point}: {compared}");
        std::fs::remove_dir_all(it.shop.path().join("data")).expect("our own folder");
    }
    it.shop.done_beside(&FOLLOW);
    for (pieces, point) in [(1_001, "migrate.following"), (1_002, "migrate.followed")] {
        it.shop.sql(&format!("UPDATE products SET quantity = {pieces} WHERE name = 'Product 1'"));
        assert!(it.kill_at(&FOLLOW, point), "a follower waits for its source");
    }
    for (round, point) in TURNS.into_iter().enumerate() {
        it.shop.sql(&format!("UPDATE products SET quantity = {} WHERE name = 'Product 2'", 2_000 + round));
        it.kill_and_repeat(&CUTOVER, point);
        let (souk, id) = (Start::new(it.shop.path()).start(), it.shop.id("Product 2"));
        assert_eq!((stock(&souk, &id), sell(&souk, &id)), ((2_000 + round).into(), 200), "{point}");
        assert!(souk.terminate().success());
        if round == 0 {
            assert!(it.kill_at(&FOLLOW, "migrate.back-written"), "the way back waits for its source");
        }
        it.kill_and_repeat(&ROLLBACK, point);
        assert_eq!(it.shop.quantity("Product 2"), i64::try_from(1_999 + round).expect("small"), "{point}");
        let compared = it.shop.beside(&["compare", "--json"], &[]).json();
        assert_eq!(compared["ok"], true, "{point}: {compared}");
    }
    it.shop.done_beside(&CUTOVER);
    it.kill_and_repeat(&["finish"], "migrate.finishing");
    it.kill_and_repeat(&["finish"], "migrate.removed");
    it.shop.sql("UPDATE products SET quantity = 1 WHERE name = 'Product 2'");
    let audit = run_souk(it.shop.path(), &["audit", "--json", "--data-dir", "data"], &[]).json();
    assert_eq!(audit["ok"], true, "{audit}");
    all_were_seen(
        &it.seen,
        &[MIGRATION_CRASH_POINTS, BACKUP_CRASH_POINTS, RESTORE_CRASH_POINTS, TURNING_CRASH_POINTS],
    );
}

fn all_were_seen(seen: &[String], all: &[&[&str]]) {
    for point in all.iter().copied().flatten() {
        assert!(seen.iter().any(|seen| seen == point), "nobody was killed at {point}");
    }
}

/// A shop beside a souk that serves, which is killed.
struct Served {
    shop: Shop,
    souk: Option<Souk>,
    seen: Vec<String>,
}

impl Served {
    fn souk(&self) -> &Souk {
        self.souk.as_ref().expect("one serves")
    }

    /// Kills the souk that serves with SIGKILL at a point of a step, and starts it again; a step that does not go on with the
    /// new one is given again.
    fn kill_and_repeat(&mut self, step: &[&str], at: &str) {
        let mut running = stopped(&self.shop, step, at, "none");
        self.souk.take().expect("one serves").kill();
        running.signal(libc::SIGCONT);
        self.souk = Some(Start::new(self.shop.path()).start());
        self.seen.push(at.split(':').next().expect("a name").to_owned());
        if !is_done_or_says_why(step, at, &mut running) {
            self.shop.done_beside(step);
        }
    }

    fn compared(&self) -> Output {
        self.shop.beside(&["compare", "--json"], &[])
    }
}

#[test]
fn a_serving_souk_that_is_killed_in_any_step_loses_nothing() {
    let shop = Shop::new(ROWS);
    shop.done(&["plan"]);
    let souk = Some(Start::new(shop.path()).start());
    let mut it = Served { shop, souk, seen: Vec::new() };
    for point in MIGRATION_CRASH_POINTS {
        it.kill_and_repeat(&["copy"], &format!("{point}:2"));
        it.shop.sql("UPDATE products SET quantity = quantity + 1");
    }
    // Its files are copied beside it, and what it leaves half done is no part of them.
    it.kill_and_repeat(&["backup", "--into", "kept"], "migrate.dumped");
    it.shop.done_beside(&["restore", "--from", "kept"]);
    it.shop.done_beside(&FOLLOW);
    for (pieces, point) in [(1_001, "migrate.following"), (1_002, "migrate.followed")] {
        it.shop.sql(&format!("UPDATE products SET quantity = {pieces} WHERE name = 'Product 1'"));
        it.kill_and_repeat(&FOLLOW, point);
    }
    let id = it.shop.id("Product 2");
    for (round, point) in TURNS.into_iter().enumerate() {
        it.shop.sql(&format!("UPDATE products SET quantity = {} WHERE name = 'Product 2'", 2_000 + round));
        it.kill_and_repeat(&CUTOVER, point);
        assert_eq!((stock(it.souk(), &id), sell(it.souk(), &id)), ((2_000 + round).into(), 200), "{point}");
        if round == 0 {
            it.kill_and_repeat(&FOLLOW, "migrate.back-written");
        }
        it.kill_and_repeat(&ROLLBACK, point);
        assert_eq!(it.shop.quantity("Product 2"), i64::try_from(1_999 + round).expect("small"), "{point}");
        let compared = it.compared().json();
        assert_eq!(compared["ok"], true, "{point}: {compared}");
    }
    it.shop.done_beside(&CUTOVER);
    it.kill_and_repeat(&["finish"], "migrate.finishing");
    it.kill_and_repeat(&["finish"], "migrate.removed");
    assert_eq!(stock(it.souk(), &id), Value::from(2_001), "what was sold last");
    let audit = run_souk(it.shop.path(), &["audit", "--json", "--data-dir", "data"], &[]).json();
    assert_eq!(audit["ok"], true, "{audit}");
    all_were_seen(&it.seen, &[MIGRATION_CRASH_POINTS, TURNING_CRASH_POINTS]);
}
