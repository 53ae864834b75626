//! The catalog on Postgres 15 to 18: products and, in the same transaction, their events in an outbox that the relay reads.
//!
//! Everything lies in the schema `souk`, made and brought up to date at the start under a lock. One to four committers take
//! what is queued and commit it in batches (`committer`, `writer`), each over a session of its own; reads have theirs.
//!
//! **Locks and claims.** A batch locks its products in id order, folds its units in memory and writes set-wise: keys first,
//! then rows, each in a sorted order, then events, whose `seq` is drawn when every row is locked. What nearly every create
//! finds, that its id and sku are free, is presumed; unique indexes tell when it is wrong, and the batch is folded anew
//! from locked rows. The same happens to whoever loses a key, an id or a sku to a concurrent batch: the insert waits for the
//! other's outcome and then the unit is replayed or refused.
//!
//! **Outcomes.** A transaction's id is known before COMMIT is sent. When the reply is lost, the server is asked for it
//! (`pg_xact_status`), so that a client hears `outcome-unknown` only when the server cannot be asked either.
//!
//! **Search** is fed off the write path by this crate itself, every 200 ms and without the log: it reads from the outbox
//! which products changed (a difference of snapshots, like the relay) and keeps its place in `souk.outbox_readers`: a leaf of
//! which that place has not seen every row must not be truncated yet. Its tables are not logged and can be lost: they are
//! then made anew from the products.
//!
//! **Durability** is what the server is set to, but never `synchronous_commit = off`, unless the URL itself asks for it
//! (`options=-csynchronous_commit%3Doff`).

mod batch;
mod catalog;
mod committer;
mod config;
mod connect;
pub mod doctor;
mod dump;
mod failure;
mod index;
mod keeper;
mod keys;
mod list;
mod migrate;
mod moving;
mod outpost;
mod queue;
mod readers;
mod resolve;
mod rows;
mod run;
mod search;
mod shared;
mod source;
mod sql;
mod sweep;
mod tls;
mod writer;

use std::sync::Arc;

use parking_lot::Mutex;
use souk_ports::{Catalog, Clock, IdGenerator, PortError};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::PostgresCatalog;
pub use crate::config::PostgresConfig;
pub use crate::connect::ConnectError;
use crate::connect::{Role, Server};
pub use crate::dump::PgDump;
pub use crate::moving::{PgMove, StoredMove};
pub use crate::outpost::PgOutpost;
use crate::readers::Readers;
use crate::shared::Shared;
pub use crate::source::PgSource;
use crate::writer::Rules;

/// The database, connected; cheap to clone. Ends its work when the last clone is dropped.
#[derive(Clone)]
pub struct Postgres {
    inner: Arc<Inner>,
}

struct Inner {
    server: Arc<Server>,
    catalog: Arc<PostgresCatalog>,
    readers: Arc<Readers>,
    committed: Arc<Notify>,
    clock: Arc<dyn Clock>,
    writers: Option<Arc<Shared>>,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Postgres {
    /// Connects, brings the schema up to date and starts committers and housekeeping: one attempt. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ConnectError`]: `Unreachable` may pass, `Refused` needs somebody.
    pub async fn connect(
        config: PostgresConfig,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Result<Self, ConnectError> {
        let server = Arc::new(Server::new(&config));
        config.validate().map_err(|what| server.refused(&what))?;
        let session = server.open(Role::Other).await?;
        migrate::migrate(&session.client, &server).await?;
        if moving::is_unfinished(&session.client).await.map_err(|error| server.explain(&error))? {
            return Err(server.refused(
                "holds a part of a shop that is moving there: run `souk move --to distributed` again until it is done, \
                 or use another database",
            ));
        }
        drop(session);
        let (answers, given) = mpsc::unbounded_channel();
        let committed = Arc::new(Notify::new());
        let rules = Rules {
            default_threshold: config.low_stock_threshold,
            clock: clock.clone(),
            ids,
            outcome_patience: config.outcome_patience,
            answer_patience: config.answer_patience,
        };
        let writers = Arc::new(Shared::new(server.clone(), rules, committed.clone(), answers));
        let postgres = Self::over(&config, server.clone(), clock.clone(), committed, Some(writers.clone()));
        let Inner { tasks, stop, threads, .. } = &*postgres.inner;
        tokio::spawn(shared::deliver(given));
        let mut openings = Vec::new();
        for number in 0..config.committers {
            let (opened, opening) = oneshot::channel();
            let thread = committer::start(writers.clone(), number, opened).map_err(|error| {
                ConnectError::Unreachable(format!("a committer's thread cannot be started: {error}"))
            })?;
            threads.lock().push(thread);
            openings.push(opening);
        }
        for opening in openings {
            opening.await.unwrap_or_else(|_| Err(ConnectError::Unreachable("a committer stopped".into())))?;
        }
        tasks.spawn(index::run(server.clone(), stop.clone()));
        tasks.spawn(sweep::run(server, clock, stop.clone()));
        Ok(postgres)
    }

    /// Connects for reading: makes and changes nothing, and every write is refused.
    ///
    /// # Errors
    /// [`ConnectError`]; also when the schema is not the one that this souk works with.
    pub async fn read_only(config: PostgresConfig, clock: Arc<dyn Clock>) -> Result<Self, ConnectError> {
        let server = Arc::new(Server::new(&config));
        config.validate().map_err(|what| server.refused(&what))?;
        let session = server.open(Role::Other).await?;
        if !migrate::is_current(migrate::check(&session.client, &server).await?) {
            return Err(server
                .refused("has no schema souk, or an older one: run `souk api` once to bring it up to date"));
        }
        Ok(Self::over(&config, server, clock, Arc::new(Notify::new()), None))
    }

    fn over(
        config: &PostgresConfig,
        server: Arc<Server>,
        clock: Arc<dyn Clock>,
        committed: Arc<Notify>,
        writers: Option<Arc<Shared>>,
    ) -> Self {
        let readers = Arc::new(Readers::new(server.clone(), config.readers));
        let detail = format!("Postgres at {}", server.address);
        let catalog =
            Arc::new(PostgresCatalog { readers: readers.clone(), writers: writers.clone(), detail });
        let (threads, stop, tasks) = (Mutex::new(Vec::new()), CancellationToken::new(), TaskTracker::new());
        Self {
            inner: Arc::new(Inner {
                server,
                catalog,
                readers,
                committed,
                clock,
                writers,
                threads,
                stop,
                tasks,
            }),
        }
    }

    /// Returns the catalog.
    pub fn catalog(&self) -> Arc<dyn Catalog> {
        self.inner.catalog.clone()
    }

    /// Returns what is notified after each commit of this process that wrote events; holds one permit.
    pub fn nudge(&self) -> Arc<Notify> {
        self.inner.committed.clone()
    }

    /// Returns the URL without its password, for messages.
    pub fn address(&self) -> &str {
        &self.inner.server.address
    }

    /// Opens a session of one's own; its driver ends when the client is dropped.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connection(&self) -> Result<Client, ConnectError> {
        Ok(self.inner.server.open(Role::Other).await?.client)
    }

    /// Removes expired idempotency keys now, as housekeeping does from time to time.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn sweep(&self) -> Result<(), PortError> {
        sweep::sweep(&self.inner.server, &*self.inner.clock).await
    }

    /// Lets what is queued commit, stops housekeeping and closes the sessions.
    pub async fn close(&self) {
        self.inner.end();
        let threads = std::mem::take(&mut *self.inner.threads.lock());
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        let _ = joined.await;
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.readers.close();
    }
}

impl Inner {
    fn end(&self) {
        self.stop.cancel();
        if let Some(writers) = &self.writers {
            writers.queue.close();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}
