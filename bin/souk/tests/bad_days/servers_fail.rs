//! Servers that die and come back, and servers that stand still for a while.

use std::time::{Duration, Instant};

use souk_servers::Kind;

use crate::day::Day;
use crate::service::Role;
use crate::support::eventually;

/// How long a server stays dead: longer than any retry that hides a moment's absence.
const DOWN_FOR: Duration = Duration::from_secs(3);
/// How long a server stands still: longer than the timeouts of those who wait for it.
const PAUSED_FOR: Duration = Duration::from_secs(20);

fn survives_the_end_of(kind: Kind, seed: u64, meanwhile: impl FnOnce(&mut Day)) {
    let mut day = Day::begin_alone(seed);
    day.turn.kill(kind);
    std::thread::sleep(DOWN_FOR);
    meanwhile(&mut day);
    day.turn.restart(kind);
    day.goes_on(&format!("{kind} is back"));
    day.end(&format!("{kind} died and came back"));
}

/// Waits until a service says of itself that it is degraded, which is still not dead.
fn is_degraded(day: &mut Day, role: Role) {
    let mut client = crate::support::Client::new(day.town.port_of(role));
    eventually("degraded, not dead", || {
        let health = client.try_call("GET", "/health", &[], None).ok()?;
        (health.status == 200 && health.json()["status"] == "degraded").then_some(())
    });
}

#[test]
fn postgres_dies_and_comes_back() {
    survives_the_end_of(Kind::Postgres, 11, |day| {
        let port = day.town.port_of(Role::Api);
        eventually("an api without its database is not ready", || {
            (!day.town.service(port).is_ready()).then_some(())
        });
    });
}

#[test]
fn kafka_dies_and_comes_back_while_writes_go_on() {
    survives_the_end_of(Kind::Kafka, 12, |day| {
        is_degraded(day, Role::Api);
        let body = r#"{"name":"without-kafka","price":1,"stock":9,"sellerId":"shelf"}"#;
        let reply = day.town.api().post("/products", body);
        assert_eq!(reply.status, 201, "{}", reply.text());
    });
}

#[test]
fn dynamodb_dies_and_comes_back() {
    survives_the_end_of(Kind::Dynamo, 13, |day| day.goes_on("the stream needs no DynamoDB"));
}

#[test]
fn s3_dies_and_comes_back() {
    survives_the_end_of(Kind::Minio, 14, |day| day.goes_on("the stream needs no S3"));
}

fn survives_the_sleep_of(kinds: [Kind; 2], seed: u64, meanwhile: impl FnOnce(&Day)) {
    let day = Day::begin_alone(seed);
    let began = Instant::now();
    for kind in kinds {
        day.turn.pause(kind);
    }
    meanwhile(&day);
    std::thread::sleep(PAUSED_FOR.saturating_sub(began.elapsed()));
    for kind in kinds {
        day.turn.resume(kind);
    }
    day.goes_on(&format!("{kinds:?} go on"));
    day.end(&format!("{kinds:?} stood still"));
}

#[test]
fn postgres_and_dynamodb_stand_still() {
    survives_the_sleep_of([Kind::Postgres, Kind::Dynamo], 15, |_| {});
}

#[test]
fn kafka_and_s3_stand_still() {
    survives_the_sleep_of([Kind::Kafka, Kind::Minio], 16, |day| {
        let outbox = eventually("the doctor says that events have waited for long", || {
            let (code, outbox) = day.town.doctor("outbox");
            assert_eq!(code, Some(1), "two servers stand still: {outbox}");
            (outbox["status"] == "warn").then_some(outbox)
        });
        let figure = |name: &str| outbox["figures"][name].as_i64();
        assert!(figure("waitingEvents") > Some(0) && figure("oldestAgeMs") > Some(10_000), "{outbox}");
        assert!(outbox["remedy"].as_str().is_some_and(|remedy| remedy.contains("Kafka")), "{outbox}");
    });
}
