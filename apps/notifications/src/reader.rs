//! One reader of the stream: a place, a filter, and nothing that grows.
//!
//! A [`Reader`] is polled by its connection whenever the socket takes more. It hands over what lies after its place
//! or waits in the hub; it has no queue, no channel and no timer.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use souk_events::Cursor;
use souk_events::stream::GapReason;
use souk_ports::Offset;

use crate::catch_up::{Behind, Step};
use crate::filter::Filter;
use crate::frame::{HEARTBEAT, push_cursor, push_gap, push_ready, push_retry};
use crate::hub::Hub;
use crate::interests::SlotId;
use crate::metrics::Close;
use crate::position::same;
use crate::ring::{Next, Place};

/// Where a stream begins.
#[derive(Debug, Default)]
pub(crate) struct Start {
    /// The position to go on from; `None` for the head.
    pub(crate) from: Option<Vec<Offset>>,
    /// The position that was asked for, when that is another one: it stays the client's until it was told of the
    /// gap.
    pub(crate) asked: Option<Cursor>,
    /// Why it does not begin where it was asked to, and what was asked.
    pub(crate) gap: Option<(GapReason, String)>,
}

/// A reader.
pub(crate) struct Reader {
    hub: Arc<Hub>,
    filter: Arc<Filter>,
    state: State,
    first: Option<Bytes>,
    /// When it last wrote a comment, or began, by the hub's clock.
    commented: u64,
    slot: SlotId,
    /// It waits in the hub.
    waiting: bool,
    /// Its place is past the last id that it sent.
    moved: bool,
    ended: bool,
}

enum State {
    /// In the ring.
    Live(Place),
    /// Reading the log.
    Behind(Box<Behind>),
}

impl Reader {
    /// Adds a reader to the hub; `None` when there is no room.
    pub(crate) fn open(hub: &Arc<Hub>, filter: Filter, start: Start) -> Option<Self> {
        let (slot, filter) = hub.add(filter)?;
        let (cursor, state) = match start.from {
            Some(next) => {
                let at = Cursor { log: hub.log, next };
                (at.clone(), State::Behind(Behind::new(at)))
            }
            None => {
                let place = hub.head();
                (Cursor { log: hub.log, next: place.position.to_vec() }, State::Live(place))
            }
        };
        let mut first = Vec::with_capacity(512);
        push_retry(&mut first, hub.retry_millis());
        push_ready(&mut first, &filter, start.asked.as_ref().unwrap_or(&cursor));
        if let Some((reason, from)) = &start.gap {
            push_gap(&mut first, *reason, from, &cursor);
            hub.metrics.gap(*reason);
        }
        Some(Self {
            hub: hub.clone(),
            filter,
            state,
            first: Some(first.into()),
            commented: hub.now(),
            slot,
            waiting: false,
            moved: false,
            ended: false,
        })
    }

    /// Returns the next bytes of the stream, `None` at its end.
    pub(crate) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(first) = self.first.take() {
            return self.send(first, 0);
        }
        if std::mem::take(&mut self.waiting) {
            self.resume();
        }
        loop {
            if self.hub.is_draining() {
                self.ended = true;
                let mut last = Vec::new();
                push_retry(&mut last, self.hub.drain_retry());
                return self.send(last.into(), 0);
            }
            // Also between frames: a proxy may count comments, and a client tells by them that it is not cut off. Looked
            // at once for each write, however many events leave with it.
            if self.hub.is_due(self.commented) {
                return self.comment();
            }
            match &mut self.state {
                State::Live(place) => match self.hub.next(place.seq, &self.filter) {
                    Next::Chunk(chunk) => {
                        self.moved = chunk.after != chunk.place.seq;
                        *place = chunk.place;
                        return self.send(chunk.bytes, chunk.frames);
                    }
                    Next::Head(head) => {
                        self.moved |= !same(&place.position, &head.position);
                        *place = head;
                        let seq = place.seq;
                        if self.rest(Some(seq), cx) {
                            return Poll::Pending;
                        }
                    }
                    Next::Lost => {
                        self.hub.metrics.fell_behind.inc();
                        let at = Cursor { log: self.hub.log, next: place.position.to_vec() };
                        self.state = State::Behind(Behind::new(at));
                    }
                },
                State::Behind(behind) => match behind.step(&self.hub, &self.filter, cx) {
                    Step::Frames(bytes, frames) => {
                        self.moved = !self.filter.is_all();
                        return self.send(bytes, frames);
                    }
                    Step::Gap { from } => {
                        let mut gap = Vec::new();
                        push_gap(&mut gap, GapReason::TooSlow, &from.to_string(), &behind.at);
                        self.hub.metrics.gap(GapReason::TooSlow);
                        self.moved = false;
                        return self.send(gap.into(), 0);
                    }
                    Step::Live(place) => {
                        self.moved |= !self.filter.is_all();
                        self.state = State::Live(place);
                    }
                    Step::Ahead(seq) => {
                        if self.rest(Some(seq), cx) {
                            return Poll::Pending;
                        }
                    }
                    Step::Pending => {
                        self.moved |= !self.filter.is_all();
                        if self.rest(None, cx) {
                            return Poll::Pending;
                        }
                    }
                },
            }
        }
    }

    /// Tells whether it reads the log.
    #[cfg(test)]
    pub(crate) fn is_behind(&self) -> bool {
        matches!(self.state, State::Behind(_))
    }

    /// Writes a comment; with the id of its place when that is past the last id that it sent.
    fn comment(&mut self) -> Poll<Option<Bytes>> {
        self.commented = self.hub.now();
        self.hub.metrics.heartbeats.inc();
        if !std::mem::take(&mut self.moved) {
            return self.send(Bytes::from_static(HEARTBEAT), 0);
        }
        let next = match &self.state {
            State::Live(place) => place.position.to_vec(),
            State::Behind(behind) => behind.at.next.clone(),
        };
        let mut text = Vec::with_capacity(64);
        push_cursor(&mut text, &Cursor { log: self.hub.log, next });
        self.send(text.into(), 0)
    }

    /// Waits for frames after `seq`, or for a block of the log, and for its next comment; `false` when there is
    /// something to do already.
    fn rest(&mut self, seq: Option<u64>, cx: &mut Context<'_>) -> bool {
        self.waiting = match seq {
            Some(seq) => self.hub.wait(self.slot, seq, self.commented, cx.waker()),
            None => self.hub.wait_aside(self.slot, self.commented, cx.waker()),
        };
        self.waiting
    }

    /// Goes on after a wait, where the hub says.
    fn resume(&mut self) {
        if let (Some(place), State::Live(old)) = (self.hub.resume(self.slot), &mut self.state) {
            self.moved |= !same(&old.position, &place.position);
            *old = place;
        }
    }

    fn send(&mut self, bytes: Bytes, frames: u64) -> Poll<Option<Bytes>> {
        if self.hub.comments_when_quiet {
            self.commented = self.hub.now();
        }
        let metrics = &self.hub.metrics;
        metrics.bytes.inc_by(bytes.len() as u64);
        if frames > 0 {
            metrics.frames.inc_by(frames);
        }
        Poll::Ready(Some(bytes))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.hub.remove(self.slot);
        self.hub.metrics.closed(if self.ended { Close::Drain } else { Close::Client });
    }
}
