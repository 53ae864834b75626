//! Postgres' messages: a type, a length, a body; only the first ones of a client have no type (the manual's chapter
//! "Frontend/Backend Protocol").

use std::io::{self, Read as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::link::{Link, Side};
use crate::proxy::Protocol;
use crate::rules::Rules;

/// Codes in place of a protocol version: may the rest be encrypted, by TLS or by GSSAPI?
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
/// Longer is no message of ours.
const LONGEST_MESSAGE: u32 = 256 << 20;

/// What can be done to a COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresFault {
    /// The server commits, its reply is lost and the connection with it.
    LoseCommitReply,
    /// The server never hears of the COMMIT, the connection is lost.
    LoseCommit,
}

/// Knows a COMMIT when it goes by, on connections without TLS.
#[derive(Debug)]
pub enum Postgres {}

/// Whether this connection is encrypted, or was asked to be.
#[derive(Debug, Default)]
pub struct Session {
    asked: AtomicBool,
    opaque: AtomicBool,
}

impl Protocol for Postgres {
    type Fault = PostgresFault;
    type Session = Session;

    fn requests(link: &Link, session: &Session, rules: &Rules<PostgresFault>) -> io::Result<()> {
        let mut reader = link.reader(Side::Client);
        loop {
            let Some(message) = read_message(reader, None)? else { return link.close(Side::Upstream) };
            let code = message.get(4..8).and_then(|code| code.try_into().ok()).map_or(0, u32::from_be_bytes);
            let asks = code == SSL_REQUEST || code == GSS_REQUEST;
            // Before it goes on, or the answer, a single letter, might be there first.
            session.asked.store(asks, Ordering::Release);
            link.send(Side::Upstream, &message)?;
            if !asks {
                break;
            }
            // The client waits for the letter; then it goes on, encrypted or not.
            let mut first = [0];
            if reader.peek(&mut first)? == 0 {
                return link.close(Side::Upstream);
            }
            if session.opaque.load(Ordering::Acquire) {
                return link.carry(Side::Client);
            }
        }
        let mut kind = [0];
        while reader.read(&mut kind)? == 1 {
            let Some(message) = read_message(reader, Some(kind[0]))? else { break };
            if says_commit(&message) && rules.take(|fault| *fault == PostgresFault::LoseCommit).is_some() {
                return Err(link.cut());
            }
            link.send(Side::Upstream, &message)?;
        }
        link.close(Side::Upstream)
    }

    fn replies(link: &Link, session: &Session, rules: &Rules<PostgresFault>) -> io::Result<()> {
        let mut reader = link.reader(Side::Upstream);
        let mut kind = [0];
        while reader.read(&mut kind)? == 1 {
            if session.asked.swap(false, Ordering::AcqRel) {
                let encrypted = kind[0] != b'N';
                session.opaque.store(encrypted, Ordering::Release);
                link.send(Side::Client, &kind)?;
                if encrypted {
                    return link.carry(Side::Upstream);
                }
                continue;
            }
            let Some(message) = read_message(reader, Some(kind[0]))? else { break };
            let committed = kind[0] == b'C' && message[5..].starts_with(b"COMMIT\0");
            if committed && rules.take(|fault| *fault == PostgresFault::LoseCommitReply).is_some() {
                return Err(link.cut());
            }
            link.send(Side::Client, &message)?;
        }
        link.close(Side::Client)
    }
}

/// Reads the rest of a message of this type, or one without a type; `None` at the end.
fn read_message(mut stream: &TcpStream, kind: Option<u8>) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let size = u32::from_be_bytes(length);
    if !(4..=LONGEST_MESSAGE).contains(&size) {
        return Err(io::Error::other(format!("a message of {size} bytes: this is no Postgres")));
    }
    let mut message: Vec<u8> = kind.into_iter().chain(length).collect();
    let head = message.len();
    message.resize(head + size as usize - 4, 0);
    stream.read_exact(&mut message[head..])?;
    Ok(Some(message))
}

/// Tells whether a client's message asks for a COMMIT: as plain text, or by parsing one. A statement that was parsed
/// before and is only executed again is not recognised.
fn says_commit(message: &[u8]) -> bool {
    let text = match message.first() {
        Some(b'Q') => &message[5..],
        // A name, ended by a zero, comes before the text.
        Some(b'P') => message[5..].splitn(2, |byte| *byte == 0).nth(1).unwrap_or_default(),
        _ => return false,
    };
    text.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"COMMIT"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::testing::{dial, server};
    use crate::{Proxy, Times};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![kind];
        message.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        message.extend(body);
        message
    }

    /// A server without TLS that says of every query that it is complete, and counts COMMITs.
    fn database(commits: &Arc<AtomicU64>) -> SocketAddr {
        let commits = Arc::clone(commits);
        server(move |mut stream| {
            assert_eq!(read_message(&stream, None).unwrap().unwrap()[4..], SSL_REQUEST.to_be_bytes());
            stream.write_all(b"N").unwrap();
            read_message(&stream, None).unwrap().unwrap();
            stream.write_all(&message(b'Z', b"I")).unwrap();
            let mut kind = [0];
            while let Ok(1) = stream.read(&mut kind) {
                let query = read_message(&stream, Some(kind[0])).unwrap().unwrap();
                commits.fetch_add(u64::from(says_commit(&query)), Ordering::SeqCst);
                if stream.write_all(&message(b'C', &query[5..])).is_err() {
                    return;
                }
            }
        })
    }

    fn session(proxy: &Proxy<Postgres>) -> TcpStream {
        let mut stream = dial(proxy.address());
        let mut ask = 8_u32.to_be_bytes().to_vec();
        ask.extend(SSL_REQUEST.to_be_bytes());
        stream.write_all(&ask).unwrap();
        let mut letter = [0];
        stream.read_exact(&mut letter).unwrap();
        assert_eq!(&letter, b"N");
        let mut startup = 8_u32.to_be_bytes().to_vec();
        startup.extend(196_608_u32.to_be_bytes());
        stream.write_all(&startup).unwrap();
        reply(&stream).unwrap();
        stream
    }

    fn reply(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        read_message(stream, Some(kind[0]))?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn query(mut stream: &TcpStream, text: &str) -> io::Result<Vec<u8>> {
        stream.write_all(&message(b'Q', format!("{text}\0").as_bytes()))?;
        reply(stream)
    }

    #[test]
    fn loses_the_reply_to_a_commit_that_was_done() {
        let commits = Arc::default();
        let proxy = Proxy::<Postgres>::start(database(&commits)).unwrap();
        let armed = proxy.arm(PostgresFault::LoseCommitReply, Times::Next(1));
        let stream = session(&proxy);
        query(&stream, "INSERT").unwrap();
        assert!(query(&stream, "COMMIT").is_err());
        assert_eq!((commits.load(Ordering::SeqCst), armed.fired()), (1, 1));
        query(&session(&proxy), "COMMIT").unwrap();
    }

    #[test]
    fn loses_a_commit_before_the_server_hears_of_it() {
        let commits = Arc::default();
        let proxy = Proxy::<Postgres>::start(database(&commits)).unwrap();
        proxy.arm(PostgresFault::LoseCommit, Times::Next(1));
        let stream = session(&proxy);
        query(&stream, "INSERT").unwrap();
        assert!(query(&stream, "commit").is_err());
        assert_eq!(commits.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn knows_a_commit_that_is_parsed() {
        assert!(says_commit(&message(b'P', b"s1\0COMMIT\0\0\0")));
        assert!(!says_commit(&message(b'P', b"s1\0SELECT 1\0\0\0")));
    }
}
