//! How far the relay is: what every transaction to Kafka carries beside its events.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::snapshot::{Snapshot, Xid};

/// A database as one history of transaction ids and sequence numbers: after a restore or a failover both repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseIdentity {
    /// Postgres' system identifier, made by `initdb`.
    #[serde(rename = "system")]
    pub system_identifier: u64,
    /// The timeline, which a promotion and a point-in-time restore count up.
    pub timeline: u32,
}

impl fmt::Display for DatabaseIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system {} timeline {}", self.system_identifier, self.timeline)
    }
}

/// A batch that is published in chunks: what `snapshot` sees and the position's own snapshot does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBatch {
    /// Freezes the batch.
    #[serde(rename = "to")]
    pub snapshot: Snapshot,
    /// The last row of it that is published.
    #[serde(rename = "seq")]
    pub last_seq: i64,
}

/// Everything up to here is published: all that `snapshot` sees, and `open` up to its last row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The form of this record; 1.
    #[serde(rename = "v")]
    form: u8,
    /// The database that snapshots and rows are of.
    #[serde(flatten)]
    pub database: DatabaseIdentity,
    /// What is published as a whole.
    #[serde(rename = "from")]
    pub snapshot: Snapshot,
    /// What is published in part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub open: Option<OpenBatch>,
    /// A row that is published, by which the database is known again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub anchor: Option<Anchor>,
}

/// A published row: where it was in the outbox, and its event. A database that neither holds it nor remembers to have
/// truncated it is not the one that it was published from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The transaction that wrote it.
    pub xid: Xid,
    /// Its place.
    pub seq: i64,
    /// Its event.
    pub event: Uuid,
}

/// The form of the record that this build writes.
const FORM: u8 = 1;

/// A record that is no position of ours.
#[derive(Debug, thiserror::Error)]
pub enum PositionError {
    /// Not JSON, or not of its shape.
    #[error("the relay's position cannot be read: {0}")]
    Shape(#[from] serde_json::Error),
    /// Written by a newer souk.
    #[error(
        "the relay's position has form {0}, this souk reads form {FORM}: use the newer souk that wrote it"
    )]
    Newer(u8),
}

impl Position {
    /// The position before everything.
    pub fn start(database: DatabaseIdentity) -> Self {
        Self::at(database, Snapshot::nothing())
    }

    /// Tells whether nothing was published up to here.
    pub(crate) fn is_start(&self) -> bool {
        *self == Self::start(self.database)
    }

    /// The position after all that `snapshot` sees.
    pub fn at(database: DatabaseIdentity, snapshot: Snapshot) -> Self {
        Self { form: FORM, database, snapshot, open: None, anchor: None }
    }

    /// Moves on to where all that `snapshot` sees is published.
    pub(crate) fn pass(&mut self, snapshot: Snapshot) {
        self.snapshot = snapshot;
        self.open = None;
    }

    /// Writes the record.
    pub fn to_record(&self) -> Bytes {
        serde_json::to_vec(self).expect("strings and numbers can be written").into()
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`PositionError`] when it is none of ours.
    pub fn from_record(record: &[u8]) -> Result<Self, PositionError> {
        #[derive(Deserialize)]
        struct Form {
            v: u8,
        }
        let Form { v } = serde_json::from_slice(record)?;
        if v > FORM {
            return Err(PositionError::Newer(v));
        }
        Ok(serde_json::from_slice(record)?)
    }

    /// Returns the newest snapshot in it: no database that it is of can be older.
    pub fn newest(&self) -> &Snapshot {
        self.open.as_ref().map_or(&self.snapshot, |open| &open.snapshot)
    }
}

/// What stands in a position's place while a doubt is being settled: nobody may go on from anywhere before that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unsettled {
    v: u8,
    /// The word that an operator settles it with.
    pub unsettled: String,
}

impl Unsettled {
    /// A doubt that `token` settles.
    pub fn new(token: &str) -> Self {
        Self { v: FORM, unsettled: token.to_owned() }
    }

    /// Writes the record.
    pub fn to_record(&self) -> Bytes {
        serde_json::to_vec(self).expect("strings and numbers can be written").into()
    }

    /// Reads a record; `None` when it is a position.
    pub fn from_record(record: &[u8]) -> Option<Self> {
        serde_json::from_slice(record).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATABASE: DatabaseIdentity =
        DatabaseIdentity { system_identifier: 7_412_345_678_901_234_567, timeline: 3 };

    #[test]
    fn is_a_small_record_that_a_person_can_read() {
        let mut position = Position::at(DATABASE, "728:732:728".parse().unwrap());
        let record = position.to_record();
        assert_eq!(record, r#"{"v":1,"system":7412345678901234567,"timeline":3,"from":"728:732:728"}"#);
        assert_eq!(Position::from_record(&record).unwrap(), position);
        position.open = Some(OpenBatch { snapshot: "800:800:".parse().unwrap(), last_seq: 17 });
        position.anchor = Some(Anchor { xid: Xid(799), seq: 17, event: Uuid::from_u128(0x42) });
        let record = position.to_record();
        assert_eq!(
            record,
            r#"{"v":1,"system":7412345678901234567,"timeline":3,"from":"728:732:728","open":{"to":"800:800:","seq":17},"anchor":{"xid":799,"seq":17,"event":"00000000-0000-0000-0000-000000000042"}}"#
        );
        assert_eq!(Position::from_record(&record).unwrap(), position);
    }

    #[test]
    fn a_doubt_is_no_position() {
        let doubt = Unsettled::new("0123abcd");
        assert_eq!(Unsettled::from_record(&doubt.to_record()), Some(doubt.clone()));
        assert!(Position::from_record(&doubt.to_record()).is_err());
        assert_eq!(Unsettled::from_record(&Position::start(DATABASE).to_record()), None);
    }

    #[test]
    fn refuses_what_a_newer_souk_wrote() {
        let newer = Position::from_record(br#"{"v":2,"where":"elsewhere"}"#);
        assert!(matches!(newer, Err(PositionError::Newer(2))), "{newer:?}");
        assert!(matches!(Position::from_record(b"{}"), Err(PositionError::Shape(_))));
        let half = Position::from_record(br#"{"v":1,"system":1,"timeline":1,"from":"2:1:"}"#);
        assert!(matches!(half, Err(PositionError::Shape(_))), "{half:?}");
    }
}
