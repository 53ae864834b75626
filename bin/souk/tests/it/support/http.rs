//! A small HTTP/1.1 client and SSE reader over the standard library.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a test waits for an answer or a condition before it fails: long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` returns something.
///
/// # Panics
/// When it does not within [`PATIENCE`]; `what` says what was waited for.
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// Returns the header's value, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {} {}", self.status, self.text()))
    }
}

/// A client that keeps its connection.
#[derive(Debug)]
pub struct Client {
    port: u16,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    pub fn new(port: u16) -> Self {
        Self { port, connection: None }
    }

    /// # Panics
    /// When there is no answer.
    pub fn get(&mut self, path: &str) -> Reply {
        self.call("GET", path, &[], None)
    }

    /// # Panics
    /// When there is no answer.
    pub fn post(&mut self, path: &str, body: &str) -> Reply {
        self.call("POST", path, &[("Content-Type", "application/json")], Some(body))
    }

    /// # Panics
    /// When there is no answer.
    pub fn call(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Reply {
        self.try_call(method, path, headers, body)
            .unwrap_or_else(|error| panic!("no answer from {method} {path} at port {}: {error}", self.port))
    }

    /// Sends a request and reads its answer. After an error the next call connects anew; nothing is ever sent
    /// twice, so that an error means "may have had an effect".
    pub fn try_call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> io::Result<Reply> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(connect(self.port)?),
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = body {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(body.unwrap_or_default());
        connection.get_mut().write_all(request.as_bytes())?;
        let (status, headers) = read_head(&mut connection)?;
        let mut reply = Reply { status, headers, body: Vec::new() };
        if method != "HEAD" && status != 204 && status != 304 {
            if is_chunked(&reply) {
                while let Some(chunk) = read_chunk(&mut connection)? {
                    reply.body.extend_from_slice(&chunk);
                }
            } else if let Some(length) = reply.header("content-length").and_then(|l| l.parse::<usize>().ok())
            {
                reply.body.resize(length, 0);
                connection.read_exact(&mut reply.body)?;
            } else {
                connection.read_to_end(&mut reply.body)?;
                return Ok(reply);
            }
        }
        if !reply.header("connection").is_some_and(|c| c.eq_ignore_ascii_case("close")) {
            self.connection = Some(connection);
        }
        Ok(reply)
    }
}

/// One event of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    pub event: Option<String>,
    pub id: Option<String>,
    pub data: String,
}

impl Frame {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.data))
    }
}

/// An open `text/event-stream`.
#[derive(Debug)]
pub struct EventStream {
    connection: BufReader<TcpStream>,
    pending: Vec<u8>,
}

impl EventStream {
    /// # Panics
    /// When the stream is not opened.
    pub fn open(port: u16, path: &str) -> Self {
        Self::try_open(port, path).unwrap_or_else(|error| panic!("no stream at port {port}{path}: {error}"))
    }

    pub fn try_open(port: u16, path: &str) -> io::Result<Self> {
        let mut connection = BufReader::new(connect(port)?);
        write!(
            connection.get_mut(),
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        )?;
        let (status, headers) = read_head(&mut connection)?;
        let head = Reply { status, headers, body: Vec::new() };
        let kind = head.header("content-type").unwrap_or_default();
        if status != 200 || !kind.starts_with("text/event-stream") || !is_chunked(&head) {
            return Err(io::Error::other(format!("{status} {kind}: no chunked event stream")));
        }
        Ok(Self { connection, pending: Vec::new() })
    }

    /// Returns the next event, `ready`, `gap` and `cursor` included, comments and `retry:` left out.
    pub fn try_next(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(end) = self.pending.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.pending.drain(..end + 2).collect();
                if let Some(frame) = parse_block(&String::from_utf8_lossy(&block)) {
                    return Ok(frame);
                }
                continue;
            }
            match read_chunk(&mut self.connection)? {
                Some(chunk) => self.pending.extend_from_slice(&chunk),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// Returns the next event that is no `ready`, `gap` or `cursor`.
    ///
    /// # Panics
    /// When the stream ends or says nothing within [`PATIENCE`].
    pub fn next_event(&mut self) -> Frame {
        loop {
            let frame = self.try_next().unwrap_or_else(|error| panic!("the stream broke off: {error}"));
            if frame.event.is_none() {
                return frame;
            }
        }
    }
}

fn parse_block(block: &str) -> Option<Frame> {
    let mut frame = Frame::default();
    let mut seen = false;
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => frame.event = Some(value.to_owned()),
            "id" => frame.id = Some(value.to_owned()),
            "data" => frame.data.push_str(value),
            _ => continue,
        }
        seen = true;
    }
    seen.then_some(frame)
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn is_chunked(reply: &Reply) -> bool {
    reply.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
}

fn read_line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

fn read_head(connection: &mut BufReader<TcpStream>) -> io::Result<(u16, Vec<(String, String)>)> {
    let first = read_line(connection)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("not a status line: {first}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(connection)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// Returns the next chunk, `None` at the end of the body.
fn read_chunk(connection: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let size = read_line(connection)?;
    let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
    let mut chunk = vec![0; size + 2];
    connection.read_exact(&mut chunk)?;
    chunk.truncate(size);
    Ok((size > 0).then_some(chunk))
}
