//! The ring and its readers together: publishing, waiting, heartbeats, drain.
//!
//! Publishing locks the ring, then the interests; nobody locks them the other way round. A reader that waits does
//! so under the interests' lock, which knows the head, so that no event slips between looking and waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use souk_events::{Cursor, LogId};
use souk_ports::{EventLog, Offset, Partition};
use tokio::sync::Notify;

use crate::backoff::random;
use crate::blocks::Blocks;
use crate::config::NotificationsConfig;
use crate::filter::Filter;
use crate::framing::Batch;
use crate::interests::{Interests, SlotId};
use crate::memo::Memo;
use crate::metrics::StreamMetrics;
use crate::position::{Position, next_of};
use crate::ring::{Join, Next, Place, Ring};

/// Everything that readers share.
pub(crate) struct Hub {
    pub(crate) config: NotificationsConfig,
    pub(crate) log: LogId,
    pub(crate) metrics: Arc<StreamMetrics>,
    pub(crate) blocks: Arc<Blocks>,
    ring: RwLock<Ring>,
    interests: Mutex<Interests>,
    memo: Memo,
    /// The log's end was found, so that "from now on" means something.
    started: AtomicBool,
    draining: AtomicBool,
    /// How many readers a drain has sent away, and how many there were when it began.
    drained: AtomicU64,
    to_drain: AtomicU64,
    /// Told when a reader leaves during a drain.
    left: Notify,
    born: Instant,
    /// Milliseconds since `born`, as of the last tick: readers need no clock of their own.
    now: AtomicU64,
    skips_on_join: bool,
    waits_without_looking: bool,
    /// A planted bug: whatever is written puts a reader's comment off.
    pub(crate) comments_when_quiet: bool,
}

impl Hub {
    pub(crate) fn new(
        config: NotificationsConfig,
        log: Arc<dyn EventLog>,
        metrics: Arc<StreamMetrics>,
    ) -> Arc<Self> {
        let nowhere: Position = Arc::new([]);
        let skips_on_join = config.has_bug("skip-frame-on-join");
        let waits_without_looking = config.has_bug("wait-without-looking");
        let comments_when_quiet = config.has_bug("comment-when-quiet");
        Arc::new(Self {
            log: log.identity(),
            blocks: Blocks::new(&config, log, metrics.clone()),
            ring: RwLock::new(Ring::new(config.ring_bytes, nowhere.clone())),
            interests: Mutex::new(Interests::new(Place { seq: 0, position: nowhere })),
            memo: Memo::default(),
            started: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            drained: AtomicU64::new(0),
            to_drain: AtomicU64::new(0),
            left: Notify::new(),
            born: Instant::now(),
            now: AtomicU64::new(0),
            skips_on_join,
            waits_without_looking,
            comments_when_quiet,
            config,
            metrics,
        })
    }

    /// Begins at a position of the log; no reader is taken before.
    pub(crate) fn start(&self, from: &[Offset]) {
        let from: Position = from.into();
        let mut ring = self.ring.write();
        *ring = Ring::new(self.config.ring_bytes, from.clone());
        *self.interests.lock() = Interests::new(Place { seq: 0, position: from });
        self.started.store(true, Ordering::Release);
    }

    /// Tells whether it has begun at a position of the log.
    pub(crate) fn has_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// Tells whether readers are taken.
    pub(crate) fn is_open(&self) -> bool {
        self.has_started() && !self.draining.load(Ordering::Relaxed)
    }

    /// Publishes a batch and wakes those whom it concerns.
    pub(crate) fn publish(&self, batch: Batch) {
        let events: usize = batch.drafts.iter().map(|draft| draft.frames.len()).sum();
        self.metrics.events.inc_by(events as u64);
        let mut wakers = Vec::new();
        {
            let mut ring = self.ring.write();
            let head = Place { seq: ring.head().seq + events as u64, position: batch.head.clone() };
            let mut interests = self.interests.lock();
            let frames = batch.drafts.iter().flat_map(|draft| &draft.frames);
            interests.publish(frames, head, &mut wakers);
            drop(interests);
            ring.push(batch, Instant::now());
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Goes on at a position further on, between which and the head the log no longer holds everything. Every reader
    /// finds its place lost, asks the log, and is told of the gap.
    pub(crate) fn skip_to(&self, position: &[Offset]) {
        let mut wakers = Vec::new();
        {
            let mut ring = self.ring.write();
            let mut interests = self.interests.lock();
            // Before the head moves: who waits has its place where it waited.
            interests.wake_everyone(&mut wakers);
            ring.skip_to(position.into());
            interests.skip_to(ring.head());
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Adds a reader; returns its slot and its filter, shared with others like it. `None` when there is no room.
    pub(crate) fn add(&self, filter: Filter) -> Option<(SlotId, Arc<Filter>)> {
        let mut interests = self.interests.lock();
        if interests.readers() >= self.config.max_readers {
            return None;
        }
        self.metrics.readers.inc();
        self.metrics.opens.inc();
        Some(interests.add(filter))
    }

    /// Removes a reader.
    pub(crate) fn remove(&self, slot: SlotId) {
        self.interests.lock().remove(slot);
        self.metrics.readers.dec();
        if self.draining.load(Ordering::Relaxed) {
            self.left.notify_one();
        }
    }

    /// Returns what a reader finds at its place.
    pub(crate) fn next(&self, seq: u64, filter: &Arc<Filter>) -> Next {
        if filter.is_all() && !filter.named {
            return self.ring.read().next(seq, filter);
        }
        if let Some(chunk) = self.memo.get(filter, seq) {
            return Next::Chunk(chunk);
        }
        let next = self.ring.read().next(seq, filter);
        if let Next::Chunk(chunk) = &next {
            self.memo.put(filter, seq, chunk);
        }
        next
    }

    /// Takes a reader on that comes from the log.
    pub(crate) fn join(&self, at: &mut Cursor, filter: &Filter) -> Join {
        let ring = self.ring.read();
        match ring.join(at, filter) {
            Join::Live(place) if self.skips_on_join && place.seq < ring.head().seq => {
                Join::Live(Place { seq: place.seq + 1, ..place })
            }
            join => join,
        }
    }

    /// Returns the head.
    pub(crate) fn head(&self) -> Place {
        self.ring.read().head()
    }

    /// Returns the position before the oldest frame.
    pub(crate) fn oldest(&self) -> Position {
        self.ring.read().oldest().clone()
    }

    /// Returns the offset of `partition` before which everything is committed.
    pub(crate) fn committed(&self, partition: Partition) -> Offset {
        next_of(&self.head().position, partition)
    }

    /// Waits for frames after `seq`; `false` when there is something to do already.
    pub(crate) fn wait(&self, slot: SlotId, seq: u64, commented: u64, waker: &Waker) -> bool {
        if self.waits_without_looking {
            std::thread::sleep(Duration::from_micros(50));
        }
        let mut interests = self.interests.lock();
        let seq = if self.waits_without_looking { interests.head() } else { seq };
        !self.is_draining() && interests.wait(slot, seq, commented, waker)
    }

    /// Waits for something else; `false` when there is something to do already.
    pub(crate) fn wait_aside(&self, slot: SlotId, commented: u64, waker: &Waker) -> bool {
        let mut interests = self.interests.lock();
        if self.is_draining() {
            return false;
        }
        interests.wait_aside(slot, commented, waker);
        true
    }

    /// Ends a wait; returns where the reader goes on, when it waited for frames.
    pub(crate) fn resume(&self, slot: SlotId) -> Option<Place> {
        self.interests.lock().resume(slot)
    }

    /// Returns the hub's clock, in milliseconds.
    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Tells whether a reader that wrote its last comment at `commented` owes the next one.
    pub(crate) fn is_due(&self, commented: u64) -> bool {
        self.now().saturating_sub(commented) >= self.heartbeat_millis()
    }

    /// Returns how often to call [`Hub::tick`].
    pub(crate) fn tick_interval(&self) -> Duration {
        // Heartbeats come at most one sixteenth late.
        (self.config.heartbeat / 16).clamp(Duration::from_millis(1), Duration::from_secs(1))
    }

    /// Moves the clock, wakes readers that owe a comment, and takes the figures.
    pub(crate) fn tick(&self) {
        self.tick_at(u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX));
    }

    /// Ticks at a time that a test may choose.
    pub(crate) fn tick_at(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
        let mut wakers = Vec::new();
        if let Some(due) = now.checked_sub(self.heartbeat_millis()) {
            self.interests.lock().wake_due(due, &mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
        self.blocks.tidy(now);
        let (bytes, events, age) = self.ring.read().figures(Instant::now());
        self.metrics.ring_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.metrics.ring_events.set(i64::try_from(events).unwrap_or(i64::MAX));
        self.metrics.ring_oldest.set(age);
    }

    /// Returns the ring's bytes and events.
    pub(crate) fn figures(&self) -> (usize, u64) {
        let (bytes, events, _) = self.ring.read().figures(Instant::now());
        (bytes, events)
    }

    /// Returns how many readers there are.
    pub(crate) fn readers(&self) -> usize {
        self.interests.lock().readers()
    }

    /// Tells whether readers are being sent away.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Sends all readers away, each with a `retry:` of its own, and returns when they have left.
    pub(crate) async fn drain(&self) {
        let mut wakers = Vec::new();
        {
            let mut interests = self.interests.lock();
            self.to_drain.store(interests.readers() as u64, Ordering::Relaxed);
            self.draining.store(true, Ordering::Relaxed);
            interests.wake_everyone(&mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
        while self.readers() > 0 {
            self.left.notified().await;
        }
    }

    /// Returns a reader's own slot, in milliseconds: the next one of a second's share, after the ordinary wait.
    pub(crate) fn drain_retry(&self) -> u64 {
        let slot = self.drained.fetch_add(1, Ordering::Relaxed);
        self.retry_millis() + slot * 1000 / u64::from(self.config.reconnects_per_second)
    }

    /// Returns when to come back for a reader that cannot be taken now: spread over as long as a drain of all
    /// readers would take.
    pub(crate) fn refusal_retry(&self) -> u64 {
        let readers = self.to_drain.load(Ordering::Relaxed).max(self.readers() as u64);
        let spread = readers * 1000 / u64::from(self.config.reconnects_per_second) + 2 * self.retry_millis();
        self.retry_millis() + (random() * spread as f64) as u64
    }

    /// Returns the ordinary wait before a client reconnects.
    pub(crate) fn retry_millis(&self) -> u64 {
        u64::try_from(self.config.retry.as_millis()).unwrap_or(u64::MAX)
    }

    fn heartbeat_millis(&self) -> u64 {
        u64::try_from(self.config.heartbeat.as_millis()).unwrap_or(u64::MAX)
    }
}
