//! What there is to look at in Kafka, for `souk doctor`: leaves nothing behind but the markers of one transaction that
//! was aborted.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use souk_ports::{Finding, Findings};
use tokio::runtime::Handle;

use crate::config::KafkaConfig;
use crate::context::Context;
use crate::error::{is_refusal, sentence};
use crate::polling::listen;
use crate::producer::TRANSACTION_TIMEOUT;
use crate::topics::{TopicReport, inspect_topics};
use crate::{ConnectError, blocking};

/// How long a call may take: shorter than what services allow, since a person waits.
const PATIENCE: Duration = Duration::from_secs(4);
/// What to do when nobody answers.
const START: &str = "start the brokers, or correct KAFKA_BROKERS (and what they advertise)";

/// Settings of a broker that matter.
const BROKER_SETTINGS: [&str; 2] = ["transaction.max.timeout.ms", "offsets.retention.minutes"];

/// Examines brokers and topics; the log should hold events for `log_retention`.
pub async fn examine(config: &KafkaConfig, log_retention: Duration, findings: Findings<'_>) {
    let brokers = {
        let config = config.clone();
        blocking(move || brokers(&config)).await
    };
    let brokers = match brokers {
        Ok(brokers) => brokers,
        Err(finding) => return findings(finding),
    };
    let detail = format!("{} brokers answer at {}", brokers.count, config.brokers);
    findings(Finding::ok("kafka", detail).with("brokers", i64::try_from(brokers.count).unwrap_or(0)));
    let mut retention = None;
    match inspect_topics(config).await {
        Ok(reports) => {
            for topic in [config.topic.clone(), config.dead_letter_topic(), config.progress_topic()] {
                let Some(report) = reports.iter().find(|report| report.topic == topic) else {
                    let remedy = "start `souk api` or `souk up`, which makes it, or correct KAFKA_TOPIC";
                    findings(Finding::warn(
                        &format!("kafka.topic.{topic}"),
                        "there is no such topic yet",
                        remedy,
                    ));
                    continue;
                };
                if topic == config.topic {
                    retention = setting(report, "retention.ms").filter(|retention| *retention >= 0);
                }
                judge_topic(report, (topic == config.topic).then_some(log_retention), findings);
            }
        }
        Err(error) => findings(Finding::fail("kafka.topics", error.to_string(), START)),
    }
    judge_brokers(&brokers, retention, findings);
}

/// What was learnt of the brokers.
struct Brokers {
    count: usize,
    settings: Vec<(&'static str, i64)>,
}

fn brokers(config: &KafkaConfig) -> Result<Brokers, Finding> {
    let refuse = |text: String| {
        Finding::fail(
            "kafka",
            text,
            "correct the settings for Kafka: KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_…, KAFKA_CA_FILE",
        )
    };
    config.validate().map_err(|error| refuse(error.to_string()))?;
    let context = Context::default();
    let unusable = |error| refuse(sentence("cannot use the settings for Kafka", &error, None));
    // An admin client keeps to itself why it cannot connect.
    let probe: BaseConsumer<Context> =
        config.client().create_with_context(context.clone()).map_err(unusable)?;
    let client: AdminClient<Context> =
        config.client().create_with_context(Context::default()).map_err(unusable)?;
    let metadata = probe.fetch_metadata(None, PATIENCE).map_err(|error| {
        listen(&probe);
        let text = sentence(&format!("cannot reach {}", config.brokers), &error, context.trouble.reason());
        if error.rdkafka_error_code().is_some_and(is_refusal) || context.trouble.is_refusal() {
            refuse(text)
        } else {
            Finding::unreachable("kafka", text, START)
        }
    })?;
    let mut brokers = Brokers { count: metadata.brokers().len(), settings: Vec::new() };
    let Some(first) = metadata.brokers().first() else { return Ok(brokers) };
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let described = Handle::current()
        .block_on(client.describe_configs([&ResourceSpecifier::Broker(first.id())], &options));
    // Some brokers let nobody look, others have no such settings: then there is nothing to judge.
    if let Ok(Some(Ok(resource))) = described.map(|found| found.into_iter().next()) {
        for name in BROKER_SETTINGS {
            let value = resource.get(name).and_then(|entry| entry.value.as_ref()?.parse().ok());
            brokers.settings.extend(value.map(|value| (name, value)));
        }
    }
    Ok(brokers)
}

fn setting(report: &TopicReport, name: &str) -> Option<i64> {
    report.settings.iter().find(|(found, _)| *found == name)?.1.parse().ok()
}

/// Tells what was found of a topic, of the one of events also whether it holds them for as long as it should.
fn judge_topic(report: &TopicReport, log_retention: Option<Duration>, findings: Findings<'_>) {
    let TopicReport { topic, partitions, replication, settings, problems, warnings, .. } = report;
    let name = format!("kafka.topic.{topic}");
    let told: Vec<String> = settings.iter().map(|(setting, value)| format!("{setting}={value}")).collect();
    let detail = format!("{partitions} partitions, {replication} copies, {}", told.join(", "));
    // Their texts end in the remedy.
    let split = |text: &str| match text.rsplit_once("; ") {
        Some((what, remedy)) => (what.to_owned(), remedy.to_owned()),
        None => (text.to_owned(), "change the topic's settings".to_owned()),
    };
    let mut worse = Vec::new();
    for problem in problems {
        let (what, remedy) = split(problem);
        worse.push(Finding::fail(&name, what, remedy));
    }
    for warning in warnings {
        let (what, remedy) = split(warning);
        worse.push(Finding::warn(&name, what, remedy));
    }
    if let Some(log_retention) = log_retention {
        let wanted = i64::try_from(log_retention.as_millis()).unwrap_or(i64::MAX);
        if let Some(kept) = setting(report, "retention.ms").filter(|kept| (0..wanted).contains(kept)) {
            let what = format!(
                "events leave it after {} h, LOG_RETENTION asks for {} h",
                kept / 3_600_000,
                wanted / 3_600_000
            );
            worse.push(Finding::warn(
                &name,
                what,
                format!("set its retention.ms to {wanted}, or LOG_RETENTION to less"),
            ));
        }
    }
    findings(
        Finding::ok(&name, detail)
            .with("partitions", i64::try_from(*partitions).unwrap_or(0))
            .with("replication", i64::try_from(*replication).unwrap_or(0)),
    );
    worse.into_iter().for_each(findings);
}

fn judge_brokers(brokers: &Brokers, retention_ms: Option<i64>, findings: Findings<'_>) {
    let value =
        |name: &str| brokers.settings.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
    let ours = i64::try_from(TRANSACTION_TIMEOUT.as_millis()).unwrap_or(i64::MAX);
    if let Some(most) = value("transaction.max.timeout.ms") {
        let (name, detail) =
            ("kafka.transaction-timeout", format!("{most} ms at most, the relay asks for {ours}"));
        findings(if most < ours {
            Finding::fail(
                name,
                detail,
                format!("set transaction.max.timeout.ms of the brokers to {ours} or more"),
            )
        } else {
            Finding::ok(name, detail)
        });
    }
    if let Some(minutes) = value("offsets.retention.minutes") {
        let name = "kafka.offsets-retention";
        let detail = format!("positions of a group without members are kept for {} h", minutes / 60);
        let longer = retention_ms.is_some_and(|kept| kept / 60_000 > minutes);
        findings(if longer {
            Finding::warn(
                name,
                format!("{detail}, events longer than that"),
                "set offsets.retention.minutes of the brokers above the topic's retention: analytics that was stopped \
                 for longer goes through archive and log from the beginning, which is slow, and stops where an event \
                 is in neither",
            )
        } else {
            Finding::ok(name, detail)
        });
    }
}

/// Begins a transaction under a name of its own, writes a record, and aborts it.
pub async fn examine_transactions(config: &KafkaConfig, transactional_id: &str, findings: Findings<'_>) {
    const NAME: &str = "kafka.transaction";
    let (config, id) = (config.clone(), format!("{transactional_id}-doctor"));
    let outcome = blocking(move || abort_one(&config, &id)).await;
    findings(match outcome {
        Ok(()) => Finding::ok(NAME, "one was begun and aborted"),
        Err((step, error)) if error.rdkafka_error_code().is_some_and(is_refusal) => Finding::fail(
            NAME,
            sentence(&format!("cannot {step}"), &error, None),
            "give the user the right to write transactions (IdempotentWrite, Write and Describe on the transactional id)",
        ),
        // With the first step, nobody may have answered at all.
        Err((step, error)) => Finding {
            unreachable: step == BEGIN,
            ..Finding::fail(
                NAME,
                sentence(&format!("cannot {step}"), &error, None),
                "see whether the brokers are up and __transaction_state has as many copies as there are brokers",
            )
        },
    });
}

/// The step that finds out whether anybody answers.
const BEGIN: &str = "begin a transaction";

fn abort_one(config: &KafkaConfig, id: &str) -> Result<(), (&'static str, KafkaError)> {
    let mut settings = config.client();
    settings
        .set("transactional.id", id)
        .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
        .set("message.timeout.ms", PATIENCE.as_millis().to_string());
    let producer: BaseProducer = settings.create().map_err(|error| ("make a producer", error))?;
    let probe: BaseConsumer = config.client().create().map_err(|error| ("make a consumer", error))?;
    producer.init_transactions(PATIENCE).map_err(|error| (BEGIN, error))?;
    producer.begin_transaction().map_err(|error| (BEGIN, error))?;
    let topic = config.progress_topic();
    // Without the topic there is nothing to write to, and the transaction is an empty one. A consumer asks: of brokers
    // that make topics by themselves, no version does it for one.
    let exists = probe
        .fetch_metadata(Some(&topic), PATIENCE)
        .is_ok_and(|found| found.topics().iter().any(|found| !found.partitions().is_empty()));
    if exists {
        let record = BaseRecord::to(&topic).key("doctor").payload("aborted");
        producer.send(record).map_err(|(error, _)| ("write in a transaction", error))?;
        producer.flush(PATIENCE).map_err(|error| ("write in a transaction", error))?;
    }
    producer.abort_transaction(PATIENCE).map_err(|error| ("abort a transaction", error))
}

impl From<ConnectError> for Finding {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Unreachable(text) => Self::unreachable("kafka.log", text, START),
            ConnectError::Refused(text) => {
                Self::fail("kafka.log", text, "correct the settings for Kafka as it says")
            }
        }
    }
}
