//! The log itself is damaged: a record that is no event, a topic made anew, offsets that retention has passed.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::day::Day;
use crate::installation::Installation;
use crate::servers::Links;
use crate::service::Role;
use crate::support::{Client, eventually};

const CALL: Duration = Duration::from_secs(30);

fn config(town: &Installation) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", town.setting("KAFKA_BROKERS"));
    config
}

fn admin<T>(
    town: &Installation,
    act: impl AsyncFnOnce(&AdminClient<DefaultClientContext>, &AdminOptions) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let admin = config(town).create().expect("an admin client");
    let options = AdminOptions::new().operation_timeout(Some(CALL));
    runtime.block_on(act(&admin, &options))
}

/// A dead letter: its payload, and the values of its headers.
type Letter = (Vec<u8>, Vec<String>);

/// Returns all dead letters.
fn dead_letters(town: &Installation) -> Vec<Letter> {
    let topic = format!("{}.dlq", town.name);
    let consumer: BaseConsumer = config(town)
        .set("group.id", "looks-at-dead-letters")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(&topic), CALL).expect("the broker answers");
    let partitions = metadata.topics()[0].partitions().len();
    let mut from = TopicPartitionList::new();
    for partition in 0..partitions {
        let partition = i32::try_from(partition).expect("few partitions");
        from.add_partition_offset(&topic, partition, Offset::Beginning).expect("a place");
    }
    consumer.assign(&from).expect("partitions that are there");
    let (mut letters, mut ends) = (Vec::new(), 0);
    while ends < partitions {
        match consumer.poll(CALL) {
            Some(Ok(message)) => {
                let headers = message.headers().map(|headers| {
                    let text = |value: Option<&[u8]>| {
                        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
                    };
                    headers.iter().map(|header| text(header.value)).collect()
                });
                letters.push((message.payload().unwrap_or_default().to_vec(), headers.unwrap_or_default()));
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ends += 1,
            other => panic!("the dead letters cannot be read: {other:?}"),
        }
    }
    letters
}

#[test]
fn a_poison_record_goes_to_the_dead_letters_and_events_go_on() {
    /// No JSON, JSON that is no event, and an event with a hole.
    const POISON: [&str; 3] = ["\u{0}not json", r#"{"hello":"world"}"#, r#"{"specversion":"1.0","id":"x"}"#];
    let day = Day::begin(51, Links::Direct);
    let producer: BaseProducer = config(&day.town).create().expect("a producer");
    for poison in POISON {
        producer
            .send(BaseRecord::to(&day.town.name).key("poison").payload(poison))
            .unwrap_or_else(|(error, _)| panic!("Kafka takes anything: {error}"));
    }
    producer.flush(CALL).expect("Kafka takes anything");
    day.goes_on("behind poison");
    eventually("all poison is with the dead letters", || {
        let letters = dead_letters(&day.town);
        POISON
            .iter()
            .all(|poison| {
                letters.iter().any(|(payload, headers)| {
                    payload == poison.as_bytes() && headers.iter().any(|value| !value.is_empty())
                })
            })
            .then_some(())
    });
    day.end("poison in the log");
}

#[test]
fn offsets_past_retention_stop_analytics_with_a_named_error() {
    let mut day = Day::begin(52, Links::Direct);
    let port = day.town.port_of(Role::Analytics);
    // What it has is durable; what comes now it will never see.
    day.town.terminate(port);
    for _ in 0..5 {
        day.goes_on("without analytics");
    }
    // What the stream's reader has not heard yet would be gone for it, too.
    day.is_heard();
    forget_events(&day.town);
    day.work();
    let port = day.town.start(Role::Analytics, &[]);
    says_or_ends(&mut day, port, "neither in the log nor in the archive");
    // What it says to do: on without them. Nobody else has missed anything, and the audit names what is missing.
    day.town.terminate(port);
    go_to_earliest(&day.town);
    day.town.start_ready(Role::Analytics);
    day.goes_on("without what nobody has any more");
    let findings = day.findings();
    assert!(!findings.is_empty(), "events are missing from figures and archive, and the audit finds nothing");
    assert!(findings.iter().all(|finding| finding.starts_with("audit: ")), "{findings:#?}");
}

/// Sets the groups of figures and archive to the log's beginning, as `kafka-consumer-groups --to-earliest` does.
fn go_to_earliest(town: &Installation) {
    for group in ["aggregates", "archive"] {
        let consumer: BaseConsumer =
            config(town).set("group.id", format!("{}-{group}", town.name)).create().expect("a consumer");
        eventually("the group takes a position", || {
            let mut earliest = TopicPartitionList::new();
            for partition in 0..4 {
                let (first, _) = consumer.fetch_watermarks(&town.name, partition, CALL).ok()?;
                earliest.add_partition_offset(&town.name, partition, Offset::Offset(first)).ok()?;
            }
            // Its last member may not have left for Kafka yet.
            consumer.commit(&earliest, CommitMode::Sync).ok()
        });
    }
}

#[test]
fn groups_that_kafka_forgot_go_on_from_archive_and_log_and_count_nothing_twice() {
    let mut day = Day::begin(54, Links::Direct);
    for log_is_whole in [true, false] {
        day.settles();
        let port = day.town.port_of(Role::Analytics);
        day.town.terminate(port);
        if !log_is_whole {
            forget_events(&day.town);
        }
        forget_groups(&day.town);
        day.work();
        day.goes_on("without analytics");
        day.town.start_ready(Role::Analytics);
        day.goes_on("with groups that know nothing");
    }
    day.end("groups forgotten");
}

/// Has Kafka remove every event that it holds.
fn forget_events(town: &Installation) {
    let mut ends = TopicPartitionList::new();
    for partition in 0..4 {
        ends.add_partition_offset(&town.name, partition, Offset::End).expect("a place");
    }
    admin(town, async |admin, options| {
        admin.delete_records(&ends, options).await.expect("the broker deletes records");
    });
}

/// Has Kafka forget where analytics is, as it does by itself after a week without members.
fn forget_groups(town: &Installation) {
    let groups = ["recent", "aggregates", "archive"].map(|group| format!("{}-{group}", town.name));
    let groups = groups.each_ref().map(String::as_str);
    eventually("the groups have no members and are forgotten", || {
        admin(town, async |admin, options| {
            let forgotten = admin.delete_groups(&groups, options).await.expect("the broker answers");
            let gone = |outcome: &Result<String, (String, RDKafkaErrorCode)>| {
                matches!(outcome, Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound)))
            };
            forgotten.iter().all(gone).then_some(())
        })
    });
}

#[test]
fn a_topic_made_anew_stops_the_services_with_a_named_error() {
    let mut day = Day::begin(53, Links::Direct);
    let ports = Role::ALL.map(|role| day.town.port_of(role));
    let topic = day.town.name.clone();
    admin(&day.town, async |admin, options| {
        admin.delete_topics(&[&topic], options).await.expect("the broker deletes topics");
    });
    eventually("the topic is made anew", || {
        admin(&day.town, async |admin, options| {
            let new = NewTopic::new(&topic, 4, TopicReplication::Fixed(1));
            let made = admin.create_topics(&[new], options).await.expect("the broker answers");
            made.iter().all(Result::is_ok).then_some(())
        })
    });
    for port in ports {
        says_or_ends(&mut day, port, "anew");
    }
    let (code, report) = day.town.audit_report();
    let differences = report["differences"].as_array().expect("a report lists its differences");
    assert!(code == Some(1) && !differences.is_empty(), "the log is empty, and the audit says: {report}");
}

/// Waits until a service names what is wrong with the log, in its health or in its log, and is not well.
fn says_or_ends(day: &mut Day, port: u16, word: &str) {
    let began = std::time::Instant::now();
    loop {
        let health = Client::new(port).try_call("GET", "/health", &[], None);
        let (status, said) = health.map(|reply| (reply.status, reply.text())).unwrap_or_default();
        let service = day.town.service(port);
        let ended = service.ended().is_some();
        let unwell = ended || status == 503 || said.contains(r#""status":"degraded""#);
        if unwell && (said.contains(word) || service.has_said(word)) {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{service} names nothing with {word:?}: health {status} {said}, ended: {ended}{}",
            service.last_words()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
