//! What an operator is shown of a migration: that both APIs say the same, and that every criterion holds.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::old_api::OldApi;
use super::{Shop, connect};
use crate::support::{Installation, Output, Souk, Start, run_souk};

/// A shop whose products are in a souk that runs.
struct Copied {
    shop: Shop,
    souk: Souk,
    old: OldApi,
}

impl Copied {
    fn new(rows: u32, bug: &str) -> Self {
        let shop = Shop::new(rows);
        shop.done(&["plan"]);
        Self::of(shop, bug)
    }

    /// Of a shop that is planned.
    fn of(shop: Shop, bug: &str) -> Self {
        let souk = Start::new(shop.path()).env("SOUK_PLANTED_BUG", bug).env("ARCHIVE_MAX_AGE", "1s").start();
        shop.done(&["copy", "--data-dir", "data"]);
        let old = OldApi::start(shop.runtime.handle(), &shop.url);
        Self { shop, souk, old }
    }

    fn shadow(&self, requests: &str) -> Output {
        let new = format!("http://localhost:{}", self.souk.ports.api);
        self.shop
            .step(&["shadow", "--old", &self.old.url, "--new", &new, "--requests", requests, "--json"], &[])
    }

    fn check(&self, more: &[&str]) -> Output {
        let ports = &self.souk.ports;
        let urls = [
            format!("http://localhost:{}", ports.api),
            format!("http://localhost:{}/events/stream", ports.notifications),
            format!("http://localhost:{}", ports.analytics),
        ];
        let places = ["--api", &urls[0], "--stream", &urls[1], "--analytics", &urls[2]];
        // How fast a debug build on a busy machine is says nothing.
        let rest = ["check", "--data-dir", "data", "--reads-within", "10m"];
        self.shop.step(&[&rest[..], &places, more].concat(), &[])
    }
}

fn marks(list: &Value) -> Vec<&str> {
    let criteria = list["criteria"].as_array().expect("criteria");
    criteria.iter().filter_map(|criterion| criterion["met"].as_str()).collect()
}

#[test]
fn answers_that_differ_are_named_and_missing_ones_counted() {
    let copied = Copied::new(200, "");
    let same = copied.shadow("250");
    let found = same.json();
    assert_eq!((same.code, &found["ok"], &found["equal"]), (Some(0), &json!(true), &json!(250)), "{found:#}");
    assert_eq!((&found["old"]["answers"], &found["new"]["answers"]), (&json!(250), &json!(250)));
    copied.shop.sql(
        "UPDATE products SET price = price + 1, updatedat = now() WHERE name = 'Product 5'; \
         UPDATE products SET updatedat = now() WHERE name = 'Product 6'; \
         INSERT INTO products VALUES (gen_random_uuid(), 's', 'New', NULL, 1, 1, 'c')",
    );
    let hidden = "SELECT id::text FROM products WHERE name = 'Product 7'";
    let hidden = copied.shop.runtime.block_on(copied.shop.sql.query_one(hidden, &[])).expect("a row");
    *copied.old.hidden.lock().expect("no holder panics") = hidden.get(0);
    // Every key once: of the products that are listed, too, nothing else differs.
    let differs = copied.shadow("211");
    let found = differs.json();
    assert_eq!(differs.code, Some(1), "{found:#}");
    assert!(
        found["missingInNew"].as_u64() >= Some(1) && found["missingInOld"].as_u64() >= Some(1),
        "{found:#}"
    );
    assert!(found["different"].as_u64() >= Some(1) && found["touched"].as_u64() >= Some(1), "{found:#}");
    let examples = found["examples"].as_array().expect("examples");
    let price = examples.iter().find(|example| example["field"] == "price").expect("the price is named");
    assert_eq!((&price["old"], &price["new"]), (&json!("\"1.05000000000000000000\""), &json!("0.05")));
}

#[test]
fn what_a_policy_has_mended_or_left_out_is_no_difference() {
    let shop = Shop::new(50);
    shop.sql(
        "UPDATE products SET price = CASE name WHEN 'Product 3' THEN 19.98999912 ELSE -1 END \
              WHERE name IN ('Product 3', 'Product 4')",
    );
    assert_eq!(shop.step(&["plan"], &[]).code, Some(1));
    let mapping = shop.path().join("souk-migration/mapping.toml");
    let text = std::fs::read_to_string(&mapping).expect("it was proposed");
    let policies = "\"price.fraction\" = \"fix\"\n\"price.negative\" = \"skip\"\n";
    std::fs::write(&mapping, text + policies).expect("our own folder");
    let copied = Copied::of(shop, "");
    let seen = copied.shadow("60");
    let found = seen.json();
    assert_eq!((seen.code, &found["ok"]), (Some(0), &json!(true)), "{found:#}");
    assert!(found["mended"].as_u64() >= Some(1) && found["skipped"].as_u64() >= Some(1), "{found:#}");
}

/// With souk on Postgres and Kafka.
#[test]
fn answers_of_souk_on_servers_are_compared_alike() {
    let shop = Shop::new(120);
    shop.done(&["plan"]);
    let servers = Installation::new();
    let mut api = servers.service(shop.path(), "api", &[]);
    api.wait_ready();
    let copied = shop.step(&["copy"], &servers.env());
    assert_eq!(copied.code, Some(0), "{copied:?}");
    let old = OldApi::start(shop.runtime.handle(), &shop.url);
    let new = format!("http://localhost:{}", api.port);
    let shadow = || {
        let places = ["--old", &old.url, "--new", &new];
        shop.step(&[&["shadow", "--requests", "130", "--json"][..], &places].concat(), &servers.env())
    };
    let same = shadow();
    assert_eq!((same.code, &same.json()["equal"]), (Some(0), &json!(130)), "{same:?}");
    shop.sql("UPDATE products SET quantity = quantity + 1, updatedat = now() WHERE name = 'Product 5'");
    let differs = shadow();
    let found = differs.json();
    assert_eq!(
        (differs.code, &found["different"].as_u64().is_some_and(|n| n >= 1)),
        (Some(1), &true),
        "{found:#}"
    );
    assert!(found["examples"].to_string().contains("\"field\":\"stock\""), "{found:#}");
}

#[test]
fn a_shop_in_use_that_is_followed_answers_the_same() {
    let copied = Copied::new(60, "");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let shop = &copied.shop;
        let mut follow = crate::support::souk();
        let source = ["--source-file", "source.url", "--data-dir", "data"];
        follow.args(["migrate", "follow"]).args(source).current_dir(shop.path());
        let follow = crate::support::Running::spawn(follow);
        let stop_writer = &stop;
        let (runtime, url) = (&shop.runtime, &shop.url);
        scope.spawn(move || {
            let writer = connect(runtime, url);
            while !stop_writer.load(Ordering::Relaxed) {
                let sale = "UPDATE products SET quantity = quantity + 1, updatedat = now() \
                            WHERE id IN (SELECT id FROM products ORDER BY random() LIMIT 1); SELECT pg_sleep(0.2)";
                runtime.block_on(writer.batch_execute(sale)).expect("a sale");
            }
        });
        let seen = copied.shadow("400");
        stop.store(true, Ordering::Relaxed);
        drop(follow);
        let found = seen.json();
        assert_eq!((seen.code, &found["ok"]), (Some(0), &json!(true)), "{found:#}");
    });
}

#[test]
fn every_criterion_is_checked_and_nothing_is_left_behind() {
    let copied = Copied::new(100, "");
    let checked = copied.check(&["--json"]);
    let list = checked.json();
    assert_eq!((checked.code, marks(&list)), (Some(0), vec!["yes"; 8]), "{list:#}");
    let mut api = copied.souk.api();
    let products = api.get("/products?limit=500").json();
    assert_eq!(products["items"].as_array().map(Vec::len), Some(100), "what it made is gone again");

    // One row that souk has not got.
    copied.shop.sql("UPDATE products SET quantity = quantity + 1 WHERE name = 'Product 5'");
    let lost = copied.check(&[]);
    assert_eq!(lost.code, Some(1), "{lost:?}");
    assert!(
        lost.stdout.contains("✗ no data is lost: 100 rows (0 skipped), 100 products: 1 differences"),
        "{lost:?}"
    );
    assert!(lost.stdout.contains("by hand: souk migrate compare"), "{lost:?}");

    // Beside the old API: it has another answer, too.
    let beside = copied.check(&["--old", &copied.old.url, "--json"]).json();
    let same = beside["criteria"].as_array().and_then(|all| {
        all.iter().find(|c| c["criterion"].as_str().is_some_and(|c| c.starts_with("souk's answers")))
    });
    assert_eq!(same.map(|criterion| &criterion["met"]), Some(&json!("no")), "{beside:#}");

    // Before the cut-over souk takes no writes, which is no fault.
    copied.shop.done(&["follow", "--once", "--data-dir", "data"]);
    let kept = copied.check(&["--json"]);
    let list = kept.json();
    let expected = ["yes", "notNow", "notNow", "notNow", "notNow", "yes", "yes", "yes"];
    assert_eq!((kept.code, marks(&list)), (Some(0), expected.to_vec()), "{list:#}");

    // Nobody there.
    drop(api);
    assert!(run_souk(copied.shop.path(), &["migrate", "check", "--help"], &[]).stdout.contains("Example:"));
    copied.souk.signal(9);
    let away = copied.check(&["--timeout", "3s"]);
    assert_eq!(away.code, Some(1), "{away:?}");
    assert!(away.stdout.contains("✗ all services are up, and healthy"), "{away:?}");
}

/// At the end the source is let go: what was proven then is what can be told, and nothing but a proof is.
#[test]
fn every_criterion_is_told_after_the_end_too() {
    let copied = Copied::new(60, "");
    let beside = |step: &[&str], env: &[(&str, &str)]| {
        let done = copied.shop.step(&[step, &["--data-dir", "data"]].concat(), env);
        assert_eq!(done.code, Some(0), "{step:?}: {done:?}");
    };
    beside(&["cutover", "--within", "120s"], &[]);
    beside(&["finish"], &[]);
    copied.shop.sql("DROP TABLE products");
    let checked = copied.check(&["--json"]);
    let list = checked.json();
    assert_eq!((checked.code, marks(&list)), (Some(0), vec!["yes"; 8]), "{list:#}");
    let told = copied.check(&[]).stdout;
    let proven = "✓ no data is lost: 60 rows (0 skipped), 60 products: 0 differences at the finish of ";
    assert!(told.contains(proven) && told.contains("8 of 8 criteria hold"), "{told}");
    let status = run_souk(copied.shop.path(), &["migrate", "status"], &[]).stdout;
    assert!(status.contains("proven the same: 60 rows (0 skipped), 60 products"), "{status}");
    // A record without the proof tells none.
    let path = copied.shop.path().join("souk-migration/state.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).expect("a record")).expect("JSON");
    record["proven"] = Value::Null;
    std::fs::write(&path, record.to_string()).expect("our own folder");
    let list = copied.check(&["--json"]).json();
    assert_eq!(marks(&list)[6], "notNow", "{list:#}");
}

#[test]
fn after_the_end_of_a_way_without_return_the_cut_over_is_the_proof() {
    let copied = Copied::new(60, "");
    let step = |step: &[&str]| copied.shop.step(&[step, &["--data-dir", "data"]].concat(), &[]);
    assert_eq!(step(&["cutover", "--within", "120s", "--one-way"]).code, Some(0));
    let one_way = copied.check(&["--json"]).json();
    assert_eq!(marks(&one_way), vec!["yes"; 8], "{one_way:#}");
    // What is sold since is in souk alone, which a proof of the end would be wrong about.
    let id = copied.shop.id("Product 30");
    let sale = r#"{"delta":-1,"reason":"sale"}"#;
    let sold = copied.souk.api().post(&format!("/products/{id}/stock-adjustments"), sale);
    assert_eq!(sold.status, 200, "{}", sold.text());
    assert_eq!(step(&["finish"]).code, Some(1));
    assert_eq!(step(&["finish", "--give-up"]).code, Some(0));
    let told = copied.check(&[]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.contains("0 differences at the cutover of "), "{told:?}");
}

#[test]
fn a_stream_that_drops_events_is_found_out() {
    let copied = Copied::new(20, "stream-drops-events");
    let checked = copied.check(&["--timeout", "3s", "--json"]);
    let list = checked.json();
    assert_eq!(checked.code, Some(1), "{list:#}");
    let live = &list["criteria"][2];
    assert_eq!(
        (&live["criterion"], &live["met"]),
        (&json!("notifications arrive live"), &json!("no")),
        "{list:#}"
    );
}
