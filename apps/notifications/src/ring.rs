//! The newest frames, bounded by bytes, and how readers take them.
//!
//! Frames are numbered from 0 in hub order. A reader's place is the number of the next frame that it has not looked
//! at, together with a position in the log that stands for the same place, so that it can go on from the log when
//! the ring has moved on without it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use souk_domain::EventType;
use souk_events::Cursor;

use crate::filter::Filter;
use crate::frame::{push_id, push_name};
use crate::framing::Batch;
use crate::gather::Gather;
use crate::position::{Position, covers, next_of, raise, set_next};
use crate::postings::Postings;
use crate::segment::{SEGMENT_BYTES, Segment};

/// What a gathered or joined chunk holds at least before it is sent, when there is more. Smaller than a segment,
/// since a reader that stops reading keeps such a chunk for itself.
const GATHER_BYTES: usize = 32 << 10;

/// The newest frames.
#[derive(Debug)]
pub(crate) struct Ring {
    segments: VecDeque<Arc<Segment>>,
    postings: Postings,
    /// The number that the next frame gets.
    next: u64,
    /// The position before the oldest frame.
    oldest: Position,
    /// The position after the newest frame.
    head: Position,
    bytes: usize,
    budget: usize,
}

/// Frames for one reader.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    pub(crate) frames: u64,
    /// The number after the last of them.
    pub(crate) after: u64,
    /// Where the reader goes on: what lies between does not match.
    pub(crate) place: Place,
}

/// A reader's place: frame number and position.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) seq: u64,
    pub(crate) position: Position,
}

/// What a reader finds at its place.
#[derive(Debug)]
pub(crate) enum Next {
    /// Frames.
    Chunk(Chunk),
    /// Nothing that matches up to the head, which is its place now.
    Head(Place),
    /// The ring no longer holds the place.
    Lost,
}

/// What a reader finds that comes from the log.
#[derive(Debug)]
pub(crate) enum Join {
    /// The log has to be read further: up to this position.
    Behind(Position),
    /// Frames, in the reader's own ids.
    Chunk(Vec<u8>, u64),
    /// Its position is that of a place in the ring.
    Live(Place),
    /// Its position is beyond the head in some partition; the head's number.
    Ahead(u64),
}

impl Ring {
    pub(crate) fn new(budget: usize, from: Position) -> Self {
        let head = from.clone();
        let (segments, postings) = (VecDeque::new(), Postings::default());
        Self { segments, postings, next: 0, oldest: from, head, bytes: 0, budget }
    }

    /// Appends a batch and drops what is over the budget.
    pub(crate) fn push(&mut self, batch: Batch, now: Instant) {
        for draft in batch.drafts {
            for (seq, frame) in (self.next..).zip(&draft.frames) {
                self.postings.push(seq, frame);
            }
            let (first, start) = (self.next, self.head.clone());
            self.next += draft.frames.len() as u64;
            self.head = draft.end.clone();
            let small = self.small_before(draft.bytes.len(), draft.frames.len());
            let earlier: Vec<_> = self.segments.drain(self.segments.len() - small..).collect();
            self.bytes -= earlier.iter().map(|segment| segment.cost()).sum::<usize>();
            let segment = Segment::join(&earlier, draft, first, start, now);
            self.bytes += segment.cost();
            self.segments.push_back(Arc::new(segment));
        }
        self.head = batch.head;
        while self.bytes > self.budget && self.segments.len() > 1 {
            let Some(segment) = self.segments.pop_front() else { break };
            for (seq, frame) in (segment.first..).zip(&segment.frames) {
                self.postings.pop(seq, frame);
            }
            self.bytes -= segment.cost();
            self.oldest = segment.end.clone();
        }
    }

    /// Forgets everything and goes on at a position further on. A number is left out, so that nobody's place is the head.
    pub(crate) fn skip_to(&mut self, position: Position) {
        let next = self.next + 1;
        *self = Self { next, ..Self::new(self.budget, position) };
    }

    /// Returns how many of the newest segments to join with one that follows. Segments double like a binary
    /// counter, so that events that come one by one still leave in large writes, and each byte is copied at most
    /// log2 of the frames in a segment.
    fn small_before(&self, mut bytes: usize, mut frames: usize) -> usize {
        let mut count = 0;
        for segment in self.segments.iter().rev() {
            if segment.frames.len() > frames || segment.bytes.len() + bytes > SEGMENT_BYTES {
                break;
            }
            bytes += segment.bytes.len();
            frames += segment.frames.len();
            count += 1;
        }
        count
    }

    /// Returns the head.
    pub(crate) fn head(&self) -> Place {
        Place { seq: self.next, position: self.head.clone() }
    }

    /// Returns the position before the oldest frame.
    pub(crate) fn oldest(&self) -> &Position {
        &self.oldest
    }

    /// Returns how many bytes and events it holds, and how long the oldest has been in it.
    pub(crate) fn figures(&self, now: Instant) -> (usize, u64, f64) {
        let oldest = self.segments.front();
        let events = oldest.map_or(0, |segment| self.next - segment.first);
        let age =
            oldest.map_or(0.0, |segment| now.saturating_duration_since(segment.published).as_secs_f64());
        (self.bytes, events, age)
    }

    /// Returns the next frames at or after `seq` that match.
    pub(crate) fn next(&self, seq: u64, filter: &Filter) -> Next {
        if seq >= self.next {
            return Next::Head(self.head());
        }
        if self.segments.front().is_none_or(|oldest| seq < oldest.first) {
            return Next::Lost;
        }
        if !filter.is_all() || filter.named {
            return self.gather(seq, filter);
        }
        let segment = self.segment_of(seq);
        let index = index_in(segment, seq);
        let bytes = segment.bytes.slice(segment.span(index..segment.frames.len()));
        let place = Place { seq: segment.after(), position: segment.end.clone() };
        let frames = (segment.frames.len() - index) as u64;
        Next::Chunk(Chunk { bytes, frames, after: place.seq, place })
    }

    fn gather(&self, mut seq: u64, filter: &Filter) -> Next {
        let mut gather = Gather::new(filter.named);
        let mut place = self.head();
        let mut after = seq;
        while seq < self.next {
            if !filter.is_all() {
                let Some(candidate) = self.postings.next_candidate(filter, seq) else { break };
                seq = candidate;
            }
            let segment = self.segment_of(seq);
            let mut index = index_in(segment, seq);
            while index < segment.frames.len() && gather.len() < GATHER_BYTES {
                if filter.takes(&segment.frames[index]) {
                    gather.push(segment, index);
                    after = segment.first + index as u64 + 1;
                }
                index += 1;
            }
            seq = segment.first + index as u64;
            if gather.len() >= GATHER_BYTES {
                place = Place { seq, position: segment.position_before(index) };
                break;
            }
        }
        match gather.finish() {
            Some((bytes, frames)) => Next::Chunk(Chunk { bytes, frames, after, place }),
            None => Next::Head(place),
        }
    }

    /// Takes a reader on that comes from the log at `at`: hands over what it has not got, in its own ids, until its
    /// position is that of a place in the ring.
    pub(crate) fn join(&self, at: &mut Cursor, filter: &Filter) -> Join {
        if !covers(&at.next, &self.oldest) {
            return Join::Behind(self.oldest.clone());
        }
        let mut out = Vec::new();
        let mut frames = 0;
        // Segments end later and later: those before this one hold nothing new.
        let first = self.segments.partition_point(|segment| covers(&at.next, &segment.end));
        for segment in self.segments.range(first..) {
            if covers(&segment.start, &at.next) {
                if frames > 0 {
                    // The next call finds the same place.
                    return Join::Chunk(out, frames);
                }
                return Join::Live(Place { seq: segment.first, position: segment.start.clone() });
            }
            for (index, frame) in segment.frames.iter().enumerate() {
                if frame.next <= next_of(&at.next, frame.partition) {
                    continue;
                }
                set_next(&mut at.next, frame.partition, frame.next);
                if !filter.takes(frame) {
                    continue;
                }
                let block = &segment.bytes[segment.span(index..index + 1)];
                push_own(&mut out, filter.named.then_some(frame.kind), at, block);
                frames += 1;
                if out.len() >= GATHER_BYTES {
                    return Join::Chunk(out, frames);
                }
            }
            raise(&mut at.next, &segment.end);
        }
        if frames > 0 {
            return Join::Chunk(out, frames);
        }
        raise(&mut at.next, &self.head);
        if covers(&self.head, &at.next) { Join::Live(self.head()) } else { Join::Ahead(self.next) }
    }

    fn segment_of(&self, seq: u64) -> &Arc<Segment> {
        // Most readers are at the newest segment.
        let newest = self.segments.back().expect("callers have looked that the ring holds the place");
        if seq >= newest.first {
            return newest;
        }
        &self.segments[self.segments.partition_point(|segment| segment.after() <= seq)]
    }
}

/// Appends a frame with the reader's own position as its id.
pub(crate) fn push_own(out: &mut Vec<u8>, name: Option<EventType>, at: &Cursor, block: &[u8]) {
    if let Some(kind) = name {
        push_name(out, kind);
    }
    push_id(out, at);
    let data = memchr::memchr(b'\n', block).map_or(0, |end| end + 1);
    out.extend_from_slice(&block[data..]);
}

fn index_in(segment: &Segment, seq: u64) -> usize {
    usize::try_from(seq - segment.first).expect("a segment's frames fit memory")
}
