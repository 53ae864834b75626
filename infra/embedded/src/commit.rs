//! One commit: a batch of units folded, written, made durable, answered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};
use souk_domain::{Event, Timestamp};
use souk_ports::{
    Answer, ErrorKind, ExecuteError, Idempotency, KEPT_ELSEWHERE, Keeper, LogRecord, Outcome, PortError,
    UnitOfWork, fault,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::answers;
use crate::batch::{Moment, Rows, UnitError};
use crate::committer::CommitterParts;
use crate::filling::Filling;
use crate::{keeper, sqlite};

/// How often a store that refuses writes looks whether it still has to, while nobody asks it for one.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// What it writes to find out: as much as some dozens of writes take, so that what it says holds for a while.
const LOOK_BYTES: i32 = 64 << 10;

/// Where a unit's outcome goes.
pub(crate) type Reply = oneshot::Sender<Result<Outcome, ExecuteError>>;
type Answers = Vec<(Reply, Result<Outcome, ExecuteError>)>;

/// Commits batches; lives on the committer's thread.
pub(crate) struct Worker {
    pub parts: CommitterParts,
    pub filling: Filling,
    rows: Rows,
    keeper: Keeper,
    last_time: Timestamp,
    problem: Arc<Mutex<Option<String>>>,
    answers: UnboundedSender<Answers>,
    /// Size of a recent payload: the next one's buffer.
    payload_bytes: usize,
}

/// A batch's units with their answers, and what has to become visible once it is committed.
#[derive(Default)]
struct Batch {
    answers: Answers,
    events: Vec<Event>,
    /// Keys used by this batch: a duplicate in the same batch gets the first one's answer.
    keys: Vec<(Idempotency, Answer)>,
}

impl Worker {
    /// Takes over what the committer owns; needs a tokio runtime for the answers.
    pub fn new(parts: CommitterParts, problem: Arc<Mutex<Option<String>>>) -> rusqlite::Result<Self> {
        let rows = Rows::load(&parts.connection)?;
        let filling = Filling::load(&parts.connection)?;
        let keeper = keeper::load(&parts.connection)?;
        let last_time = parts
            .connection
            .query_row("SELECT time FROM events ORDER BY \"offset\" DESC LIMIT 1", [], |row| row.get(0))
            .optional()?
            .map_or(Timestamp::MIN, Timestamp::from_millis);
        let (answers, committed) = unbounded_channel();
        tokio::spawn(deliver(committed));
        let worker = Self { parts, filling, rows, keeper, last_time, problem, answers, payload_bytes: 1024 };
        worker.look();
        Ok(worker)
    }

    /// Returns how long to wait for work before [`Worker::idle`] has something to do; `None` when it has nothing.
    pub fn patience(&self) -> Option<Duration> {
        if self.problem.lock().is_some() { Some(LOOK_AGAIN) } else { self.filling.patience() }
    }

    /// Does what waits for a pause.
    pub fn idle(&mut self) {
        if self.problem.lock().is_some() {
            self.look();
        } else {
            self.build_list_index();
        }
    }

    /// Finds out by writing whether the store takes writes: after a start as after a refusal, the health tells.
    fn look(&self) {
        let connection = &self.parts.connection;
        let write = || -> rusqlite::Result<()> {
            let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES ('room', zeroblob(?1))";
            connection.prepare_cached(sql)?.execute([LOOK_BYTES])?;
            connection.prepare_cached("DELETE FROM meta WHERE name = 'room'")?.execute([])?;
            Ok(())
        };
        match write() {
            Ok(()) => self.set_problem(None),
            Err(error) => self.set_problem(Some(text(&error))),
        }
    }

    /// Commits `units` in one transaction and has them answered.
    pub fn commit(&mut self, units: Vec<(UnitOfWork, Reply)>) {
        if units.is_empty() {
            return;
        }
        let now = self.parts.clock.now().max(self.last_time);
        let others = units.iter().any(|(unit, _)| !unit.is_import());
        let mut batch = Batch::default();
        let mut pending = units.into_iter();
        let folded = self.fold(&mut pending, now, &mut batch);
        let outcome = folded.and_then(|()| self.write(&mut batch, now));
        match outcome {
            Ok(records) => {
                self.last_time = now;
                self.rows.committed();
                // A refusal, a no-op or a repeat writes nothing, and proves nothing.
                if !records.is_empty() {
                    self.set_problem(None);
                    self.parts.log.publish(records);
                }
                // Handed over whole: waking each waiting request from here would hold the next batch up.
                let _ = self.answers.send(batch.answers);
                let imported = if others { 0 } else { batch.events.len() as u64 };
                self.filling.passed(&self.parts.connection, imported, others, self.rows.count());
            }
            Err(failure) => {
                self.rows.rolled_back();
                if !self.parts.connection.is_autocommit() {
                    let _ = self.parts.connection.execute_batch("ROLLBACK");
                }
                let replies =
                    batch.answers.into_iter().map(|(reply, _)| reply).chain(pending.map(|(_, reply)| reply));
                self.fail(&failure, replies);
            }
        }
    }

    /// Builds an index that was put off; tells whether it could.
    pub fn build_list_index(&mut self) -> bool {
        let built = self.filling.build(&self.parts.connection);
        // An index of many rows is many pages.
        self.parts.checkpoints.between_batches(&self.parts.connection, usize::MAX);
        built
    }

    /// Says who keeps the products from the next batch on.
    pub fn keep(&mut self, keeper: Keeper) -> rusqlite::Result<()> {
        keeper::store(&self.parts.connection, keeper)?;
        self.keeper = keeper;
        Ok(())
    }

    /// Opens the transaction and folds every unit in memory.
    fn fold(
        &mut self,
        units: &mut impl Iterator<Item = (UnitOfWork, Reply)>,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<(), Failure> {
        let connection = &self.parts.connection;
        connection
            .prepare_cached("BEGIN IMMEDIATE")
            .and_then(|mut s| s.execute([]))
            .map_err(Failure::before_commit)?;
        let moment = Moment { now, default_threshold: self.parts.default_threshold, ids: &*self.parts.ids };
        for (unit, reply) in units {
            let answer = match fold_unit(connection, self.keeper, &mut self.rows, unit, &moment, batch) {
                Ok(answer) => answer,
                Err(error) => {
                    batch.answers.push((reply, Err(ExecuteError::Overloaded(String::new()))));
                    return Err(Failure::before_commit(error));
                }
            };
            batch.answers.push((reply, answer));
        }
        Ok(())
    }

    /// Writes rows, events and answers, and commits.
    fn write(&mut self, batch: &mut Batch, now: Timestamp) -> Result<Vec<LogRecord>, Failure> {
        let connection = &self.parts.connection;
        self.rows.write(connection).map_err(Failure::before_commit)?;
        let mut records = Vec::with_capacity(batch.events.len());
        let mut offset = self.parts.log.next_offset();
        if !batch.events.is_empty() {
            let mut insert = connection
                .prepare_cached(
                    "INSERT INTO events (\"offset\", seller_id, product_id, type, time, payload) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .map_err(Failure::before_commit)?;
            for event in &batch.events {
                let mut payload = Vec::with_capacity(self.payload_bytes);
                souk_events::encode(event, &mut payload);
                self.payload_bytes = payload.len() + 64;
                insert
                    .execute(params![
                        i64::try_from(offset).expect("offsets stay below 2^63"),
                        event.product.seller_id.as_str(),
                        event.product.id.0.as_bytes(),
                        i64::try_from(event.event_type().index()).expect("five types"),
                        now.millis(),
                        payload
                    ])
                    .map_err(Failure::before_commit)?;
                records.push(LogRecord {
                    partition: 0,
                    offset,
                    appended_at: now,
                    payload: Bytes::from(payload),
                });
                offset += 1;
            }
        }
        for (idempotency, answer) in &batch.keys {
            answers::store(connection, idempotency, answer, now).map_err(Failure::before_commit)?;
        }
        if fault::planted("answer-before-commit") {
            for (reply, answer) in std::mem::take(&mut batch.answers) {
                let _ = reply.send(answer);
            }
            // Wide enough for a kill to fall between the answer and the commit.
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        connection
            .prepare_cached("COMMIT")
            .and_then(|mut s| s.execute([]))
            .map_err(Failure::during_commit)?;
        Ok(records)
    }

    fn fail(&self, failure: &Failure, replies: impl Iterator<Item = Reply>) {
        let cause = sqlite::cause(&failure.error);
        self.set_problem(Some(text(&failure.error)));
        if cause.is_none() {
            tracing::error!(error = %failure.error, "a batch of writes failed and was rolled back");
        }
        for reply in replies {
            let _ = reply.send(Err(match cause {
                // An I/O error during the commit leaves open what the next start finds in the file.
                _ if failure.during_commit && !failure.is_full() => {
                    ExecuteError::OutcomeUnknown(failure.error.to_string())
                }
                Some(cause) => ExecuteError::Overloaded(cause.to_owned()),
                None => ExecuteError::Failed(
                    PortError::new(ErrorKind::Internal, "a write failed")
                        .with_source(std::io::Error::other(failure.error.to_string())),
                ),
            }));
        }
    }

    fn set_problem(&self, problem: Option<String>) {
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

/// Tells why writes are refused.
fn text(error: &rusqlite::Error) -> String {
    sqlite::cause(error).map_or_else(|| error.to_string(), str::to_owned)
}

/// Gives the answers of committed batches to those who wait. Ends with the committer.
async fn deliver(mut committed: UnboundedReceiver<Answers>) {
    while let Some(answers) = committed.recv().await {
        for (reply, answer) in answers {
            // Whoever asked may have gone.
            let _ = reply.send(answer);
        }
    }
}

struct Failure {
    error: rusqlite::Error,
    during_commit: bool,
}

impl Failure {
    fn before_commit(error: rusqlite::Error) -> Self {
        Self { error, during_commit: false }
    }

    fn during_commit(error: rusqlite::Error) -> Self {
        Self { error, during_commit: true }
    }

    /// A full disk fails before the commit's last page is written: the transaction is rolled back for certain.
    fn is_full(&self) -> bool {
        self.error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
    }
}

fn fold_unit(
    connection: &Connection,
    keeper: Keeper,
    rows: &mut Rows,
    unit: UnitOfWork,
    moment: &Moment<'_>,
    batch: &mut Batch,
) -> rusqlite::Result<Result<Outcome, ExecuteError>> {
    if let Some(idempotency) = &unit.idempotency {
        let known = match batch.keys.iter().find(|(used, _)| used.key == idempotency.key) {
            Some((used, answer)) => Some((used.fingerprint, answer.clone())),
            None => answers::load(connection, &idempotency.key, moment.now)?,
        };
        if let Some((fingerprint, answer)) = known {
            let same = fingerprint == idempotency.fingerprint;
            return Ok(if same { Ok(Outcome::Replayed(answer)) } else { Err(ExecuteError::KeyReused) });
        }
    }
    if keeper == Keeper::Source && !unit.is_import() {
        return Ok(Err(ExecuteError::Overloaded(KEPT_ELSEWHERE.to_owned())));
    }
    match rows.fold(connection, &unit.commands, moment, &mut batch.events) {
        Ok(applied) => {
            if let Some(idempotency) = unit.idempotency {
                let answer = (idempotency.answer)(&applied);
                batch.keys.push((idempotency, answer));
            }
            Ok(Ok(Outcome::Applied(applied)))
        }
        Err(UnitError::Refused(refusals)) => Ok(Err(ExecuteError::Rejected(refusals))),
        Err(UnitError::Sqlite(error)) => Err(error),
    }
}
