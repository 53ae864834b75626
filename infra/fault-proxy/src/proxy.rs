//! The listener, and a thread for each direction of each connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::link::Link;
use crate::rules::{Armed, Rules, Times};
use crate::switches::Switches;

/// How long the server behind may take to accept: it is on this machine.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What a proxy knows of what it carries.
pub trait Protocol: 'static {
    /// What it can do to a request.
    type Fault: Clone + Send + Sync + 'static;
    /// What both directions of a connection have to know of each other.
    type Session: Default + Send + Sync;

    /// Carries what the client says until it has said all.
    ///
    /// # Errors
    /// When the connection breaks or is cut; then it is cut on both sides.
    fn requests(link: &Link, session: &Self::Session, rules: &Rules<Self::Fault>) -> io::Result<()>;

    /// Carries what the server says until it has said all.
    ///
    /// # Errors
    /// When the connection breaks or is cut; then it is cut on both sides.
    fn replies(link: &Link, session: &Self::Session, rules: &Rules<Self::Fault>) -> io::Result<()>;
}

/// A proxy in front of one server; ends with this value, its connections too.
#[derive(Debug)]
pub struct Proxy<P: Protocol> {
    shared: Arc<Shared<P::Fault>>,
}

#[derive(Debug)]
struct Shared<F> {
    address: SocketAddr,
    upstream: Mutex<SocketAddr>,
    switches: Arc<Switches>,
    rules: Rules<F>,
    links: Mutex<Vec<Weak<Link>>>,
    accepted: AtomicUsize,
    over: AtomicBool,
}

impl<P: Protocol> Proxy<P> {
    /// Starts a proxy on a free port of the loopback. `upstream` need not listen yet: every connection asks anew.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            upstream: Mutex::new(upstream),
            switches: Arc::default(),
            rules: Rules::default(),
            links: Mutex::default(),
            accepted: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let proxy = Self { shared: Arc::clone(&shared) };
        std::thread::Builder::new()
            .name(format!("proxy {}", shared.address.port()))
            .spawn(move || accept::<P>(&listener, &shared))?;
        Ok(proxy)
    }

    /// Returns where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Returns the port where clients connect to.
    pub fn port(&self) -> u16 {
        self.shared.address.port()
    }

    /// Has connections from now on go to this server.
    pub fn redirect(&self, upstream: SocketAddr) {
        *self.shared.upstream.lock() = upstream;
    }

    /// Returns what can be done to any connection.
    pub fn switches(&self) -> &Switches {
        &self.shared.switches
    }

    /// Arms a fault for the next requests that it is meant for.
    pub fn arm(&self, fault: P::Fault, times: Times) -> Armed {
        self.shared.rules.arm(fault, times)
    }

    /// Takes all faults back and sets all switches back.
    pub fn mend(&self) {
        self.shared.rules.clear();
        self.shared.switches.clear();
    }

    /// Cuts every connection, now.
    pub fn cut(&self) {
        cut(&self.shared);
    }

    /// Returns how many connections were made to it so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Acquire)
    }
}

impl<P: Protocol> Drop for Proxy<P> {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        self.shared.switches.release();
        // The listener waits for a connection; this one tells it that it was the last.
        let _ = TcpStream::connect(self.shared.address);
        cut(&self.shared);
    }
}

fn cut<F>(shared: &Shared<F>) {
    for link in shared.links.lock().drain(..).filter_map(|link| link.upgrade()) {
        let _ = link.cut();
    }
}

fn accept<P: Protocol>(listener: &TcpListener, shared: &Arc<Shared<P::Fault>>) {
    for client in listener.incoming() {
        if shared.over.load(Ordering::Acquire) {
            return;
        }
        let Ok(client) = client else { continue };
        shared.accepted.fetch_add(1, Ordering::AcqRel);
        if shared.switches.is_refusing() {
            continue;
        }
        let shared = Arc::clone(shared);
        // A thread that cannot be had is a connection that breaks: the client tries again.
        let _ = std::thread::Builder::new().spawn(move || serve::<P>(client, &shared));
    }
}

fn serve<P: Protocol>(client: TcpStream, shared: &Shared<P::Fault>) {
    let upstream = *shared.upstream.lock();
    let Ok(upstream) = TcpStream::connect_timeout(&upstream, CONNECT_LIMIT) else { return };
    let Ok(link) = Link::new(client, upstream, Arc::clone(&shared.switches)) else { return };
    let link = Arc::new(link);
    {
        let mut links = shared.links.lock();
        links.retain(|link| link.strong_count() > 0);
        links.push(Arc::downgrade(&link));
    }
    if shared.over.load(Ordering::Acquire) {
        return;
    }
    let session = P::Session::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if P::replies(&link, &session, &shared.rules).is_err() {
                let _ = link.cut();
            }
        });
        if P::requests(&link, &session, &shared.rules).is_err() {
            let _ = link.cut();
        }
    });
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::time::Duration;

    use crate::testing::{echo, within};
    use crate::{Proxy, Raw, Side};

    fn dial(proxy: &Proxy<Raw>) -> TcpStream {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn exchange(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(text)?;
        let mut reply = vec![0; text.len()];
        stream.read_exact(&mut reply)?;
        Ok(reply)
    }

    #[test]
    fn carries_both_ways_until_the_end() {
        let proxy = Proxy::<Raw>::start(echo()).unwrap();
        let mut stream = dial(&proxy);
        let text = vec![7; 300_000];
        stream.write_all(&text).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        assert_eq!(reply, text);
    }

    #[test]
    fn cuts_what_is_open_and_takes_new_connections() {
        let proxy = Proxy::<Raw>::start(echo()).unwrap();
        let mut stream = dial(&proxy);
        assert_eq!(exchange(&mut stream, b"one").unwrap(), b"one");
        proxy.cut();
        assert!(exchange(&mut stream, b"two").is_err());
        assert_eq!(exchange(&mut dial(&proxy), b"three").unwrap(), b"three");
    }

    #[test]
    fn refuses_while_the_switch_is_on() {
        let proxy = Proxy::<Raw>::start(echo()).unwrap();
        proxy.switches().refuse(true);
        assert!(exchange(&mut dial(&proxy), b"one").is_err());
        proxy.switches().refuse(false);
        assert_eq!(exchange(&mut dial(&proxy), b"two").unwrap(), b"two");
    }

    #[test]
    fn a_half_open_connection_hears_nothing_and_is_cut_afterwards() {
        let proxy = Proxy::<Raw>::start(echo()).unwrap();
        let mut stream = dial(&proxy);
        assert_eq!(exchange(&mut stream, b"one").unwrap(), b"one");
        proxy.switches().swallow(Side::Client, true);
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let error = exchange(&mut stream, b"two").unwrap_err();
        assert!(matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut));
        proxy.switches().swallow(Side::Client, false);
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        assert!(exchange(&mut stream, b"three").is_err());
    }

    #[test]
    fn cuts_in_the_middle_of_what_is_said() {
        let proxy = Proxy::<Raw>::start(echo()).unwrap();
        let mut stream = dial(&proxy);
        // Ten bytes there, and four of the ten that come back.
        proxy.switches().cut_after(14);
        stream.write_all(b"0123456789").unwrap();
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        assert_eq!(reply, b"0123");
    }

    #[test]
    fn all_connections_end_with_the_proxy() {
        let proxy = Proxy::<Raw>::start(echo()).unwrap();
        let address = proxy.address();
        let mut stream = dial(&proxy);
        assert_eq!(exchange(&mut stream, b"one").unwrap(), b"one");
        drop(proxy);
        assert!(exchange(&mut stream, b"two").is_err());
        within("the port is free again", || TcpStream::connect(address).is_err());
    }
}
