//! Postgres comes back as another one: an older copy of its files is put back, or a standby is promoted. No write is taken
//! before somebody says that this is meant.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use souk_servers::Kind;

use crate::day::Day;
use crate::installation::Installation;
use crate::servers::{Harm, Links, Turn, turn};
use crate::service::Role;
use crate::support::{Client, eventually, free_port};

const BODY: &str = r#"{"name":"Late","price":1,"stock":9,"sellerId":"shelf"}"#;

/// Returns the last place that was given out in the outbox: every write takes at least one.
fn last_place(town: &Installation, turn: &Turn) -> Option<String> {
    town.sql(turn).run("SELECT last_value FROM souk.outbox_seq")[0][0].clone()
}

/// Starts the api of this port, which has to end with the word that somebody has to say, and knocks with writes all the
/// while; returns the word.
fn refuses(town: &mut Installation, turn: &Turn, port: u16, why: &str) -> String {
    let before = last_place(town, turn);
    town.restart(Role::Api, port, &[]);
    let mut client = Client::new(port);
    let service = town.service(port);
    let status = loop {
        if let Some(status) = service.ended() {
            break status;
        }
        let json = [("Content-Type", "application/json")];
        // Before it listens and when it ends there is no answer.
        if let Ok(reply) = client.try_call("POST", "/products", &json, Some(BODY)) {
            assert_eq!(reply.status, 503, "{}", reply.text());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let words = service.last_words();
    assert_eq!(status.code(), Some(3), "{words}");
    assert!(words.contains(why), "{words}");
    let (_, rest) = words.rsplit_once("RELAY_ACCEPT=").expect("the remedy is named");
    let word = rest[..8].to_owned();
    assert_eq!(last_place(town, turn), before, "a write was taken before anybody said that it is meant");
    word
}

/// Starts the api with the word.
fn accept(town: &mut Installation, port: u16, word: &str) {
    town.restart(Role::Api, port, &[("RELAY_ACCEPT", word)]);
    town.service(port).wait_ready();
}

/// Waits until everything that was written has been published, and is counted.
fn settles(town: &Installation) {
    let mut analytics = Client::new(town.port_of(Role::Analytics));
    eventually("everything is published and counted", || {
        let health = town.api().get("/health").json();
        let published = health["checks"]["relay"]["waitingEvents"] == 0;
        let flushed = analytics.post("/archive/flush", "").status == 200;
        let progress = analytics.get("/progress").json();
        let counted = progress["consumers"].as_array()?.iter().all(|consumer| consumer["lagEvents"] == 0);
        (published && flushed && counted).then_some(())
    });
}

fn create(town: &Installation) -> String {
    let reply = town.api().post("/products", BODY);
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()["id"].as_str().expect("a product has an id").to_owned()
}

fn copy(from: &Path, to: &Path) {
    // With owners and rights, which Postgres looks at.
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("there is a cp");
    assert!(copied.success(), "{} was not copied", from.display());
}

#[test]
fn an_older_copy_of_the_database_takes_no_write_before_it_is_accepted() {
    let turn = turn(Links::Direct, Harm::Servers);
    let mut town = Installation::new(&turn, Links::Direct);
    let port = town.start_ready(Role::Api);
    town.start_ready(Role::Analytics);
    let kept = create(&town);
    settles(&town);
    town.terminate(port);
    turn.while_stopped(Kind::Postgres, |folder| copy(&folder.join("data"), &folder.join("older")));

    let port = town.start_ready(Role::Api);
    let json = [("Content-Type", "application/json")];
    let path = format!("/products/{kept}");
    let patched = town.api().call("PATCH", &path, &json, Some(r#"{"price":2}"#));
    assert_eq!(patched.status, 200, "{}", patched.text());
    let lost = create(&town);
    settles(&town);
    assert_eq!(town.audit(), Vec::<String>::new());
    town.kill(port);
    turn.while_stopped(Kind::Postgres, |folder| {
        std::fs::remove_dir_all(folder.join("data")).expect("the data can be removed");
        std::fs::rename(folder.join("older"), folder.join("data")).expect("the copy takes its place");
    });

    let word = refuses(&mut town, &turn, port, "put back");
    assert_eq!(refuses(&mut town, &turn, port, "put back"), word, "the doubt does not go by itself");
    accept(&mut town, port, &word);
    let after = create(&town);
    settles(&town);
    // What was acknowledged after the copy is in the topic alone, and is named.
    let (code, report) = town.audit_report();
    let keys: Vec<&str> = report["differences"]
        .as_array()
        .unwrap_or_else(|| panic!("a report lists its differences: {report}"))
        .iter()
        .filter(|difference| difference["check"] == "catalog")
        .filter_map(|difference| difference["key"].as_str())
        .collect();
    let names = |id: &String| keys.iter().any(|key| key.contains(&**id));
    assert_eq!((code, keys.len()), (Some(1), 2), "{report}");
    assert!(names(&kept) && names(&lost) && !names(&after), "{report}");
    // Without the word, which fitted once, it goes on.
    town.terminate(port);
    town.start_ready(Role::Api);
}

#[test]
fn a_promoted_standby_takes_no_write_before_it_is_accepted() {
    let mut day = Day::begin_alone(17);
    let port = day.town.port_of(Role::Api);
    day.town.kill(port);
    day.turn.while_stopped(Kind::Postgres, |folder| {
        let signal = folder.join("data/standby.signal");
        std::fs::write(signal, "").expect("the data folder takes a file");
    });
    let sql = day.town.sql(&day.turn);
    assert_eq!(sql.run("SELECT pg_promote()")[0][0].as_deref(), Some("t"), "it is promoted");
    drop(sql);

    // Without Kafka nothing can be known, and the database itself says that it is another.
    let nobody = format!("127.0.0.1:{}", free_port());
    day.town.restart(Role::Api, port, &[("KAFKA_BROKERS", &nobody)]);
    let detail = eventually("it says what it waits for", || {
        let ready = Client::new(port).try_call("GET", "/readyz", &[], None).ok()?;
        assert_eq!(ready.status, 503, "{}", ready.text());
        let text = ready.text();
        text.contains("this database seems restored").then_some(text)
    });
    let refused = day.town.api().post("/products", BODY);
    assert_eq!((refused.status, &refused.json()["code"]), (503, &Value::from("overloaded")), "{detail}");
    day.town.kill(port);

    let word = refuses(&mut day.town, &day.turn, port, "a standby was promoted");
    accept(&mut day.town, port, &word);
    day.goes_on("on the promoted standby");
    day.end("a standby was promoted");
}
