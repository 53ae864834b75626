//! A log in memory that keeps a producer's promises, and fails when a test says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use souk_distributed::{Outgoing, SendError, Sink, Sinks};
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{
    ErrorKind, EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds, PortError, ReadLimit,
    Tail,
};
use uuid::Uuid;

use crate::bed::read_event;

/// What befalls a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is aborted.
    Aborted,
    /// It is committed, and the answer is lost.
    LostReply,
    /// It is not committed, and the answer is lost.
    LostRequest,
}

/// The log with all its producers.
#[derive(Default)]
pub struct MemoryLog {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    producer: u64,
    events: Vec<Outgoing>,
    transactions: Vec<usize>,
    position: Option<Bytes>,
    faults: VecDeque<Fault>,
    unreachable: bool,
    each_read: Duration,
}

impl MemoryLog {
    /// Returns product and version of every committed event, in order.
    pub fn events(&self) -> Vec<(Uuid, u64)> {
        self.state.lock().unwrap().events.iter().map(|event| read_event(&event.payload)).collect()
    }

    /// Returns the versions of one product, in order.
    pub fn versions(&self, product: Uuid) -> Vec<u64> {
        self.events().into_iter().filter(|(of, _)| *of == product).map(|(_, version)| version).collect()
    }

    /// Returns the sizes of the committed transactions.
    pub fn transactions(&self) -> Vec<usize> {
        self.state.lock().unwrap().transactions.clone()
    }

    /// Lets these befall the next transactions, in order.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults.extend(faults);
    }

    /// Tells whether all faults have come.
    pub fn has_failed(&self) -> bool {
        self.state.lock().unwrap().faults.is_empty()
    }

    /// Makes it unreachable, or reachable again.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.state.lock().unwrap().unreachable = unreachable;
    }

    /// Lets each read of a comparison take its time.
    pub fn slow_down(&self, each_read: Duration) {
        self.state.lock().unwrap().each_read = each_read;
    }

    /// Returns the position of the last transaction.
    pub fn position(&self) -> Option<Bytes> {
        self.state.lock().unwrap().position.clone()
    }

    /// Puts another position in place of the last transaction's.
    pub fn set_position(&self, position: Option<Bytes>) {
        self.state.lock().unwrap().position = position;
    }
}

/// Makes producers of a [`MemoryLog`].
pub struct MemorySinks(pub Arc<MemoryLog>);

#[async_trait]
impl Sinks for MemorySinks {
    async fn start(&self) -> Result<Box<dyn Sink>, SendError> {
        let mut state = self.0.state.lock().unwrap();
        if state.unreachable {
            return Err(SendError::Retry("cannot reach KAFKA_BROKERS".into()));
        }
        state.producer += 1;
        Ok(Box::new(MemorySink { log: self.0.clone(), producer: state.producer }))
    }

    async fn log(&self) -> Result<Arc<dyn EventLog>, PortError> {
        Ok(Arc::new(MemoryReader(self.0.clone())))
    }

    fn place(&self) -> String {
        "memory".into()
    }
}

/// What a comparison reads: one partition.
struct MemoryReader(Arc<MemoryLog>);

impl MemoryReader {
    fn unused<T>() -> Result<T, PortError> {
        Err(PortError::new(ErrorKind::Internal, "a comparison has no use for this"))
    }
}

#[async_trait]
impl EventLog for MemoryReader {
    fn identity(&self) -> LogId {
        LogId(1)
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        let next = self.0.state.lock().unwrap().events.len() as u64;
        Ok(vec![PartitionBounds { earliest: 0, next, last_appended_at: None }])
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError> {
        let each_read = self.0.state.lock().unwrap().each_read;
        tokio::time::sleep(each_read).await;
        let state = self.0.state.lock().unwrap();
        let records = (0..).zip(&state.events).skip(from as usize).take(limit.records.min(100));
        let record = |(offset, event): (u64, &Outgoing)| {
            let appended_at = "2026-11-22T18:00:01Z".parse::<Timestamp>().unwrap();
            LogRecord { partition, offset, appended_at, payload: event.payload.clone() }
        };
        Ok(records.map(record).collect())
    }

    async fn tail(&self, _: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        Self::unused()
    }

    async fn consumer(&self, _: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        Self::unused()
    }

    async fn committed(&self, _: &str) -> Result<Vec<Offset>, PortError> {
        Self::unused()
    }

    async fn dead_letter(&self, _: &LogRecord, _: &str) -> Result<(), PortError> {
        Self::unused()
    }
}

struct MemorySink {
    log: Arc<MemoryLog>,
    producer: u64,
}

#[async_trait]
impl Sink for MemorySink {
    async fn position(&mut self) -> Result<Option<Bytes>, SendError> {
        Ok(self.log.position())
    }

    async fn publish(&mut self, batch: Vec<Outgoing>, position: Bytes) -> Result<(), SendError> {
        let mut state = self.log.state.lock().unwrap();
        if state.producer != self.producer {
            return Err(SendError::Fenced("a newer producer has started".into()));
        }
        let fault = state.faults.pop_front();
        if matches!(fault, None | Some(Fault::LostReply)) {
            state.transactions.push(batch.len());
            state.events.extend(batch);
            state.position = Some(position);
        }
        match fault {
            None => Ok(()),
            Some(Fault::Aborted) => Err(SendError::Retry("aborted".into())),
            Some(Fault::LostReply | Fault::LostRequest) => Err(SendError::Unclear("no reply".into())),
        }
    }
}
