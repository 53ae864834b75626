//! One connection through the proxy: a socket to the client and one to the server.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::switches::Switches;

/// An end of a connection, seen from the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who connected to the proxy.
    Client,
    /// The server behind it.
    Upstream,
}

impl Side {
    /// Returns the other end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Upstream,
            Self::Upstream => Self::Client,
        }
    }
}

/// A connection through the proxy. Whatever is sent goes past the switches.
#[derive(Debug)]
pub struct Link {
    client: TcpStream,
    upstream: TcpStream,
    switches: Arc<Switches>,
    lost_to_client: AtomicBool,
    lost_to_upstream: AtomicBool,
}

impl Link {
    pub(crate) fn new(client: TcpStream, upstream: TcpStream, switches: Arc<Switches>) -> io::Result<Self> {
        client.set_nodelay(true)?;
        upstream.set_nodelay(true)?;
        let lost = || AtomicBool::new(false);
        Ok(Self { client, upstream, switches, lost_to_client: lost(), lost_to_upstream: lost() })
    }

    /// Returns the socket to read from on this side.
    pub fn reader(&self, side: Side) -> &TcpStream {
        match side {
            Side::Client => &self.client,
            Side::Upstream => &self.upstream,
        }
    }

    /// Sends to this side, as far as the switches let it.
    ///
    /// # Errors
    /// When the connection is cut, by a switch too.
    pub fn send(&self, to: Side, bytes: &[u8]) -> io::Result<()> {
        if let Some(delay) = self.switches.current_delay() {
            std::thread::sleep(delay);
        }
        let lost = match to {
            Side::Client => &self.lost_to_client,
            Side::Upstream => &self.lost_to_upstream,
        };
        if self.switches.is_swallowing(to) {
            lost.store(true, Ordering::Release);
            return Ok(());
        }
        // What follows would make no sense to whoever missed what went before.
        if lost.load(Ordering::Acquire) {
            return Err(self.cut());
        }
        let mut socket = self.reader(to);
        if let Some(left) = self.switches.spend(bytes.len()) {
            let _ = socket.write_all(&bytes[..left.min(bytes.len())]);
            return Err(self.cut());
        }
        socket.write_all(bytes)
    }

    /// Returns what can be done to any connection.
    pub(crate) fn switches(&self) -> &Switches {
        &self.switches
    }

    /// Cuts both ends; returns the error to give up with.
    pub fn cut(&self) -> io::Error {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.upstream.shutdown(Shutdown::Both);
        io::Error::new(io::ErrorKind::ConnectionAborted, "cut")
    }

    /// Carries bytes from this side to the other until it has said all.
    ///
    /// # Errors
    /// When the connection breaks or is cut.
    pub fn carry(&self, from: Side) -> io::Result<()> {
        /// Large enough that a pump is no bottleneck, small enough for the stack.
        const CHUNK: usize = 64 * 1024;
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = self.reader(from).read(&mut chunk)?;
            if read == 0 {
                return self.close(from.other());
            }
            self.send(from.other(), &chunk[..read])?;
        }
    }

    /// Tells this side that nothing more comes.
    pub(crate) fn close(&self, to: Side) -> io::Result<()> {
        self.reader(to).shutdown(Shutdown::Write)
    }
}
