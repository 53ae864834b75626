//! A link to the server that fails on demand.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::database::with_database;

/// What happens at the next COMMIT that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum AtCommit {
    Pass,
    /// The server gets it and the client never hears of it.
    LoseReply,
    /// The server never gets it.
    LoseRequest,
    /// The server never gets it, and both wait for it until the server is gone.
    Hold,
}

/// A proxy before the server; whoever connects is cut off when it is told so.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The server's URL, with a user and a password.
    server: String,
    at_commit: AtomicU8,
    /// After the next failure nobody gets through any more.
    closes: AtomicBool,
    closed: AtomicBool,
    /// How many came while it was closed.
    refused: AtomicUsize,
    /// Whoever connects is kept waiting here.
    silent: AtomicBool,
    waiting: Mutex<Vec<TcpStream>>,
    /// What is in the text of the statement that is to be held.
    to_hold: Mutex<Option<&'static str>>,
    /// What is held may go on.
    released: Notify,
}

impl Proxy {
    /// Before the server of the tests.
    pub async fn start() -> Self {
        Self::before(crate::database::server()).await
    }

    /// Before the server of a URL with a user and a password.
    pub async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { server, ..State::default() });
        let accepting = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if accepting.closed.load(Ordering::SeqCst) {
                    accepting.refused.fetch_add(1, Ordering::SeqCst);
                } else if accepting.silent.load(Ordering::SeqCst) {
                    accepting.waiting.lock().push(client);
                } else {
                    tokio::spawn(relay(client, accepting.clone()));
                }
            }
        });
        Self { address, state }
    }

    /// Returns the URL of `database` by way of this proxy.
    pub fn url(&self, database: &str) -> String {
        let (credentials, _) = self.state.server.rsplit_once('@').unwrap();
        with_database(&format!("{credentials}@{}/x?sslmode=disable", self.address), database)
    }

    /// Makes the next COMMIT fail; `then_close`: and whoever connects afterwards, until [`Proxy::open`].
    pub fn arm(&self, at_commit: AtCommit, then_close: bool) {
        self.state.closes.store(then_close, Ordering::SeqCst);
        self.state.at_commit.store(at_commit as u8, Ordering::SeqCst);
    }

    /// Tells whether the failure has come.
    pub fn has_struck(&self) -> bool {
        self.state.at_commit.load(Ordering::SeqCst) == AtCommit::Pass as u8
    }

    /// Holds the next statement that has `text` in it, until [`Proxy::release`] or [`Proxy::close`].
    pub fn hold(&self, text: &'static str) {
        *self.state.to_hold.lock() = Some(text);
    }

    /// Tells whether the statement has come.
    pub fn holds(&self) -> bool {
        self.state.to_hold.lock().is_none()
    }

    /// Lets what is held go on.
    pub fn release(&self) {
        self.state.released.notify_one();
    }

    /// Lets nobody through who connects from now on, and cuts off whoever is held.
    pub fn close(&self) {
        self.state.closed.store(true, Ordering::SeqCst);
        self.release();
    }

    /// Returns how many came while it was closed.
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::SeqCst)
    }

    /// Takes new connections and says nothing to them, as a server that stands still.
    pub fn fall_silent(&self) {
        self.state.silent.store(true, Ordering::SeqCst);
    }

    /// Lets everybody through again; whoever was kept waiting is cut off.
    pub fn open(&self) {
        self.state.closed.store(false, Ordering::SeqCst);
        self.state.silent.store(false, Ordering::SeqCst);
        self.state.waiting.lock().clear();
    }
}

impl State {
    /// Tells whether what a client sends is to be held.
    fn takes_hold(&self, prepared: &mut Prepared, sent: &[u8]) -> bool {
        let mut to_hold = self.to_hold.lock();
        let executes = prepared.executes(sent, *to_hold);
        if executes {
            *to_hold = None;
        }
        executes
    }
}

/// The texts of what a session has prepared, by name.
#[derive(Default)]
struct Prepared(HashMap<Vec<u8>, String>);

impl Prepared {
    /// Reads what a client sends; tells whether it executes a statement that has `text` in it.
    fn executes(&mut self, sent: &[u8], text: Option<&str>) -> bool {
        let mut found = false;
        for (kind, body) in messages(sent) {
            let mut parts = body.split(|byte| *byte == 0);
            let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            match kind {
                // Parse: a name and a text.
                b'P' => drop(self.0.insert(first.to_vec(), String::from_utf8_lossy(second).into_owned())),
                // Bind: a portal and a name.
                b'B' => {
                    let bound = self.0.get(second);
                    found |= text.is_some_and(|text| bound.is_some_and(|sql| sql.contains(text)));
                }
                _ => {}
            }
        }
        found
    }
}

/// The kinds and bodies of the messages that begin in `sent`.
fn messages(mut sent: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (kind, rest) = sent.split_first()?;
        let length = usize::try_from(u32::from_be_bytes(*rest.first_chunk()?)).ok()?;
        let body = rest.get(4..length)?;
        sent = &rest[length..];
        Some((*kind, body))
    })
}

async fn relay(mut client: TcpStream, state: Arc<State>) {
    let (_, rest) = state.server.rsplit_once('@').unwrap();
    let (host, _) = rest.split_once('/').unwrap();
    let mut server = TcpStream::connect(host).await.unwrap();
    let (mut up, mut down) = ([0; 16_384], [0; 16_384]);
    let mut prepared = Prepared::default();
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                if state.takes_hold(&mut prepared, &up[..length]) {
                    state.released.notified().await;
                    if state.closed.load(Ordering::SeqCst) {
                        return;
                    }
                }
                let commits = up[..length].windows(7).any(|text| text == b"COMMIT\0");
                let armed = if commits { state.at_commit.swap(AtCommit::Pass as u8, Ordering::SeqCst) } else { 0 };
                if armed != AtCommit::Pass as u8 {
                    state.closed.store(state.closes.load(Ordering::SeqCst), Ordering::SeqCst);
                }
                if armed == AtCommit::LoseRequest as u8 {
                    return;
                }
                if armed != AtCommit::Hold as u8 && server.write_all(&up[..length]).await.is_err() {
                    return;
                }
                if armed != AtCommit::Pass as u8 {
                    let _ = server.read(&mut down).await;
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&down[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
