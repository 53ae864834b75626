//! Ends of partitions that hold no record: markers of transactions, and what was aborted.
//!
//! The stream's position moves on records, so that it stays before such offsets in a partition that gets no more of
//! them, and so do the ids that readers have. Once the log lets go of everything in that partition, such a position
//! looks as if something was missed. So there is a look now and then, and the position goes on to where the log ended
//! at the look before, wherever nothing has come since and the log holds no record up to there.
//!
//! It never passes a record that was not framed: the log's end lies before whatever is not committed, and what was
//! committed before that end is found by the read. That the end is an old one gives the tail the time between two
//! looks, should the read be answered by a broker that lags behind.

use std::error::Error;

use parking_lot::Mutex;
use souk_ports::{EventLog, Offset, Partition, PortError, ReadLimit};

use crate::framing::Framer;
use crate::hub::Hub;
use crate::position::next_of;

/// What a look found.
#[derive(Debug, Default)]
struct Look {
    /// Where the stream was.
    at: Vec<Offset>,
    /// Where the log ended.
    ends: Vec<Offset>,
}

/// Moves the stream's position on over ends without a record, for as long as it is polled.
pub(crate) async fn pass_quiet_ends(hub: &Hub, log: &dyn EventLog, framer: &Mutex<Framer>) {
    let stays = hub.config.has_bug("ids-stay-before-markers");
    let mut before = Look::default();
    loop {
        tokio::time::sleep(hub.config.look_interval).await;
        let at = framer.lock().position().to_vec();
        match before.next(log, at).await {
            Ok((passed, look)) => {
                before = look;
                if !passed.is_empty() && !stays {
                    let mut framer = framer.lock();
                    hub.publish(framer.pass(&passed));
                }
            }
            // The tail fails as well, and says so. What the look before found stays true.
            Err(error) => tracing::debug!(error = &error as &dyn Error, "cannot look at the log's ends"),
        }
    }
}

impl Look {
    /// Looks again, the stream being `at`; returns also which partitions go on, and where.
    async fn next(
        &self,
        log: &dyn EventLog,
        at: Vec<Offset>,
    ) -> Result<(Vec<(Partition, Offset)>, Self), PortError> {
        let mut passed = Vec::new();
        for (partition, end) in (0..).zip(&self.ends) {
            let next = next_of(&at, partition);
            // What moves passes its markers with the next record: it costs no read.
            if next >= *end || next != next_of(&self.at, partition) {
                continue;
            }
            let records = log.read(partition, next, ReadLimit { records: 1, bytes: 1 }).await?;
            if records.first().is_none_or(|record| record.offset >= *end) {
                passed.push((partition, *end));
            }
        }
        // Asked after the reads: what the log says to hold now, it held during them. What it let go may have been a
        // record, which is a gap.
        let bounds = log.bounds().await?;
        passed.retain(|(partition, _)| {
            let held = bounds.get(*partition as usize);
            held.is_some_and(|held| held.earliest <= next_of(&at, *partition))
        });
        Ok((passed, Self { at, ends: bounds.iter().map(|bounds| bounds.next).collect() }))
    }
}
