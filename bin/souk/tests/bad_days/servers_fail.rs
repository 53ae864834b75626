//! Servers that die and come back, and servers that stand still for a while.

use std::time::{Duration, Instant};

use souk_servers::Kind;

use crate::day::Day;
use crate::service::Role;
use crate::support::eventually;

/// How long a server stays dead: longer than any retry that hides a moment's absence.
const DOWN_FOR: Duration = Duration::from_secs(3);
/// How long a service may take to notice, and to be as before when the server is back.
const SAID_WITHIN: Duration = Duration::from_secs(120);
/// How long a server stands still: longer than the timeouts of those who wait for it.
const PAUSED_FOR: Duration = Duration::from_secs(20);

fn survives_the_end_of(kind: Kind, seed: u64, meanwhile: impl FnOnce(&mut Day)) {
    let mut day = Day::begin_alone(seed);
    day.turn.kill(kind);
    std::thread::sleep(DOWN_FOR);
    if kind == Kind::Minio {
        // It hears of S3 when it has an object to store; this is now, and not at its age of minutes.
        let mut analytics = crate::support::Client::new(day.town.port_of(Role::Analytics));
        assert_eq!(analytics.post("/archive/flush", "").status, 503, "nothing is stored without S3");
    }
    for (role, is) in Role::ALL.into_iter().zip(without(kind)) {
        says(&mut day, role, is, &format!("without {kind}"));
    }
    meanwhile(&mut day);
    day.turn.restart(kind);
    day.goes_on(&format!("{kind} is back"));
    for role in Role::ALL {
        says(&mut day, role, OK, &format!("{kind} is back"));
    }
    day.end(&format!("{kind} died and came back"));
}

/// What a service says of itself: its status in `/health`, and the code of `/readyz`.
type Is = (&'static str, u16);

const OK: Is = ("ok", 200);
/// It goes on, and is no reason to send its requests elsewhere.
const DEGRADED: Is = ("degraded", 200);
const NOT_READY: Is = ("unavailable", 503);
/// It goes on with a part of its work, but its requests are better sent elsewhere.
const DEGRADED_AND_NOT_READY: Is = ("degraded", 503);

/// The table of docs/operating.md, line by line: api, notifications, analytics.
fn without(kind: Kind) -> [Is; 3] {
    match kind {
        Kind::Postgres => [NOT_READY, OK, OK],
        Kind::Kafka => [DEGRADED, DEGRADED, DEGRADED],
        Kind::Dynamo => [OK, OK, DEGRADED_AND_NOT_READY],
        Kind::Minio => [OK, OK, DEGRADED],
    }
}

/// Waits until a service says so of itself.
fn says(day: &mut Day, role: Role, is: Is, when: &str) {
    let mut client = crate::support::Client::new(day.town.port_of(role));
    let began = Instant::now();
    loop {
        let mut ask = |path: &str| client.try_call("GET", path, &[], None).ok();
        let said = ask("/health").zip(ask("/readyz"));
        if said
            .as_ref()
            .is_some_and(|(health, ready)| (&health.json()["status"], ready.status) == (&is.0.into(), is.1))
        {
            return;
        }
        assert!(
            began.elapsed() < SAID_WITHIN,
            "{when} {role:?} is not {is:?}: {:?}",
            said.map(|(it, _)| it.text())
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Asks analytics, which answers what needs no lost server; returns the code.
fn asked(day: &Day, path: &str) -> u16 {
    crate::support::Client::new(day.town.port_of(Role::Analytics)).get(path).status
}

#[test]
fn postgres_dies_and_comes_back() {
    survives_the_end_of(Kind::Postgres, 11, |_| {});
}

#[test]
fn kafka_dies_and_comes_back_while_writes_go_on() {
    survives_the_end_of(Kind::Kafka, 12, |day| {
        assert_eq!(asked(day, "/aggregates?window=hour&by=seller"), 200, "what was counted is told");
        let body = r#"{"name":"without-kafka","price":1,"stock":9,"sellerId":"shelf"}"#;
        let reply = day.town.api().post("/products", body);
        assert_eq!(reply.status, 201, "{}", reply.text());
    });
}

#[test]
fn dynamodb_dies_and_comes_back() {
    survives_the_end_of(Kind::Dynamo, 13, |day| {
        day.goes_on("the stream needs no DynamoDB");
        assert_eq!(asked(day, "/events"), 503, "no events without their store");
        assert_eq!(asked(day, "/aggregates?window=hour&by=seller"), 503, "nor figures");
    });
}

#[test]
fn s3_dies_and_comes_back() {
    survives_the_end_of(Kind::Minio, 14, |day| {
        day.goes_on("the stream needs no S3");
        assert_eq!(asked(day, "/events"), 200, "events need no archive");
    });
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
