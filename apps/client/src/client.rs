//! A lean HTTP/1.1 client: one connection, request bytes made by the caller, and retries that are safe because
//! every write carries an `Idempotency-Key`.

use std::hash::{BuildHasher, Hasher};
use std::io;
use std::time::{Duration, Instant};

use crate::link::Link;
use crate::requests;
use crate::wire::{Dechunker, Framing, read_head};
use crate::{ClientError, Target};

/// Longest wait for an answer: far above what a loaded server needs, so that only a dead peer runs into it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// First and longest pause between tries; doubled each time, with jitter, so that retries do not come in step.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Room for a read: an order's answer in one or two calls.
const READ_SIZE: usize = 64 * 1024;

/// A connection with its buffers.
struct Connection {
    stream: Link,
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
pub struct Reply {
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
pub struct Client {
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
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when there is none for as long as the client's patience.
    pub async fn send(&mut self, request: &[u8]) -> Result<Reply, ClientError> {
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

    /// Sends request bytes once, without patience: whoever checks a service wants its first word.
    ///
    /// # Errors
    /// When there is no answer, or none that is HTTP/1.1.
    pub async fn try_once(&mut self, request: &[u8]) -> io::Result<Reply> {
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
    ///
    /// # Errors
    /// As [`Client::send`]; [`ClientError::Unexpected`] for every status but 200.
    pub async fn get(&mut self, path: &str) -> Result<&[u8], ClientError> {
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
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when it is not.
    pub async fn probe(&mut self) -> Result<(), ClientError> {
        let mut request = Vec::new();
        requests::get(&mut request, &self.target.service_base(), "/readyz");
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
pub fn jitter(most: Duration) -> Duration {
    // A fresh RandomState is seeded by the system: enough to keep retries apart.
    let random = std::hash::RandomState::new().build_hasher().finish();
    most.mul_f64(f64::from(u32::try_from(random >> 32).expect("32 bits")) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_below_its_bound() {
        assert!((0..100).all(|_| jitter(Duration::from_millis(5)) <= Duration::from_millis(5)));
    }
}
