//! HTTP/1.1 answers on the wire (RFC 9112): the head, and bodies by length or in chunks. Pure; no I/O.

use std::time::Duration;

/// Longest head accepted: far beyond what a service sends, and a bound on what a stranger can make us keep.
const MAX_HEAD: usize = 64 * 1024;

/// What of an answer's head matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the connection ends with this answer.
    pub close: bool,
    /// `Retry-After` in seconds.
    pub retry_after: Option<Duration>,
    /// Length of the head in bytes.
    pub length: usize,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After this many bytes.
    Length(usize),
    /// With an empty chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// Bytes that are not HTTP/1.1 as understood here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an HTTP/1.1 answer: {0}")]
pub struct WireError(&'static str);

/// Reads a head; `None` when it is not there in full yet.
pub fn read_head(bytes: &[u8]) -> Result<Option<Head>, WireError> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > MAX_HEAD { Err(WireError("its head does not end")) } else { Ok(None) };
    };
    let mut lines = bytes[..end].split(|byte| *byte == b'\n');
    let status = lines.next().and_then(status).ok_or(WireError("its first line is odd"))?;
    let mut head = Head { status, framing: Framing::Close, close: false, retry_after: None, length: end + 4 };
    for line in lines {
        let colon = memchr::memchr(b':', line).ok_or(WireError("a header has no colon"))?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            if head.framing != Framing::Chunked {
                head.framing = Framing::Length(number(value).ok_or(WireError("its length is no number"))?);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(WireError("its transfer encoding is unknown"));
            }
            head.framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case(b"connection") {
            head.close = value.eq_ignore_ascii_case(b"close");
        } else if name.eq_ignore_ascii_case(b"retry-after") {
            head.retry_after = number(value).map(|seconds| Duration::from_secs(seconds as u64));
        }
    }
    if status == 204 || status == 304 {
        head.framing = Framing::Length(0);
    }
    head.close |= head.framing == Framing::Close;
    Ok(Some(head))
}

fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ").or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    let code = number(rest.get(..3)?)?;
    u16::try_from(code).ok().filter(|code| (200..600).contains(code))
}

fn number(digits: &[u8]) -> Option<usize> {
    let whole = !digits.is_empty() && digits.len() <= 12 && digits.iter().all(u8::is_ascii_digit);
    whole.then(|| digits.iter().fold(0, |value, digit| value * 10 + usize::from(digit - b'0')))
}

/// Takes the chunks off a chunked body, whatever pieces it comes in.
#[derive(Debug, Default)]
pub struct Dechunker {
    state: ChunkState,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ChunkState {
    /// Reading a size; what was read of it, and whether there was a digit.
    #[default]
    Size0,
    Size(usize),
    /// Skipping a chunk extension, after this size.
    Extension(usize),
    /// This many bytes of data to come.
    Data(usize),
    /// The line end after the data.
    DataEnd,
    /// In the trailer; whether its current line is empty so far.
    Trailer(bool),
    Done,
}

impl Dechunker {
    /// Appends the data in `input` to `out`; returns how many bytes of `input` were used. Stops early only at the
    /// end of the body.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, WireError> {
        let mut at = 0;
        while at < input.len() {
            let byte = input[at];
            self.state = match self.state {
                ChunkState::Done => break,
                ChunkState::Data(left) => {
                    let take = left.min(input.len() - at);
                    out.extend_from_slice(&input[at..at + take]);
                    at += take;
                    self.state =
                        if take == left { ChunkState::DataEnd } else { ChunkState::Data(left - take) };
                    continue;
                }
                ChunkState::Size0 => ChunkState::Size(hex(byte).ok_or(WireError("a chunk has no size"))?),
                ChunkState::Size(size) | ChunkState::Extension(size) if byte == b'\n' => {
                    if size == 0 {
                        ChunkState::Trailer(true)
                    } else {
                        ChunkState::Data(size)
                    }
                }
                ChunkState::Size(size) => match hex(byte) {
                    Some(digit) if size < 1 << 32 => ChunkState::Size(size * 16 + digit),
                    Some(_) => return Err(WireError("a chunk is too large")),
                    None => ChunkState::Extension(size),
                },
                ChunkState::Extension(size) => ChunkState::Extension(size),
                ChunkState::DataEnd if byte == b'\r' => ChunkState::DataEnd,
                ChunkState::DataEnd if byte == b'\n' => ChunkState::Size0,
                ChunkState::DataEnd => return Err(WireError("a chunk is longer than its size")),
                ChunkState::Trailer(empty) => match byte {
                    b'\n' if empty => ChunkState::Done,
                    b'\n' => ChunkState::Trailer(true),
                    b'\r' => ChunkState::Trailer(empty),
                    _ => ChunkState::Trailer(false),
                },
            };
            at += 1;
        }
        Ok(at)
    }

    /// Tells whether the body has ended.
    pub fn is_done(&self) -> bool {
        self.state == ChunkState::Done
    }
}

fn hex(byte: u8) -> Option<usize> {
    char::from(byte).to_digit(16).map(|digit| digit as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_matters_of_a_head() {
        let text = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\nContent-Length: 7\r\nConnection: close\r\n\r\nrest";
        let head = read_head(text).unwrap().unwrap();
        assert_eq!((head.status, head.framing, head.close), (503, Framing::Length(7), true));
        assert_eq!(head.retry_after, Some(Duration::from_secs(2)));
        assert_eq!(&text[head.length..], b"rest");
    }

    #[test]
    fn waits_for_the_whole_head() {
        assert_eq!(read_head(b"HTTP/1.1 200 OK\r\nContent-Le"), Ok(None));
    }

    #[test]
    fn an_answer_without_content_has_no_body() {
        assert_eq!(
            read_head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap().framing,
            Framing::Length(0)
        );
        assert_eq!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").unwrap().unwrap().framing, Framing::Close);
    }

    #[test]
    fn refuses_what_is_not_http() {
        assert!(read_head(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
        assert!(read_head(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n").is_err());
        assert!(read_head(&vec![b'x'; MAX_HEAD + 1]).is_err());
    }

    proptest! {
        #[test]
        fn chunks_come_off_however_the_bytes_are_cut(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 0..10),
            cut in 1_usize..40,
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend(format!("{:X}\r\n", chunk.len()).bytes());
                wire.extend(chunk);
                wire.extend(b"\r\n");
            }
            wire.extend(b"0;last\r\ntrailer: x\r\n\r\nnext answer");
            let (mut dechunker, mut out, mut used) = (Dechunker::default(), Vec::new(), 0);
            for piece in wire.chunks(cut) {
                used += dechunker.feed(piece, &mut out).unwrap();
            }
            prop_assert!(dechunker.is_done());
            prop_assert_eq!(&out, &chunks.concat());
            prop_assert_eq!(&wire[used..], b"next answer");
        }
    }
}
