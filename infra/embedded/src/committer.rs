//! The one thread that writes, and the queue before it.
//!
//! It takes everything that is queued and commits it at once, so that a batch grows with the time that a commit takes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use souk_domain::Stock;
use souk_ports::{Clock, ErrorKind, ExecuteError, IdGenerator, Keeper, Outcome, PortError, UnitOfWork};
use tokio::sync::oneshot;

use crate::checkpoint::Checkpoints;
use crate::commit::{Reply, Worker};
use crate::log::LogState;
use crate::sqlite;

/// Units of work that may wait. At 30,000 a second a full queue is a quarter of a second: beyond that a client is
/// better told to come back.
const QUEUE: usize = 8192;
/// Most commands in one transaction: bounds how long the first one waits for the last.
const MAX_COMMANDS: usize = 512;
/// So many imports count as one command: nobody waits for one of them, and each commit syncs.
const IMPORTS: usize = 8;
/// Units in a usual batch from which on a small one is worth waiting for: the answers of the last commit bring the
/// next requests in, and committing the first few of them alone would cost a sync for each handful. A lone writer
/// never waits.
const BUSY: usize = 16;
/// How long such a wait is, and how often at most: together less than a sync to disk takes.
const PAUSE: Duration = Duration::from_micros(100);
const MAX_PAUSES: usize = 3;

type Work = Box<dyn FnOnce(&mut Worker) + Send>;

enum Job {
    Unit(UnitOfWork, Reply),
    /// Housekeeping on the writing connection, between batches.
    Maintenance(Work),
}

/// The way to the committer.
pub(crate) struct Committer {
    /// `None` once closed.
    queue: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    pub problem: Arc<Mutex<Option<String>>>,
}

/// What the committer's thread owns.
pub(crate) struct CommitterParts {
    pub connection: Connection,
    pub log: Arc<LogState>,
    pub checkpoints: Arc<Checkpoints>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
    pub default_threshold: Stock,
}

impl Committer {
    pub fn start(parts: CommitterParts) -> rusqlite::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let problem = Arc::new(Mutex::new(None));
        let worker = Worker::new(parts, problem.clone())?;
        let thread = std::thread::Builder::new()
            .name("souk-committer".into())
            .spawn(move || run(worker, &jobs))
            .expect("a thread can be started at start-up");
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)), problem })
    }

    /// Queues a unit and waits for its commit.
    pub async fn execute(&self, unit: UnitOfWork) -> Result<Outcome, ExecuteError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Unit(unit, reply))?;
        answer.await.unwrap_or_else(|_| Err(ExecuteError::OutcomeUnknown("the committer stopped".into())))
    }

    /// Runs `work` on the writing connection and waits for it.
    pub async fn maintain<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> T + Send + 'static,
    ) -> Result<T, PortError> {
        self.between_batches(move |worker| work(&mut worker.parts.connection)).await
    }

    /// Says who keeps the products, once everything that was asked for before is committed.
    pub async fn set_keeper(&self, keeper: Keeper) -> Result<(), PortError> {
        self.between_batches(move |worker| worker.keep(keeper)).await?.map_err(sqlite::port_error)
    }

    async fn between_batches<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Result<T, PortError> {
        let (reply, answer) = oneshot::channel();
        let closed = || PortError::new(ErrorKind::Unavailable, "the store is closed or its queue is full");
        let job = Job::Maintenance(Box::new(move |worker| drop(reply.send(work(worker)))));
        self.send(job).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())
    }

    fn send(&self, job: Job) -> Result<(), ExecuteError> {
        let queue = self.queue.lock();
        let queue = queue.as_ref().ok_or_else(|| ExecuteError::Overloaded("souk is shutting down".into()))?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => {
                ExecuteError::Overloaded(format!("{QUEUE} writes are waiting already: slow down and retry"))
            }
            TrySendError::Disconnected(_) => {
                ExecuteError::Overloaded("the committer stopped: restart souk".into())
            }
        })
    }

    /// Lets everything that is queued commit, then stops. Blocks.
    pub fn close(&self) {
        self.queue.lock().take();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

/// Units taken from the queue for the next commit.
#[derive(Default)]
struct Gathered {
    units: Vec<(UnitOfWork, Reply)>,
    /// Commands, by weight.
    weight: usize,
}

impl Gathered {
    /// Takes what is queued, up to the limit of a batch.
    fn drain(&mut self, jobs: &Receiver<Job>, worker: &mut Worker) {
        while self.weight < MAX_COMMANDS {
            let Ok(job) = jobs.try_recv() else { return };
            self.take(job, worker);
        }
    }

    fn take(&mut self, job: Job, worker: &mut Worker) {
        match job {
            Job::Unit(unit, reply) => {
                let commands = unit.commands.len();
                self.weight += if unit.is_import() { commands.div_ceil(IMPORTS) } else { commands };
                self.units.push((unit, reply));
            }
            Job::Maintenance(work) => {
                // What came before it is committed first.
                worker.commit(std::mem::take(&mut self.units));
                self.weight = 0;
                work(worker);
            }
        }
    }
}

/// Works until every way to the queue is gone.
fn run(mut worker: Worker, jobs: &Receiver<Job>) {
    // Units in a usual batch, as a moving average: tells a burst's beginning from a lone write.
    let mut usual = 0_usize;
    loop {
        let first = match worker.patience() {
            None => jobs.recv().map_err(RecvTimeoutError::from),
            Some(patience) => jobs.recv_timeout(patience),
        };
        let first = match first {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => {
                worker.idle();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let mut gathered = Gathered::default();
        gathered.take(first, &mut worker);
        gathered.drain(jobs, &mut worker);
        for _ in 0..MAX_PAUSES {
            if usual < BUSY || gathered.units.len() * 2 >= usual {
                break;
            }
            std::thread::sleep(PAUSE);
            gathered.drain(jobs, &mut worker);
        }
        usual = (usual * 3 + gathered.units.len()).div_ceil(4);
        let commands = gathered.units.iter().map(|(unit, _)| unit.commands.len()).sum();
        worker.commit(gathered.units);
        worker.parts.checkpoints.between_batches(&worker.parts.connection, commands);
    }
    // What is closed in order lacks nothing.
    while worker.filling.patience().is_some() && worker.build_list_index() {}
}
