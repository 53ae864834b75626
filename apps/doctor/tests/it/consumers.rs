//! Groups that keep up, that nobody works for, and that the log has left behind.

use async_trait::async_trait;
use souk_doctor::examine_consumers;
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{
    DeadLetter, EventLog, Finding, GroupConsumer, Level, LogRecord, Offset, Partition, PartitionBounds,
    PortError, ReadLimit, Tail,
};

/// A log of one partition with records 10 to 19.
struct Log {
    committed: Offset,
    looked: Offset,
    members: Option<usize>,
    letters: usize,
}

fn record(offset: Offset) -> LogRecord {
    LogRecord { partition: 0, offset, appended_at: Timestamp::from_millis(0), payload: Vec::new().into() }
}

#[async_trait]
impl EventLog for Log {
    fn identity(&self) -> LogId {
        LogId(1)
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        // What is after 19 is but a marker.
        Ok(vec![PartitionBounds { earliest: 10, next: 21, last_appended_at: None }])
    }

    async fn read(&self, _: Partition, from: Offset, _: ReadLimit) -> Result<Vec<LogRecord>, PortError> {
        Ok((from..20).take(1).map(record).collect())
    }

    async fn tail(&self, _: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        unreachable!("nobody follows")
    }

    async fn consumer(&self, _: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        unreachable!("nobody joins")
    }

    async fn committed(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        assert!(group.starts_with("figures-"));
        Ok(vec![self.committed])
    }

    async fn looked(&self, _: &str) -> Result<Vec<Offset>, PortError> {
        Ok(vec![self.looked])
    }

    async fn dead_letter(&self, _: &LogRecord, _: &str) -> Result<(), PortError> {
        unreachable!("nothing is set aside")
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let letter = |offset| DeadLetter { partition: 0, offset, reason: "no event".to_owned() };
        Ok((0..self.letters as u64).map(letter).take(limit).collect())
    }

    async fn members(&self, _: &str) -> Result<Option<usize>, PortError> {
        Ok(self.members)
    }
}

async fn examined(log: Log) -> (Finding, Finding) {
    let mut found = Vec::new();
    examine_consumers(&log, "figures", &mut |finding| found.push(finding)).await;
    let names: Vec<&str> = found.iter().map(|finding| &*finding.name).collect();
    assert_eq!(names, ["consumer.recent", "consumer.aggregates", "consumer.archive", "log.dead-letters"]);
    (found[1].clone(), found[3].clone())
}

#[tokio::test]
async fn a_group_that_keeps_up_is_well_though_a_marker_is_left() {
    let (group, letters) = examined(Log { committed: 20, looked: 20, members: Some(2), letters: 0 }).await;
    assert_eq!((group.level, letters.level), (Level::Ok, Level::Ok), "{group:?}");
    assert!(
        group.figures.contains(&("lagEvents", 0)) && group.figures.contains(&("members", 2)),
        "{group:?}"
    );
}

#[tokio::test]
async fn a_group_without_members_that_is_behind_is_a_warning() {
    let (group, _) = examined(Log { committed: 15, looked: 15, members: Some(0), letters: 0 }).await;
    assert_eq!(group.level, Level::Warn, "{group:?}");
    assert!(group.remedy.unwrap().contains("souk analytics"));
    // Where nobody can tell who works, being a little behind is no fault.
    let (group, _) = examined(Log { committed: 15, looked: 15, members: None, letters: 0 }).await;
    assert_eq!(group.level, Level::Ok, "{group:?}");
}

#[tokio::test]
async fn a_group_that_the_log_has_left_behind_fails() {
    let (group, _) = examined(Log { committed: 5, looked: 5, members: Some(1), letters: 0 }).await;
    assert_eq!(group.level, Level::Fail, "{group:?}");
    let (group, _) = examined(Log { committed: 99, looked: 99, members: Some(1), letters: 0 }).await;
    assert_eq!(group.level, Level::Fail, "{group:?}");
}

#[tokio::test]
async fn a_group_that_has_seen_that_but_markers_are_gone_is_well() {
    let (group, _) = examined(Log { committed: 5, looked: 10, members: Some(1), letters: 0 }).await;
    assert_eq!(group.figures.iter().find(|(name, _)| *name == "lagEvents"), Some(&("lagEvents", 11)));
    assert_ne!(group.level, Level::Fail, "{group:?}");
}

#[tokio::test]
async fn dead_letters_are_counted() {
    let (_, letters) = examined(Log { committed: 20, looked: 20, members: None, letters: 3 }).await;
    assert_eq!(letters.level, Level::Warn);
    assert!(letters.figures.contains(&("count", 3)) && letters.remedy.unwrap().contains("souk audit"));
}
