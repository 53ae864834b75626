//! Follows the log and publishes what comes.

use std::error::Error;
use std::sync::Arc;

use parking_lot::Mutex;
use souk_ports::{EventLog, Offset, PortError};

use crate::backoff::Backoff;
use crate::framing::Framer;
use crate::hub::Hub;
use crate::quiet::pass_quiet_ends;

/// What the pump does, for the health page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PumpState {
    /// It looks for the log's end.
    Starting,
    /// It follows the log.
    Following,
    /// It tries again after a failure.
    Failing(String),
}

/// Follows the log from its end, for as long as it is polled.
pub(crate) async fn pump(hub: &Hub, log: &Arc<dyn EventLog>, state: &Mutex<PumpState>) {
    let mut backoff = Backoff::new();
    let from = loop {
        match log.bounds().await {
            Ok(bounds) => break bounds.iter().map(|bounds| bounds.next).collect::<Vec<_>>(),
            Err(error) => failed(hub, state, &error, &mut backoff).await,
        }
    };
    let framer = Mutex::new(Framer::new(log.identity(), &from));
    hub.start(&from);
    tracing::debug!(partitions = from.len(), "following the log");
    let follows = async {
        loop {
            let Err(error) = follow(hub, log, &framer, state, &mut backoff).await;
            failed(hub, state, &error, &mut backoff).await;
        }
    };
    // Beside it, so that no event waits for a look.
    tokio::select! {
        () = follows => {}
        () = pass_quiet_ends(hub, log.as_ref(), &framer) => {}
    }
}

async fn follow(
    hub: &Hub,
    log: &Arc<dyn EventLog>,
    framer: &Mutex<Framer>,
    state: &Mutex<PumpState>,
    backoff: &mut Backoff,
) -> Result<std::convert::Infallible, PortError> {
    let earliest: Vec<Offset> = log.bounds().await?.iter().map(|bounds| bounds.earliest).collect();
    let from = {
        let mut framer = framer.lock();
        if framer.is_overtaken(&earliest) {
            tracing::warn!(
                "the log has let go of events that were not read yet: the readers are told of a gap"
            );
            hub.skip_to(framer.position());
        }
        framer.position().to_vec()
    };
    let mut tail = log.tail(&from).await?;
    *state.lock() = PumpState::Following;
    loop {
        let records = tail.next().await?;
        souk_ports::fault::crash_point("stream.read");
        backoff.reset();
        if souk_ports::fault::planted("stream-drops-events") {
            continue;
        }
        // Until it is published: the head never falls behind what was framed, nor runs ahead of it.
        let mut framer = framer.lock();
        let batch = framer.frame(&records);
        hub.metrics.unreadable.inc_by(batch.unreadable);
        hub.publish(batch);
    }
}

async fn failed(hub: &Hub, state: &Mutex<PumpState>, error: &PortError, backoff: &mut Backoff) {
    hub.metrics.pump_failures.inc();
    tracing::warn!(error = error as &dyn Error, "cannot follow the log, trying again");
    *state.lock() = PumpState::Failing(error.to_string());
    backoff.wait().await;
}
