//! `kill -9`: at every durable step, and at any moment.

use std::time::Duration;

use souk_ports::fault::CRASH_POINTS;

use crate::book::operation::Dice;
use crate::day::Day;
use crate::servers::Links;
use crate::service::Role;
use crate::support::Client;

/// Each crash point is visited so often.
const VISITS: u64 = 2;
/// Ends in all, at crash points and at random; kills that only make room for the next process are not among them.
const ENDS: u64 = 50;
/// The longest that a service lives between two random kills.
const LONGEST_LIFE_US: u64 = 700_000;

/// Returns who comes by a crash point.
pub fn role_of(point: &str) -> Role {
    match point.split('.').next() {
        Some("catalog" | "relay") => Role::Api,
        Some("stream") => Role::Notifications,
        Some("recent" | "aggregates" | "archive" | "consumer") => Role::Analytics,
        other => panic!("who comes by {point}? nobody knows {other:?}"),
    }
}

/// Kills a service, has the next one end at its `visit` of `point`, and starts one that lives.
pub fn crash(day: &mut Day, point: &str, visit: u64) {
    let role = role_of(point);
    let port = day.town.port_of(role);
    let at = format!("{point}:{visit}");
    day.town.kill(port);
    day.town.restart(role, port, &[("SOUK_CRASH_AT", &at)]);
    lead_to(day, point, port);
    day.wait_for_crash(port, &at);
    day.town.restart(role, port, &[]);
    day.town.service(port).wait_ready();
}

/// Does what brings a service to a point where the load alone does not.
fn lead_to(day: &mut Day, point: &str, port: u16) {
    if point.starts_with("archive.") {
        while day.town.service(port).ended().is_none() {
            // Before it is ready there is no answer, and when it ends there is none either.
            let _ = Client::new(port).try_call("POST", "/archive/flush", &[], None);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    if point == "consumer.revoking" {
        while day.town.service(port).ended().is_none() {
            let other = day.town.start_ready(Role::Analytics);
            day.town.service(port).wait_within(Duration::from_secs(5));
            day.town.terminate(other);
        }
    }
}

/// Every crash point is somebody's; each role's have an installation of their own, so that they need not wait for the
/// others.
fn survives_every_crash_point_of(role: Role, seed: u64) {
    let mut day = Day::begin(seed, Links::Direct);
    let mut points = 0;
    for point in CRASH_POINTS.iter().filter(|point| role_of(point) == role) {
        for visit in 1..=VISITS {
            crash(&mut day, point, visit);
        }
        points += 1;
        eprintln!("{point}: survived twice, {} events", day.events());
    }
    assert!(points > 0, "{role:?} has crash points");
    day.end(&format!("every crash point of {role:?}, twice"));
}

#[test]
fn nothing_is_lost_or_doubled_at_any_crash_point_of_the_api() {
    survives_every_crash_point_of(Role::Api, 1);
}

#[test]
fn nothing_is_lost_or_doubled_at_any_crash_point_of_notifications() {
    survives_every_crash_point_of(Role::Notifications, 3);
}

#[test]
fn nothing_is_lost_or_doubled_at_any_crash_point_of_analytics() {
    survives_every_crash_point_of(Role::Analytics, 4);
}

#[test]
fn nothing_is_lost_or_doubled_by_kills_at_any_moment() {
    let kills = match std::env::var("SOUK_BAD_DAYS_KILLS") {
        Ok(kills) => kills.parse().expect("SOUK_BAD_DAYS_KILLS is a number"),
        Err(_) => ENDS.saturating_sub(VISITS * CRASH_POINTS.len() as u64),
    };
    let mut day = Day::begin(2, Links::Direct);
    let mut dice = Dice::new(2);
    for kill in 1..=kills {
        std::thread::sleep(Duration::from_micros(dice.roll(LONGEST_LIFE_US)));
        let role = *dice.pick(&Role::ALL).expect("there are three");
        let port = day.town.port_of(role);
        day.town.kill(port);
        day.town.restart(role, port, &[]);
        // Now and then the next kill comes while this one starts.
        if dice.roll(3) > 0 {
            day.town.service(port).wait_ready();
        }
        if kill % 20 == 0 {
            let findings = day.findings();
            assert!(findings.is_empty(), "after {kill} kills: {findings:#?}\n{}", day.town.last_words());
            day.work();
        }
    }
    day.goes_on("after the last kill");
    day.rest();
    assert!(day.unheard() > 0, "kills fell between request and answer");
    assert!(day.reader.heard().returns > 0, "kills fell while the reader read");
    day.end("random kills");
}
