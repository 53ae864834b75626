//! Whether a topic fits what it is for.

use std::time::Duration;

use super::{Role, TopicReport};
use crate::config::KafkaConfig;
use crate::identity::unnoticed;
use crate::producer::LARGEST_BATCH;

/// Events that are gone before the archive has them are lost to it; a service may well be down for a day.
const SHORT_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Says what is wrong with a topic for what it is for, and where it is other than one that `config` asks for.
pub(super) fn judge(report: &mut TopicReport, role: Role, config: &KafkaConfig) {
    let topic = &report.topic;
    let setting = |name: &str| {
        report.settings.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
    };
    let number = |name: &str| setting(name).and_then(|value| value.parse::<i64>().ok());
    let policy = setting("cleanup.policy");
    let compacts = policy.is_some_and(|policy| policy.contains("compact"));
    let deletes = policy.is_some_and(|policy| policy.contains("delete"));
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    match role {
        Role::Events | Role::DeadLetters if compacts => problems.push(format!(
            "topic {topic} has cleanup.policy={}, which removes all but the newest event of a product; set it to \
             delete",
            policy.unwrap_or_default()
        )),
        Role::Progress if policy.is_some() && !compacts => problems.push(format!(
            "topic {topic} has cleanup.policy={}, which forgets the relay's position in time; set it to compact",
            policy.unwrap_or_default()
        )),
        Role::Progress if deletes => problems.push(format!(
            "topic {topic} deletes by age besides compacting, which forgets the relay's position in time; set \
             cleanup.policy to compact alone"
        )),
        _ => {}
    }
    if role == Role::Progress && report.partitions != 1 {
        problems.push(format!(
            "topic {topic} has {} partitions and the relay's position is in one; delete it before the api starts",
            report.partitions
        ));
    }
    if report.has_id == Some(false) {
        warnings.push(unnoticed(topic));
    }
    if role == Role::Events && usize::try_from(config.partitions) != Ok(report.partitions) {
        warnings.push(format!(
            "topic {topic} has {0} partitions and KAFKA_TOPIC_PARTITIONS is {1}, which counts for new topics alone: \
             with other partitions the events of a product would be in two; set KAFKA_TOPIC_PARTITIONS to {0}",
            report.partitions, config.partitions
        ));
    }
    if usize::try_from(config.replication_factor).is_ok_and(|wanted| wanted > report.replication) {
        warnings.push(format!(
            "topic {topic} has {0} copies and KAFKA_REPLICATION_FACTOR is {1}, which counts for new topics alone: the \
             loss of {0} brokers can lose all of it; give it more (kafka-reassign-partitions), or set \
             KAFKA_REPLICATION_FACTOR to {0}",
            report.replication, config.replication_factor
        ));
    }
    if role != Role::Progress
        && let Some(most) = number("max.message.bytes")
        && most < LARGEST_BATCH
    {
        warnings.push(format!(
            "topic {topic} takes {most} bytes at once (max.message.bytes) and batches have up to {LARGEST_BATCH}: one \
             that it refuses holds up all behind it; set max.message.bytes to {LARGEST_BATCH} or more"
        ));
    }
    if role == Role::Events
        && let Some(retention) = number("retention.ms")
        && (0..i64::try_from(SHORT_RETENTION.as_millis()).unwrap_or(i64::MAX)).contains(&retention)
    {
        warnings.push(format!(
            "topic {topic} keeps events for {} s only (retention.ms={retention}): a consumer that is down for \
             longer loses some, and stops",
            retention / 1000
        ));
    }
    if role == Role::Events
        && let Some(bytes) = number("retention.bytes")
        && bytes >= 0
    {
        warnings.push(format!(
            "topic {topic} keeps {bytes} bytes of each partition only (retention.bytes): how long that lasts \
             depends on the load"
        ));
    }
    if let Some(least) = number("min.insync.replicas").and_then(|least| usize::try_from(least).ok()) {
        if least > report.replication {
            problems.push(format!(
                "topic {topic} asks for {least} copies in sync (min.insync.replicas) and has {}: nothing can be \
                 written to it",
                report.replication
            ));
        } else if report.replication > 2 && least < 2 {
            warnings.push(format!(
                "topic {topic} has {} copies and takes a write with one of them (min.insync.replicas={least}): the \
                 loss of a broker can lose events",
                report.replication
            ));
        }
    }
    report.problems = problems;
    report.warnings = warnings;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(
        role: Role,
        partitions: usize,
        replication: usize,
        settings: &[(&'static str, &str)],
    ) -> TopicReport {
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let topic = "t".to_owned();
        let mut report = TopicReport {
            topic,
            partitions,
            replication,
            has_id: Some(true),
            settings,
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        judge(&mut report, role, &KafkaConfig::new("localhost:9092", "api-service"));
        report
    }

    #[test]
    fn topics_as_we_make_them_fit() {
        let events = [
            ("cleanup.policy", "delete"),
            ("retention.ms", "604800000"),
            ("min.insync.replicas", "1"),
            ("max.message.bytes", "1048588"),
        ];
        let progress =
            [("cleanup.policy", "compact"), ("retention.ms", "-1"), ("max.message.bytes", "1048588")];
        for report in [judged(Role::Events, 12, 1, &events), judged(Role::Progress, 1, 1, &progress)] {
            assert_eq!((report.problems, report.warnings), (Vec::new(), Vec::new()));
        }
    }

    #[test]
    fn what_would_lose_events_is_a_problem() {
        assert_eq!(judged(Role::Events, 12, 1, &[("cleanup.policy", "compact,delete")]).problems.len(), 1);
        assert_eq!(judged(Role::DeadLetters, 1, 1, &[("cleanup.policy", "compact")]).problems.len(), 1);
        assert_eq!(judged(Role::Progress, 1, 1, &[("cleanup.policy", "delete")]).problems.len(), 1);
        assert_eq!(judged(Role::Progress, 1, 1, &[("cleanup.policy", "compact,delete")]).problems.len(), 1);
        assert_eq!(judged(Role::Progress, 3, 1, &[("cleanup.policy", "compact")]).problems.len(), 1);
        assert_eq!(judged(Role::Events, 12, 1, &[("min.insync.replicas", "2")]).problems.len(), 1);
    }

    #[test]
    fn what_may_surprise_is_a_warning() {
        assert_eq!(judged(Role::Events, 12, 1, &[("retention.ms", "60000")]).warnings.len(), 1);
        assert_eq!(judged(Role::Events, 12, 1, &[("retention.bytes", "1000")]).warnings.len(), 1);
        assert_eq!(judged(Role::Events, 12, 3, &[("min.insync.replicas", "1")]).warnings.len(), 1);
        assert_eq!(judged(Role::Events, 12, 1, &[("max.message.bytes", "65536")]).warnings.len(), 1);
        assert_eq!(judged(Role::DeadLetters, 1, 1, &[("max.message.bytes", "65536")]).warnings.len(), 1);
        assert_eq!(judged(Role::Progress, 1, 1, &[("max.message.bytes", "65536")]).warnings.len(), 0);
    }

    #[test]
    fn a_topic_whose_end_would_go_unnoticed_is_a_warning() {
        let mut report = judged(Role::Events, 12, 1, &[]);
        report.has_id = Some(false);
        judge(&mut report, Role::Events, &KafkaConfig::new("localhost:9092", "api-service"));
        assert!(report.warnings.len() == 1 && report.warnings[0].contains("no id"), "{report:?}");
    }

    #[test]
    fn what_is_other_than_the_settings_ask_for_is_a_warning() {
        for partitions in [11, 13] {
            let warnings = judged(Role::Events, partitions, 1, &[]).warnings;
            assert!(warnings.len() == 1 && warnings[0].contains("KAFKA_TOPIC_PARTITIONS"), "{warnings:?}");
        }
        assert_eq!(judged(Role::DeadLetters, 11, 1, &[]).warnings.len(), 0, "one is enough, more do no harm");
        for role in [Role::Events, Role::DeadLetters, Role::Progress] {
            let partitions = if role == Role::Events { 12 } else { 1 };
            assert_eq!(judged(role, partitions, 2, &[]).warnings.len(), 0, "more than asked for");
            let warnings = judged(role, partitions, 0, &[]).warnings;
            assert!(warnings.len() == 1 && warnings[0].contains("KAFKA_REPLICATION_FACTOR"), "{warnings:?}");
        }
    }
}
