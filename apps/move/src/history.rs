//! Every event of a shop, from archive and log, in an order that keeps each product's and is by time as far as it can be:
//! partitions are merged by the time of their next events, so that what a log of one partition gets is near to the order in
//! which things happened. The order depends on where each partition is and on nothing else.

mod partition;

use anyhow::Result;
use object_store::ObjectStore;
use souk_domain::Timestamp;
use souk_ports::{EventLog, MovedEvent, Offset, fault};

use partition::PartitionReader;

/// Most events of a batch, which is a transaction: beyond some thousands its fixed cost no longer shows.
const BATCH_EVENTS: usize = 8_192;
/// The same for a test that has to see several batches of a small shop.
const HURRIED_BATCH_EVENTS: usize = 64;
/// Most bytes of a batch, give or take an event.
const BATCH_BYTES: usize = 8 << 20;

/// Reads on from a place in each partition up to an end.
pub(crate) struct History<'a> {
    partitions: Vec<PartitionReader<'a>>,
}

/// Events that follow each other.
pub(crate) struct Batch {
    pub events: Vec<MovedEvent>,
    /// Where each partition is to be read on after them.
    pub next: Vec<Offset>,
    /// Records passed on the way that are no events.
    pub unreadable: u64,
}

impl<'a> History<'a> {
    pub async fn open(
        log: &'a dyn EventLog,
        archive: &'a dyn ObjectStore,
        next: &[Offset],
        end: &[Offset],
    ) -> Result<Self> {
        let bounds = log.bounds().await?;
        let mut partitions = Vec::with_capacity(end.len());
        for (partition, end) in (0..).zip(end) {
            let next = next.get(partition as usize).copied().unwrap_or(0);
            let earliest = bounds.get(partition as usize).map_or(0, |bounds| bounds.earliest);
            partitions.push(PartitionReader::new(log, archive, partition, next..*end, earliest));
        }
        Ok(Self { partitions })
    }

    /// Tells whether a record comes, be it an event or not.
    pub async fn has_more(&mut self) -> Result<bool> {
        for partition in &mut self.partitions {
            if partition.peek().await?.is_some() || partition.take_unreadable() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the next events; none at the end.
    pub async fn next(&mut self) -> Result<Batch> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        let most = if fault::hurried() { HURRIED_BATCH_EVENTS } else { BATCH_EVENTS };
        while events.len() < most && bytes < BATCH_BYTES {
            let mut first: Option<(usize, Timestamp)> = None;
            for (index, partition) in self.partitions.iter_mut().enumerate() {
                let Some(time) = partition.peek().await? else { continue };
                if first.is_none_or(|(_, earliest)| time < earliest) {
                    first = Some((index, time));
                }
            }
            let Some((index, _)) = first else { break };
            let event = self.partitions[index].take();
            bytes += event.payload.len();
            events.push(event);
        }
        Ok(Batch {
            events,
            next: self.partitions.iter().map(PartitionReader::next).collect(),
            unreadable: self.partitions.iter_mut().map(PartitionReader::take_unreadable).sum(),
        })
    }
}
