//! How services end: the first signal drains, the second or the deadline aborts, and the stores are closed last.

use std::time::Duration;

use souk_http::Shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;
use crate::telemetry::ALWAYS;

/// How long tasks may take to notice that they are aborted: none of them does more than drop what it holds.
const ABORT_GRACE: Duration = Duration::from_secs(2);

/// Ctrl-C and SIGTERM, which say the same.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over from the system, which would end the process at once.
    ///
    /// # Errors
    /// `Unreachable` when the system does not let us.
    pub fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::Unreachable(format!("signals cannot be listened to: {error}")))
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next one and returns its name. Cancel-safe.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// How the tasks came to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything that was begun is finished.
    Drained,
    /// The deadline cut off what was left.
    Deadline,
    /// A second signal cut off what was left.
    Aborted,
}

/// Waits until something asks for the end: a signal, or a task that panicked.
pub async fn wait_for_the_end(signals: &mut Signals, shutdown: &Shutdown) {
    tokio::select! {
        () = shutdown.soft.cancelled() => {}
        name = signals.next() => {
            tracing::info!(target: ALWAYS, signal = name, "draining; once more to abort");
        }
    }
}

/// Drains every task, or aborts them at a further signal or after `deadline`.
pub async fn drain(signals: &mut Signals, shutdown: &Shutdown, deadline: Duration) -> End {
    shutdown.soft.cancel();
    shutdown.tasks.close();
    let end = tokio::select! {
        biased;
        () = shutdown.tasks.wait() => return End::Drained,
        _ = signals.next() => End::Aborted,
        () = tokio::time::sleep(deadline) => End::Deadline,
    };
    tracing::warn!(
        tasks = shutdown.tasks.len(),
        "cutting off what has not ended; what was acknowledged is stored"
    );
    shutdown.hard.cancel();
    if tokio::time::timeout(ABORT_GRACE, shutdown.tasks.wait()).await.is_err() {
        tracing::warn!(tasks = shutdown.tasks.len(), "some tasks did not notice the abort");
    }
    end
}

/// Turns the end into the command's outcome.
///
/// # Errors
/// `Fault` when a task panicked or a second signal aborted.
pub fn outcome(end: End, shutdown: &Shutdown) -> Result<(), Failure> {
    if let Some(task) = shutdown.failed() {
        return Err(Failure::Fault(format!(
            "{task} broke down, see the log; start souk again, nothing is lost"
        )));
    }
    match end {
        End::Drained | End::Deadline => Ok(()),
        End::Aborted => Err(Failure::Fault("aborted by a second signal".to_owned())),
    }
}
