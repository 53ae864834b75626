//! The topics: made where they are absent, checked where they are there.

mod judge;

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tokio::runtime::Handle;

use crate::blocking;
use crate::config::{CALL_TIMEOUT, KafkaConfig};
use crate::context::Context;
use crate::error::{ConnectError, is_refusal, sentence};
use crate::native;
use crate::polling::listen;

/// How long a new topic may take until each of its partitions has a leader.
const LEADERS_WITHIN: Duration = Duration::from_secs(15);
/// Pause between two looks for leaders.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Settings of a topic that decide whether it can be used.
const SETTINGS: [&str; 5] =
    ["cleanup.policy", "retention.ms", "retention.bytes", "min.insync.replicas", "max.message.bytes"];

/// What a topic is for, which decides what it must be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Events,
    DeadLetters,
    Progress,
}

/// What a topic is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicReport {
    /// Its name.
    pub topic: String,
    /// How many partitions it has.
    pub partitions: usize,
    /// How many copies of each; the least over its partitions.
    pub replication: usize,
    /// Whether brokers give it an id; `None` where that does not matter, or they do not say.
    pub has_id: Option<bool>,
    /// Those of its settings that matter, by name.
    pub settings: Vec<(&'static str, String)>,
    /// What keeps it from being used, with the remedy.
    pub problems: Vec<String>,
    /// What may surprise.
    pub warnings: Vec<String>,
}

/// Creates the topics that are absent, and checks all three: events, dead letters, the relays' positions.
///
/// # Errors
/// `Unreachable` when brokers do not answer in time, `Refused` when they refuse or a topic does not fit.
pub async fn ensure_topics(config: &KafkaConfig) -> Result<Vec<TopicReport>, ConnectError> {
    let config = config.clone();
    let reports = blocking(move || {
        let admin = Admin::connect(&config)?;
        admin.create_absent(&config)?;
        roles(&config)
            .into_iter()
            .map(|(topic, role)| admin.examine(&config, topic, role))
            .collect::<Result<Vec<_>, _>>()
    })
    .await?;
    for report in &reports {
        if let Some(problem) = report.problems.first() {
            return Err(ConnectError::Refused(problem.clone()));
        }
        for warning in &report.warnings {
            tracing::warn!(messaging.destination.name = report.topic, "{warning}");
        }
    }
    Ok(reports)
}

/// Looks at those of the topics that are there, and changes nothing.
///
/// # Errors
/// As [`ensure_topics`], but a topic that does not fit is no error: its report says so.
pub async fn inspect_topics(config: &KafkaConfig) -> Result<Vec<TopicReport>, ConnectError> {
    let config = config.clone();
    blocking(move || {
        let admin = Admin::connect(&config)?;
        let existing = admin.names()?;
        roles(&config)
            .into_iter()
            .filter(|(topic, _)| existing.contains(topic))
            .map(|(topic, role)| admin.examine(&config, topic, role))
            .collect()
    })
    .await
}

fn roles(config: &KafkaConfig) -> [(String, Role); 3] {
    [
        (config.topic.clone(), Role::Events),
        (config.dead_letter_topic(), Role::DeadLetters),
        (config.progress_topic(), Role::Progress),
    ]
}

/// Clients for a few calls; all of them block.
struct Admin {
    /// Says why it cannot connect, which an admin client keeps to itself.
    probe: BaseConsumer<Context>,
    client: AdminClient<Context>,
    runtime: Handle,
}

impl Admin {
    fn connect(config: &KafkaConfig) -> Result<Self, ConnectError> {
        config.validate().map_err(|error| ConnectError::Refused(error.to_string()))?;
        let unusable =
            |error| ConnectError::Refused(sentence("cannot use the settings for Kafka", &error, None));
        let probe = config.client().create_with_context(Context::default()).map_err(unusable)?;
        let client = config.client().create_with_context(Context::default()).map_err(unusable)?;
        Ok(Self { probe, client, runtime: Handle::current() })
    }

    /// Says why a call failed, and whether waiting may help.
    fn classify(&self, what: &str, error: &KafkaError) -> ConnectError {
        listen(&self.probe);
        let trouble = &self.probe.context().trouble;
        let text = sentence(what, error, trouble.reason());
        if error.rdkafka_error_code().is_some_and(is_refusal) || trouble.is_refusal() {
            ConnectError::Refused(text)
        } else {
            ConnectError::Unreachable(text)
        }
    }

    fn names(&self) -> Result<Vec<String>, ConnectError> {
        let metadata = self
            .probe
            .fetch_metadata(None, CALL_TIMEOUT)
            .map_err(|error| self.classify("cannot reach the brokers (KAFKA_BROKERS)", &error))?;
        Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
    }

    fn create_absent(&self, config: &KafkaConfig) -> Result<(), ConnectError> {
        let existing = self.names()?;
        let mut absent = roles(config).to_vec();
        absent.retain(|(topic, _)| !existing.contains(topic));
        if absent.is_empty() {
            return Ok(());
        }
        let new: Vec<_> = absent.iter().map(|(topic, role)| new_topic(config, topic, *role)).collect();
        let results = self
            .runtime
            .block_on(self.client.create_topics(&new, &options()))
            .map_err(|error| self.classify("cannot create topics", &error))?;
        for result in results {
            match result {
                Ok(topic) => tracing::info!(messaging.destination.name = topic, "created topic {topic}"),
                // Another service was faster.
                Err((_, Code::TopicAlreadyExists)) => {}
                Err((topic, code)) => return Err(refused_creation(config, &topic, code)),
            }
        }
        Ok(())
    }

    fn examine(&self, config: &KafkaConfig, topic: String, role: Role) -> Result<TopicReport, ConnectError> {
        let (partitions, replication) = self.await_leaders(&topic)?;
        let described = self
            .runtime
            .block_on(self.client.describe_configs([&ResourceSpecifier::Topic(&topic)], &options()))
            .map_err(|error| {
                self.classify(&format!("cannot look at the settings of topic {topic}"), &error)
            })?;
        let mut settings = Vec::new();
        match described.into_iter().next() {
            Some(Ok(resource)) => {
                for name in SETTINGS {
                    if let Some(value) = resource.get(name).and_then(|entry| entry.value.clone()) {
                        settings.push((name, value));
                    }
                }
            }
            // Some brokers let nobody look; then there is nothing to judge.
            Some(Err(code)) => tracing::debug!("cannot look at the settings of topic {topic}: {code}"),
            None => {}
        }
        let has_id = if role == Role::Events {
            let described = native::describe_topic(self.probe.client().native_client(), &topic, CALL_TIMEOUT);
            described.ok().map(|topic| topic.id.is_some())
        } else {
            None
        };
        let mut report = TopicReport {
            topic,
            partitions,
            replication,
            has_id,
            settings,
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        judge::judge(&mut report, role, config);
        Ok(report)
    }

    /// Waits until every partition has a leader; returns how many there are, and the least number of copies.
    fn await_leaders(&self, topic: &str) -> Result<(usize, usize), ConnectError> {
        let deadline = Instant::now() + LEADERS_WITHIN;
        loop {
            let metadata = self
                .probe
                .fetch_metadata(Some(topic), CALL_TIMEOUT)
                .map_err(|error| self.classify(&format!("cannot look at topic {topic}"), &error))?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            if let Some(partitions) = found.map(|found| found.partitions())
                && !partitions.is_empty()
                && partitions.iter().all(|partition| partition.leader() >= 0)
            {
                let copies = partitions.iter().map(|partition| partition.replicas().len()).min();
                return Ok((partitions.len(), copies.unwrap_or(0)));
            }
            if Instant::now() >= deadline {
                return Err(ConnectError::Unreachable(format!(
                    "topic {topic} has partitions without a leader; see whether all brokers are up"
                )));
            }
            std::thread::sleep(LOOK_PAUSE);
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(CALL_TIMEOUT)).operation_timeout(Some(CALL_TIMEOUT))
}

fn new_topic<'a>(config: &KafkaConfig, topic: &'a str, role: Role) -> NewTopic<'a> {
    let replication = TopicReplication::Fixed(config.replication_factor);
    match role {
        Role::Events => NewTopic::new(topic, config.partitions, replication),
        // Few records, and none to be lost before somebody looked.
        Role::DeadLetters => NewTopic::new(topic, 1, replication).set("retention.ms", "-1"),
        // The last position of each relay for ever; segments small, so that old ones are compacted away.
        Role::Progress => NewTopic::new(topic, 1, replication)
            .set("cleanup.policy", "compact")
            .set("retention.ms", "-1")
            .set("retention.bytes", "-1")
            .set("segment.bytes", "16777216")
            .set("min.cleanable.dirty.ratio", "0.1"),
    }
}

fn refused_creation(config: &KafkaConfig, topic: &str, code: Code) -> ConnectError {
    let text = match code {
        Code::InvalidReplicationFactor => format!(
            "cannot create topic {topic} with KAFKA_REPLICATION_FACTOR={}: the cluster has fewer brokers",
            config.replication_factor
        ),
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            format!("may not create topic {topic}: create it ahead, or give KAFKA_SASL_USERNAME the right to")
        }
        other => format!("cannot create topic {topic}: {other}"),
    };
    match code {
        Code::RequestTimedOut | Code::OperationTimedOut | Code::NotController => {
            ConnectError::Unreachable(text)
        }
        _ => ConnectError::Refused(text),
    }
}
