//! Reads of the log, one for many readers: blocks at fixed places, a small cache of the latest, and each block
//! loaded by whoever asks first while the others wait for it.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;
use souk_domain::{EventType, ProductId, SellerId};
use souk_events::Cursor;
use souk_ports::{EventLog, LogRecord, Offset, Partition, PortError, ReadLimit};
use tokio::sync::Semaphore;

use crate::backoff::Backoff;
use crate::config::NotificationsConfig;
use crate::frame::{overhead, push_data, push_id};
use crate::framing;
use crate::metrics::StreamMetrics;
use crate::segment::SEGMENT_BYTES;

/// Offsets in a block at most; blocks begin at multiples of it, so that readers from anywhere share them.
const BLOCK_OFFSETS: u64 = 128;

/// Milliseconds after which nobody is expected to ask again soon.
const KEPT_MILLIS: u64 = 60_000;

/// Reads at a time: readers that catch up must not take the log away from everybody else.
const CONCURRENT_READS: usize = 4;

/// Events of one partition, all that the log holds from `start` to `end`.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) end: Offset,
    /// What lies before is lost, where this is past the start.
    pub(crate) held_from: Offset,
    pub(crate) items: Vec<Item>,
    /// `id:` and `data:` of all items, when the partition is the only one, so that ids depend on nothing else;
    /// otherwise `data:` alone.
    pub(crate) bytes: bytes::Bytes,
    pub(crate) has_ids: bool,
}

/// An event of a block.
#[derive(Debug)]
pub(crate) struct Item {
    /// The offset after it.
    pub(crate) next: Offset,
    pub(crate) kind: EventType,
    pub(crate) seller: SellerId,
    pub(crate) product: ProductId,
    /// Where it ends in the block's bytes.
    pub(crate) end: usize,
}

impl Block {
    fn cost(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + self.items.len() * (size_of::<Item>() + 40)
    }
}

/// Where a block begins.
pub(crate) type BlockKey = (Partition, Offset);

/// A block that is being loaded.
pub(crate) type Load = Shared<BoxFuture<'static, Arc<Block>>>;

/// A block, or its loading.
pub(crate) enum Found {
    Here(Arc<Block>),
    Coming(Load),
}

/// The cache.
pub(crate) struct Blocks {
    log: Arc<dyn EventLog>,
    budget: usize,
    permits: Semaphore,
    cache: Mutex<Cache>,
    metrics: Arc<StreamMetrics>,
    /// A planted bug: a read that comes back short has reached the end.
    believes_short_reads: bool,
}

#[derive(Default)]
struct Cache {
    entries: HashMap<BlockKey, Entry>,
    bytes: usize,
    /// Counts calls, to tell which block was asked for last.
    clock: u64,
    /// The clock at the last look, and since when it has shown the same.
    seen: (u64, u64),
}

enum Entry {
    Ready { block: Arc<Block>, used: u64 },
    // Weak, so that a load is dropped when everybody who waited for it has left.
    Loading(WeakShared<BoxFuture<'static, Arc<Block>>>),
}

impl Blocks {
    pub(crate) fn new(
        config: &NotificationsConfig,
        log: Arc<dyn EventLog>,
        metrics: Arc<StreamMetrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            log,
            budget: config.catch_up_bytes,
            permits: Semaphore::new(CONCURRENT_READS),
            cache: Mutex::default(),
            metrics,
            believes_short_reads: config.has_bug("short-reads-are-complete"),
        })
    }

    /// Returns where the block begins that a reader at `offset` starts with.
    pub(crate) fn start_of(offset: Offset) -> Offset {
        offset - offset % BLOCK_OFFSETS
    }

    /// Returns the block that begins at `key`. Everything before `committed` is known to be readable, so that a
    /// hole before it is known to be one.
    pub(crate) fn get(self: &Arc<Self>, key: BlockKey, committed: Offset) -> Found {
        let mut cache = self.cache.lock();
        cache.clock += 1;
        let now = cache.clock;
        match cache.entries.get_mut(&key) {
            Some(Entry::Ready { block, used }) => {
                *used = now;
                return Found::Here(block.clone());
            }
            Some(Entry::Loading(load)) => {
                if let Some(load) = load.upgrade() {
                    return Found::Coming(load);
                }
            }
            None => {}
        }
        let blocks = self.clone();
        let load = async move {
            let block = Arc::new(blocks.load(key, committed).await);
            blocks.store(key, &block);
            block
        };
        let load = load.boxed().shared();
        let weak = load.downgrade().expect("a future that was never polled is not done");
        cache.entries.insert(key, Entry::Loading(weak));
        Found::Coming(load)
    }

    /// Forgets everything once nobody has asked for a while.
    pub(crate) fn tidy(&self, now_millis: u64) {
        let mut cache = self.cache.lock();
        if cache.seen.0 != cache.clock {
            cache.seen = (cache.clock, now_millis);
        }
        if cache.bytes > 0 && now_millis.saturating_sub(cache.seen.1) > KEPT_MILLIS {
            cache.entries = HashMap::new();
            cache.bytes = 0;
        }
    }

    /// Returns how much memory it takes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.cache.lock().bytes
    }

    fn store(&self, key: BlockKey, block: &Arc<Block>) {
        let mut cache = self.cache.lock();
        cache.bytes += block.cost();
        let used = cache.clock;
        cache.entries.insert(key, Entry::Ready { block: block.clone(), used });
        while cache.bytes > self.budget {
            let used = |entry: &Entry| match entry {
                Entry::Ready { used, .. } => Some(*used),
                Entry::Loading(_) => None,
            };
            let oldest = cache.entries.iter().filter_map(|(key, entry)| Some((used(entry)?, *key))).min();
            let Some((_, oldest)) = oldest else { break };
            if let Some(Entry::Ready { block, .. }) = cache.entries.remove(&oldest) {
                cache.bytes -= block.cost();
            }
        }
    }

    async fn load(&self, key: BlockKey, committed: Offset) -> Block {
        let mut backoff = Backoff::new();
        loop {
            match self.try_load(key, committed).await {
                Ok(block) => return block,
                Err(error) => {
                    tracing::warn!(
                        messaging.destination.partition.id = key.0,
                        messaging.kafka.offset = key.1,
                        error = &error as &dyn std::error::Error,
                        "cannot read the log for readers that catch up, trying again"
                    );
                    backoff.wait().await;
                }
            }
        }
    }

    async fn try_load(&self, (partition, start): BlockKey, committed: Offset) -> Result<Block, PortError> {
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        self.metrics.catch_up_reads.inc();
        let limit = ReadLimit {
            records: usize::try_from(BLOCK_OFFSETS).expect("a block's offsets fit memory"),
            bytes: SEGMENT_BYTES,
        };
        let mut records = self.log.read(partition, start, limit).await?;
        // Asked after the read: what the log says to hold now, it held during the read.
        let bounds = self.log.bounds().await?;
        let earliest = bounds.get(partition as usize).map_or(0, |bounds| bounds.earliest);
        let boundary = Self::start_of(start) + BLOCK_OFFSETS;
        let read_to = match records.last() {
            Some(last) if !self.believes_short_reads => last.offset + 1,
            // A read may be short for reasons of the log's own: only an empty one says that there is nothing up to
            // `committed`.
            _ => committed.max(start),
        };
        let end = read_to.min(boundary);
        records.retain(|record| record.offset < end && record.offset >= earliest);
        let log = (bounds.len() == 1).then(|| self.log.identity());
        Ok(Self::frame(records, log, end, earliest.max(start)))
    }

    fn frame(
        records: Vec<LogRecord>,
        log: Option<souk_events::LogId>,
        end: Offset,
        held_from: Offset,
    ) -> Block {
        let room = records.iter().map(|record| record.payload.len() + overhead(1)).sum();
        let mut bytes = Vec::with_capacity(room);
        let mut items = Vec::with_capacity(records.len());
        for record in records {
            let Some(envelope) = framing::read(&record) else { continue };
            let next = record.offset + 1;
            if let Some(log) = log {
                push_id(&mut bytes, &Cursor { log, next: vec![next] });
            }
            push_data(&mut bytes, &record.payload);
            items.push(Item {
                next,
                kind: envelope.event_type,
                seller: envelope.seller_id,
                product: envelope.subject,
                end: bytes.len(),
            });
        }
        Block { end, held_from, items, bytes: bytes.into(), has_ids: log.is_some() }
    }
}
