//! Serves the dashboard with one file changed, as a build with a bug would.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::Client;

/// A server in front of the dashboard's.
pub struct Tampered {
    port: u16,
    asked: Arc<AtomicBool>,
}

/// What is changed: in the file whose path ends so, the first text becomes the second.
#[derive(Clone, Copy)]
struct Change(&'static str, &'static str, &'static str);

impl Tampered {
    /// Starts one that stands before `web` and changes `from` to `to` in the file that ends in `file`.
    pub fn serve(web: u16, file: &'static str, from: &'static str, to: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let asked = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || answer(connection, web, Change(file, from, to), &seen));
            }
        });
        Self { port, asked }
    }

    pub fn url(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    /// Tells whether the changed file was fetched.
    pub fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Answers one request and closes.
fn answer(connection: TcpStream, web: u16, Change(file, from, to): Change, seen: &AtomicBool) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut first = head.split(' ');
    let (method, path) = (first.next()?, first.next()?);
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let length: u64 = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = String::new();
    reader.by_ref().take(length).read_to_string(&mut body).ok()?;
    // No encoding is asked for: what is compressed cannot be changed.
    let accept = header("accept").unwrap_or_else(|| "*/*".to_owned());
    let reply = Client::new(web)
        .try_call(method, path, &[("Accept", &accept)], (length > 0).then_some(&body))
        .ok()?;
    let mut content = reply.body.clone();
    if path.split('?').next()?.ends_with(file) {
        let text = reply.text();
        assert!(text.contains(from), "{file} has no {from:?} any more: plant the bug anew");
        content = text.replace(from, to).into_bytes();
        seen.store(true, Ordering::Relaxed);
    }
    let mut answer =
        format!("HTTP/1.1 {} -\r\nConnection: close\r\nContent-Length: {}\r\n", reply.status, content.len());
    for name in ["content-type", "content-security-policy", "cache-control"] {
        if let Some(value) = reply.header(name) {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    answer.push_str("\r\n");
    let connection = reader.get_mut();
    connection.write_all(answer.as_bytes()).ok()?;
    connection.write_all(&content).ok()
}
