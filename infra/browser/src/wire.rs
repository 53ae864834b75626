//! Requests to chromedriver: HTTP/1.1 over one kept connection, answers with a length.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Longest wait for an answer: a page that loads on a busy machine, and far less than for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection to chromedriver.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    connection: Option<BufReader<TcpStream>>,
}

impl Wire {
    pub fn new(port: u16) -> Self {
        Self { port, connection: None }
    }

    /// Sends a request and returns the status and the document of its answer.
    pub fn call(&mut self, method: &str, path: &str, body: Option<&str>) -> io::Result<(u16, Value)> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(("127.0.0.1", self.port))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        connection.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length, mut close) = (None, None, false);
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            match line.split_once(':').map(|(name, value)| (name, value.trim())) {
                None => status = line.split(' ').nth(1).and_then(|code| code.parse().ok()),
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().ok();
                }
                Some((name, value)) if name.eq_ignore_ascii_case("connection") => {
                    close = value.eq_ignore_ascii_case("close");
                }
                Some(_) => {}
            }
        }
        let (Some(status), Some(length)) = (status, length) else {
            return Err(io::Error::other("chromedriver answers without a status or a length"));
        };
        let mut body = vec![0; length];
        connection.read_exact(&mut body)?;
        if !close {
            self.connection = Some(connection);
        }
        Ok((status, serde_json::from_slice(&body).map_err(io::Error::other)?))
    }
}
