//! The `archive` consumer: closes files into objects, exactly once.
//!
//! One object is under way at a time. It is put create-only; then the position is committed. A crash in between
//! leaves an object that the next run finds in its way and adopts; a crash before leaves nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, PutMode};
use souk_events::LogId;
use souk_ports::{Clock, EventLog, GroupConsumer, LogRecord, Offset, Partition, fault};
use tokio::sync::{mpsc, oneshot};

use super::adopt::{self, AdoptError};
use super::encode::encode_object;
use super::writer::{Limits, Writer};
use super::{ArchivedObject, Span, object_key};
use crate::consumer::{ConsumeError, ConsumerState, Force, Sink, caught_up, chain};
use crate::metrics::ArchiveFigures;

/// How often a waiting flush looks whether it has everything when no records come.
const FLUSH_POLL: Duration = Duration::from_millis(20);

/// Somebody wants everything before these offsets (by partition number) archived now.
pub(crate) struct FlushRequest {
    pub targets: Vec<Offset>,
    /// Gets the objects written since.
    pub reply: oneshot::Sender<Vec<ArchivedObject>>,
}

/// A flush that waits, with the objects written since it came.
struct Waiting {
    request: FlushRequest,
    written: Vec<ArchivedObject>,
}

/// An object under way.
struct Closing {
    span: Span,
    object: ArchivedObject,
    bytes: Bytes,
    /// Where the object ends, once it is there for sure.
    stored: Option<Offset>,
}

/// What the sink works with.
pub(crate) struct ArchiveParts {
    pub log: Arc<dyn EventLog>,
    pub store: Arc<dyn ObjectStore>,
    pub clock: Arc<dyn Clock>,
    pub state: Arc<ConsumerState>,
    pub figures: ArchiveFigures,
    pub limits: Limits,
    pub requests: mpsc::Receiver<FlushRequest>,
}

/// Archives records.
pub(crate) struct ArchiveSink {
    parts: ArchiveParts,
    log_id: LogId,
    writer: Writer,
    inbox: VecDeque<LogRecord>,
    closing: Option<Closing>,
    waiting: Vec<Waiting>,
    /// No records came at the last look.
    idle: bool,
}

impl ArchiveSink {
    pub fn new(parts: ArchiveParts) -> Self {
        let (log_id, writer) = (parts.log.identity(), Writer::new(parts.limits));
        Self {
            parts,
            log_id,
            writer,
            inbox: VecDeque::new(),
            closing: None,
            waiting: Vec::new(),
            idle: false,
        }
    }

    /// Moves records into the open files; returns the partition whose file is in the way of the next one.
    fn take_in(&mut self, now: Instant) -> Option<Partition> {
        while let Some(record) = self.inbox.pop_front() {
            if let Some(partition) = self.writer.closes_before(&record) {
                self.inbox.push_front(record);
                return Some(partition);
            }
            self.writer.push(record, now);
        }
        None
    }

    /// Closes the file of `partition` and encodes it.
    async fn close(&mut self, partition: Partition) -> Result<(), ConsumeError> {
        let Some(file) = self.writer.close(partition) else { return Ok(()) };
        let span = Span {
            log: self.log_id,
            partition,
            first_offset: file.first_offset,
            next_offset: file.next_offset,
            created_at: self.parts.clock.now(),
        };
        let key = object_key(self.log_id, partition, file.first_appended_at, file.first_offset);
        let (bytes, footer) = tokio::task::spawn_blocking(move || encode_object(&file.records, &span))
            .await
            .map_err(|e| ConsumeError::Restart(format!("encoding {key} was cut off: {e}")))?
            .map_err(|e| ConsumeError::Restart(format!("{key}: {e}")))?;
        let object = ArchivedObject { key, bytes: bytes.len() as u64, footer };
        self.closing = Some(Closing { span, object, bytes, stored: None });
        Ok(())
    }

    /// Brings the object under way to its end: stored, committed.
    async fn finish(&mut self, consumer: &mut Box<dyn GroupConsumer>) -> Result<(), ConsumeError> {
        let Some(closing) = &mut self.closing else { return Ok(()) };
        let Span { partition, next_offset, .. } = closing.span;
        let end = match closing.stored {
            Some(end) => end,
            None => {
                if fault::planted("commit-before-put") {
                    consumer.commit(partition, next_offset).await?;
                    // Wide enough for a kill to fall between the position and the object.
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                let end = put(&self.parts, closing).await?;
                closing.stored = Some(end);
                for waiting in &mut self.waiting {
                    waiting.written.push(closing.object.clone());
                }
                end
            }
        };
        consumer.commit(partition, end).await?;
        if end == next_offset {
            self.writer.archived(partition, end);
        } else {
            // Another writer cut the log elsewhere: go on where its object ends.
            consumer.seek(partition, end).await?;
            self.inbox.retain(|record| record.partition != partition);
            self.writer.assign(partition, end);
        }
        self.parts.state.reached(partition, end);
        self.closing = None;
        Ok(())
    }

    /// Returns a partition whose file a waiting flush wants closed.
    async fn wanted(&self) -> Result<Option<Partition>, ConsumeError> {
        for waiting in &self.waiting {
            for partition in self.writer.partitions() {
                let open = self.writer.is_open(partition) && !self.is_past(waiting, partition);
                if open && self.has_all(waiting, partition).await? {
                    return Ok(Some(partition));
                }
            }
        }
        Ok(None)
    }

    /// Tells whether everything of `partition` that a flush wants has been read.
    async fn has_all(&self, waiting: &Waiting, partition: Partition) -> Result<bool, ConsumeError> {
        let target = waiting.request.targets.get(partition as usize).copied().unwrap_or(0);
        let position = self.writer.read_position(partition).unwrap_or(Offset::MAX);
        if position >= target || !self.idle {
            return Ok(position >= target);
        }
        // Offsets have holes: nothing came, so perhaps nothing is left.
        Ok(caught_up(&*self.parts.log, partition, position, target).await?)
    }

    /// Answers the flushes that have everything.
    async fn answer(&mut self) -> Result<(), ConsumeError> {
        // Before the partitions are assigned, nothing can be said.
        if !self.parts.state.has_joined() {
            return Ok(());
        }
        let mut done = Vec::new();
        for (index, waiting) in self.waiting.iter().enumerate() {
            let mut all = true;
            for partition in self.writer.partitions() {
                all &= self.is_past(waiting, partition)
                    || !self.writer.is_open(partition) && self.has_all(waiting, partition).await?;
            }
            if all {
                done.push(index);
            }
        }
        for index in done.into_iter().rev() {
            let Waiting { request, written } = self.waiting.swap_remove(index);
            // Whoever asked may have gone.
            let _ = request.reply.send(written);
        }
        Ok(())
    }

    /// Tells whether `partition` is archived beyond what a flush wants; newer records may be open.
    fn is_past(&self, waiting: &Waiting, partition: Partition) -> bool {
        let target = waiting.request.targets.get(partition as usize).copied().unwrap_or(0);
        self.parts.state.position(partition).is_some_and(|position| position >= target)
    }
}

/// Stores the object, or adopts the one that is there; returns where it ends.
async fn put(parts: &ArchiveParts, closing: &mut Closing) -> Result<Offset, ConsumeError> {
    let key = &closing.object.key;
    let location = Path::from(key.as_str());
    match parts.store.put_opts(&location, closing.bytes.clone().into(), PutMode::Create.into()).await {
        Ok(_) => {
            parts.figures.wrote(&closing.object);
            Ok(closing.span.next_offset)
        }
        Err(object_store::Error::AlreadyExists { .. }) => {
            match adopt::verify(&*parts.store, &*parts.log, key, &closing.span).await {
                Ok(object) => {
                    tracing::info!(
                        messaging.destination.partition.id = closing.span.partition,
                        "adopts {key}, which an earlier run wrote up to {}",
                        object.footer.next_offset
                    );
                    let end = object.footer.next_offset;
                    closing.object = object;
                    Ok(end)
                }
                Err(error @ AdoptError::Foreign { .. }) => Err(ConsumeError::Stop(error.to_string())),
                Err(error) => {
                    Err(ConsumeError::Blocked(format!("{key} cannot be checked: {}", chain(&error))))
                }
            }
        }
        Err(error) => Err(ConsumeError::Blocked(format!(
            "the archive cannot be written ({}); make room or check its permissions, it goes on by itself",
            chain(&error)
        ))),
    }
}

impl Sink for ArchiveSink {
    fn reset(&mut self) {
        self.writer = Writer::new(self.parts.limits);
        self.inbox.clear();
        self.closing = None;
    }

    fn assign(&mut self, partitions: &[(Partition, Offset)]) {
        for (partition, position) in partitions {
            self.writer.assign(*partition, *position);
        }
    }

    fn revoke(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.writer.revoke(*partition);
        }
    }

    fn accept(&mut self, records: Vec<LogRecord>) {
        self.idle = false;
        self.inbox.extend(records);
    }

    fn idle(&mut self) {
        self.idle = true;
    }

    async fn drive(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        force: Force<'_>,
    ) -> Result<(), ConsumeError> {
        loop {
            self.finish(consumer).await?;
            let now = Instant::now();
            if let Some(partition) = self.take_in(now) {
                self.close(partition).await?;
                continue;
            }
            let forced = || {
                let mut open = self.writer.partitions().into_iter().filter(|p| self.writer.is_open(*p));
                open.find(|partition| force.covers(*partition))
            };
            let next = match self.writer.due(now).or_else(forced) {
                Some(partition) => Some(partition),
                None => self.wanted().await?,
            };
            match next {
                Some(partition) => self.close(partition).await?,
                None => return self.answer().await,
            }
        }
    }

    fn due_in(&self, now: Instant) -> Option<Duration> {
        let file = self.writer.due_in(now);
        if self.waiting.is_empty() { file } else { Some(file.map_or(FLUSH_POLL, |due| due.min(FLUSH_POLL))) }
    }

    async fn attention(&mut self) {
        match self.parts.requests.recv().await {
            Some(request) => self.waiting.push(Waiting { request, written: Vec::new() }),
            None => std::future::pending().await,
        }
    }
}
