//! Every event by its id: no two share one, and those of the last days are among the recent events.

use anyhow::Result;
use sha2::{Digest as _, Sha256};
use souk_domain::Timestamp;
use souk_ports::{Offset, Partition};
use uuid::Uuid;

use crate::record::{Digest, Fields, Put};
use crate::repair::Fixes;
use crate::report::{Check, Report};
use crate::sorter::Sorter;

/// Kinds of records, in the order in which an id's are read.
const EVENT: u8 = 0;
const RECENT: u8 = 1;

/// Ids that are the same, kept at most to compare their payloads; more than that are told by their number.
const KEPT: usize = 16;

/// The ids of all events and of all recent events.
pub(crate) struct Ids {
    sorter: Sorter,
    record: Vec<u8>,
    /// When the first event was decided: older recent events are another log's.
    first_time: Option<Timestamp>,
}

/// An event under an id.
struct Found {
    partition: Partition,
    offset: Offset,
    /// Digest of the payload, when it has to be among the recent events.
    due: Option<Digest>,
}

fn digest(payload: &[u8]) -> Digest {
    let mut half = Digest::default();
    half.copy_from_slice(&Sha256::digest(payload)[..16]);
    half
}

impl Ids {
    /// Makes one that keeps about `memory` bytes.
    pub fn new(memory: usize) -> Self {
        Self { sorter: Sorter::new(memory), record: Vec::new(), first_time: None }
    }

    /// Takes in an event; `due` when it has to be among the recent ones.
    pub fn event(
        &mut self,
        (id, time): (Uuid, Timestamp),
        (partition, offset): (Partition, Offset),
        payload: &[u8],
        due: bool,
    ) -> Result<()> {
        self.first_time = Some(self.first_time.map_or(time, |first| first.min(time)));
        let record = &mut self.record;
        record.clear();
        record.put_uuid(id);
        record.put_u8(EVENT);
        record.put_u32(partition);
        record.put_u64(offset);
        record.put_u8(u8::from(due));
        if due {
            record.put(&digest(payload));
        }
        self.sorter.push(record)
    }

    /// Takes in a recent event.
    pub fn recent(&mut self, id: Uuid, time: Timestamp, payload: &[u8]) -> Result<()> {
        let record = &mut self.record;
        record.clear();
        record.put_uuid(id);
        record.put_u8(RECENT);
        record.put_i64(time.millis());
        record.put(&digest(payload));
        self.sorter.push(record)
    }

    /// Compares; `fixes` takes the events that the recent ones lack.
    pub fn finish(mut self, report: &mut Report, fixes: &mut Fixes) -> Result<()> {
        let first_time = self.first_time;
        let mut group: Option<Group> = None;
        let mut sorted = self.sorter.sorted()?;
        while let Some(record) = sorted.next()? {
            let mut fields = Fields(record);
            let id = fields.uuid();
            if group.as_ref().is_none_or(|group| group.id != id)
                && let Some(group) = group.replace(Group::new(id))
            {
                group.compare(first_time, report, fixes)?;
            }
            let group = group.as_mut().expect("it was just made");
            if fields.u8() == EVENT {
                group.events += 1;
                let found = Found {
                    partition: fields.u32(),
                    offset: fields.u64(),
                    due: (fields.u8() == 1).then(|| fields.take()),
                };
                if group.found.len() < KEPT {
                    group.found.push(found);
                }
            } else if group.recent.len() < KEPT {
                group.recent.push((Timestamp::from_millis(fields.i64()), fields.take()));
            }
        }
        if let Some(group) = group {
            group.compare(first_time, report, fixes)?;
        }
        Ok(())
    }
}

/// All that is under one id.
struct Group {
    id: Uuid,
    events: u64,
    found: Vec<Found>,
    recent: Vec<(Timestamp, Digest)>,
}

impl Group {
    fn new(id: Uuid) -> Self {
        Self { id, events: 0, found: Vec::new(), recent: Vec::new() }
    }

    fn compare(self, first_time: Option<Timestamp>, report: &mut Report, fixes: &mut Fixes) -> Result<()> {
        report.compared(Check::EventIds, self.events);
        if self.events > 1 {
            let low = self.id.as_u64_pair().1;
            let key = format!("events whose id ends in {:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff);
            let places: Vec<String> =
                self.found.iter().map(|found| format!("{}/{}", found.partition, found.offset)).collect();
            report.differs(Check::EventIds, key, "one", format!("{}, at {}", self.events, places.join(", ")));
        }
        for Found { partition, offset, due } in &self.found {
            let Some(due) = due else { continue };
            report.compared(Check::RecentEvents, 1);
            let found = if self.recent.is_empty() {
                "none"
            } else if self.recent.iter().any(|(_, recent)| recent == due) {
                continue;
            } else {
                "other bytes"
            };
            let key = format!("event {} at {partition}/{offset}", self.id);
            report.differs(Check::RecentEvents, key, "the same among the recent events", found);
            fixes.recent(*partition, *offset)?;
        }
        if let (0, Some((time, _))) = (self.events, self.recent.first()) {
            if first_time.is_some_and(|first| *time >= first) {
                let key = format!("recent event {} of {time}", self.id);
                report.differs(Check::RecentEvents, key, "the same in log or archive", "none");
            } else {
                report.foreign_recent_events += 1;
            }
        }
        Ok(())
    }
}
