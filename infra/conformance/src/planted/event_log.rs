//! Logs that lie.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_events::LogId;
use souk_ports::{
    DeadLetter, Delivery, EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds, PortError,
    ReadLimit, Tail,
};

use super::Lie;

/// Commits records as it hands them out: at most once.
pub struct CommitsWhatItDelivers;

/// Says that it committed, and did not.
pub struct LosesCommits;

/// Begins a tail one record too early.
pub struct RepeatsOnResume;

/// Has one position for all groups.
pub struct SharesOneGroup;

/// Delivers after a seek what it had read before.
pub struct SeeksPastWhatIsUnderWay;

/// Says of a group that it is where the log begins.
pub struct SkipsWhatExpired;

impl Lie for CommitsWhatItDelivers {
    fn log(honest: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        Arc::new(Lying { honest, how: How::CommitsWhatItDelivers })
    }
}

impl Lie for LosesCommits {
    fn log(honest: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        Arc::new(Lying { honest, how: How::LosesCommits })
    }
}

impl Lie for RepeatsOnResume {
    fn log(honest: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        Arc::new(Lying { honest, how: How::RepeatsOnResume })
    }
}

impl Lie for SharesOneGroup {
    fn log(honest: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        Arc::new(Lying { honest, how: How::SharesOneGroup })
    }
}

impl Lie for SeeksPastWhatIsUnderWay {
    fn log(honest: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        Arc::new(Lying { honest, how: How::SeeksPastWhatIsUnderWay })
    }
}

impl Lie for SkipsWhatExpired {
    fn log(honest: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        Arc::new(Lying { honest, how: How::SkipsWhatExpired })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    CommitsWhatItDelivers,
    LosesCommits,
    RepeatsOnResume,
    SeeksPastWhatIsUnderWay,
    SharesOneGroup,
    SkipsWhatExpired,
}

struct Lying {
    honest: Arc<dyn EventLog>,
    how: How,
}

impl Lying {
    fn group<'a>(&self, group: &'a str) -> &'a str {
        if self.how == How::SharesOneGroup { "everybody" } else { group }
    }
}

#[async_trait]
impl EventLog for Lying {
    fn identity(&self) -> LogId {
        self.honest.identity()
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        self.honest.bounds().await
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError> {
        self.honest.read(partition, from, limit).await
    }

    async fn tail(&self, from: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        let mut from = from.to_vec();
        if self.how == How::RepeatsOnResume {
            from.iter_mut().for_each(|next| *next = next.saturating_sub(1));
        }
        self.honest.tail(&from).await
    }

    async fn consumer(&self, group: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        let honest = self.honest.consumer(self.group(group)).await?;
        Ok(Box::new(LyingConsumer { honest, log: self.honest.clone(), how: self.how, under_way: None }))
    }

    async fn committed(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        self.honest.committed(self.group(group)).await
    }

    async fn dead_letter(&self, record: &LogRecord, reason: &str) -> Result<(), PortError> {
        self.honest.dead_letter(record, reason).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        self.honest.dead_letters(limit).await
    }
}

struct LyingConsumer {
    honest: Box<dyn GroupConsumer>,
    log: Arc<dyn EventLog>,
    how: How,
    under_way: Option<Delivery>,
}

#[async_trait]
impl GroupConsumer for LyingConsumer {
    async fn next(&mut self, max_wait: Duration) -> Result<Delivery, PortError> {
        if let Some(delivery) = self.under_way.take() {
            return Ok(delivery);
        }
        let mut delivery = self.honest.next(max_wait).await?;
        if let (Delivery::Assigned(partitions), How::SkipsWhatExpired) = (&mut delivery, self.how) {
            let bounds = self.log.bounds().await?;
            for (partition, next) in partitions {
                *next = (*next).max(bounds[*partition as usize].earliest);
            }
        }
        if let (Delivery::Records(records), How::CommitsWhatItDelivers) = (&delivery, self.how) {
            for record in records {
                self.honest.commit(record.partition, record.offset + 1).await?;
            }
        }
        Ok(delivery)
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        if self.how == How::LosesCommits {
            return Ok(());
        }
        self.honest.commit(partition, next).await
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        if self.how == How::SeeksPastWhatIsUnderWay && self.under_way.is_none() {
            let delivery = self.honest.next(Duration::from_millis(500)).await?;
            self.under_way = Some(delivery).filter(|delivery| matches!(delivery, Delivery::Records(_)));
        }
        self.honest.seek(partition, next).await
    }
}
