//! A lean HTTP/1.1 client: one connection, request bytes made by the caller, and retries that are safe because
//! every write carries an `Idempotency-Key`.

use std::hash::{BuildHasher, Hasher};
use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::LoadError;
use crate::requests;
use crate::wire::{Dechunker, Framing, read_head};

/// Longest wait for a connection: beyond it a host is taken as gone rather than slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for an answer: far above what a loaded server needs, so that only a dead peer runs into it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// First and longest pause between tries; doubled each time, with jitter, so that retries do not come in step.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Room for a read: an order's answer in one or two calls.
const READ_SIZE: usize = 64 * 1024;

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The service, for messages.
    pub service: &'static str,
    /// As in `Host:`.
    pub authority: String,
    /// What precedes every path, without a slash at its end.
    pub path: String,
    host: String,
    port: u16,
}

impl Target {
    /// Reads an `http://` URL.
    pub fn parse(service: &'static str, url: &str) -> Result<Self, LoadError> {
        let wrong = |why: &str| {
            LoadError::Setting(format!(
                "the URL of {service} is {url:?}; {why}, such as http://localhost:3000"
            ))
        };
        let rest = url.strip_prefix("http://").ok_or_else(|| wrong("it has to begin with http://"))?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let sane = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !sane(authority) || !sane(path) || authority.contains(['@', '?', '#']) {
            return Err(wrong("it has to name a host and a port"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong("its port has to be a number"))?)
            }
            _ => (authority, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong("it has to name a host"));
        }
        Ok(Self {
            service,
            authority: authority.to_owned(),
            path: path.trim_end_matches('/').to_owned(),
            host: host.to_owned(),
            port,
        })
    }

    /// Returns another service on the same host.
    pub fn beside(&self, service: &'static str, port: u16, path: &str) -> Self {
        let host = self.host.clone();
        let authority =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Self { service, authority, path: path.to_owned(), host, port }
    }

    /// Opens a connection.
    pub async fn connect(&self) -> io::Result<TcpStream> {
        let connect = TcpStream::connect((self.host.as_str(), self.port));
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connect).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Returns the error for a service that does not answer.
    pub fn unreachable(&self, reason: impl ToString) -> LoadError {
        LoadError::Unreachable {
            service: self.service,
            url: format!("http://{}{}", self.authority, self.path),
            reason: reason.to_string(),
        }
    }

    /// Returns the error for an answer that is not the interface's.
    pub fn unexpected(&self, request: &str, reason: impl ToString) -> LoadError {
        LoadError::Unexpected {
            service: self.service,
            request: request.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// A connection with its buffers.
struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    dechunked: Vec<u8>,
    body: Body,
}

enum Body {
    /// A range of `input`.
    Plain(std::ops::Range<usize>),
    Dechunked,
}

/// The head of an answer; the body is [`Client::body`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply {
    /// The status code.
    pub status: u16,
    retry_after: Option<Duration>,
    close: bool,
}

impl Connection {
    async fn call(&mut self, request: &[u8]) -> io::Result<Reply> {
        self.stream.write_all(request).await?;
        self.input.clear();
        let head = loop {
            self.read().await?;
            if let Some(head) = read_head(&self.input).map_err(io::Error::other)? {
                break head;
            }
        };
        match head.framing {
            Framing::Length(length) => {
                let end = head.length + length;
                self.input.reserve(end.saturating_sub(self.input.len()));
                while self.input.len() < end {
                    self.read().await?;
                }
                self.body = Body::Plain(head.length..end);
            }
            Framing::Chunked => {
                let (mut dechunker, mut used) = (Dechunker::default(), head.length);
                self.dechunked.clear();
                loop {
                    let fed = dechunker.feed(&self.input[used..], &mut self.dechunked);
                    used += fed.map_err(io::Error::other)?;
                    if dechunker.is_done() {
                        break;
                    }
                    self.read().await?;
                }
                self.body = Body::Dechunked;
            }
            Framing::Close => {
                while self.stream.read_buf(&mut self.input).await? > 0 {}
                self.body = Body::Plain(head.length..self.input.len());
            }
        }
        Ok(Reply { status: head.status, retry_after: head.retry_after, close: head.close })
    }

    async fn read(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended before the answer")),
            _ => Ok(()),
        }
    }
}

/// A client of one service, with one connection that is kept alive and made anew when it is lost.
pub(crate) struct Client {
    target: Target,
    patience: Duration,
    connection: Option<Connection>,
    request: Vec<u8>,
    /// Tries beyond the first, over all requests.
    pub retries: u64,
}

impl Client {
    /// Makes a client; it connects with its first request.
    pub fn new(target: Target, patience: Duration) -> Self {
        Self { target, patience, connection: None, request: Vec::new(), retries: 0 }
    }

    /// Returns where the service is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the body of the last answer.
    pub fn body(&self) -> &[u8] {
        match &self.connection {
            None => &[],
            Some(Connection { body: Body::Plain(range), input, .. }) => &input[range.clone()],
            Some(Connection { dechunked, .. }) => dechunked,
        }
    }

    /// Sends request bytes until there is an answer that says how it went. Retried are: a lost connection, 503,
    /// and other answers of 500 and above, which say that the outcome is unknown.
    pub async fn send(&mut self, request: &[u8]) -> Result<Reply, LoadError> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let (reason, wait) = match self.try_once(request).await {
                Ok(reply) if reply.status < 500 && reply.status != 429 => return Ok(reply),
                Ok(reply) => {
                    let problem = requests::problem(self.body());
                    (format!("{} {problem}", reply.status), reply.retry_after.unwrap_or_default())
                }
                Err(error) => (error.to_string(), Duration::ZERO),
            };
            if started.elapsed() >= self.patience {
                return Err(self.target.unreachable(format!(
                    "given up after {} s, the last answer was: {reason}",
                    self.patience.as_secs()
                )));
            }
            self.retries += 1;
            tokio::time::sleep(wait.max(pause) + jitter(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn try_once(&mut self, request: &[u8]) -> io::Result<Reply> {
        // Taken out, so that a connection that fails, or is cut by the timeout, is not used again.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection {
                stream: self.target.connect().await?,
                input: Vec::with_capacity(READ_SIZE),
                dechunked: Vec::new(),
                body: Body::Plain(0..0),
            },
        };
        let reply = tokio::time::timeout(ANSWER_TIMEOUT, connection.call(request)).await??;
        if reply.close {
            // The buffers are kept, and with them the body.
            connection.stream = self.target.connect().await?;
        }
        self.connection = Some(connection);
        Ok(reply)
    }

    /// Sends a GET and returns its body.
    pub async fn get(&mut self, path: &str) -> Result<&[u8], LoadError> {
        let mut request = std::mem::take(&mut self.request);
        requests::get(&mut request, &self.target, path);
        let reply = self.send(&request).await;
        self.request = request;
        match reply?.status {
            200 => Ok(self.body()),
            status => {
                let reason = format!("{status} {}", requests::problem(self.body()));
                Err(self.target.unexpected(&format!("GET {path}"), reason))
            }
        }
    }

    /// Checks that the service is ready, without patience: who starts a run wants to know now.
    pub async fn probe(&mut self) -> Result<(), LoadError> {
        let mut request = Vec::new();
        let mut base = self.target.clone();
        if let Some(path) = base.path.strip_suffix("/events/stream") {
            base.path = path.to_owned();
        }
        requests::get(&mut request, &base, "/readyz");
        match self.try_once(&request).await {
            Ok(reply) if reply.status == 200 => Ok(()),
            Ok(reply) => Err(self.target.unreachable(format!(
                "it says that it is not ready: {} {}",
                reply.status,
                requests::problem(self.body())
            ))),
            Err(error) => Err(self.target.unreachable(error)),
        }
    }
}

/// Returns a random part of `most`.
pub(crate) fn jitter(most: Duration) -> Duration {
    // A fresh RandomState is seeded by the system: enough to keep retries apart.
    let random = std::hash::RandomState::new().build_hasher().finish();
    most.mul_f64(f64::from(u32::try_from(random >> 32).expect("32 bits")) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        let target = Target::parse("api", "http://localhost:3000/").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("localhost", 3000, ""));
        let target = Target::parse("api", "http://[::1]:80/souk").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("::1", 80, "/souk"));
        assert_eq!(target.beside("x", 3001, "/events/stream").authority, "[::1]:3001");
        assert_eq!(Target::parse("api", "http://souk.example").unwrap().port, 80);
    }

    #[test]
    fn refuses_urls_that_it_cannot_use() {
        for url in
            ["https://localhost", "localhost:3000", "http://", "http://a:b", "http://a b", "http://u@h"]
        {
            let error = Target::parse("api", url).unwrap_err().to_string();
            assert!(error.contains("URL of api") && error.contains(url), "{error}");
        }
    }

    #[test]
    fn jitter_stays_below_its_bound() {
        assert!((0..100).all(|_| jitter(Duration::from_millis(5)) <= Duration::from_millis(5)));
    }
}
