//! Who publishes, and in which order: relays that sleep, transactions that take long.

use std::time::{Duration, Instant};

use crate::day::Day;
use crate::servers::Links;
use crate::service::Role;
use crate::support::{Client, eventually};

/// The zombie's sleep: longer than the lease after which another takes over, and than Kafka's transaction timeout.
const SLEEP: Duration = Duration::from_secs(20);

#[test]
fn a_relay_that_wakes_after_another_took_over_publishes_nothing_twice() {
    let mut day = Day::begin(21, Links::Direct);
    let first = day.town.port_of(Role::Api);
    let second = day.town.start_ready(Role::Api);
    // One of the two leads: each sleeps once, so that the leader does.
    for sleeper in [first, second] {
        let began = Instant::now();
        day.town.service(sleeper).pause();
        day.goes_on("the other takes over");
        std::thread::sleep(SLEEP.saturating_sub(began.elapsed()));
        day.town.service(sleeper).resume();
        day.goes_on("the sleeper is awake");
    }
    day.end("two relays, each asleep for a while");
}

#[test]
fn events_go_on_beside_a_transaction_that_stays_open() {
    let day = Day::begin(22, Links::Direct);
    let sql = day.town.sql(&day.turn);
    // What a transaction does before it takes an id and holds the horizon of all others. A minute of it or some
    // thousand batches come to the same: nothing here looks at its age, only at whether it is open.
    sql.run("CREATE TABLE public.other (n int); BEGIN; INSERT INTO public.other VALUES (1)");
    for _ in 0..10 {
        day.goes_on("beside an open transaction");
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
