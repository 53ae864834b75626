//! What the committers share with those who wait for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use souk_ports::{ExecuteError, Outcome, UnitOfWork};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, oneshot};

use crate::connect::Server;
use crate::queue::{Job, Queue, Reply};
use crate::writer::Rules;

/// Answers on their way to those who wait.
pub(crate) type Answers = Vec<(Reply, Result<Outcome, ExecuteError>)>;

/// What the committers share.
pub(crate) struct Shared {
    pub server: Arc<Server>,
    pub queue: Queue,
    pub rules: Rules,
    /// Committers that have a session.
    pub connected: AtomicUsize,
    /// Why there is none, or what else is wrong.
    problem: Mutex<Option<String>>,
    /// Held while a batch is gathered: what comes meanwhile goes into one batch, not into a handful of small ones.
    pub gathering: tokio::sync::Mutex<()>,
    /// Batches being committed now.
    pub in_flight: AtomicUsize,
    /// Notified when one of them is done.
    pub finished: Notify,
    /// Notified after each commit with events.
    pub committed: Arc<Notify>,
    pub answers: UnboundedSender<Answers>,
}

impl Shared {
    pub fn new(
        server: Arc<Server>,
        rules: Rules,
        committed: Arc<Notify>,
        answers: UnboundedSender<Answers>,
    ) -> Self {
        Self {
            server,
            queue: Queue::default(),
            rules,
            connected: AtomicUsize::new(0),
            problem: Mutex::new(None),
            gathering: tokio::sync::Mutex::new(()),
            in_flight: AtomicUsize::new(0),
            finished: Notify::new(),
            committed,
            answers,
        }
    }

    /// Queues a unit and waits for its commit.
    pub async fn execute(&self, unit: UnitOfWork) -> Result<Outcome, ExecuteError> {
        if self.connected.load(Ordering::Acquire) == 0
            && let Some(problem) = self.problem()
        {
            return Err(ExecuteError::Overloaded(problem));
        }
        let (reply, answer) = oneshot::channel();
        self.queue.push(Job { unit, reply })?;
        answer.await.unwrap_or_else(|_| Err(ExecuteError::OutcomeUnknown("the committer stopped".into())))
    }

    /// Returns what is wrong.
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }

    /// Notes what is wrong; a change is told once.
    pub fn set_problem(&self, problem: Option<String>) {
        let mut current = self.problem.lock();
        if *current == problem {
            return;
        }
        match &problem {
            Some(problem) => tracing::warn!("writes are refused: {problem}"),
            None => tracing::info!("writes are accepted again"),
        }
        *current = problem;
    }
}

/// Gives the answers of committed batches to those who wait. Ends with the committers.
pub(crate) async fn deliver(mut committed: tokio::sync::mpsc::UnboundedReceiver<Answers>) {
    while let Some(answers) = committed.recv().await {
        for (reply, answer) in answers {
            // Whoever asked may have gone.
            let _ = reply.send(answer);
        }
    }
}
