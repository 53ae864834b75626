//! A parser of event streams to the letter of WHATWG HTML §9.2.6, for tests, load generators and proofs.
//!
//! It is incremental: chunks may be cut anywhere. Nothing is copied but the data of the block at hand, so that
//! it keeps up with hundreds of thousands of events per second.

use std::borrow::Cow;

/// Reads an event stream chunk by chunk.
#[derive(Debug, Default)]
pub struct Parser {
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// A line ended in CR at the end of a chunk: a LF that follows belongs to it.
    after_cr: bool,
    /// The first line has begun, so that a byte order mark can no longer come.
    begun: bool,
    block: Block,
}

/// An event that the stream dispatched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The type; empty stands for `message`.
    pub name: &'a [u8],
    /// The data, lines joined with LF.
    pub data: &'a [u8],
    /// The last event id that the stream has set, by this event or one before.
    pub id: &'a [u8],
}

impl Event<'_> {
    /// Returns the type, `message` when the block named none.
    pub fn name(&self) -> Cow<'_, str> {
        if self.name.is_empty() { Cow::Borrowed("message") } else { String::from_utf8_lossy(self.name) }
    }

    /// Returns the data as text.
    pub fn data(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.data)
    }

    /// Returns the last event id as text.
    pub fn id(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.id)
    }
}

/// The buffers of the block at hand, and what outlives it.
#[derive(Debug, Default)]
struct Block {
    name: Vec<u8>,
    data: Vec<u8>,
    id_buffer: Vec<u8>,
    last_id: Vec<u8>,
    retry: Option<u64>,
}

impl Parser {
    /// Makes a parser at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a parser for a stream that goes on after `id`, as a client does when it reconnects.
    pub fn resuming(id: &str) -> Self {
        let block = Block { id_buffer: id.into(), last_id: id.into(), ..Block::default() };
        Self { block, ..Self::default() }
    }

    /// Reads the next bytes of the stream and hands over each event they complete. What is incomplete when the
    /// stream ends is never handed over, as the specification wants it.
    pub fn push(&mut self, mut chunk: &[u8], mut on_event: impl FnMut(Event<'_>)) {
        if self.after_cr && !chunk.is_empty() {
            self.after_cr = false;
            chunk = chunk.strip_prefix(b"\n").unwrap_or(chunk);
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', chunk) {
            let (line, rest) = chunk.split_at(end);
            let is_cr = rest[0] == b'\r';
            chunk = &rest[1..];
            if is_cr {
                match chunk.first() {
                    Some(b'\n') => chunk = &chunk[1..],
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            if self.line.is_empty() {
                let line = without_mark(line, &mut self.begun);
                self.block.line(line, &mut on_event);
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.block.line(without_mark(&whole, &mut self.begun), &mut on_event);
                whole.clear();
                self.line = whole;
            }
        }
        self.line.extend_from_slice(chunk);
    }

    /// Returns the last event id, which a client sends as `Last-Event-ID` when it reconnects; empty when none.
    pub fn last_event_id(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.block.last_id)
    }

    /// Returns how many milliseconds the stream wants a client to wait before it reconnects.
    pub fn retry(&self) -> Option<u64> {
        self.block.retry
    }
}

/// Strips one byte order mark from the first line of a stream.
fn without_mark<'a>(line: &'a [u8], begun: &mut bool) -> &'a [u8] {
    if std::mem::replace(begun, true) { line } else { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) }
}

impl Block {
    fn line(&mut self, line: &[u8], on_event: &mut impl FnMut(Event<'_>)) {
        if line.is_empty() {
            return self.dispatch(on_event);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            // A comment.
            Some(0) => return,
            Some(colon) => {
                let value = &line[colon + 1..];
                (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[][..]),
        };
        match field {
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => replace(&mut self.name, value),
            b"id" if !value.contains(&0) => replace(&mut self.id_buffer, value),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                // A number that overflows is longer than anybody waits.
                let digits = std::str::from_utf8(value).expect("ASCII digits are UTF-8");
                self.retry = Some(digits.parse().unwrap_or(u64::MAX));
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, on_event: &mut impl FnMut(Event<'_>)) {
        // The id counts even when the block has no data and is no event.
        if self.last_id != self.id_buffer {
            self.last_id.clone_from(&self.id_buffer);
        }
        if let Some((_, data)) = self.data.split_last() {
            on_event(Event { name: &self.name, data, id: &self.last_id });
        }
        self.data.clear();
        self.name.clear();
    }
}

fn replace(buffer: &mut Vec<u8>, value: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(value);
}

#[cfg(test)]
mod tests;
