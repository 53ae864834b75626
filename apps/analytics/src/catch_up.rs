//! Working through a log that nobody writes to, to its end: a shop that has just moved has its figures made this way.

use std::time::Duration;

use souk_http::Shutdown;
use souk_ports::{Offset, PortError};
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::Analytics;
use crate::analytics::Shared;
use crate::archive::{FlushRequest, Flushed};
use crate::consumer::progress;

/// How often the consumers are looked at.
const LOOK: Duration = Duration::from_millis(50);

impl Analytics {
    /// Runs the three consumers until each has everything that the log holds now, closes the archive's files and stops.
    /// `lag` hears how many events the last of them is behind, and what keeps it.
    ///
    /// # Errors
    /// When a consumer has stopped for good, or the log cannot be read; what was done so far is kept.
    pub async fn catch_up(self, mut lag: impl FnMut(u64, Option<String>) + Send) -> Result<(), PortError> {
        let (shared, shutdown) = (self.shared.clone(), Shutdown::new());
        let running = shutdown.spawn("analytics", self.run(shutdown.clone()));
        let done = work_off(&shared, &mut lag).await;
        shutdown.soft.cancel();
        // A panic has been reported by the task's wrapper, and drains as the token does.
        let _ = running.await;
        done.and_then(|()| match shutdown.failed() {
            Some(task) => Err(stopped(format!("{task} broke down"))),
            None => Ok(()),
        })
    }
}

async fn work_off(
    shared: &Shared,
    lag: &mut (dyn FnMut(u64, Option<String>) + Send),
) -> Result<(), PortError> {
    let bounds = shared.log.bounds().await?;
    let targets: Vec<Offset> = bounds.iter().map(|bounds| bounds.next).collect();
    let mut flushing: Option<oneshot::Receiver<Flushed>> = None;
    loop {
        let mut left = 0;
        for state in shared.consumers() {
            if state.is_stopped() {
                return Err(stopped(state.problem().unwrap_or_default()));
            }
            let behind = progress(&*shared.log, state, &bounds, shared.clock.now()).await?;
            left = left.max(if state.has_joined() { behind.lag_events } else { behind.lag_events.max(1) });
        }
        lag(left, shared.consumers().iter().find_map(|state| state.problem()));
        if left == 0 {
            return Ok(());
        }
        // One that was answered before all partitions were there has to be asked for again.
        if flushing.as_mut().is_some_and(|flushed| !matches!(flushed.try_recv(), Err(TryRecvError::Empty))) {
            flushing = None;
        }
        // The archive's last files are open until somebody asks for them.
        if flushing.is_none() && shared.archiver.has_joined() {
            let (reply, written) = oneshot::channel();
            let request = FlushRequest { targets: targets.clone(), reply };
            if shared.flushes.send(request).await.is_ok() {
                flushing = Some(written);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn stopped(reason: String) -> PortError {
    PortError::new(souk_ports::ErrorKind::Internal, format!("a consumer stopped: {reason}"))
}
