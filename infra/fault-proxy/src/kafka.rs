//! Kafka's frames: a length, then for requests the kind of call, its version and a correlation id, which the reply
//! begins with (the protocol guide of Apache Kafka, "Common Request and Response Structure").

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::net::TcpStream;
use std::time::Duration;

use parking_lot::Mutex;

use crate::link::{Link, Side};
use crate::proxy::Protocol;
use crate::rules::Rules;

/// A longer frame is none: brokers refuse more than 100 MiB unless told otherwise.
const LONGEST_FRAME: u32 = 100 << 20;

/// The kind of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiKey(pub i16);

impl ApiKey {
    /// Events to a partition.
    pub const PRODUCE: Self = Self(0);
    /// Events from partitions.
    pub const FETCH: Self = Self(1);
    /// A group's offsets.
    pub const OFFSET_COMMIT: Self = Self(8);
    /// A transactional producer's beginning, which fences the one before.
    pub const INIT_PRODUCER_ID: Self = Self(22);
    /// A transaction's partitions.
    pub const ADD_PARTITIONS_TO_TXN: Self = Self(24);
    /// A transaction's end, by commit or abort.
    pub const END_TXN: Self = Self(26);
}

/// What can be done to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KafkaFault {
    /// The broker does it, its reply is lost and the connection with it.
    LoseReply(ApiKey),
    /// The broker never hears of it, the connection is lost.
    LoseRequest(ApiKey),
    /// The broker hears of it when it is released ([`crate::Switches::release`]), be the client still there or not.
    HoldRequest(ApiKey),
    /// The broker does it, its reply comes late; so does everything after it on this connection.
    HoldReply(ApiKey, Duration),
}

impl KafkaFault {
    fn api_key(self) -> ApiKey {
        match self {
            Self::LoseReply(key)
            | Self::LoseRequest(key)
            | Self::HoldRequest(key)
            | Self::HoldReply(key, _) => key,
        }
    }
}

/// Knows calls by their kind.
#[derive(Debug)]
pub enum Kafka {}

impl Protocol for Kafka {
    type Fault = KafkaFault;
    /// What is to happen to the reply with this correlation id.
    type Session = Mutex<HashMap<i32, KafkaFault>>;

    fn requests(link: &Link, session: &Self::Session, rules: &Rules<KafkaFault>) -> io::Result<()> {
        while let Some(frame) = read_frame(link.reader(Side::Client))? {
            let Some((key, correlation)) = request_head(&frame) else { return Err(link.cut()) };
            match rules.take(|fault| fault.api_key() == key) {
                Some(KafkaFault::LoseRequest(_)) => return Err(link.cut()),
                // Before the request goes on, or the reply might be there first.
                Some(fault) => {
                    session.lock().insert(correlation, fault);
                    if matches!(fault, KafkaFault::HoldRequest(_)) {
                        link.switches().wait_for_release();
                    }
                }
                None => {}
            }
            link.send(Side::Upstream, &frame)?;
        }
        link.close(Side::Upstream)
    }

    fn replies(link: &Link, session: &Self::Session, _: &Rules<KafkaFault>) -> io::Result<()> {
        while let Some(frame) = read_frame(link.reader(Side::Upstream))? {
            let Some(correlation) = number(&frame, 4) else { return Err(link.cut()) };
            let fault = session.lock().remove(&correlation);
            match fault {
                Some(KafkaFault::LoseReply(_)) => return Err(link.cut()),
                Some(KafkaFault::HoldReply(_, delay)) => std::thread::sleep(delay),
                Some(KafkaFault::HoldRequest(_)) => link.switches().count_late_reply(),
                Some(KafkaFault::LoseRequest(_)) | None => {}
            }
            link.send(Side::Client, &frame)?;
        }
        link.close(Side::Client)
    }
}

/// Reads a frame, its length included; `None` at the end.
fn read_frame(mut stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let size = u32::from_be_bytes(length);
    if size > LONGEST_FRAME {
        return Err(io::Error::other(format!(
            "a frame of {size} bytes: this is no Kafka, or it is encrypted"
        )));
    }
    let mut frame = vec![0; 4 + size as usize];
    frame[..4].copy_from_slice(&length);
    stream.read_exact(&mut frame[4..])?;
    Ok(Some(frame))
}

/// Returns the kind and the correlation id of a request.
fn request_head(frame: &[u8]) -> Option<(ApiKey, i32)> {
    let key = i16::from_be_bytes(frame.get(4..6)?.try_into().ok()?);
    Some((ApiKey(key), number(frame, 8)?))
}

fn number(frame: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{SocketAddr, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::testing::{dial, server, within};
    use crate::{Proxy, Times};

    /// A broker that answers every request with its correlation id alone, and counts commits.
    fn broker(commits: &Arc<AtomicU64>) -> SocketAddr {
        let commits = Arc::clone(commits);
        server(move |mut stream| {
            while let Ok(Some(frame)) = read_frame(&stream) {
                let (key, correlation) = request_head(&frame).unwrap();
                if key == ApiKey::END_TXN {
                    commits.fetch_add(1, Ordering::SeqCst);
                }
                let mut reply = 4_u32.to_be_bytes().to_vec();
                reply.extend(correlation.to_be_bytes());
                if stream.write_all(&reply).is_err() {
                    return;
                }
            }
        })
    }

    fn call(mut stream: &TcpStream, key: ApiKey, correlation: i32) -> io::Result<i32> {
        let mut frame = 10_u32.to_be_bytes().to_vec();
        frame.extend(key.0.to_be_bytes());
        frame.extend(3_i16.to_be_bytes());
        frame.extend(correlation.to_be_bytes());
        frame.extend([0xff, 0xff]);
        stream.write_all(&frame)?;
        let reply = read_frame(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(number(&reply, 4).unwrap())
    }

    #[test]
    fn loses_the_reply_to_a_commit_that_was_done() {
        let commits = Arc::default();
        let proxy = Proxy::<Kafka>::start(broker(&commits)).unwrap();
        let armed = proxy.arm(KafkaFault::LoseReply(ApiKey::END_TXN), Times::Next(1));
        let stream = dial(proxy.address());
        assert_eq!(call(&stream, ApiKey::PRODUCE, 41).unwrap(), 41);
        assert!(call(&stream, ApiKey::END_TXN, 42).is_err());
        assert_eq!((commits.load(Ordering::SeqCst), armed.fired()), (1, 1));
        assert_eq!(call(&dial(proxy.address()), ApiKey::END_TXN, 43).unwrap(), 43);
    }

    #[test]
    fn loses_a_request_before_the_broker_hears_of_it() {
        let commits = Arc::default();
        let proxy = Proxy::<Kafka>::start(broker(&commits)).unwrap();
        proxy.arm(KafkaFault::LoseRequest(ApiKey::END_TXN), Times::Next(1));
        assert!(call(&dial(proxy.address()), ApiKey::END_TXN, 1).is_err());
        assert_eq!(commits.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn holds_a_request_until_its_release_though_the_client_has_gone() {
        let commits = Arc::default();
        let proxy = Proxy::<Kafka>::start(broker(&commits)).unwrap();
        proxy.arm(KafkaFault::HoldRequest(ApiKey::END_TXN), Times::Next(1));
        let stream = dial(proxy.address());
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(call(&stream, ApiKey::END_TXN, 1).is_err());
        drop(stream);
        assert_eq!(commits.load(Ordering::SeqCst), 0);
        proxy.switches().release();
        within("the broker hears of it", || commits.load(Ordering::SeqCst) == 1);
        within("its answer is counted", || proxy.switches().late_replies() == 1);
    }
}
