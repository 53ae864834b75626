//! A consumer: a member of a group that hands records to a sink, keeps trying while the sink cannot take them, and
//! says how it is doing. Three of them run, each in a task of its own, so that none holds another up.

mod backoff;
mod begin;
mod commits;
mod progress;
mod recent;
mod state;

use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_http::Shutdown;
use souk_ports::{
    Delivery, ErrorKind, EventLog, GroupConsumer, LogRecord, Offset, Partition, PortError, fault,
};

use crate::archive::ReadError;

pub(crate) use backoff::Backoff;
pub(crate) use begin::Hole;
pub(crate) use commits::Commits;
pub(crate) use progress::{Progress, caught_up, complete_to, progress};
pub(crate) use recent::{RecentParts, RecentSink};
pub(crate) use state::ConsumerState;

/// How long a consumer waits for records when its sink has nothing to do by itself.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// How long partitions that go to another member are held back by a store that cannot be written: long enough for a
/// restart of it, short of what a group waits for a member. What is not stored then is read again by the next one.
const REVOKE_PATIENCE: Duration = Duration::from_secs(10);

/// Why a consumer cannot go on as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsumeError {
    /// For now; the sink keeps what it has and the same is tried again.
    #[error("{0}")]
    Blocked(String),
    /// What was read is lost; the consumer joins its group anew and reads from its committed position.
    #[error("{0}")]
    Restart(String),
    /// For good: somebody has to act. The text says how.
    #[error("{0}")]
    Stop(String),
}

impl From<PortError> for ConsumeError {
    fn from(error: PortError) -> Self {
        match error.kind() {
            // Another member has taken over, or stored data is not what it has to be.
            ErrorKind::Conflict => Self::Restart(chain(&error)),
            ErrorKind::InvalidData => Self::Stop(chain(&error)),
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Internal => Self::Blocked(chain(&error)),
        }
    }
}

impl From<ReadError> for ConsumeError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(_) => Self::Blocked(chain(&error)),
            ReadError::Damaged { .. } => Self::Stop(error.to_string()),
        }
    }
}

/// Returns an error's message with its causes'.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors print their causes themselves.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// What has to be made durable now, whether it is due or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Force<'a> {
    /// What is due.
    Nothing,
    /// Everything of partitions that go to another member.
    Partitions(&'a [Partition]),
    /// Everything.
    All,
}

impl Force<'_> {
    /// Tells whether everything of `partition` has to be made durable.
    pub fn covers(self, partition: Partition) -> bool {
        match self {
            Self::Nothing => false,
            Self::Partitions(partitions) => partitions.contains(&partition),
            Self::All => true,
        }
    }
}

/// Takes records and makes something durable of them.
pub(crate) trait Sink: Send + 'static {
    /// Forgets everything that is not durable: a new membership begins.
    fn reset(&mut self);

    /// Takes over partitions, each from its committed next offset.
    fn assign(&mut self, partitions: &[(Partition, Offset)]);

    /// Forgets partitions; everything of them was made durable just before.
    fn revoke(&mut self, partitions: &[Partition]);

    /// Gets what the log no longer holds by other means; returns where to go on.
    fn fill(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        hole: Hole,
    ) -> impl Future<Output = Result<Offset, ConsumeError>> + Send;

    /// Returns where to go on in a partition whose position is `position`; what was made by somebody else since may
    /// reach further.
    fn start(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        partition: Partition,
        position: Offset,
    ) -> impl Future<Output = Result<Offset, ConsumeError>> + Send {
        let _ = (consumer, partition);
        std::future::ready(Ok(position))
    }

    /// Takes records into memory; at most one delivery comes between two calls of `drive`.
    fn accept(&mut self, records: Vec<LogRecord>);

    /// Notes that no records came.
    fn idle(&mut self) {}

    /// Makes durable what is due, and commits. After `Blocked` it is called again and goes on where it was.
    fn drive(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        force: Force<'_>,
    ) -> impl Future<Output = Result<(), ConsumeError>> + Send;

    /// Returns in what time something is due by itself.
    fn due_in(&self, now: Instant) -> Option<Duration>;

    /// Waits until somebody asks something of the sink. Cancel-safe.
    fn attention(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// How a run of a consumer ended.
enum End {
    Shutdown,
    Failed(ConsumeError),
}

impl<E: Into<ConsumeError>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Runs a consumer until the soft token, then makes everything durable that it has, until the hard one.
pub(crate) async fn run<S: Sink>(
    mut sink: S,
    log: Arc<dyn EventLog>,
    state: Arc<ConsumerState>,
    shutdown: Shutdown,
) {
    let mut backoff = Backoff::default();
    loop {
        sink.reset();
        state.leave();
        let end = session(&mut sink, &*log, &state, &shutdown, &mut backoff).await;
        match end {
            Ok(()) | Err(End::Shutdown) => return,
            Err(End::Failed(ConsumeError::Stop(reason))) => {
                tracing::error!(messaging.consumer.group.name = state.group, "consumer stopped: {reason}");
                state.stop(reason);
                return;
            }
            Err(End::Failed(ConsumeError::Blocked(reason) | ConsumeError::Restart(reason))) => {
                state.trouble(reason);
                if pause(&mut backoff, &state, &shutdown).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// One membership in the group.
async fn session<S: Sink>(
    sink: &mut S,
    log: &dyn EventLog,
    state: &ConsumerState,
    shutdown: &Shutdown,
    backoff: &mut Backoff,
) -> Result<(), End> {
    let mut consumer = log.consumer(&state.group).await?;
    loop {
        let wait = sink.due_in(Instant::now()).map_or(MAX_WAIT, |due| due.min(MAX_WAIT));
        tokio::select! {
            biased;
            () = shutdown.soft.cancelled() => {
                tokio::select! {
                    result = sink.drive(&mut consumer, Force::All) => {
                        if let Err(error) = result {
                            tracing::warn!(
                                messaging.consumer.group.name = state.group,
                                "not everything is stored at shutdown, the rest is read again at the next start: {error}",
                            );
                        }
                    }
                    () = shutdown.hard.cancelled() => {}
                }
                return Err(End::Shutdown);
            }
            () = sink.attention() => {}
            delivery = consumer.next(wait) => match delivery? {
                Delivery::Assigned(partitions) => {
                    state.enter();
                    let partitions = tokio::select! {
                        begun = begin::begin(sink, &mut consumer, log, state, partitions) => begun?,
                        // Each step of it is durable.
                        () = shutdown.soft.cancelled() => return Err(End::Shutdown),
                    };
                    sink.assign(&partitions);
                    state.assign(&partitions);
                }
                Delivery::Revoking(partitions) => {
                    fault::crash_point("consumer.revoking");
                    persist(sink, &mut consumer, Force::Partitions(&partitions), state, shutdown, backoff).await?;
                    sink.revoke(&partitions);
                    state.revoke(&partitions);
                }
                Delivery::Records(records) => {
                    state.events.inc_by(records.len() as u64);
                    sink.accept(records);
                }
                Delivery::Idle => sink.idle(),
            },
        }
        persist(sink, &mut consumer, Force::Nothing, state, shutdown, backoff).await?;
    }
}

/// Drives the sink until it has done what is due. Nothing is read meanwhile, so memory stays bounded.
async fn persist<S: Sink>(
    sink: &mut S,
    consumer: &mut Box<dyn GroupConsumer>,
    force: Force<'_>,
    state: &ConsumerState,
    shutdown: &Shutdown,
    backoff: &mut Backoff,
) -> Result<(), End> {
    let began = Instant::now();
    loop {
        match sink.drive(consumer, force).await {
            Ok(()) => {
                backoff.reset();
                state.well();
                return Ok(());
            }
            Err(ConsumeError::Blocked(reason)) => {
                state.trouble(reason);
                if matches!(force, Force::Partitions(_)) && began.elapsed() > REVOKE_PATIENCE {
                    return Ok(());
                }
                // A shutdown that comes now makes a last attempt in `session`.
                if pause(backoff, state, shutdown).await.is_err() {
                    return Ok(());
                }
            }
            Err(error) => return Err(End::Failed(error)),
        }
    }
}

/// Waits before the next attempt, unless somebody wants it now; `Err` when the shutdown begins.
async fn pause(backoff: &mut Backoff, state: &ConsumerState, shutdown: &Shutdown) -> Result<(), ()> {
    tokio::select! {
        () = tokio::time::sleep(backoff.next()) => Ok(()),
        () = state.nudged() => Ok(()),
        () = shutdown.soft.cancelled() => Err(()),
    }
}
