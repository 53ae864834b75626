//! A log in memory whose offsets have holes, as transactions leave them.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use souk_events::LogId;
use souk_ports::{
    DeadLetter, EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds, PortError, ReadLimit,
    Tail,
};

/// A log of several partitions.
pub struct FakeLog {
    pub state: Mutex<State>,
}

pub struct State {
    pub partitions: Vec<Vec<LogRecord>>,
    /// The next offset of each.
    pub next: Vec<Offset>,
    pub committed: HashMap<String, Vec<Offset>>,
    /// Members of every group.
    pub members: usize,
    pub letters: Vec<DeadLetter>,
    /// Makes the aggregates' position move whenever it is asked for.
    pub restless: bool,
}

impl FakeLog {
    pub fn new(partitions: usize) -> Self {
        let state = State {
            partitions: vec![Vec::new(); partitions],
            next: vec![0; partitions],
            committed: HashMap::new(),
            members: 0,
            letters: Vec::new(),
            restless: false,
        };
        Self { state: Mutex::new(state) }
    }

    /// Appends what a transaction holds, and its marker.
    pub fn append(&self, records: Vec<LogRecord>) {
        let mut state = self.state.lock().unwrap();
        for mut record in records {
            let partition = record.partition as usize;
            record.offset = state.next[partition];
            state.next[partition] += 1;
            state.partitions[partition].push(record);
        }
        for next in &mut state.next {
            *next += 1;
        }
    }
}

#[async_trait]
impl EventLog for FakeLog {
    fn identity(&self) -> LogId {
        LogId(7)
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        let state = self.state.lock().unwrap();
        let bounds = state.partitions.iter().zip(&state.next).map(|(records, next)| PartitionBounds {
            earliest: records.first().map_or(*next, |record| record.offset),
            next: *next,
            last_appended_at: None,
        });
        Ok(bounds.collect())
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError> {
        let state = self.state.lock().unwrap();
        let records = &state.partitions[partition as usize];
        let at = records.partition_point(|record| record.offset < from);
        Ok(records[at..].iter().take(limit.records).cloned().collect())
    }

    async fn tail(&self, _: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        unreachable!("an audit reads")
    }

    async fn consumer(&self, _: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        unreachable!("an audit joins no group")
    }

    async fn committed(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        let mut state = self.state.lock().unwrap();
        let (partitions, restless) = (state.partitions.len(), state.restless);
        let committed = state.committed.entry(group.to_owned()).or_insert_with(|| vec![0; partitions]);
        let told = committed.clone();
        if restless && group.ends_with("aggregates") {
            committed[0] += 1;
        }
        Ok(told)
    }

    async fn dead_letter(&self, _: &LogRecord, _: &str) -> Result<(), PortError> {
        unreachable!("an audit sets nothing aside")
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        Ok(self.state.lock().unwrap().letters.iter().take(limit).cloned().collect())
    }

    async fn members(&self, _: &str) -> Result<Option<usize>, PortError> {
        Ok(Some(self.state.lock().unwrap().members))
    }
}
