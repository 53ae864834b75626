//! How the stream is doing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use souk_http::{Check, Health, HealthCheck, Status};
use souk_ports::{ErrorKind, EventLog, PortError};

use crate::hub::Hub;
use crate::pump::PumpState;

/// How long the log may take to say where it ends: one that is away must not hold the health page up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks at the pump, the log and the readers.
pub(crate) struct StreamHealth {
    pub(crate) hub: Arc<Hub>,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) pump: Arc<Mutex<PumpState>>,
}

#[async_trait]
impl HealthCheck for StreamHealth {
    async fn check(&self) -> Health {
        let pump = self.check_pump().await;
        let (ring_bytes, ring_events) = self.hub.figures();
        let readers = self.hub.readers();
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let stream = Check {
            status: if self.hub.is_draining() { Status::Degraded } else { Status::Ok },
            detail: if self.hub.is_draining() {
                "readers are being sent away, each with a time to come back".into()
            } else {
                format!("{readers} of at most {} readers", self.hub.config.max_readers)
            },
            figures: vec![
                ("readers", number(readers as u64)),
                ("ringBytes", number(ring_bytes as u64)),
                ("ringEvents", number(ring_events)),
            ],
        };
        let ready = pump.status != Status::Unavailable && self.hub.is_open();
        Health { ready, checks: vec![("pump", pump), ("stream", stream)] }
    }
}

impl StreamHealth {
    async fn check_pump(&self) -> Check {
        let state = self.pump.lock().clone();
        let bounds = tokio::time::timeout(PATIENCE, self.log.bounds()).await.unwrap_or_else(|_| {
            Err(PortError::new(ErrorKind::Timeout, format!("no answer within {} s", PATIENCE.as_secs())))
        });
        let head = self.hub.head().position;
        let (status, detail) = match (&state, &bounds) {
            (PumpState::Starting, _) => (Status::Unavailable, "looking for the log's end".to_owned()),
            // Readers stay connected, and new ones are taken: all of them go on where they were.
            (PumpState::Failing(error), _) if self.hub.has_started() => {
                (Status::Degraded, format!("cannot follow the log, trying again: {error}"))
            }
            (PumpState::Failing(error), _) => {
                (Status::Unavailable, format!("cannot find the log's end, trying again: {error}"))
            }
            (PumpState::Following, Err(error)) => {
                (Status::Degraded, format!("follows the log, which does not say where it ends: {error}"))
            }
            (PumpState::Following, Ok(_)) => (Status::Ok, "follows the log".to_owned()),
        };
        let lag = bounds.map_or(0, |bounds| {
            // Where the log is written in transactions, the last offset is the mark of one and no event.
            let lag =
                |(index, next): (usize, u64)| match next - head.get(index).copied().unwrap_or(0).min(next) {
                    1 => 0,
                    more => more,
                };
            bounds.iter().map(|bounds| bounds.next).enumerate().map(lag).sum::<u64>()
        });
        Check { status, detail, figures: vec![("lagEvents", i64::try_from(lag).unwrap_or(i64::MAX))] }
    }
}
