//! Bad days of the source: killed, and cut off for a minute.

use std::time::Duration;

use souk_fault_proxy::{Postgres, Proxy};
use souk_servers::{Kind, Options, Scratch, Server};

use super::Shop;
use crate::support::{Start, eventually, run_souk};

/// How long nothing comes through.
const CUT_OFF: Duration = Duration::from_secs(60);

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
