//! Shows each event to all who look at it.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use souk_domain::Timestamp;
use souk_ports::{EventLog, LogRecord, Offset, Partition};

use crate::Progress;
use crate::ids::Ids;
use crate::products::{Ahead, Products};
use crate::recount::Recount;
use crate::report::{Check, Report, SetAside};
use crate::step::Place;

/// Events between two reports of progress.
const STEP: u64 = 10_000;

/// Records that are no events, kept until the dead letters are asked for: more than that is a fault of its own.
const UNREADABLE: usize = 10_000;

/// What looks at events.
pub(crate) struct Visit<'a> {
    /// Where the log ended before the catalog was read, by partition.
    pub early: Vec<Offset>,
    /// Which events have to be among the recent ones.
    pub due: Due,
    pub products: Products,
    /// Products whose events are waited for.
    pub ahead: Option<Ahead>,
    pub recount: Recount,
    pub ids: Ids,
    pub report: Report,
    /// Events to read, about.
    pub total: u64,
    /// Records that are no events: why, by partition and offset.
    pub unreadable: HashMap<(Partition, Offset), String>,
    pub progress: &'a mut (dyn FnMut(Progress) + Send),
}

/// Which events have to be among the recent ones.
pub(crate) struct Due {
    /// Decided at or after.
    pub from: Timestamp,
    /// Before these offsets.
    pub committed: Vec<Offset>,
    /// Whether the log alone is asked, since the recent events are the log's own.
    pub of_the_log: bool,
}

impl Visit<'_> {
    pub fn logged(&mut self, record: &LogRecord) -> Result<()> {
        self.report.logged_events += 1;
        self.event(record.partition, record.offset, &record.payload, true)
    }

    pub fn archived(&mut self, partition: Partition, offset: Offset, payload: &[u8]) -> Result<()> {
        self.event(partition, offset, payload, false)
    }

    fn event(&mut self, partition: Partition, offset: Offset, payload: &[u8], logged: bool) -> Result<()> {
        let report = &mut self.report;
        report.events += 1;
        report.compared(Check::Events, 1);
        self.recount.event(partition, offset, payload)?;
        let before = |offsets: &[Offset]| offsets.get(partition as usize).is_some_and(|next| offset < *next);
        match souk_events::decode(payload) {
            Ok(event) => {
                let due = event.time >= self.due.from
                    && before(&self.due.committed)
                    && (logged || !self.due.of_the_log);
                self.ids.event((event.id, event.time), (partition, offset), payload, due)?;
                let early = before(&self.early);
                self.products.event(Place { partition, offset, early }, &event)?;
                if let Some(ahead) = &mut self.ahead {
                    ahead.event(&event);
                }
            }
            Err(error) if self.unreadable.len() < UNREADABLE => {
                self.unreadable.insert((partition, offset), error.to_string());
            }
            Err(error) => not_an_event(report, (partition, offset), error.to_string()),
        }
        if self.report.events.is_multiple_of(STEP) {
            self.tell();
        }
        Ok(())
    }

    pub fn tell(&mut self) {
        let events = self.report.events;
        (self.progress)(Progress { events, total: self.total.max(events) });
    }

    /// Looks for the records that are no events among those set aside: who met them has told so, and went on.
    pub async fn look_for_letters(&mut self, log: &dyn EventLog) -> Result<()> {
        if self.unreadable.is_empty() {
            return Ok(());
        }
        let letters = log.dead_letters(UNREADABLE).await.context("the dead letters cannot be read")?;
        for letter in letters {
            let place = (letter.partition, letter.offset);
            if self.unreadable.remove(&place).is_some() {
                self.report.set_aside(SetAside {
                    partition: letter.partition,
                    offset: letter.offset,
                    reason: letter.reason,
                });
            }
        }
        let mut left: Vec<_> = self.unreadable.drain().collect();
        left.sort_unstable();
        for (place, error) in left {
            not_an_event(&mut self.report, place, error);
        }
        Ok(())
    }
}

fn not_an_event(report: &mut Report, (partition, offset): (Partition, Offset), error: String) {
    let expected = "an event, or a record that was set aside";
    report.differs(Check::Events, format!("offset {partition}/{offset}"), expected, error);
}
