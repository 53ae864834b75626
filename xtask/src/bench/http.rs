//! A small HTTP/1.1 client over one kept connection, for measuring: request bytes in, status and body out.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection.
pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

/// Returns the bytes of a request with a JSON body, or without one.
pub fn request(method: &str, path: &str, body: Option<&str>) -> Vec<u8> {
    let body = body.map_or_else(String::new, |body| {
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    });
    let end = if body.is_empty() { "\r\n" } else { "" };
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{body}{end}").into_bytes()
}

impl Connection {
    /// Connects to a port on loopback.
    pub async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request; returns the status and the body of its answer.
    pub async fn call(&mut self, request: &[u8]) -> io::Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.input.clear();
        loop {
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(head) = memchr::memmem::find(&self.input, b"\r\n\r\n") else { continue };
            let (status, length) = read_head(&self.input[..head])?;
            let end = head + 4 + length;
            while self.input.len() < end {
                if self.stream.read_buf(&mut self.input).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok((status, &self.input[head + 4..end]));
        }
    }

    /// Sends a request and asks for success.
    pub async fn succeed(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        let (status, body) = self.call(request).await?;
        if (200..300).contains(&status) {
            Ok(body)
        } else {
            let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
            let (line, body) = (String::from_utf8_lossy(line), String::from_utf8_lossy(body));
            anyhow::bail!("{line} was answered {status}: {body}")
        }
    }
}

fn read_head(head: &[u8]) -> io::Result<(u16, usize)> {
    let text = std::str::from_utf8(head).map_err(io::Error::other)?;
    let status = text.get(9..12).and_then(|digits| digits.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("an answer without a status"))?;
    let header = |name: &str| {
        text.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| n.eq_ignore_ascii_case(name))
    };
    if header("transfer-encoding").is_some() {
        return Err(io::Error::other("an answer in chunks, which this client does not read"));
    }
    let length = header("content-length").map_or(Ok(0), |(_, value)| value.trim().parse());
    Ok((status, length.map_err(io::Error::other)?))
}

/// Runs a future on a runtime of this thread alone, so that the client takes one core at most.
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_end_their_head() {
        assert_eq!(request("GET", "/", None), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(request("POST", "/", Some("{}")).ends_with(b"Content-Length: 2\r\n\r\n{}"));
    }

    #[test]
    fn heads_tell_status_and_length() {
        assert_eq!(read_head(b"HTTP/1.1 201 Created\r\ncontent-length: 7").unwrap(), (201, 7));
        assert!(read_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked").is_err());
    }
}
