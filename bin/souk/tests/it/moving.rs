//! `souk move` between a folder and the real servers: there and back again, killed in every stage, and where it refuses.

mod shop;

use serde_json::json;
use souk_ports::fault::MOVE_CRASH_POINTS;

use crate::support::{Installation, run_souk};
use shop::Shop;

#[test]
fn a_shop_moves_to_the_servers_and_back_and_works_at_each_stop() {
    let shop = Shop::new();
    let up = shop.up("data");
    shop.trade(&mut up.api());
    let sold = shop.sell(&mut up.api(), "order-1");
    let there = shop.contents(&mut up.api(), &mut up.analytics());
    assert!(up.terminate().success());

    let rehearsed = shop.step("data", "distributed", &["--dry-run"], &[]);
    assert_eq!(rehearsed.code, Some(0), "{rehearsed:?}");
    assert!(rehearsed.stdout.contains("would begin") && rehearsed.stdout.contains("Nothing was changed"));
    let moved = shop.step("data", "distributed", &["--json"], &[]);
    assert_eq!(moved.code, Some(0), "{moved:?}");
    let report = moved.json();
    assert_eq!((&report["ok"], &report["audit"]["ok"]), (&json!(true), &json!(true)), "{report}");
    assert_eq!((&report["events"], &report["answers"]), (&json!(there.events.len()), &json!(1)), "{report}");
    let again = shop.step("data", "distributed", &["--json"], &[]).json();
    assert_eq!((&again["ok"], &again["already"]), (&json!(true), &json!(true)), "{again}");

    let (mut api, mut analytics) = shop.services();
    shop.is(&there, &mut api.client(), &mut analytics.client());
    let replayed = shop.sell(&mut api.client(), "order-1");
    assert_eq!(replayed, sold, "an order that is repeated after the move is not taken twice");
    let more = shop.sell(&mut api.client(), "order-2");
    assert_ne!(more, sold);
    shop.change(&mut api.client());
    shop.settle(&mut api, &mut analytics);
    let servers = shop.contents(&mut api.client(), &mut analytics.client());
    assert_eq!(servers.events.len(), there.events.len() + 2, "a sale, and a product that is new");
    let refused = shop.step("back", "embedded", &[], &[]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("the relay of an api is at work"), "{refused:?}");
    assert!(api.terminate().success() && analytics.terminate().success());

    let back = shop.step("back", "embedded", &["--json"], &[]);
    assert_eq!(back.code, Some(0), "{back:?}");
    assert_eq!(back.json()["answers"], 2, "{back:?}");
    // Each run takes the relay's place, which leaves marks in every partition.
    let rehearsed = shop.step("back", "embedded", &["--dry-run"], &[]);
    assert_eq!(rehearsed.code, Some(0), "{rehearsed:?}");
    let again = shop.step("back", "embedded", &["--json"], &[]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!((&again.json()["ok"], &again.json()["already"]), (&json!(true), &json!(true)), "{again:?}");
    let counted = shop.step("back", "embedded", &[], &[("SOUK_PLANTED_BUG", "move-counts-marks")]);
    assert_eq!(counted.code, Some(2), "{counted:?}");
    assert!(counted.stderr.contains("two shops now"), "{counted:?}");
    let up = shop.up("back");
    shop.is(&servers, &mut up.api(), &mut up.analytics());
    assert_eq!(shop.sell(&mut up.api(), "order-2"), more);
    shop.trade(&mut up.api());
    assert!(up.terminate().success());
    for (what, audited) in [("the servers", shop.audit_servers()), ("the folder", shop.audit("back"))] {
        assert_eq!(audited.code, Some(0), "{what}: {audited:?}");
    }
}

#[test]
fn killed_in_every_stage_a_move_goes_on_where_it_was() {
    let shop = Shop::new();
    let up = shop.up("data");
    shop.trade(&mut up.api());
    shop.trade(&mut up.api());
    shop.sell(&mut up.api(), "order-1");
    let there = shop.contents(&mut up.api(), &mut up.analytics());
    assert!(up.terminate().success());

    for (folder, to) in [("data", "distributed"), ("back", "embedded")] {
        for point in MOVE_CRASH_POINTS {
            let killed = shop.step(folder, to, &[], &[("SOUK_CRASH_AT", point)]);
            assert!(killed.stderr.contains(&format!("crash point {point}")), "{to}, {point}: {killed:?}");
        }
        if to == "distributed" {
            let early = run_souk(shop.path(), &["api"], &shop.api_env());
            assert_eq!(early.code, Some(3), "{early:?}");
            assert!(early.stderr.contains("run `souk move --to distributed` again"), "{early:?}");
        } else {
            let early = run_souk(shop.path(), &["up", "--data-dir", folder], &shop.ports());
            assert_eq!(early.code, Some(3), "{early:?}");
            assert!(early.stderr.contains("run `souk move --to embedded` again"), "{early:?}");
        }
        let done = shop.step(folder, to, &["--json"], &[]);
        assert_eq!(done.code, Some(0), "{to}: {done:?}");
        let report = done.json();
        assert_eq!((&report["resumed"], &report["events"]), (&json!(true), &json!(there.events.len())));
    }
    let up = shop.up("back");
    shop.is(&there, &mut up.api(), &mut up.analytics());
    assert!(up.terminate().success());
}

#[test]
fn a_planted_bug_is_found_by_the_audit_and_the_move_is_not_done() {
    let shop = Shop::new();
    let up = shop.up("data");
    shop.trade(&mut up.api());
    shop.trade(&mut up.api());
    assert!(up.terminate().success());
    let late = [("SOUK_PLANTED_BUG", "move-remembers-late"), ("SOUK_CRASH_AT", "move.events:2")];
    let killed = shop.step("data", "distributed", &[], &late);
    assert!(killed.stderr.contains("crash point move.events"), "{killed:?}");
    let found = shop.step("data", "distributed", &["--json"], &[]);
    assert_eq!(found.code, Some(1), "events that moved twice are a difference: {found:?}");
    let report = found.json();
    let named = report["audit"]["differences"].as_array().expect("a list").iter();
    assert!(named.clone().any(|difference| difference["check"] == "event-ids"), "{report}");
    let early = run_souk(shop.path(), &["api"], &shop.api_env());
    assert_eq!(early.code, Some(3), "no souk starts on what is not right: {early:?}");

    let other = Shop::over(shop);
    let forgets =
        other.step("data", "distributed", &["--json"], &[("SOUK_PLANTED_BUG", "move-forgets-tombstones")]);
    assert_eq!(forgets.code, Some(1), "{forgets:?}");
    let report = forgets.json();
    let named = report["audit"]["differences"].as_array().expect("a list").iter();
    assert!(named.clone().any(|difference| difference["check"] == "catalog"), "{report}");
}

#[test]
fn it_refuses_where_souk_is_at_work_or_another_shop_is() {
    let shop = Shop::new();
    let up = shop.up("data");
    shop.trade(&mut up.api());
    let at_work = shop.step("data", "distributed", &[], &[]);
    assert_eq!(at_work.code, Some(3), "{at_work:?}");
    assert!(at_work.stderr.contains(&format!("process {}", up.pid())), "{at_work:?}");
    assert!(up.terminate().success());

    let (mut api, mut analytics) = shop.services();
    let relay = shop.step("data", "distributed", &[], &[]);
    assert_eq!(relay.code, Some(3), "{relay:?}");
    assert!(relay.stderr.contains("souk-relay") && relay.stderr.contains("stop `souk api`"), "{relay:?}");
    shop.trade(&mut api.client());
    shop.settle(&mut api, &mut analytics);
    assert!(api.terminate().success());
    let members = shop.step("back", "embedded", &[], &[]);
    assert_eq!(members.code, Some(3), "{members:?}");
    assert!(members.stderr.contains("stop `souk analytics`"), "{members:?}");
    assert!(analytics.terminate().success());

    let occupied = shop.step("data", "distributed", &[], &[]);
    assert_eq!(occupied.code, Some(2), "{occupied:?}");
    assert!(occupied.stderr.contains("holds products already"), "{occupied:?}");
    // Another database, the same topic.
    let elsewhere = Installation::new();
    let database = [("DATABASE_URL", elsewhere.get("DATABASE_URL"))];
    let topic = shop.step("data", "distributed", &[], &database);
    assert_eq!(topic.code, Some(2), "{topic:?}");
    assert!(topic.stderr.contains("holds the events of a shop already"), "{topic:?}");
    let nowhere = run_souk(shop.path(), &["move", "--to", "distributed"], &[]);
    assert_eq!(nowhere.code, Some(2), "{nowhere:?}");
    assert!(
        nowhere.stderr.contains("DATABASE_URL") && nowhere.stderr.contains("KAFKA_BROKERS"),
        "{nowhere:?}"
    );
    for (what, audited) in [("the servers", shop.audit_servers()), ("the folder", shop.audit("data"))] {
        assert_eq!(audited.code, Some(0), "{what} were left as they were: {audited:?}");
    }
}
