//! What the distributed engines need between them: the relay that carries events from the outbox in Postgres to
//! Kafka, and the ends of a shop that moves. The engines themselves are `souk-postgres`, `souk-kafka` and `souk-aws`;
//! no app knows of the outbox.

mod attributes;
mod backoff;
mod compare;
pub mod doctor;
mod engines;
mod judge;
mod lead;
mod leaves;
mod moving;
mod outbox;
mod position;
mod relay;
mod session;
mod sink;
mod snapshot;
mod sql;
mod status;

pub use engines::KafkaSinks;
pub use leaves::Rotation;
pub use moving::{DistributedMoveSource, DistributedMoveTarget};
pub use position::{Anchor, DatabaseIdentity, OpenBatch, Position, PositionError};
pub use relay::{Relay, RelayConfig};
pub use session::Sessions;
pub use sink::{Outgoing, SendError, Sink, Sinks};
pub use snapshot::{Snapshot, SnapshotError, Xid};
pub use status::{MAX_COUNTED, RelayState, RelayStatus};
