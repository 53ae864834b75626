//! A shop that leaves Postgres and Kafka, and one that comes to them: the two ends of `souk move`.
//!
//! Events go to Kafka in transactions of the relay's own transactional id, each with how far the move is in place of the
//! relay's position: a producer that is killed leaves nothing half, a relay that is started too early finds no position
//! that it could go on from, and at the end the position that is true stands there. Rows go to Postgres, with how far the
//! move is beside them; of the two the higher milestone is the last.

mod source;
mod target;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use souk_ports::{ErrorKind, Milestone, PortError};
use souk_postgres::PgMove;

use crate::outbox::ReadError;
use crate::sink::SendError;
use crate::{session, sql};

pub use source::DistributedMoveSource;
pub use target::DistributedMoveTarget;

/// What stands in a position's place while events are on the move.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    v: u8,
    moving: u64,
    record: String,
}

impl Mark {
    fn to_record(milestone: &Milestone) -> bytes::Bytes {
        let mark = Self { v: 1, moving: milestone.number, record: milestone.record.clone() };
        serde_json::to_vec(&mark).expect("strings and numbers can be written").into()
    }

    /// Reads a record; `None` when it is none of a move.
    fn from_record(record: &[u8]) -> Option<Milestone> {
        let mark: Self = serde_json::from_slice(record).ok()?;
        Some(Milestone { number: mark.moving, record: mark.record })
    }
}

/// How long a lock may be that of a move that was killed, which the server is just noticing.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Pause between two attempts.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// Takes the lock of whoever publishes from the database; tells who has it.
async fn relay_at_work(postgres: &PgMove) -> Result<Option<String>, PortError> {
    let (client, began) = (postgres.client(), Instant::now());
    let take = "SELECT pg_try_advisory_lock($1)";
    while !client.query_one(take, &[&sql::LOCK]).await.map_err(read_error)?.get::<_, bool>(0) {
        if began.elapsed() < LOCK_PATIENCE {
            tokio::time::sleep(LOCK_POLL).await;
            continue;
        }
        return Ok(Some(holders(postgres).await?));
    }
    Ok(None)
}

/// Names who holds the lock.
async fn holders(postgres: &PgMove) -> Result<String, PortError> {
    let client = postgres.client();
    let who = client.query(sql::HOLDERS_BY_NAME, &[&sql::LOCK]).await.map_err(read_error)?;
    let who: Vec<String> = who
        .iter()
        .map(|row| {
            format!(
                "{} from {} (server process {})",
                row.get::<_, &str>(1),
                row.get::<_, &str>(2),
                row.get::<_, i32>(0)
            )
        })
        .collect();
    Ok(format!(
        "the relay of an api is at work on {}: {}; stop `souk api` and `souk up` there first",
        postgres.address(),
        who.join(", ")
    ))
}

fn read_error(error: impl Into<ReadError>) -> PortError {
    let error: ReadError = error.into();
    PortError::new(ErrorKind::Unavailable, error.to_string()).with_source(error)
}

fn send_error(error: SendError) -> PortError {
    let kind = match error {
        SendError::Retry(_) | SendError::Unclear(_) => ErrorKind::Unavailable,
        SendError::Fenced(_) => ErrorKind::Conflict,
        SendError::Fatal(_) => ErrorKind::InvalidData,
    };
    PortError::new(kind, error.to_string()).with_source(error)
}

/// Asks the database who it is.
async fn identify(postgres: &PgMove) -> Result<session::DatabaseNow, PortError> {
    let found = session::identify(postgres.client()).await.map_err(read_error)?;
    found.ok_or_else(|| {
        let text = format!("{} is a standby that takes no writes: name the primary", postgres.address());
        PortError::new(ErrorKind::Unavailable, text)
    })
}
