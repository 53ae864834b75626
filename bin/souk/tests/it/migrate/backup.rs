//! Backups with Postgres' own tools, made while everything is in use, and their proof; what is wrong with one is found.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use souk_ports::fault::BACKUP_CRASH_POINTS;

use super::{PASSWORD, Shop, connect};
use crate::support::{Installation, Output, Start, eventually, run_souk};

/// What a shop's database has beside products: names to quote, types whose text depends on settings, nothing at all.
const OTHERS: &str = r#"CREATE SCHEMA "Old Shop"; CREATE TABLE "Old Shop"."Order ""Lines""" (no serial PRIMARY KEY, at timestamptz, weight float8,
     tags text[], data jsonb, picture bytea, lasts interval);
     INSERT INTO "Old Shop"."Order ""Lines""" (at, weight, tags, data, picture, lasts)
     SELECT now() - n * interval '1 day', n / 3.0, ARRAY['a', NULL, 'ü' || n], jsonb_build_object('n', n), '\x00ff', n * interval '1 hour'
     FROM generate_series(1, 200) AS n;
     CREATE TABLE "empty" (); CREATE VIEW low AS SELECT * FROM products WHERE quantity < 5;
     CREATE TABLE sales (day date, n int) PARTITION BY RANGE (day);
     CREATE TABLE sales_2026 PARTITION OF sales FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
     INSERT INTO sales VALUES ('2026-11-28', 3)"#;

fn backed_up(shop: &Shop, more: &[&str]) -> Value {
    let args: Vec<&str> = [&["backup", "--into", "kept", "--json"][..], more].concat();
    shop.done(&args).json()
}

fn prove(shop: &Shop, env: &[(&str, &str)]) -> Output {
    shop.step(&["restore", "--from", "kept", "--json"], env)
}

fn databases(shop: &Shop, name: &str) -> i64 {
    let count = "SELECT count(*) FROM pg_database WHERE datname = $1";
    shop.runtime.block_on(shop.sql.query_one(count, &[&name])).expect("a count").get(0)
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_backup_of_a_shop_in_use_is_of_one_moment_and_proves_itself() {
    let shop = Shop::new(2_000);
    shop.sql(OTHERS);
    shop.done(&["plan"]);
    let souk = Start::new(shop.path()).env("ARCHIVE_MAX_AGE", "1s").start();
    shop.done(&["copy", "--data-dir", "data"]);
    eventually("something is archived", || {
        let archive = files(&shop.path().join("data/archive"));
        archive.iter().any(|path| path.extension().is_some_and(|ext| ext == "parquet")).then_some(())
    });
    let stop = AtomicBool::new(false);
    let (manifest, proof) = std::thread::scope(|scope| {
        // Both sides are written to, all the time.
        let runtime = &shop.runtime;
        scope.spawn(|| {
            let writer = connect(runtime, &shop.url);
            while !stop.load(Ordering::Relaxed) {
                let sale = "UPDATE products SET quantity = quantity + 1 WHERE id = (SELECT id FROM products LIMIT 1)";
                runtime.block_on(writer.batch_execute(sale)).expect("a sale");
            }
        });
        let (mut api, stop_api) = (souk.api(), &stop);
        scope.spawn(move || {
            let mut n = 0;
            while !stop_api.load(Ordering::Relaxed) {
                n += 1;
                let product = json!({"name": format!("New {n}"), "price": 1, "stock": 9, "sellerId": "s"});
                assert_eq!(api.post("/products", &product.to_string()).status, 201);
            }
        });
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let manifest = backed_up(&shop, &["--data-dir", "data"]);
            (manifest, prove(&shop, &[]))
        }));
        stop.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let tables = manifest["source"]["tables"].as_array().expect("tables");
    let names: Vec<&str> = tables.iter().filter_map(|table| table["table"].as_str()).collect();
    assert_eq!(names, ["Old Shop.Order \"Lines\"", "public.empty", "public.products", "public.sales_2026"]);
    assert_eq!(tables[2]["rows"], 2_000);
    let verdict = proof.json();
    assert_eq!((proof.code, &verdict["ok"]), (Some(0), &json!(true)), "{verdict:#}");
    assert_eq!(verdict["own"]["ok"], true, "{verdict:#}");
    assert!(verdict["own"]["detail"].as_str().is_some_and(|text| text.ends_with("0 differences")));
    let restored = verdict["databases"][0]["restoredInto"].as_str().expect("a place");
    let (name, _) = restored.split_once(' ').expect("a name and a server");
    assert_eq!(databases(&shop, name), 0, "the scratch database is dropped again");

    let copied = files(&shop.path().join("kept/souk/archive"));
    assert!(!copied.is_empty(), "the archive is part of it");

    // A start on the copy goes on from there.
    std::fs::rename(shop.path().join("kept/souk"), shop.path().join("again")).expect("our own folder");
    let again = Start::over(shop.path(), &shop.path().join("again")).start();
    assert_eq!(again.api().get("/products?limit=500").json()["items"].as_array().map(Vec::len), Some(500));
    drop(again);

    let status = run_souk(shop.path(), &["migrate", "status"], &[]).stdout;
    assert!(status.contains("backup: 4 tables with 2201 rows"), "{status}");
    assert!(status.contains("restore: kept: the backup is good"), "{status}");
    for path in files(&shop.path().join("kept")) {
        let bytes = std::fs::read(&path).expect("a file");
        let has = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!shop.url.contains(PASSWORD) || !has, "{} has the password", path.display());
    }
}

#[test]
fn a_backup_that_misses_a_table_is_found_out() {
    let shop = Shop::new(100);
    let bug = [("SOUK_PLANTED_BUG", "migrate-backup-misses-a-table")];
    let made = shop.step(&["backup", "--into", "kept"], &bug);
    assert_eq!(made.code, Some(0), "{made:?}");
    let proof = shop.step(&["restore", "--from", "kept"], &[]);
    assert_eq!(proof.code, Some(1), "{proof:?}");
    assert!(proof.stdout.contains("✗ public.products: 0 rows"), "{proof:?}");
    assert!(proof.stdout.contains("the manifest says 100 rows"), "{proof:?}");
    assert!(proof.stdout.contains("the backup is NOT good"), "{proof:?}");
    let blind = prove(&shop, &[("SOUK_PLANTED_BUG", "migrate-restore-does-not-compare")]);
    assert_eq!(blind.json()["ok"], true, "the bug is one that this test would notice");
}

#[test]
fn what_is_damaged_is_named_and_nothing_is_restored() {
    let shop = Shop::new(100);
    backed_up(&shop, &[]);
    let dump = shop.path().join("kept/source.dump");
    let mut bytes = std::fs::read(&dump).expect("the dump");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&dump, bytes).expect("our own folder");
    let proof = prove(&shop, &[]);
    assert_eq!(proof.code, Some(1), "{proof:?}");
    let verdict = proof.json();
    assert_eq!(verdict["databases"], json!([]));
    assert_eq!(verdict["damage"], json!(["source.dump is not what was written: its checksum differs"]));
    std::fs::remove_file(shop.path().join("kept/manifest.json")).expect("our own folder");
    let none = prove(&shop, &[]);
    assert_eq!(none.code, Some(2), "{none:?}");
    assert!(none.stderr.contains("name a folder that `souk migrate backup` has made"), "{none:?}");
}

#[test]
fn a_backup_is_killed_anywhere_and_only_a_whole_one_has_its_name() {
    let shop = Shop::new(50);
    for point in BACKUP_CRASH_POINTS {
        let killed = shop.step(&["backup", "--into", "kept"], &[("SOUK_CRASH_AT", point)]);
        assert!(killed.stderr.contains(&format!("crash point {point}, visit 1")), "{killed:?}");
        assert!(!shop.path().join("kept").exists(), "{point}: it is not whole");
    }
    let rehearsed = shop.done(&["backup", "--into", "kept", "--dry-run"]);
    assert!(rehearsed.stdout.contains("would dump") && !shop.path().join("kept").exists(), "{rehearsed:?}");
    backed_up(&shop, &[]);
    assert!(!shop.path().join(".kept.part").exists(), "what was left is gone");
    assert_eq!(prove(&shop, &[]).code, Some(0));
    let twice = shop.step(&["backup", "--into", "kept"], &[]);
    assert_eq!(twice.code, Some(2), "{twice:?}");
    assert!(twice.stderr.contains("never overwritten"), "{twice:?}");
}

#[test]
fn some_tables_alone_can_be_backed_up_and_restored_on_a_server_that_is_named() {
    let shop = Shop::new(50);
    shop.sql(OTHERS);
    let manifest = backed_up(&shop, &["--table", "public.products"]);
    assert_eq!(manifest["source"]["tables"].as_array().map(Vec::len), Some(1), "{manifest:#}");
    std::fs::write(shop.path().join("server.url"), &shop.server).expect("our own folder");
    let args = ["migrate", "restore", "--from", "kept", "--into-file", "server.url", "--keep", "--json"];
    let proof = run_souk(shop.path(), &args, &[]).json();
    assert_eq!(proof["ok"], true, "{proof:#}");
    let restored = proof["databases"][0]["restoredInto"].as_str().expect("a place");
    let (name, _) = restored.split_once(' ').expect("a name and a server");
    assert_eq!(databases(&shop, name), 1, "it was to be kept");
    shop.sql(&format!("DROP DATABASE {name} WITH (FORCE)"));
    let missing = shop.step(&["backup", "--into", "other", "--table", "public.product"], &[]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.stderr.contains("has no table public.product"), "{missing:?}");
}

/// A user who may log in, and what it is given.
struct Plain<'a> {
    shop: &'a Shop,
    name: String,
}

impl<'a> Plain<'a> {
    fn new(shop: &'a Shop) -> Self {
        let name = shop.database.replace("souk_test_", "souk_plain_");
        shop.sql(&format!("CREATE ROLE {name} LOGIN PASSWORD 'plain'"));
        let (_, place) = shop.url.rsplit_once('@').expect("a URL with a user");
        let url = format!("postgresql://{name}:plain@{place}");
        std::fs::write(shop.path().join("source.url"), url).expect("our own folder");
        Self { shop, name }
    }

    /// Takes the remedies that a refusal names.
    fn take_remedies(&self, refusal: &str) {
        let (_, grants) = refusal.split_once("may not read: ").expect("it names what is missing");
        let (grants, _) = grants.split_once("; or take").expect("and another way");
        self.shop.sql(grants);
    }
}

impl Drop for Plain<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let name = &self.name;
        self.shop.sql(&format!("DROP OWNED BY {name}; DROP ROLE {name}"));
    }
}

#[test]
fn a_plain_user_is_told_each_right_that_is_missing() {
    let shop = Shop::new(50);
    shop.sql(OTHERS);
    let plain = Plain::new(&shop);
    shop.sql(&format!("GRANT SELECT ON products TO {}", plain.name));
    let refused = shop.step(&["backup", "--into", "kept"], &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for right in
        ["USAGE ON SCHEMA \"Old Shop\"", "SELECT ON SEQUENCE \"Old Shop\".", "SELECT ON public.sales_2026"]
    {
        assert!(refused.stderr.contains(&format!("GRANT {right}")), "{right}: {refused:?}");
    }
    // One table that needs no more.
    let alone = shop.step(&["backup", "--into", "alone", "--table", "public.products"], &[]);
    assert_eq!(alone.code, Some(0), "{alone:?}");
    plain.take_remedies(&refused.stderr);
    backed_up(&shop, &[]);
    let no_right = shop.step(&["restore", "--from", "kept"], &[]);
    assert_eq!(no_right.code, Some(1), "{no_right:?}");
    assert!(no_right.stderr.contains(&format!("ALTER ROLE {} CREATEDB", plain.name)), "{no_right:?}");
    assert!(!no_right.stdout.contains("checksums"), "said before anything is done: {no_right:?}");
    shop.sql(&format!("ALTER ROLE {} CREATEDB", plain.name));
    assert_eq!(prove(&shop, &[]).json()["ok"], true);
}

#[test]
fn what_a_killed_restore_has_left_is_dropped_by_the_next_one() {
    let shop = Shop::new(50);
    backed_up(&shop, &[]);
    let plain = Plain::new(&shop);
    let owner = &plain.name;
    shop.sql(&format!("ALTER ROLE {owner} CREATEDB"));
    let killed = shop.step(&["restore", "--from", "kept"], &[("SOUK_CRASH_AT", "migrate.restored")]);
    assert!(killed.stderr.contains("crash point migrate.restored"), "{killed:?}");
    // Other tests restore meanwhile: what is this user's is this one's.
    let left = "SELECT datname::text FROM pg_database WHERE pg_get_userbyid(datdba) = $1";
    let left: String = shop.runtime.block_on(shop.sql.query_one(left, &[owner])).expect("it was left").get(0);
    // As if that had been long ago; another one of that time, in which somebody is at work; and one that is new.
    let named = |time: &str| format!("souk_restore_{time}{}", &left[left.len() - 8..]);
    let (idle, busy, new) = (named("000000000001"), named("000000000002"), named("0fffffffffff"));
    let rename = format!("ALTER DATABASE {left} RENAME TO {idle}");
    eventually("nobody is connected to it", || shop.runtime.block_on(shop.sql.batch_execute(&rename)).ok());
    for other in [&busy, &new] {
        shop.sql(&format!("CREATE DATABASE {other} OWNER {owner}"));
    }
    let (front, _) = shop.server.rsplit_once('/').expect("a URL with a database");
    let working = connect(&shop.runtime, &format!("{front}/{busy}"));
    assert_eq!(prove(&shop, &[]).json()["ok"], true);
    assert_eq!([&idle, &busy, &new].map(|name| databases(&shop, name)), [0, 1, 1]);
    drop(working);
    for other in [&busy, &new] {
        shop.sql(&format!("DROP DATABASE {other} WITH (FORCE)"));
    }
}

#[test]
fn on_servers_souks_schema_is_dumped_and_what_others_keep_is_said() {
    let shop = Shop::new(50);
    let servers = Installation::new();
    let mut api = servers.service(shop.path(), "api", &[]);
    api.wait_ready();
    let created = api.client().post("/products", r#"{"name":"A","price":1,"stock":1,"sellerId":"s"}"#);
    assert_eq!(created.status, 201, "{}", created.text());
    eventually("it is there", || (api.get("/products").json()["items"][0]["name"] == "A").then_some(()));
    let made = shop.step(&["backup", "--into", "kept", "--json"], &servers.env());
    assert_eq!(made.code, Some(0), "{made:?}");
    let manifest = made.json();
    let own = manifest["own"]["tables"].as_array().expect("tables");
    let products = own.iter().find(|table| table["table"] == "souk.products").expect("it has the products");
    assert_eq!(products["rows"], 1);
    assert_eq!(manifest["leftOut"].as_array().map(Vec::len), Some(3), "{manifest:#}");
    let proof = prove(&shop, &servers.env());
    assert_eq!((proof.code, &proof.json()["ok"]), (Some(0), &json!(true)), "{}", proof.stdout);
    let settings = std::fs::read_to_string(shop.path().join("kept/settings.json")).expect("settings");
    assert!(settings.contains("\"KAFKA_TOPIC\"") && settings.contains("********"), "{settings}");
}
