//! A link to the server that fails on demand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

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
                if !accepting.closed.load(Ordering::SeqCst) {
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

    /// Lets everybody through again.
    pub fn open(&self) {
        self.state.closed.store(false, Ordering::SeqCst);
    }
}

async fn relay(mut client: TcpStream, state: Arc<State>) {
    let (_, rest) = state.server.rsplit_once('@').unwrap();
    let (host, _) = rest.split_once('/').unwrap();
    let mut server = TcpStream::connect(host).await.unwrap();
    let (mut up, mut down) = ([0; 16_384], [0; 16_384]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
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
