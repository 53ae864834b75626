//! Runs of adjacent frames in one shared buffer, so that a reader of everything takes them in one write.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use souk_domain::{EventType, ProductId, SellerId};
use souk_ports::{Offset, Partition};

use crate::position::{Position, set_next};

/// What a segment holds at most, one frame excepted. Large enough that a write's fixed costs vanish, small enough
/// that a reader that stops reading pins little.
pub(crate) const SEGMENT_BYTES: usize = 64 << 10;

/// What choosing a frame, and resuming after it, needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Where it ends in the segment's bytes; it begins where the one before ends.
    pub(crate) end: u32,
    /// The event's type.
    pub(crate) kind: EventType,
    /// The record's partition.
    pub(crate) partition: Partition,
    /// The offset after the record.
    pub(crate) next: Offset,
    /// The event's seller.
    pub(crate) seller: SellerId,
    /// The event's product.
    pub(crate) product: ProductId,
}

/// Frames that are not in the ring yet.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) bytes: Vec<u8>,
    pub(crate) frames: Vec<Frame>,
    /// The position after them, records that were left out included.
    pub(crate) end: Position,
}

/// Adjacent frames, immutable.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The sequence number of the first frame.
    pub(crate) first: u64,
    pub(crate) bytes: Bytes,
    pub(crate) frames: Vec<Frame>,
    /// The position before the first frame.
    pub(crate) start: Position,
    /// The position after the last frame.
    pub(crate) end: Position,
    /// When its oldest frame was published.
    pub(crate) published: Instant,
}

impl Segment {
    /// Joins `earlier` segments and a draft that follows them into one.
    pub(crate) fn join(
        earlier: &[Arc<Segment>],
        draft: Draft,
        first: u64,
        start: Position,
        now: Instant,
    ) -> Self {
        let Some(oldest) = earlier.first() else {
            let Draft { bytes, mut frames, end } = draft;
            frames.shrink_to_fit();
            return Self { first, bytes: Bytes::from(bytes), frames, start, end, published: now };
        };
        let size = earlier.iter().map(|segment| segment.bytes.len()).sum::<usize>() + draft.bytes.len();
        let count = earlier.iter().map(|segment| segment.frames.len()).sum::<usize>() + draft.frames.len();
        let mut bytes = Vec::with_capacity(size);
        let mut frames = Vec::with_capacity(count);
        let parts = earlier.iter().map(|segment| (&segment.bytes[..], &segment.frames));
        for (part, metas) in parts.chain([(&draft.bytes[..], &draft.frames)]) {
            let shift = length(bytes.len());
            frames.extend(metas.iter().cloned().map(|frame| Frame { end: frame.end + shift, ..frame }));
            bytes.extend_from_slice(part);
        }
        Self {
            first: oldest.first,
            bytes: Bytes::from(bytes),
            frames,
            start: oldest.start.clone(),
            end: draft.end,
            published: oldest.published,
        }
    }

    /// Returns the sequence number after the last frame.
    pub(crate) fn after(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// Returns where the frames of these indexes lie in the bytes.
    pub(crate) fn span(&self, frames: Range<usize>) -> Range<usize> {
        let end_of = |index: usize| self.frames[index].end as usize;
        let start = if frames.start == 0 { 0 } else { end_of(frames.start - 1) };
        start..if frames.end == 0 { 0 } else { end_of(frames.end - 1) }
    }

    /// Returns the position before the frame of that index.
    pub(crate) fn position_before(&self, index: usize) -> Position {
        if index == 0 {
            return self.start.clone();
        }
        if index >= self.frames.len() {
            return self.end.clone();
        }
        let mut position = self.start.to_vec();
        for frame in &self.frames[..index] {
            set_next(&mut position, frame.partition, frame.next);
        }
        position.into()
    }

    /// Returns about how much memory it takes, its share of the ring's indexes included.
    pub(crate) fn cost(&self) -> usize {
        /// The segment itself, its places in the ring and its two positions.
        const FIXED: usize = size_of::<Segment>() + 160;
        /// A seller's text, three entries in posting lists, and a list for a product that occurs once.
        const PER_FRAME: usize = size_of::<Frame>() + 40 + 3 * size_of::<u64>() + 100;
        FIXED + self.bytes.len() + self.frames.len() * PER_FRAME
    }
}

/// Returns a length inside a segment as it is stored.
pub(crate) fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a segment is some 64 KiB, or one event of a few MiB")
}
