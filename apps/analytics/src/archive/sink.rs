//! The `archive` consumer: closes files into objects, exactly once.
//!
//! Of each partition one object is under way at a time, while records for the next ones are taken in. It is put
//! create-only; then the position is committed. A crash in between leaves an object that the next run finds in its way and
//! adopts; a crash before leaves nothing.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_events::LogId;
use souk_ports::{GroupConsumer, LogRecord, Offset, Partition, fault};
use tokio::sync::{Notify, mpsc, oneshot};

use super::keeper::Keeper;
use super::making::Making;
use super::replay::last_object;
use super::writer::{Limits, Writer};
use super::{ArchivedObject, Span};
use crate::consumer::{ConsumeError, ConsumerState, Force, Hole, Sink, caught_up};

/// How often a waiting flush looks whether it has everything when no records come.
const FLUSH_POLL: Duration = Duration::from_millis(20);

/// How many objects are under way at once, each of another partition: while one is on its way to the store, another is
/// encoded.
const AT_ONCE: usize = 2;

/// Somebody wants everything before these offsets (by partition number) archived now.
pub(crate) struct FlushRequest {
    pub targets: Vec<Offset>,
    pub reply: oneshot::Sender<Flushed>,
}

/// What a flush has done.
pub(crate) struct Flushed {
    /// The objects written since it was asked for.
    pub objects: Vec<ArchivedObject>,
    /// The partitions that are archived as far as it was asked for: those that are ours.
    pub partitions: Vec<Partition>,
}

/// A flush that waits, with the objects written since it came.
struct Waiting {
    request: FlushRequest,
    written: Vec<ArchivedObject>,
    /// The partitions of which everything that it wants has been read.
    read: BTreeSet<Partition>,
}

impl Waiting {
    fn target(&self, partition: Partition) -> Offset {
        self.request.targets.get(partition as usize).copied().unwrap_or(0)
    }
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
    /// The objects under way, the oldest first.
    making: VecDeque<Making>,
    /// Told when one of them has come to an end.
    wake: Arc<Notify>,
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
            making: VecDeque::new(),
            wake: Arc::default(),
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

    /// Reads a partition from `position` on, whatever was read of it before.
    fn begin_at(&mut self, partition: Partition, position: Offset) {
        self.writer.assign(partition, position);
        for waiting in &mut self.waiting {
            waiting.read.remove(&partition);
        }
    }

    /// Closes the file of `partition` and begins to make an object of it, once its object before has come to its end.
    async fn close(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        partition: Partition,
    ) -> Result<(), ConsumeError> {
        while self.is_making(partition) || self.making.len() >= AT_ONCE {
            // One that has ended was finished before: what is left takes its time, the oldest the least.
            self.finish(consumer, 0).await?;
        }
        // What came meanwhile may have changed hands.
        let Some(file) = self.writer.close(partition) else { return Ok(()) };
        if fault::planted("commit-before-put") {
            consumer.commit(partition, file.next_offset).await?;
            // Wide enough for a kill to fall between the position and the object.
            tokio::time::sleep(Duration::from_millis(50)).await;
            fault::crash_point("archive.encoded");
        }
        self.making.push_back(Making::begin(&self.parts.keeper, partition, file, &self.wake));
        Ok(())
    }

    /// Brings the object at `place` of those under way to its end: stored, committed.
    async fn finish(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        place: usize,
    ) -> Result<(), ConsumeError> {
        let Some(making) = self.making.get_mut(place) else { return Ok(()) };
        let closing = making.stored().await?;
        let Span { partition, next_offset, .. } = closing.span;
        let end = closing.stored.expect("this is one that is stored");
        consumer.commit(partition, end).await?;
        for waiting in &mut self.waiting {
            waiting.written.push(closing.object.clone());
        }
        if end == next_offset {
            self.writer.archived(partition, end);
        } else {
            // Another writer cut the log elsewhere: go on where its object ends.
            consumer.seek(partition, end).await?;
            self.inbox.retain(|record| record.partition != partition);
            self.begin_at(partition, end);
        }
        self.parts.state.reached(partition, end);
        self.making.remove(place);
        Ok(())
    }

    /// Notes for the waiting flushes of which partitions everything that they want has been read.
    async fn look(&mut self) -> Result<(), ConsumeError> {
        let (log, writer) = (&*self.parts.keeper.log, &self.writer);
        for waiting in &mut self.waiting {
            let unread =
                writer.partitions().into_iter().filter(|partition| !waiting.read.contains(partition));
            let looks = unread.filter_map(|partition| {
                let (position, target) = (writer.read_position(partition)?, waiting.target(partition));
                // Offsets have holes: where nothing came, perhaps nothing is left.
                if position < target && !self.idle {
                    return None;
                }
                Some(async move { (partition, caught_up(log, partition, position, target).await) })
            });
            for (partition, caught_up) in futures_util::future::join_all(looks).await {
                if caught_up? {
                    waiting.read.insert(partition);
                }
            }
        }
        // Once for each time that nothing came.
        self.idle = false;
        Ok(())
    }

    /// Returns a partition whose file a waiting flush wants closed.
    fn wanted(&self) -> Option<Partition> {
        self.waiting.iter().find_map(|waiting| {
            let open =
                |partition: &Partition| self.writer.is_open(*partition) && !self.is_past(waiting, *partition);
            waiting.read.iter().copied().find(open)
        })
    }

    /// Answers the flushes that have everything.
    fn answer(&mut self) {
        // Before the partitions are assigned, nothing can be said.
        if !self.parts.state.has_joined() {
            return;
        }
        let mut done = Vec::new();
        for (index, waiting) in self.waiting.iter().enumerate() {
            let is_archived = |partition: &Partition| {
                let under_way = self.writer.is_open(*partition) || self.is_making(*partition);
                self.is_past(waiting, *partition) || !under_way && waiting.read.contains(partition)
            };
            if self.writer.partitions().iter().all(is_archived) {
                done.push(index);
            }
        }
        for index in done.into_iter().rev() {
            let Waiting { request, written, .. } = self.waiting.swap_remove(index);
            // Whoever asked may have gone.
            let _ = request.reply.send(Flushed { objects: written, partitions: self.writer.partitions() });
        }
    }

    fn is_making(&self, partition: Partition) -> bool {
        self.making.iter().any(|making| making.partition == partition)
    }

    /// Tells whether `partition` is archived beyond what a flush wants; newer records may be open.
    fn is_past(&self, waiting: &Waiting, partition: Partition) -> bool {
        self.parts.state.position(partition).is_some_and(|position| position >= waiting.target(partition))
    }
}

impl Sink for ArchiveSink {
    fn reset(&mut self) {
        self.writer = Writer::new(self.parts.limits);
        for waiting in &mut self.waiting {
            waiting.read.clear();
        }
        self.inbox.clear();
        self.making.clear();
    }

    fn assign(&mut self, partitions: &[(Partition, Offset)]) {
        for (partition, position) in partitions {
            self.begin_at(*partition, *position);
        }
    }

    fn revoke(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.writer.revoke(*partition);
        }
        self.inbox.retain(|record| !partitions.contains(&record.partition));
        self.making.retain(|making| !partitions.contains(&making.partition));
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
            while let Some(place) = self.making.iter().position(Making::has_ended) {
                self.finish(consumer, place).await?;
            }
            let now = Instant::now();
            if let Some(partition) = self.take_in(now) {
                self.close(consumer, partition).await?;
                continue;
            }
            self.look().await?;
            let forced = || {
                let mut open = self.writer.partitions().into_iter().filter(|p| self.writer.is_open(*p));
                open.find(|partition| force.covers(*partition))
            };
            match self.writer.due(now).or_else(forced).or_else(|| self.wanted()) {
                Some(partition) => self.close(consumer, partition).await?,
                None => break,
            }
        }
        while let Some(place) = self.making.iter().position(|making| force.covers(making.partition)) {
            self.finish(consumer, place).await?;
        }
        self.answer();
        Ok(())
    }

    fn due_in(&self, now: Instant) -> Option<Duration> {
        let file = self.writer.due_in(now);
        if self.waiting.is_empty() { file } else { Some(file.map_or(FLUSH_POLL, |due| due.min(FLUSH_POLL))) }
    }

    async fn attention(&mut self) {
        tokio::select! {
            Some(request) = self.parts.requests.recv() => {
                self.waiting.push(Waiting { request, written: Vec::new(), read: BTreeSet::new() });
            }
            () = self.wake.notified() => {}
        }
    }
}
