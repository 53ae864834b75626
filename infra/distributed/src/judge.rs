//! Whether the position in Kafka is of this database as it is now. Where it is not, going on by it would skip events in
//! silence, because transaction ids and places repeat: the worst of all outcomes.

use souk_ports::{PortError, fault};
use tokio_postgres::Client;

use crate::attributes::Attributes;
use crate::outbox::ReadError;
use crate::position::{Anchor, DatabaseIdentity, Position};
use crate::session::DatabaseNow;
use crate::sql;

/// Where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// From this position.
    GoOn(Position),
    /// Nowhere: the position does not fit, for this reason.
    Doubt(String),
}

/// What the database remembers of positions: hints of all transactional ids, which trail what Kafka has.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Id and position.
    pub hints: Vec<(String, Position)>,
    /// The event where the stored position's anchor was; `None` when that row is gone.
    pub anchored: Option<uuid::Uuid>,
}

impl Memory {
    /// Returns what speaks against `database` before Kafka was asked: whatever it remembers was published from another
    /// one, so that it is a copy of that.
    pub fn against(&self, database: DatabaseIdentity) -> Option<String> {
        if self.hints.iter().any(|(_, hint)| hint.database == database) {
            return None;
        }
        let (id, hint) = self.hints.first()?;
        Some(format!(
            "this database seems restored: it is {database}, and what {id} published was of {}",
            hint.database
        ))
    }
}

/// Reads what the database remembers.
pub async fn remember(client: &Client, anchor: Option<Anchor>) -> Result<Memory, ReadError> {
    let mut memory = Memory::default();
    for row in client.query("SELECT transactional_id, position FROM souk.relay_hint", &[]).await? {
        // A hint that cannot be read says nothing, nor does that of a relay which ended before it had published anything.
        match Position::from_record(row.get::<_, &str>(1).as_bytes()) {
            Ok(position) if position.is_start() && !fault::planted("relay-believes-empty-hints") => {}
            Ok(position) => memory.hints.push((row.get(0), position)),
            Err(_) => {}
        }
    }
    if let Some(anchor) = anchor {
        let rows = client.query(&sql::anchor(), &[&anchor.xid, &anchor.seq]).await?;
        memory.anchored = rows.iter().find_map(|row| Some(Attributes::find(row.get(0))?.id));
    }
    Ok(memory)
}

/// Judges the position that Kafka has for `transactional_id`.
pub fn judge(
    stored: Option<Position>,
    database: &DatabaseNow,
    memory: &Memory,
    transactional_id: &str,
) -> Verdict {
    // Hints of another database came with a copy of it.
    let mut hints = memory.hints.iter().filter(|(_, hint)| hint.database == database.identity);
    let Some(stored) = stored else {
        return match memory.hints.first() {
            None => Verdict::GoOn(Position::start(database.identity)),
            Some((id, _)) => Verdict::Doubt(format!(
                "Kafka holds no position of {transactional_id}, but this database's events were published before, by \
                 {id}: the topic of positions is another or was lost, or KAFKA_TRANSACTIONAL_ID changed"
            )),
        };
    };
    let now = database.identity;
    if stored.database.system_identifier != now.system_identifier {
        return Verdict::Doubt(format!(
            "the position in Kafka is of another database ({}, this is {now}): it was restored from a dump, or \
             DATABASE_URL or KAFKA_TRANSACTIONAL_ID changed",
            stored.database
        ));
    }
    if stored.database.timeline != now.timeline {
        return Verdict::Doubt(format!(
            "the position in Kafka is of timeline {}, the database is on {}: a standby was promoted, or the database was \
             restored to a point in time",
            stored.database.timeline, now.timeline
        ));
    }
    if stored.newest().xmax() > database.snapshot.xmax() {
        return Verdict::Doubt(format!(
            "the position in Kafka is ahead of the database (transaction {} of {}): an older copy of its files was put \
             back",
            stored.newest().xmax().0,
            database.snapshot.xmax().0
        ));
    }
    if let Some((id, hint)) = hints.find(|(_, hint)| hint.newest().xmax() > stored.newest().xmax()) {
        return Verdict::Doubt(format!(
            "the position in Kafka (transaction {}) is behind what the database knows to be published by {id} ({}): \
             Kafka lost data, or KAFKA_TRANSACTIONAL_ID changed",
            stored.newest().xmax().0,
            hint.newest().xmax().0
        ));
    }
    if let Some(anchor) = stored.anchor {
        // Truncating a leaf and keeping the position that allowed it are one transaction; a copy that has a later hint
        // is a later copy.
        let truncated = memory.hints.iter().any(|(_, hint)| {
            hint.database == now && hint.snapshot.sees(anchor.xid) && memory.anchored.is_none()
        });
        if !truncated && memory.anchored != Some(anchor.event) {
            return Verdict::Doubt(format!(
                "event {} was published from this database, which knows nothing of it: an older copy of its files was \
                 put back and written to",
                anchor.event
            ));
        }
    }
    Verdict::GoOn(stored)
}

/// Turns a doubt into what an operator reads, with the word that settles it.
pub fn remedy(reason: &str, token: &str) -> String {
    format!(
        "nothing is published: {reason}. Make sure that this is the database and the Kafka cluster that are meant, \
         then start with RELAY_ACCEPT={token}: the relay then compares the outbox with the topic, event by event, \
         publishes what is missing, and goes on from there; `souk audit` shows what differs for good"
    )
}

/// Returns the word that accepts one situation, and no other: of the position and the database that do not fit.
pub fn token(stored: Option<&[u8]>, database: &DatabaseNow) -> String {
    // FNV-1a: eight digits to be typed, not a secret.
    let identity = database.identity.to_string();
    let bytes = stored.unwrap_or_default().iter().chain(identity.as_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:08x}", hash >> 32)
}

/// An error of the log, with its cause.
pub(crate) fn chain(error: &PortError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::position::OpenBatch;
    use crate::snapshot::Xid;

    const ID: &str = "api-service-transaction";
    const IDENTITY: DatabaseIdentity = DatabaseIdentity { system_identifier: 7, timeline: 1 };

    fn database(snapshot: &str) -> DatabaseNow {
        DatabaseNow { identity: IDENTITY, snapshot: snapshot.parse().unwrap() }
    }

    fn position(snapshot: &str) -> Position {
        Position::at(IDENTITY, snapshot.parse().unwrap())
    }

    fn doubt(stored: Option<Position>, memory: &Memory, word: &str) {
        match judge(stored, &database("900:900:"), memory, ID) {
            Verdict::Doubt(reason) => assert!(reason.contains(word), "{reason}"),
            Verdict::GoOn(position) => panic!("goes on from {position:?}, in spite of: {word}"),
        }
    }

    #[test]
    fn a_fresh_pair_begins_at_the_start() {
        let verdict = judge(None, &database("5:5:"), &Memory::default(), ID);
        assert_eq!(verdict, Verdict::GoOn(Position::start(IDENTITY)));
    }

    #[test]
    fn a_position_of_this_database_is_gone_on_from() {
        let hint = vec![(ID.to_owned(), position("850:850:"))];
        let memory = Memory { hints: hint, anchored: None };
        let stored = position("900:900:");
        assert_eq!(judge(Some(stored.clone()), &database("900:900:"), &memory, ID), Verdict::GoOn(stored));
    }

    #[test]
    fn whatever_does_not_fit_is_doubted() {
        let memory = Memory::default();
        let mut other = position("800:800:");
        other.database.system_identifier = 8;
        doubt(Some(other), &memory, "another database");
        let mut other = position("800:800:");
        other.database.timeline = 2;
        doubt(Some(other), &memory, "timeline");
        doubt(Some(position("901:901:")), &memory, "ahead of the database");
        let mut open = position("800:800:");
        open.open = Some(OpenBatch { snapshot: "901:901:".parse().unwrap(), last_seq: 1 });
        doubt(Some(open), &memory, "ahead of the database");
        let published = Memory { hints: vec![("other".into(), position("850:850:"))], anchored: None };
        doubt(None, &published, "published before, by other");
        doubt(Some(position("800:800:")), &published, "behind what the database knows");
    }

    #[test]
    fn a_database_that_remembers_only_another_is_suspected() {
        let mut of_another = position("850:850:");
        of_another.database.timeline = 2;
        let mut memory = Memory::default();
        assert_eq!(memory.against(IDENTITY), None, "nothing was published from it");
        memory.hints.push(("old".into(), of_another));
        let suspicion = memory.against(IDENTITY).unwrap();
        assert!(suspicion.contains("seems restored") && suspicion.contains("timeline 2"), "{suspicion}");
        memory.hints.push((ID.into(), position("860:860:")));
        assert_eq!(memory.against(IDENTITY), None, "somebody accepted it");
    }

    #[test]
    fn an_anchor_is_there_or_was_truncated() {
        let event = Uuid::from_u128(1);
        let mut stored = position("900:900:");
        stored.anchor = Some(Anchor { xid: Xid(870), seq: 3, event });
        let memory = |upto: &str, anchored| Memory { hints: vec![(ID.into(), position(upto))], anchored };
        let verdict = |memory: &Memory| judge(Some(stored.clone()), &database("900:900:"), memory, ID);
        assert_eq!(verdict(&memory("850:850:", Some(event))), Verdict::GoOn(stored.clone()));
        assert_eq!(verdict(&memory("880:880:", None)), Verdict::GoOn(stored.clone()), "truncated");
        for other in
            [memory("850:850:", None), memory("880:880:", Some(Uuid::from_u128(2))), Memory::default()]
        {
            assert!(matches!(verdict(&other), Verdict::Doubt(_)), "{other:?}");
        }
    }

    #[test]
    fn a_word_is_of_one_situation() {
        let word = token(Some(b"{}"), &database("5:5:"));
        assert_eq!(word.len(), 8);
        assert_eq!(word, token(Some(b"{}"), &database("9:9:")), "writes meanwhile do not change it");
        assert_ne!(word, token(Some(b"{1}"), &database("5:5:")));
        assert_ne!(word, token(None, &database("5:5:")));
    }
}
