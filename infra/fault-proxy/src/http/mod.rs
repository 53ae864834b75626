//! HTTP/1.1 as DynamoDB and S3 speak it: one request after the other on a connection, each whole in memory.
//!
//! The client's own headers go on as they are, `Host` included: signatures cover them.

mod faults;
mod message;

use std::io::{self, BufReader};

pub use faults::{Call, HttpFault, Reply, What};
use parking_lot::Mutex;

use crate::link::{Link, Side};
use crate::proxy::Protocol;
use crate::rules::Rules;
use message::Message;

/// Where the requests of [`What::OneByOne`] wait; fair to none of them, as a busy server is.
static QUEUE: Mutex<()> = Mutex::new(());

/// Knows requests by their method or operation.
#[derive(Debug)]
pub enum Http {}

impl Protocol for Http {
    type Fault = HttpFault;
    type Session = ();

    fn requests(link: &Link, (): &(), rules: &Rules<HttpFault>) -> io::Result<()> {
        let mut client = BufReader::new(link.reader(Side::Client));
        let mut upstream = BufReader::new(link.reader(Side::Upstream));
        loop {
            let continues = || link.send(Side::Client, b"HTTP/1.1 100 Continue\r\n\r\n");
            let Some(request) = Message::read_request(&mut client, continues)? else {
                return Err(link.cut());
            };
            let fault = rules.take(|fault| fault.meant_for(&request));
            let reply = match fault.map(|fault| fault.what) {
                Some(What::LoseRequest) => return Err(link.cut()),
                Some(What::Answer(reply)) => reply.message(),
                Some(What::Unprocessed { taken }) => {
                    let (forwarded, rest) = faults::split(&request, taken);
                    // Nothing is left to send when all stays unprocessed: DynamoDB takes no empty batch.
                    let answered = match forwarded {
                        Some(forwarded) => forward(link, &mut upstream, &forwarded)?,
                        None => faults::empty_batch(),
                    };
                    faults::with_unprocessed(answered, rest)
                }
                Some(What::LoseReply) => {
                    forward(link, &mut upstream, &request)?;
                    return Err(link.cut());
                }
                Some(What::HoldReply(delay)) => {
                    let reply = forward(link, &mut upstream, &request)?;
                    std::thread::sleep(delay);
                    reply
                }
                Some(What::Delay(delay)) => {
                    std::thread::sleep(delay);
                    forward(link, &mut upstream, &request)?
                }
                Some(What::OneByOne(takes)) => {
                    let _turn = QUEUE.lock();
                    std::thread::sleep(takes);
                    forward(link, &mut upstream, &request)?
                }
                None => forward(link, &mut upstream, &request)?,
            };
            link.send(Side::Client, &reply.bytes())?;
            if reply.closes() || request.closes() {
                return Err(link.cut());
            }
        }
    }

    /// Nothing: replies are read where their request went out.
    fn replies(_: &Link, (): &(), _: &Rules<HttpFault>) -> io::Result<()> {
        Ok(())
    }
}

fn forward(
    link: &Link,
    upstream: &mut BufReader<&std::net::TcpStream>,
    request: &Message,
) -> io::Result<Message> {
    link.send(Side::Upstream, &request.bytes())?;
    Message::read_reply(upstream, request.method() == "HEAD")
}

#[cfg(test)]
mod tests;
