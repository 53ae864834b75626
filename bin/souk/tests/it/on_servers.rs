//! What operators ask of an installation on real servers: `souk doctor` finds it well, `souk audit` finds what somebody
//! else has damaged in DynamoDB, and mends it. `monolith` has one at work and calls these.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Installation, Output, Ports, run_souk};

/// Expects every line of the doctor to be well, of settings, servers, relay, consumers and services.
pub fn doctor_finds_all_well(folder: &Path, servers: &Installation, ports: &Ports) {
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let stream = format!("{}/events/stream", url(ports.notifications));
    let (api, analytics) = (url(ports.api), url(ports.analytics));
    let mut env = servers.env();
    env.extend([("API_URL", &*api), ("SSE_URL", &*stream), ("ANALYTICS_URL", &*analytics)]);
    let examined = run_souk(folder, &["doctor", "--json"], &env);
    assert_eq!(examined.code, Some(0), "{}{}", examined.stdout, examined.stderr);
    let diagnosis = examined.json();
    let checks = diagnosis["checks"].as_array().expect("checks");
    let unwell: Vec<&Value> = checks.iter().filter(|check| check["status"] != "ok").collect();
    assert!(unwell.is_empty() && diagnosis["ok"] == true, "{unwell:#?}");
    let check = |name: &str| {
        checks
            .iter()
            .find(|check| check["name"] == name)
            .unwrap_or_else(|| panic!("no {name}: {diagnosis:#}"))
    };
    for name in [
        "settings",
        "postgres",
        "postgres.schema",
        "kafka",
        "kafka.transaction",
        "dynamodb",
        "archive",
        "archive.create-only",
        "consumer.recent",
        "consumer.aggregates",
        "consumer.archive",
    ] {
        check(name);
    }
    let relay = check("relay")["detail"].as_str().unwrap_or_default().to_owned();
    assert!(relay.contains("runs"), "{relay}");
    assert_eq!(check("outbox")["figures"]["waitingEvents"], 0, "{diagnosis:#}");
}

/// Damages a figure and a recent event, as a client that is none of ours.
fn damage(servers: &Installation) {
    let (recent, aggregates) =
        (servers.get("RECENT_EVENTS_TABLE_NAME"), servers.get("AGGREGATES_TABLE_NAME"));
    let items = |table: &str| {
        let found = servers.dynamo("Scan", &json!({"TableName": table}));
        found["Items"].as_array().unwrap_or_else(|| panic!("no items: {found}")).clone()
    };
    let counted = items(aggregates);
    let counted = counted.iter().find(|item| {
        item["ProductCreated"].is_object() && item["place"]["S"].as_str().is_some_and(|p| p.starts_with("20"))
    });
    let counted = counted.expect("a product that was made is counted in an hour or a day");
    let event = items(recent);
    let event = event.iter().find(|item| item["event"].is_object()).expect("there are recent events");
    let changed = servers.dynamo(
        "UpdateItem",
        &json!({
            "TableName": aggregates,
            "Key": {"series": counted["series"], "place": counted["place"]},
            "UpdateExpression": "SET ProductCreated = ProductCreated + :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }),
    );
    assert_eq!(changed, json!({}));
    let key = json!({"productId": event["productId"], "at": event["at"]});
    assert_eq!(servers.dynamo("DeleteItem", &json!({"TableName": recent, "Key": key})), json!({}));
}

/// Returns the checks that found something.
fn found(audited: &Output) -> Vec<String> {
    let report = audited.json();
    let differences = report["differences"].as_array().expect("a report lists its differences");
    differences.iter().map(|difference| difference["check"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Damages DynamoDB under an installation at rest; the audit finds it, and mends it.
pub fn audit_finds_and_mends_damage(folder: &Path, servers: &Installation) {
    let audit = |more: &[&str]| {
        let args: Vec<&str> = ["audit", "--json"].into_iter().chain(more.iter().copied()).collect();
        run_souk(folder, &args, &servers.env())
    };
    damage(servers);
    for since in [&[][..], &["--since", "48h"]] {
        let audited = audit(since);
        assert_eq!(audited.code, Some(1), "{}{}", audited.stdout, audited.stderr);
        assert_eq!(found(&audited), ["aggregates", "recent-events"], "{}", audited.stdout);
    }
    // What is before the time is not looked at, and that is said.
    let part = audit(&["--since", "0s"]);
    assert_eq!((part.code, found(&part).len()), (Some(0), 0), "{}{}", part.stdout, part.stderr);
    let (part, unchecked) = (part.json(), part.json()["since"]["unchecked"].clone());
    assert!(unchecked.as_str().is_some_and(|text| !text.is_empty()), "{part}");

    let repaired = audit(&["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}{}", repaired.stdout, repaired.stderr);
    let repair = &repaired.json()["repair"];
    assert_eq!(
        (&repair["differencesBefore"], &repair["itemsReplaced"], &repair["recentEventsPut"]),
        (&json!(2), &json!(1), &json!(1)),
        "{repair}"
    );
    let audited = audit(&[]);
    assert_eq!((audited.code, found(&audited).len()), (Some(0), 0), "{}{}", audited.stdout, audited.stderr);
}
