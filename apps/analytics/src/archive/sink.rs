//! The `archive` consumer: closes files into objects, exactly once.
//!
//! One object is under way at a time. It is put create-only; then the position is committed. A crash in between
//! leaves an object that the next run finds in its way and adopts; a crash before leaves nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_events::LogId;
use souk_ports::{GroupConsumer, LogRecord, Offset, Partition, fault};
use tokio::sync::{mpsc, oneshot};

use super::keeper::{Closing, Keeper};
use super::replay::last_object;
use super::writer::{Limits, Writer};
use super::{ArchivedObject, Span};
use crate::consumer::{ConsumeError, ConsumerState, Force, Hole, Sink, caught_up};

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

/// What the sink works with.
pub(crate) struct ArchiveParts {
    pub keeper: Keeper,
    pub state: Arc<ConsumerState>,
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
        let (log_id, writer) = (parts.keeper.log.identity(), Writer::new(parts.limits));
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
        self.closing = Some(self.parts.keeper.encode(partition, file).await?);
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
                    fault::crash_point("archive.encoded");
                }
                let end = self.parts.keeper.put(closing).await?;
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
        Ok(caught_up(&*self.parts.keeper.log, partition, position, target).await?)
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
        self.inbox.retain(|record| !partitions.contains(&record.partition));
        if self.closing.as_ref().is_some_and(|closing| partitions.contains(&closing.span.partition)) {
            self.closing = None;
        }
    }

    /// Goes on where the archive ends, if it reaches to what the log still holds.
    async fn fill(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        hole: Hole,
    ) -> Result<Offset, ConsumeError> {
        let last = last_object(&*self.parts.keeper.store, self.log_id, hole.partition).await?;
        let end = last.map_or(hole.position, |object| object.footer.next_offset.max(hole.position));
        if hole.is_left(end) {
            return Err(hole.lost(&self.parts.state.group, end));
        }
        consumer.commit(hole.partition, end).await?;
        Ok(end)
    }

    /// Begins within no object: two that hold the same record would never be told apart again.
    async fn start(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        partition: Partition,
        position: Offset,
    ) -> Result<Offset, ConsumeError> {
        let start = self.parts.keeper.start(partition, position).await?;
        if start != position {
            tracing::warn!(
                messaging.destination.partition.id = partition,
                "the archive goes on at {start}, where it ends, instead of at {position}, within what it holds"
            );
            consumer.commit(partition, start).await?;
        }
        Ok(start)
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
