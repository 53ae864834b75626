//! The accept loop: HTTP/1.1 on hyper, bounded in connections, header time and buffers; drains on the soft token,
//! aborts on the hard one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;

use crate::limit::Permit;
use crate::manners::Refused;
use crate::unreadable::Answering;
use crate::{ConnectionLimit, Gate, Refusal, Shutdown};

/// Longest time from a connection's start, or the answer before, to the end of a request's head: cuts off slowloris
/// clients and idle connections alike.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest time that sent bytes may stay unread by the other side's kernel: a client that never reads its answers
/// must not hold a connection for ever. Readers of a stream may pause longer.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
const UNREAD_STREAM_TIMEOUT: Duration = Duration::from_secs(120);

/// Refusals under way at once, and how long one may take; beyond that, connections are closed without a word.
const MAX_REFUSALS: usize = 64;
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause of the accept loop when the process or the machine is out of file descriptors or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);
/// The log says so at most this often.
const EXHAUSTED_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Serves a router on a listener, through its gate.
pub struct Server {
    /// Where connections come in; see [`crate::bind`].
    pub listener: TcpListener,
    /// What answers, made by [`crate::App::router`].
    pub gate: Gate,
    /// Shared by all servers of the process.
    pub limit: Arc<ConnectionLimit>,
    /// Tells when to drain and when to stop.
    pub shutdown: Shutdown,
    /// How connections beyond the limit are answered.
    pub refusal: Refusal,
    /// Most bytes that hyper buffers for a connection in each direction; also bounds a request's head. At least 8,192.
    pub max_buf_size: usize,
}

impl Server {
    /// For connections with short answers: heads of up to 64 KiB, bodies in large pieces.
    pub const REQUEST_BUFFER: usize = 64 << 10;
    /// For connections that live long and number thousands: the least that hyper allows.
    pub const EVENT_STREAM_BUFFER: usize = 8 << 10;

    /// Makes a server with the buffer that suits what it serves, as told by `refusal`.
    pub fn new(
        listener: TcpListener,
        gate: impl Into<Gate>,
        limit: Arc<ConnectionLimit>,
        shutdown: Shutdown,
        refusal: Refusal,
    ) -> Self {
        let max_buf_size = match refusal {
            Refusal::Problem | Refusal::Mixed => Self::REQUEST_BUFFER,
            Refusal::EventStream => Self::EVENT_STREAM_BUFFER,
        };
        Self { listener, gate: gate.into(), limit, shutdown, refusal, max_buf_size }
    }

    /// Serves until the soft token is cancelled, then closes the listener and returns when every connection has
    /// ended, at the latest when the hard token is cancelled.
    pub async fn run(self) {
        let Self { listener, gate, limit, shutdown, refusal, max_buf_size } = self;
        let acceptor = Acceptor {
            gate,
            limit,
            refusal,
            http: http_builder(refusal, max_buf_size),
            phases: Arc::new(Phases::default()),
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
            connections: TaskTracker::new(),
        };
        tokio::select! {
            () = shutdown.soft.cancelled() => {}
            () = shutdown.hard.cancelled() => {}
            () = acceptor.accept_all(&listener) => {}
        }
        drop(listener);
        acceptor.phases.enter(DRAINING);
        acceptor.connections.close();
        tokio::select! {
            () = acceptor.connections.wait() => {}
            () = shutdown.hard.cancelled() => {
                acceptor.phases.enter(ABORTED);
                acceptor.connections.wait().await;
            }
        }
    }
}

fn http_builder(refusal: Refusal, max_buf_size: usize) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(max_buf_size)
        // Some clients close their sending side after the request and still want the answer. A reader of a stream
        // that closes it has left; where both share a listener, the next heartbeat finds that out.
        .half_close(refusal != Refusal::EventStream);
    http
}

struct Acceptor {
    gate: Gate,
    limit: Arc<ConnectionLimit>,
    refusal: Refusal,
    http: http1::Builder,
    phases: Arc<Phases>,
    refusals: Arc<Semaphore>,
    connections: TaskTracker,
}

impl Acceptor {
    async fn accept_all(&self, listener: &TcpListener) {
        let mut logged: Option<Instant> = None;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.take(stream),
                Err(error) if is_exhausted(&error) => {
                    if logged.is_none_or(|at| at.elapsed() >= EXHAUSTED_LOG_INTERVAL) {
                        logged = Some(Instant::now());
                        tracing::error!(
                            error = %error,
                            connections = self.limit.in_use(),
                            "connections wait because the machine has no more to give: raise the limit of open \
                             files (ulimit -n)"
                        );
                    }
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
                // The client went away between its connect and our accept.
                Err(error) => tracing::debug!(error = %error, "connection lost before it was accepted"),
            }
        }
    }

    fn take(&self, stream: TcpStream) {
        self.set_options(&stream);
        match self.limit.try_acquire() {
            Some(permit) => {
                let app = Served { gate: self.gate.clone(), refused: None };
                let connection = self.http.serve_connection(TokioIo::new(Answering::new(stream)), app);
                self.connections.spawn(Connection::new(connection, self.phases.clone(), Some(permit)));
            }
            None => self.refuse(stream),
        }
    }

    /// Answers the first request with a refusal, unless it asks for health or metrics, and closes.
    fn refuse(&self, stream: TcpStream) {
        let Ok(permit) = self.refusals.clone().try_acquire_owned() else { return };
        let app = Served { gate: self.gate.clone(), refused: Some(Refused(self.refusal)) };
        let mut http = self.http.clone();
        http.keep_alive(false).header_read_timeout(REFUSAL_TIMEOUT);
        let connection = http.serve_connection(TokioIo::new(Answering::new(stream)), app);
        let connection = Connection::new(connection, self.phases.clone(), None);
        self.connections.spawn(async move {
            let _permit = permit;
            // A client that does not even read its refusal is cut off.
            let _ = tokio::time::timeout(REFUSAL_TIMEOUT, connection).await;
        });
    }

    /// Failures are let be: the connection works without, and a dead one shows itself at the first read.
    fn set_options(&self, stream: &TcpStream) {
        let _ = stream.set_nodelay(true);
        #[cfg(target_os = "linux")]
        {
            let timeout = match self.refusal {
                Refusal::Problem => UNREAD_TIMEOUT,
                Refusal::EventStream | Refusal::Mixed => UNREAD_STREAM_TIMEOUT,
            };
            let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(timeout));
        }
    }
}

/// Tells whether trying again at once would fail in the same way.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// The router as hyper calls it.
struct Served {
    gate: Gate,
    refused: Option<Refused>,
}

impl hyper::service::Service<http::Request<Incoming>> for Served {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = RouteFuture<Self::Error>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let mut request: Request = request.map(axum::body::Body::new);
        if let Some(refused) = self.refused {
            request.extensions_mut().insert(refused);
        }
        tower::Service::call(&mut self.gate.router().clone(), request)
    }
}

const RUNNING: u8 = 0;
const DRAINING: u8 = 1;
const ABORTED: u8 = 2;

/// What the connections are told. They look at a number on each poll and are woken when it changes: polling a
/// cancellation token, whose state is behind a lock, would cost every request.
#[derive(Debug, Default)]
struct Phases {
    now: AtomicU8,
    changed: Arc<Notify>,
}

impl Phases {
    fn enter(&self, phase: u8) {
        self.now.store(phase, Ordering::Release);
        self.changed.notify_waiters();
    }
}

pin_project! {
    /// A connection until it ends, is drained or aborted.
    struct Connection {
        #[pin]
        http: http1::Connection<TokioIo<Answering<TcpStream>>, Served>,
        #[pin]
        changed: OwnedNotified,
        is_registered: bool,
        seen: u8,
        phases: Arc<Phases>,
        permit: Option<Permit>,
    }
}

impl Connection {
    fn new(
        http: http1::Connection<TokioIo<Answering<TcpStream>>, Served>,
        phases: Arc<Phases>,
        permit: Option<Permit>,
    ) -> Self {
        let changed = phases.changed.clone().notified_owned();
        Self { http, changed, is_registered: false, seen: RUNNING, phases, permit }
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        loop {
            let now = this.phases.now.load(Ordering::Acquire);
            if now == ABORTED {
                return Poll::Ready(());
            }
            if now != *this.seen {
                *this.seen = now;
                *this.is_registered = false;
                this.changed.set(this.phases.changed.clone().notified_owned());
                this.http.as_mut().graceful_shutdown();
                // The phase may have changed again before the new registration.
                continue;
            }
            if *this.is_registered {
                break;
            }
            // Once is enough: a task keeps its waker.
            if this.changed.as_mut().poll(cx).is_pending() {
                *this.is_registered = true;
                break;
            }
            this.changed.set(this.phases.changed.clone().notified_owned());
        }
        // Broken connections are the client's matter; what a request did is logged where it was done.
        this.http.poll(cx).map(|_| ())
    }
}
