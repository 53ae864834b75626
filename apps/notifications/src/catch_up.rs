//! Readers whose place is older than the ring: they read the log, partition by partition, up to the oldest place
//! of the ring, then join it with nothing missed and nothing twice.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt as _;
use souk_events::Cursor;
use souk_ports::{Offset, Partition};

use crate::blocks::{Block, Blocks, Found, Load};
use crate::filter::Filter;
use crate::frame::{push_id, push_name};
use crate::hub::Hub;
use crate::position::{next_of, set_next};
use crate::ring::{Join, Place};

/// Blocks without a match that one call looks at, before others get a turn.
const BLOCKS_PER_TURN: usize = 32;

/// A reader that catches up.
pub(crate) struct Behind {
    /// The position of the reader itself: the log is read from here.
    pub(crate) at: Cursor,
    /// The partition that is read, one after another, each up to where the ring began when its turn came.
    turn: Partition,
    /// Where the block after a block of `turn` begins that ended short of its boundary.
    block: Option<Offset>,
    load: Option<Load>,
}

/// What came of a turn.
pub(crate) enum Step {
    /// Frames, and how many.
    Frames(Bytes, u64),
    /// The log no longer holds what lies between the position before and this one.
    Gap {
        /// The position before.
        from: Cursor,
    },
    /// Caught up: goes on in the ring.
    Live(Place),
    /// Up to the head, and beyond it in some partition: goes on once frames come.
    Ahead(u64),
    /// A block is being read.
    Pending,
}

impl Behind {
    pub(crate) fn new(at: Cursor) -> Box<Self> {
        Box::new(Self { at, turn: 0, block: None, load: None })
    }

    /// Takes a step.
    pub(crate) fn step(&mut self, hub: &Hub, filter: &Filter, cx: &mut Context<'_>) -> Step {
        for _ in 0..BLOCKS_PER_TURN {
            let oldest = match hub.join(&mut self.at, filter) {
                Join::Chunk(bytes, frames) => return Step::Frames(bytes.into(), frames),
                Join::Live(place) => return Step::Live(place),
                Join::Ahead(seq) => return Step::Ahead(seq),
                Join::Behind(oldest) => oldest,
            };
            let (partition, target) = self.choose(&oldest);
            let block = match self.poll_block(hub, partition, cx) {
                Poll::Ready(block) => block,
                Poll::Pending => return Step::Pending,
            };
            let from = next_of(&self.at.next, partition);
            let lost_to = block.held_from.min(target);
            if from < lost_to && block.end > from {
                let from = self.at.clone();
                set_next(&mut self.at.next, partition, lost_to);
                return Step::Gap { from };
            }
            if block.end <= from {
                self.block = Some(block.end);
                continue;
            }
            let frames = self.take(&block, partition, target, filter);
            self.block = Some(block.end);
            if block.end >= target || next_of(&self.at.next, partition) >= target {
                (self.turn, self.block) = (partition + 1, None);
            }
            if let Some((bytes, frames)) = frames {
                return Step::Frames(bytes, frames);
            }
        }
        cx.waker().wake_by_ref();
        Step::Pending
    }

    /// Returns the partition to read, and up to where.
    fn choose(&mut self, oldest: &Arc<[Offset]>) -> (Partition, Offset) {
        let count = Partition::try_from(oldest.len()).expect("partitions are few");
        let lags = |partition: &Partition| next_of(&self.at.next, *partition) < oldest[*partition as usize];
        let partition = (self.turn..count).chain(0..self.turn.min(count)).find(lags);
        let partition = partition.expect("the reader is behind in some partition");
        if partition != self.turn {
            (self.turn, self.block, self.load) = (partition, None, None);
        }
        (partition, oldest[partition as usize])
    }

    fn poll_block(&mut self, hub: &Hub, partition: Partition, cx: &mut Context<'_>) -> Poll<Arc<Block>> {
        if self.load.is_none() {
            let from = next_of(&self.at.next, partition);
            let boundary = Blocks::start_of(from);
            let start = self.block.filter(|start| (boundary..=from).contains(start)).unwrap_or(boundary);
            match hub.blocks.get((partition, start), hub.committed(partition)) {
                Found::Here(block) => return Poll::Ready(block),
                Found::Coming(load) => self.load = Some(load),
            }
        }
        let load = self.load.as_mut().expect("set above");
        let poll = load.poll_unpin(cx);
        if poll.is_ready() {
            self.load = None;
        }
        poll
    }

    /// Takes what matches of a block, up to `target`, and moves the position past it.
    fn take(
        &mut self,
        block: &Block,
        partition: Partition,
        target: Offset,
        filter: &Filter,
    ) -> Option<(Bytes, u64)> {
        let from = next_of(&self.at.next, partition);
        let end = block.end.min(target);
        let first = block.items.partition_point(|item| item.next <= from);
        let last = block.items.partition_point(|item| item.next <= end);
        let start_of = |index: usize| if index == 0 { 0 } else { block.items[index - 1].end };
        let frames = if filter.is_all() && !filter.named && block.has_ids {
            (first < last).then(|| {
                let bytes = block.bytes.slice(start_of(first)..start_of(last));
                (bytes, (last - first) as u64)
            })
        } else {
            let mut out = Vec::new();
            let mut count = 0;
            for (index, item) in block.items.iter().enumerate().take(last).skip(first) {
                if !filter.matches(item.kind, &item.seller, &item.product) {
                    continue;
                }
                count += 1;
                if filter.named {
                    push_name(&mut out, item.kind);
                }
                if !block.has_ids {
                    set_next(&mut self.at.next, partition, item.next);
                    push_id(&mut out, &self.at);
                }
                out.extend_from_slice(&block.bytes[start_of(index)..item.end]);
            }
            (count > 0).then(|| (out.into(), count))
        };
        set_next(&mut self.at.next, partition, end);
        frames
    }
}
