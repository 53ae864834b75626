//! Collects frames that match a filter: a slice of the shared bytes while they are adjacent, a copy otherwise.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::frame::push_name;
use crate::segment::Segment;

/// The frames so far.
pub(crate) struct Gather<'a> {
    named: bool,
    frames: u64,
    /// Adjacent frames that are not copied yet.
    run: Option<(&'a Arc<Segment>, Range<usize>)>,
    copied: Vec<u8>,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(named: bool) -> Self {
        Self { named, frames: 0, run: None, copied: Vec::new() }
    }

    /// Returns how many bytes it holds.
    pub(crate) fn len(&self) -> usize {
        self.copied.len() + self.run.as_ref().map_or(0, |(segment, run)| segment.span(run.clone()).len())
    }

    /// Adds the frame of that index, which comes after all others.
    pub(crate) fn push(&mut self, segment: &'a Arc<Segment>, index: usize) {
        self.frames += 1;
        if self.named {
            push_name(&mut self.copied, segment.frames[index].kind);
            self.copied.extend_from_slice(&segment.bytes[segment.span(index..index + 1)]);
            return;
        }
        match &mut self.run {
            Some((last, run)) if Arc::ptr_eq(last, segment) && run.end == index => run.end += 1,
            _ => {
                self.copy_run();
                self.run = Some((segment, index..index + 1));
            }
        }
    }

    fn copy_run(&mut self) {
        if let Some((segment, run)) = self.run.take() {
            self.copied.extend_from_slice(&segment.bytes[segment.span(run)]);
        }
    }

    /// Returns the bytes and how many frames they are; `None` when there are none.
    pub(crate) fn finish(mut self) -> Option<(Bytes, u64)> {
        if self.frames == 0 {
            return None;
        }
        if self.copied.is_empty()
            && let Some((segment, run)) = &self.run
        {
            return Some((segment.bytes.slice(segment.span(run.clone())), self.frames));
        }
        self.copy_run();
        Some((self.copied.into(), self.frames))
    }
}
