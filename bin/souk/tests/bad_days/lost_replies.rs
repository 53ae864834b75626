//! What happens between us and the servers: replies that get lost, requests that are throttled, connections that
//! break in the wrong moment.

use std::time::Duration;

use souk_fault_proxy::{ApiKey, Armed, Call, HttpFault, KafkaFault, PostgresFault, Side, Times, What};

use crate::day::Day;
use crate::servers::Links;
use crate::support::{Client, eventually};

fn fired(armed: &Armed, what: &str, least: u64) {
    eventually(what, || (armed.fired() >= least).then_some(()));
}

#[test]
fn replies_of_kafka_get_lost() {
    let day = Day::begin(41, Links::ThroughProxies);
    let kafka = &day.turn.kafka;
    for fault in [
        KafkaFault::LoseReply(ApiKey::END_TXN),
        KafkaFault::LoseRequest(ApiKey::END_TXN),
        KafkaFault::LoseReply(ApiKey::PRODUCE),
        KafkaFault::LoseReply(ApiKey::ADD_PARTITIONS_TO_TXN),
        KafkaFault::LoseReply(ApiKey::OFFSET_COMMIT),
        KafkaFault::LoseReply(ApiKey::FETCH),
        KafkaFault::LoseReply(ApiKey::END_TXN),
    ] {
        // Whoever begins anew after the fault may lose the reply to its beginning as well.
        let beginning = kafka.arm(KafkaFault::LoseReply(ApiKey::INIT_PRODUCER_ID), Times::Next(1));
        let armed = kafka.arm(fault, Times::Next(1));
        fired(&armed, &format!("{fault:?}"), 1);
        day.goes_on(&format!("after {fault:?}"));
        beginning.disarm();
    }
    day.end("replies of Kafka lost");
}

#[test]
fn replies_of_postgres_get_lost() {
    let day = Day::begin(42, Links::ThroughProxies);
    let postgres = &day.turn.postgres;
    for fault in [PostgresFault::LoseCommitReply, PostgresFault::LoseCommit].into_iter().cycle().take(6) {
        let armed = postgres.arm(fault, Times::Next(1));
        fired(&armed, &format!("{fault:?}"), 1);
        day.goes_on(&format!("after {fault:?}"));
    }
    day.end("replies of Postgres lost");
}

#[test]
fn dynamodb_throttles_and_leaves_items_unprocessed() {
    let day = Day::begin(43, Links::ThroughProxies);
    let (update, batch) = (Call::Operation("UpdateItem"), Call::Operation("BatchWriteItem"));
    let faults = [
        (HttpFault::new(update, What::THROTTLED), 5),
        (HttpFault::new(batch, What::THROTTLING), 5),
        (HttpFault::new(batch, What::Unprocessed { taken: 1 }), 3),
        (HttpFault::new(batch, What::Unprocessed { taken: 0 }), 6),
        (HttpFault::new(update, What::LoseReply), 6),
        (HttpFault::new(batch, What::LoseReply), 6),
        (HttpFault::new(Call::Any, What::DYNAMO_INTERNAL), 9),
    ];
    let armed: Vec<Armed> = faults
        .into_iter()
        .zip(0..)
        .map(|((fault, sides), seed)| day.turn.dynamo.arm(fault, Times::OneIn(sides, seed)))
        .collect();
    for (armed, (fault, _)) in armed.iter().zip(&faults) {
        fired(armed, &format!("{fault:?}"), 3);
    }
    day.goes_on("under throttling");
    day.turn.dynamo.mend();
    day.end("DynamoDB throttled");
}

#[test]
fn replies_of_s3_get_lost() {
    let day = Day::begin(44, Links::ThroughProxies);
    let put = Call::Method("PUT", ".parquet");
    // Longer than a service in a hurry waits.
    let hold = What::HoldReply(Duration::from_secs(7));
    for what in
        [What::LoseReply, What::SLOW_DOWN, What::LoseRequest, What::S3_INTERNAL, hold, What::LoseReply]
    {
        let armed = day.turn.s3.arm(HttpFault::new(put, what), Times::Next(2));
        let port = day.town.port_of(crate::service::Role::Analytics);
        eventually(&format!("{what:?}"), || {
            let _ = Client::new(port).try_call("POST", "/archive/flush", &[], None);
            (armed.fired() >= 2).then_some(())
        });
        day.goes_on(&format!("after {what:?}"));
    }
    day.end("replies of S3 lost");
}

#[test]
fn connections_are_cut_refused_slow_and_half_open() {
    /// Long enough to run into timeouts of a few seconds.
    const DEAF_FOR: Duration = Duration::from_secs(5);
    let day = Day::begin(45, Links::ThroughProxies);
    let turn = &day.turn;
    let switches =
        [turn.postgres.switches(), turn.kafka.switches(), turn.dynamo.switches(), turn.s3.switches()];
    for switches in switches {
        for bytes in [1, 700, 9_000] {
            switches.cut_after(bytes);
            day.goes_on("after a cut");
        }
    }
    let cut_all = || {
        turn.postgres.cut();
        turn.kafka.cut();
        turn.dynamo.cut();
        turn.s3.cut();
    };
    switches.iter().for_each(|switches| switches.delay(Duration::from_millis(30)));
    day.goes_on("on slow links");
    switches.iter().for_each(|switches| switches.clear());
    cut_all();
    day.goes_on("after all links were cut");
    switches.iter().for_each(|switches| switches.refuse(true));
    cut_all();
    std::thread::sleep(DEAF_FOR);
    switches.iter().for_each(|switches| switches.refuse(false));
    day.goes_on("after nothing was there");
    for side in [Side::Client, Side::Upstream] {
        switches.iter().for_each(|switches| switches.swallow(side, true));
        std::thread::sleep(DEAF_FOR);
        switches.iter().for_each(|switches| switches.swallow(side, false));
        // As a peer that is back does with connections that it has forgotten.
        cut_all();
        day.goes_on("after half-open links");
    }
    day.end("links in every state");
}
