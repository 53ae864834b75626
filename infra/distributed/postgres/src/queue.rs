//! The queue before the committers.

use std::collections::VecDeque;

use parking_lot::Mutex;
use souk_domain::{Command, Description};
use souk_ports::{ExecuteError, Outcome, UnitOfWork};
use tokio::sync::{Notify, oneshot};

/// Units of work that may wait. At 20,000 a second a full queue is less than half a second: beyond that a client is better
/// told to come back.
const QUEUE: usize = 8192;
/// Most commands in one transaction: bounds how long the first one waits for the last.
const MAX_COMMANDS: usize = 512;
/// Most bytes of commands in one transaction: a batch of long descriptions is a long message otherwise.
const MAX_BYTES: usize = 1 << 20;

/// Where a unit's outcome goes.
pub(crate) type Reply = oneshot::Sender<Result<Outcome, ExecuteError>>;

/// A unit that waits for its commit.
pub(crate) struct Job {
    pub unit: UnitOfWork,
    pub reply: Reply,
}

/// Units in the order in which they came.
#[derive(Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    ready: Notify,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// Units taken for one commit.
#[derive(Default)]
pub(crate) struct Gathered {
    pub units: Vec<UnitOfWork>,
    pub replies: Vec<Reply>,
    commands: usize,
    bytes: usize,
}

impl Queue {
    /// Queues a unit.
    pub fn push(&self, job: Job) -> Result<(), ExecuteError> {
        {
            let mut inner = self.inner.lock();
            if inner.closed {
                return Err(ExecuteError::Overloaded("souk is shutting down".into()));
            }
            if inner.jobs.len() >= QUEUE {
                let text = format!("{QUEUE} writes are waiting already: slow down and retry");
                return Err(ExecuteError::Overloaded(text));
            }
            inner.jobs.push_back(job);
        }
        self.ready.notify_one();
        Ok(())
    }

    /// Takes what is queued, up to the limit of a batch.
    pub fn drain(&self, gathered: &mut Gathered) {
        let mut inner = self.inner.lock();
        while gathered.commands < MAX_COMMANDS && gathered.bytes < MAX_BYTES {
            let Some(job) = inner.jobs.pop_front() else { return };
            gathered.commands += job.unit.commands.len();
            gathered.bytes += job.unit.commands.iter().map(size).sum::<usize>();
            gathered.units.push(job.unit);
            gathered.replies.push(job.reply);
        }
        if !inner.jobs.is_empty() {
            // For the next committer.
            self.ready.notify_one();
        }
    }

    /// Puts units back that nothing was done with.
    pub fn put_back(&self, units: Vec<UnitOfWork>, replies: Vec<Reply>) {
        let mut inner = self.inner.lock();
        for (unit, reply) in units.into_iter().zip(replies).rev() {
            inner.jobs.push_front(Job { unit, reply });
        }
        drop(inner);
        self.ready.notify_one();
    }

    /// Waits until something is queued; `false` once closed and empty.
    pub async fn wait(&self) -> bool {
        loop {
            let ready = self.ready.notified();
            {
                let inner = self.inner.lock();
                if !inner.jobs.is_empty() {
                    return true;
                }
                if inner.closed {
                    // On to the next committer.
                    self.ready.notify_one();
                    return false;
                }
            }
            ready.await;
        }
    }

    /// Waits until something may have come.
    pub async fn more(&self) {
        self.ready.notified().await;
    }

    /// Takes everything, to be refused.
    pub fn take_all(&self) -> Vec<Job> {
        std::mem::take(&mut self.inner.lock().jobs).into()
    }

    /// Returns the number of units that wait.
    pub fn len(&self) -> usize {
        self.inner.lock().jobs.len()
    }

    /// Takes in nothing more; what is queued is still committed.
    pub fn close(&self) {
        self.inner.lock().closed = true;
        self.ready.notify_one();
    }

    /// Tells whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.inner.lock().closed
    }
}

/// About how much a command adds to a batch: the event repeats its product.
fn size(command: &Command) -> usize {
    let description = match command {
        Command::Create(new) => new.fields.description.as_ref(),
        Command::Replace { replacement, .. } => replacement.description.as_ref(),
        Command::Patch { patch, .. } => patch.description.as_ref().and_then(Option::as_ref),
        Command::Import(import) => import.fields.description.as_ref(),
        Command::Delete { .. } | Command::ImportDelete { .. } | Command::AdjustStock { .. } => None,
    };
    1024 + description.map(Description::as_str).map_or(0, str::len)
}
