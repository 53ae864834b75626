//! Requests and replies, read whole.

use std::io::{self, BufRead, Read as _};

/// A longer body is none of DynamoDB's or of an archive's.
const LONGEST_BODY: usize = 256 << 20;

/// A request or a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The first line.
    pub line: String,
    /// Names and values in their order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    /// Reads a request, `None` at the end; whoever waits for `100 Continue` is told by `continues`.
    pub fn read_request(
        from: &mut impl BufRead,
        continues: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Option<Self>> {
        let Some(mut request) = Self::read_head(from)? else { return Ok(None) };
        if request.header("expect").is_some() {
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("expect"));
            continues()?;
        }
        request.read_body(from, false)?;
        Ok(Some(request))
    }

    /// Reads a reply; one to HEAD has no body, whatever its length says.
    pub fn read_reply(from: &mut impl BufRead, to_head: bool) -> io::Result<Self> {
        loop {
            let mut reply = Self::read_head(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let status = reply.line.split(' ').nth(1).unwrap_or_default().to_owned();
            if status.starts_with('1') {
                continue;
            }
            if !(to_head || status == "204" || status == "304") {
                reply.read_body(from, true)?;
            }
            return Ok(reply);
        }
    }

    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Tells whether the connection ends after this.
    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Puts another body in place, with its length, and without checksums of the one before.
    pub fn with_body(mut self, body: Vec<u8>) -> Self {
        const STALE: [&str; 3] = ["content-length", "transfer-encoding", "x-amz-crc32"];
        self.headers.retain(|(name, _)| !STALE.iter().any(|stale| name.eq_ignore_ascii_case(stale)));
        self.headers.push(("Content-Length".to_owned(), body.len().to_string()));
        Self { body, ..self }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.line).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }

    fn read_head(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(line) = read_line(from)? else { return Ok(None) };
        let mut headers = Vec::new();
        loop {
            let header = read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if header.is_empty() {
                return Ok(Some(Self { line, headers, body: Vec::new() }));
            }
            let (name, value) =
                header.split_once(':').ok_or_else(|| io::Error::other(format!("no header: {header}")))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// Reads the body; what comes in chunks gets a length in their place. A reply without either goes to the end.
    fn read_body(&mut self, from: &mut impl BufRead, to_the_end: bool) -> io::Result<()> {
        if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            let mut body = Vec::new();
            while let Some(size) = read_chunk_size(from)? {
                let begin = body.len();
                check(begin + size)?;
                body.resize(begin + size, 0);
                from.read_exact(&mut body[begin..])?;
                read_line(from)?;
            }
            self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("transfer-encoding"));
            self.headers.push(("Content-Length".to_owned(), body.len().to_string()));
            self.body = body;
        } else if let Some(length) = self.header("content-length") {
            let length = length.parse().map_err(io::Error::other)?;
            check(length)?;
            self.body.resize(length, 0);
            from.read_exact(&mut self.body)?;
        } else if to_the_end {
            from.take(LONGEST_BODY as u64).read_to_end(&mut self.body)?;
            self.headers.push(("Connection".to_owned(), "close".to_owned()));
        }
        Ok(())
    }
}

fn check(length: usize) -> io::Result<()> {
    if length > LONGEST_BODY { Err(io::Error::other(format!("a body of {length} bytes"))) } else { Ok(()) }
}

/// Reads a line without its end; `None` at the end of everything.
fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

/// Reads the size of the next chunk; after the last one its trailers too, which are left out.
fn read_chunk_size(from: &mut impl BufRead) -> io::Result<Option<usize>> {
    let line = read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let digits = line.split(';').next().unwrap_or_default().trim();
    match usize::from_str_radix(digits, 16).map_err(io::Error::other)? {
        0 => {
            while read_line(from)?.is_some_and(|line| !line.is_empty()) {}
            Ok(None)
        }
        size => Ok(Some(size)),
    }
}
