//! Who publishes, and in which order: relays that sleep, transactions that take long.

use std::time::{Duration, Instant};

use crate::day::Day;
use crate::servers::Links;
use crate::service::Role;
use crate::support::{Client, eventually};

/// The zombie's sleep: longer than the lease after which another takes over, and than Kafka's transaction timeout.
const SLEEP: Duration = Duration::from_secs(20);

/// Waits until one api says that it publishes, and no other; returns its port.
pub fn leader(day: &Day) -> u16 {
    eventually("one relay publishes, and it alone", || {
        let ports = day.town.apis.lock().expect("nobody panics holding ports").clone();
        let mut leaders = Vec::new();
        for port in ports {
            let metrics = Client::new(port).try_call("GET", "/metrics", &[], None).ok()?.text();
            if metrics.contains("souk_relay_leading 1\n") {
                leaders.push(port);
            }
        }
        if let [leader] = leaders[..] { Some(leader) } else { None }
    })
}

#[test]
fn a_relay_that_wakes_after_another_took_over_publishes_nothing_twice() {
    let mut day = Day::begin(21, Links::Direct);
    day.town.start_ready(Role::Api);
    for _ in 0..2 {
        let sleeper = leader(&day);
        let began = Instant::now();
        day.town.service(sleeper).pause();
        day.goes_on("the other takes over");
        std::thread::sleep(SLEEP.saturating_sub(began.elapsed()));
        day.town.service(sleeper).resume();
        day.goes_on("the sleeper is awake");
        assert_ne!(leader(&day), sleeper, "it publishes again, though another took over");
    }
    day.end("two relays, each asleep for a while");
}

#[test]
fn events_go_on_beside_a_transaction_that_stays_open() {
    let day = Day::begin(22, Links::Direct);
    let (sql, watcher) = (day.town.sql(&day.turn), day.town.sql(&day.turn));
    let epoch = || {
        let found = watcher.run("SELECT epoch FROM souk.outbox_epoch");
        found[0][0].as_deref().expect("there is an epoch").parse::<i64>().expect("a number")
    };
    // What a transaction does before it takes an id and holds the horizon of all others.
    sql.run("CREATE TABLE public.other (n int); BEGIN; INSERT INTO public.other VALUES (1)");
    // Nothing looks at its age. What a minute of it brings is a leaf that is left for the next one while rows of a
    // transaction that is older may still come: here leaves are left after seconds, and two of them are waited for.
    let (before, began, mut rounds) = (epoch(), Instant::now(), 0);
    while rounds < 10 || epoch() < before + 2 {
        assert!(began.elapsed() < Duration::from_secs(120), "no leaf is left for the next");
        day.goes_on("beside an open transaction");
        rounds += 1;
    }
    sql.run("COMMIT");
    day.goes_on("after it");
    day.end("a long transaction on another table");
}

#[test]
fn transactions_that_commit_out_of_order_lose_and_reorder_nothing() {
    let mut day = Day::begin(23, Links::Direct);
    let body = r#"{"name":"late","price":1,"stock":9,"sellerId":"shelf"}"#;
    let created = day.town.api().post("/products", body);
    assert_eq!(created.status, 201, "{}", created.text());
    let id = created.json()["id"].as_str().expect("a product has an id").to_owned();
    let (holder, watcher) = (day.town.sql(&day.turn), day.town.sql(&day.turn));
    let port = day.town.port_of(Role::Api);
    for round in 0..4 {
        // The first late one goes alone: with it in a batch, the writers would wait with it for the end.
        day.rest();
        // Whoever wants the product now waits, with a transaction id that is older than those of all who do not.
        holder.run(&format!("BEGIN; SELECT FROM souk.products WHERE id = '{id}' FOR UPDATE"));
        std::thread::scope(|scope| {
            for late in 0..2 {
                let (path, body) =
                    (format!("/products/{id}"), format!(r#"{{"description":"round {round}, late {late}"}}"#));
                scope.spawn(move || {
                    let reply = Client::new(port).call(
                        "PATCH",
                        &path,
                        &[("Content-Type", "application/json")],
                        Some(&body),
                    );
                    assert_eq!(reply.status, 200, "{}", reply.text());
                });
                let waiting = late + 1;
                eventually("a committer waits for the product", || {
                    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname \
                               = current_database()";
                    let count = watcher.run(sql)[0][0].as_deref()?.parse::<u64>().ok()?;
                    (count >= waiting).then_some(())
                });
                // The other committer goes on, until the second late one takes it as well.
                if late == 0 {
                    day.work();
                    day.goes_on("beside a transaction that commits late");
                }
            }
            holder.run("COMMIT");
        });
        day.goes_on("after the late ones");
    }
    day.end("transactions out of order");
}
