//! The threads that write: each takes everything that is queued and commits it at once, so that a batch grows with the time
//! that a commit takes.
//!
//! A thread of its own with its own small runtime: a batch then waits for no request's turn, and the pause before a burst
//! can be shorter than a timer's tick.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use souk_ports::{ExecuteError, PortError, UnitOfWork, fault};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::connect::{self, ConnectError};
use crate::failure::{self, Failure};
use crate::queue::{Gathered, Reply};
use crate::resolve::{Resolution, Trace, resolve};
use crate::shared::{Answers, Shared};
use crate::writer::{Outcomes, Prepared, Writer};

/// Units in a usual batch from which on a small one is worth waiting for: the answers of the last commit bring the next
/// requests in, and committing the first few of them alone would cost a sync for each handful. A lone writer never
/// waits.
const BUSY: usize = 16;
/// How long such a wait is, and how often at most: together less than a sync to disk takes.
const PAUSE: Duration = Duration::from_micros(100);
const MAX_PAUSES: usize = 3;
/// How long a small batch waits for more while another one is being committed: what it would save in waiting, it would cost
/// its followers in syncs. Two ticks of the timer, and less than most commits.
const GROWTH: Duration = Duration::from_millis(2);
/// How often a batch is tried that others stand in the way of: each time at least one of them gets through.
const MAX_TRIES: u32 = 20;
/// The first pause before such a try, and before a connection is tried again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// The longest pause between two attempts to connect: a server that is back is used within two seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Starts a committer; its first session, or why there is none, comes through `opened`.
pub(crate) fn start(
    shared: Arc<Shared>,
    number: usize,
    opened: oneshot::Sender<Result<(), ConnectError>>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(format!("souk-committer-{number}")).spawn(move || {
        runtime.block_on(async {
            match Writer::open(&shared.server, &shared.rules).await {
                Ok(writer) => {
                    let _ = opened.send(Ok(()));
                    shared.connected.fetch_add(1, Ordering::AcqRel);
                    Committer { shared, writer: Some(writer), usual: 0 }.run().await;
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        });
    })
}

struct Committer {
    shared: Arc<Shared>,
    /// `None` while there is no session.
    writer: Option<Writer>,
    /// Units in a usual batch, as a moving average: tells a burst's beginning from a lone write.
    usual: usize,
}

/// Why units have no outcome; nothing of them took effect.
enum Unsettled {
    NoSession(String),
    /// One of them makes the server fail, or we do.
    Broken(PortError),
}

/// How an attempt at a batch ended.
enum Attempt {
    Done(Outcomes),
    Failed(Failure),
    /// The reply to COMMIT was lost.
    Unclear {
        outcomes: Outcomes,
        trace: Trace,
        has_events: bool,
        cause: String,
    },
}

impl Committer {
    /// Works until the queue is closed and empty.
    async fn run(mut self) {
        loop {
            if let Err(cause) = self.connect().await {
                self.reconnect(cause).await;
            }
            let shared = self.shared.clone();
            let gathering = shared.gathering.lock().await;
            if !shared.queue.wait().await {
                if !fault::planted("committers-leave-unnoticed") {
                    // Those who are still at work do not count on this one any more.
                    self.lose();
                }
                return;
            }
            let gathered = self.gather().await;
            drop(gathering);
            self.usual = (self.usual * 3 + gathered.units.len()).div_ceil(4);
            shared.in_flight.fetch_add(1, Ordering::AcqRel);
            self.commit(gathered.units, gathered.replies).await;
            shared.in_flight.fetch_sub(1, Ordering::AcqRel);
            shared.finished.notify_one();
        }
    }

    /// Takes what is queued, and what comes in the next moment when that is worth it.
    async fn gather(&self) -> Gathered {
        let shared = &*self.shared;
        let mut gathered = Gathered::default();
        shared.queue.drain(&mut gathered);
        let is_small = |gathered: &Gathered| self.usual >= BUSY && gathered.units.len() * 2 < self.usual;
        let growth = tokio::time::sleep(GROWTH);
        tokio::pin!(growth);
        while is_small(&gathered) && shared.in_flight.load(Ordering::Acquire) > 0 {
            tokio::select! {
                () = shared.queue.more() => shared.queue.drain(&mut gathered),
                () = shared.finished.notified() => {}
                () = &mut growth => break,
            }
        }
        for _ in 0..MAX_PAUSES {
            if !is_small(&gathered) {
                break;
            }
            std::thread::sleep(PAUSE);
            shared.queue.drain(&mut gathered);
        }
        gathered
    }

    /// Commits `units` and has them answered, whatever happens.
    async fn commit(&mut self, units: Vec<UnitOfWork>, replies: Vec<Reply>) {
        let mut batches = vec![(units, replies)];
        while let Some((mut units, mut replies)) = batches.pop() {
            let outcomes = match self.settle(&units, &mut replies).await {
                Ok(outcomes) => outcomes,
                Err(Unsettled::NoSession(cause)) if !self.others_can() => refused(units.len(), &cause),
                Err(Unsettled::NoSession(_)) => {
                    self.shared.queue.put_back(units, replies);
                    continue;
                }
                Err(Unsettled::Broken(_)) if units.len() > 1 => {
                    // One of them is at fault, and its neighbours are not: halves, until it is alone.
                    let half = units.len() / 2;
                    batches.push((units.split_off(half), replies.split_off(half)));
                    batches.push((units, replies));
                    continue;
                }
                Err(Unsettled::Broken(error)) => {
                    tracing::error!(error = %error, cause = ?std::error::Error::source(&error), "a write failed");
                    vec![Err(ExecuteError::Failed(error))]
                }
            };
            // Handed over whole: waking each waiting request from here would hold the next batch up.
            let _ = self.shared.answers.send(replies.into_iter().zip(outcomes).collect());
        }
    }

    /// Tries `units` until their outcome is known.
    async fn settle(
        &mut self,
        units: &[UnitOfWork],
        replies: &mut Vec<Reply>,
    ) -> Result<Outcomes, Unsettled> {
        let mut careful = false;
        for tries in 1.. {
            self.connect().await.map_err(Unsettled::NoSession)?;
            let failure = match self.attempt(units, replies, careful).await {
                Attempt::Done(outcomes) => {
                    self.shared.set_problem(None);
                    return Ok(outcomes);
                }
                Attempt::Failed(failure) => failure,
                Attempt::Unclear { outcomes, trace, has_events, cause } => {
                    self.lose();
                    let patience = self.shared.rules.outcome_patience;
                    match resolve(&self.shared.server, &trace, patience).await {
                        Resolution::Committed => {
                            self.committed(has_events);
                            return Ok(outcomes);
                        }
                        Resolution::RolledBack => Failure::Lost(cause),
                        Resolution::Unknown(why) => {
                            tracing::warn!(
                                "the outcome of transaction {} is unknown: {cause}; {why}",
                                trace.xid
                            );
                            return Ok(unknown(outcomes, &why));
                        }
                    }
                }
            };
            if matches!(failure, Failure::Lost(_)) {
                self.lose();
            } else {
                self.abandon().await;
            }
            let cause = match failure {
                Failure::Broken(error) => return Err(Unsettled::Broken(error)),
                Failure::Refused(cause) => {
                    self.shared.set_problem(Some(cause.clone()));
                    return Ok(refused(units.len(), &cause));
                }
                Failure::Lost(cause) => format!("the connection to Postgres was lost: {cause}"),
                Failure::Conflict(cause) => cause,
                Failure::Redo => "others write to the same products".to_owned(),
            };
            if tries >= MAX_TRIES {
                let cause = format!("the write was tried {tries} times in vain: {cause}; retry later");
                return Ok(refused(units.len(), &cause));
            }
            if careful {
                tokio::time::sleep(jittered(FIRST_PAUSE * 2_u32.pow(tries.min(7)))).await;
            }
            careful = true;
        }
        unreachable!("the loop ends by returning")
    }

    async fn attempt(&mut self, units: &[UnitOfWork], replies: &mut Vec<Reply>, careful: bool) -> Attempt {
        let writer = self.writer.as_mut().expect("connected above");
        let patience = self.shared.rules.answer_patience;
        let late = || no_answer_for(patience);
        let prepared = match tokio::time::timeout(patience, writer.prepare(units, careful)).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(failure)) => return Attempt::Failed(failure),
            Err(_) => return Attempt::Failed(Failure::Lost(late())),
        };
        let Prepared { outcomes, transaction } = prepared;
        let Some(transaction) = transaction else { return Attempt::Done(outcomes) };
        if fault::planted("answer-before-commit") {
            for (reply, outcome) in std::mem::take(replies).into_iter().zip(&outcomes) {
                let _ = reply.send(outcome.as_ref().cloned().map_err(|_| ExecuteError::KeyReused));
            }
            // Wide enough for a kill to fall between the answer and the commit.
            std::thread::sleep(Duration::from_millis(50));
        }
        let unclear = |outcomes, trace, cause| Attempt::Unclear {
            outcomes,
            trace,
            has_events: transaction.has_events,
            cause,
        };
        match tokio::time::timeout(patience, writer.commit()).await {
            Ok(Ok(())) => {
                self.committed(transaction.has_events);
                Attempt::Done(outcomes)
            }
            // An answer that is no goodbye: the server rolled back.
            Ok(Err(error)) if error.as_db_error().is_some() && !failure::is_lost(&error) => {
                Attempt::Failed(Failure::from(error))
            }
            Ok(Err(error)) => unclear(outcomes, writer.trace(&transaction.xid), connect::reason(&error)),
            Err(_) => unclear(outcomes, writer.trace(&transaction.xid), late()),
        }
    }

    fn committed(&self, has_events: bool) {
        fault::crash_point("catalog.committed");
        if has_events {
            self.shared.committed.notify_one();
        }
    }

    /// Sees to a session: one attempt.
    async fn connect(&mut self) -> Result<(), String> {
        if self.writer.as_ref().is_some_and(|writer| !writer.is_closed()) {
            return Ok(());
        }
        self.lose();
        self.open().await.map_err(|error| error.to_string())
    }

    /// Tries until there is a session or the queue is closed and empty; refuses what comes meanwhile, unless others can
    /// commit it.
    async fn reconnect(&mut self, mut cause: String) {
        let mut pause = FIRST_PAUSE * 16;
        loop {
            if self.shared.connected.load(Ordering::Acquire) == 0 {
                self.shared.set_problem(Some(cause.clone()));
                self.refuse_all(&cause);
            }
            if self.shared.queue.is_closed() && self.shared.queue.len() == 0 {
                return;
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match self.open().await {
                Ok(()) => return self.shared.set_problem(None),
                Err(error) => cause = error.to_string(),
            }
        }
    }

    /// Tells whether somebody else may commit what this one cannot; at the end nobody is counted on, since all are leaving.
    fn others_can(&self) -> bool {
        let ends = self.shared.queue.is_closed() && !fault::planted("committers-leave-unnoticed");
        !ends && self.shared.connected.load(Ordering::Acquire) > 0
    }

    fn refuse_all(&self, cause: &str) {
        let refused: Answers = self
            .shared
            .queue
            .take_all()
            .into_iter()
            .map(|job| (job.reply, Err(ExecuteError::Overloaded(cause.to_owned()))))
            .collect();
        let _ = self.shared.answers.send(refused);
    }

    async fn open(&mut self) -> Result<(), ConnectError> {
        let Shared { server, rules, .. } = &*self.shared;
        // A server that stands still takes connections and says nothing.
        let writer = tokio::time::timeout(rules.answer_patience, Writer::open(server, rules))
            .await
            .map_err(|_| server.unusable(&no_answer_for(rules.answer_patience)))??;
        self.writer = Some(writer);
        self.shared.connected.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Gives the session up.
    fn lose(&mut self) {
        if self.writer.take().is_some() {
            self.shared.connected.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Makes the session usable again after a failed transaction, or gives it up.
    async fn abandon(&mut self) {
        let Some(writer) = &self.writer else { return };
        let patience = self.shared.rules.answer_patience;
        if !matches!(tokio::time::timeout(patience, writer.abandon()).await, Ok(Ok(()))) {
            self.lose();
        }
    }
}

fn no_answer_for(patience: Duration) -> String {
    format!("no answer for {} seconds", patience.as_secs())
}

fn refused(units: usize, cause: &str) -> Outcomes {
    (0..units).map(|_| Err(ExecuteError::Overloaded(cause.to_owned()))).collect()
}

/// The outcomes of a batch that may or may not have been committed: what would have had an effect may have had it; what
/// would not, did not.
fn unknown(outcomes: Outcomes, why: &str) -> Outcomes {
    outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Ok(_) => Err(ExecuteError::OutcomeUnknown(why.to_owned())),
            Err(_) => Err(ExecuteError::Overloaded(why.to_owned())),
        })
        .collect()
}

/// Between half and all of `pause`, so that committers and instances do not come back in step.
fn jittered(pause: Duration) -> Duration {
    // The last bytes of a version 7 UUID are random.
    let random = u32::from(Uuid::now_v7().as_bytes()[15]);
    pause / 2 + pause * random / 510
}
