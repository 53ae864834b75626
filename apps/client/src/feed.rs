//! The event stream (WHATWG Server-Sent Events) over one connection, and the place in it that outlives connections.

use std::io;
use std::time::Duration;

use memchr::memmem;

use crate::Target;
use crate::link::Link;
use crate::wire::{Dechunker, Framing, read_head};

/// Three heartbeats: a stream that is silent for longer is dead, even if its connection is not.
const SILENCE: Duration = Duration::from_secs(45);
/// Room for a read: many frames in one call when the stream is busy.
const READ_SIZE: usize = 256 * 1024;

/// What outlives a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The last `id:` that came; empty before the first.
    pub last_id: String,
    /// The last `retry:` that came.
    pub retry: Option<Duration>,
}

/// One frame, comments included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The position after it.
    pub id: Option<&'a str>,
    /// What it is, `message` where it does not say.
    pub name: &'a [u8],
    /// What it carries; `None`: a comment, or fields about the stream alone.
    pub data: Option<&'a [u8]>,
    /// How long to wait before a reconnect.
    pub retry: Option<Duration>,
    /// The frame as it came.
    pub text: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a frame, without the empty line at its end. Data of several lines does not come: events are compact JSON.
    pub fn parse(text: &'a [u8]) -> Self {
        let mut frame = Self { id: None, name: b"message", data: None, retry: None, text };
        for line in text.split(|byte| *byte == b'\n') {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let value = &line[colon + 1..];
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &line[..colon] {
                b"id" => frame.id = std::str::from_utf8(value).ok(),
                b"data" => frame.data = Some(value),
                b"event" => frame.name = value,
                b"retry" => {
                    let millis = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    frame.retry = millis.map(Duration::from_millis);
                }
                // A comment, or a field that nobody knows: both are to be ignored.
                _ => {}
            }
        }
        frame
    }
}

impl Place {
    fn note(&mut self, frame: &Frame<'_>) {
        if let Some(id) = frame.id {
            self.last_id.clear();
            self.last_id.push_str(id);
        }
        self.retry = frame.retry.or(self.retry);
    }
}

/// One connection to the stream.
pub struct Feed {
    socket: Link,
    input: Vec<u8>,
    dechunker: Option<Dechunker>,
    /// Text of the stream that is not taken yet.
    text: Vec<u8>,
}

impl Feed {
    /// Connects to the stream at `target`, which may have a query in its path; resumes after `last_id`.
    ///
    /// # Errors
    /// When there is no answer, or another than 200.
    pub async fn open(target: &Target, last_id: Option<&str>) -> io::Result<Self> {
        let mut socket = target.connect().await?;
        let resume = last_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n{resume}\r\n",
            target.path, target.authority
        );
        socket.write_all(request.as_bytes()).await?;
        let mut input = Vec::with_capacity(READ_SIZE);
        let head = loop {
            let read = tokio::time::timeout(SILENCE, socket.read_buf(&mut input)).await??;
            if let Some(head) = read_head(&input).map_err(io::Error::other)? {
                break head;
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        if head.status != 200 {
            return Err(io::Error::other(format!("the stream answers {}", head.status)));
        }
        input.drain(..head.length);
        let dechunker = (head.framing == Framing::Chunked).then(Dechunker::default);
        let mut feed = Self { socket, input, dechunker, text: Vec::with_capacity(READ_SIZE) };
        feed.decode()?;
        Ok(feed)
    }

    /// Waits for more text.
    ///
    /// # Errors
    /// When the stream is cut, or silent for longer than its heartbeats allow.
    pub async fn fill(&mut self) -> io::Result<()> {
        let read = tokio::time::timeout(SILENCE, self.socket.read_buf(&mut self.input)).await??;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.decode()
    }

    fn decode(&mut self) -> io::Result<()> {
        match &mut self.dechunker {
            Some(dechunker) => {
                dechunker.feed(&self.input, &mut self.text).map_err(io::Error::other)?;
            }
            None => self.text.extend_from_slice(&self.input),
        }
        self.input.clear();
        Ok(())
    }

    /// Takes every whole frame that has come and notes it in `place`; a part of one stays.
    pub fn take_frames(&mut self, place: &mut Place, mut take: impl FnMut(Frame<'_>)) {
        let mut taken = 0;
        while let Some(end) = memmem::find(&self.text[taken..], b"\n\n") {
            let frame = Frame::parse(&self.text[taken..taken + end]);
            place.note(&frame);
            take(frame);
            taken += end + 2;
        }
        self.text.drain(..taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_frame_says() {
        let frame = Frame::parse(b"id: a.B\nevent: ready\ndata: {}");
        assert_eq!((frame.id, frame.name, frame.data), (Some("a.B"), &b"ready"[..], Some(&b"{}"[..])));
        let frame = Frame::parse(b"data:{\"a\":\"b: c\"}");
        assert_eq!((frame.name, frame.data), (&b"message"[..], Some(&br#"{"a":"b: c"}"#[..])));
        assert_eq!(Frame::parse(b": heartbeat").data, None);
    }

    #[test]
    fn a_place_keeps_the_last_id_and_the_pause_to_reconnect() {
        let mut place = Place::default();
        for text in ["retry: 1500", "id: a", ": heartbeat", "id: b\nevent: cursor\ndata:", "data: x"] {
            place.note(&Frame::parse(text.as_bytes()));
        }
        assert_eq!(place, Place { last_id: "b".to_owned(), retry: Some(Duration::from_millis(1500)) });
    }
}
