//! Puts right what log and archive can rebuild: aggregates are counted anew, recent events are put back.
//!
//! Nothing may count meanwhile. Embedded, the lock of the data folder sees to it; elsewhere the consumer groups may
//! have no members, and their positions may not move between the first look and the last.

use anyhow::{Context as _, Result, bail};
use souk_ports::{EventLog, EventStore, ItemRow, LogRecord, Offset, Partition, ReadLimit};

use crate::archive::{self, Opened};
use crate::log_reader::{bounds, read};
use crate::record::{Fields, Put};
use crate::recount::{put_item, put_sum, read_item, read_sum};
use crate::report::{Check, Repair, Report};
use crate::sorter::{Sorted, Sorter};
use crate::{AuditConfig, AuditDeps};

/// Items or events written at once.
const BATCH: usize = 500;

/// Kinds of records.
const REPLACE: u8 = 0;
const REMOVE: u8 = 1;

/// What would put an installation right.
pub(crate) struct Fixes {
    items: Sorter,
    recent: Sorter,
    record: Vec<u8>,
}

impl Fixes {
    /// Makes an empty one that keeps about `memory` bytes.
    pub fn new(memory: usize) -> Self {
        Self { items: Sorter::new(memory / 2), recent: Sorter::new(memory / 2), record: Vec::new() }
    }

    /// Notes what an item should be.
    pub fn replace(&mut self, row: &ItemRow) -> Result<()> {
        self.item(row, REPLACE)
    }

    /// Notes an item that should not be.
    pub fn remove(&mut self, row: &ItemRow) -> Result<()> {
        self.item(row, REMOVE)
    }

    fn item(&mut self, row: &ItemRow, kind: u8) -> Result<()> {
        let ItemRow { key, partition, counted, measures } = row;
        put_item(&mut self.record, *partition, key.window, key.by, key.bucket, &key.key);
        self.record.put_u8(kind);
        put_sum(&mut self.record, *counted, *counted, measures);
        self.items.push(&self.record)
    }

    /// Notes an event that the recent ones lack.
    pub fn recent(&mut self, partition: Partition, offset: Offset) -> Result<()> {
        push_place(&mut self.recent, (partition, offset))
    }
}

fn push_place(sorter: &mut Sorter, (partition, offset): (Partition, Offset)) -> Result<()> {
    let mut record = Vec::with_capacity(12);
    record.put_u32(partition);
    record.put_u64(offset);
    sorter.push(&record)
}

fn next_place(sorted: &mut Sorted<'_>) -> Result<Option<(Partition, Offset)>> {
    Ok(sorted.next()?.map(|record| {
        let mut fields = Fields(record);
        (fields.u32(), fields.u64())
    }))
}

/// The consumers' positions, which may not move.
pub(crate) struct Standstill {
    groups: Vec<(String, Vec<Offset>)>,
}

impl Standstill {
    /// Looks at the consumer groups.
    ///
    /// # Errors
    /// When one of them has members: souk is running.
    pub async fn of(log: &dyn EventLog, config: &AuditConfig) -> Result<Self> {
        let mut groups = Vec::new();
        for consumer in ["recent", "aggregates", "archive"] {
            let group = config.group(consumer);
            let members = log.members(&group).await;
            if let Some(members @ 1..) =
                members.with_context(|| format!("the members of {group} are not known"))?
            {
                bail!(
                    "the consumer group {group} has {members} members: stop every `souk analytics` and \
                     `souk up` of this installation, then repair"
                );
            }
            let committed = log.committed(&group).await;
            groups.push((group, committed.context("the consumers' positions cannot be read")?));
        }
        Ok(Self { groups })
    }

    /// Looks again.
    ///
    /// # Errors
    /// When anything moved.
    pub async fn still(&self, log: &dyn EventLog, config: &AuditConfig) -> Result<()> {
        let now = Self::of(log, config).await?;
        for ((group, before), (_, after)) in self.groups.iter().zip(&now.groups) {
            if before != after {
                bail!(
                    "the consumer group {group} went on from {before:?} to {after:?} during the repair: stop \
                     every `souk analytics` and `souk up` of this installation, then repair once more"
                );
            }
        }
        Ok(())
    }
}

/// Carries out what can be.
pub(crate) async fn apply(
    deps: &AuditDeps,
    config: &AuditConfig,
    report: &Report,
    mut fixes: Fixes,
) -> Result<Repair> {
    let mut repair = Repair { differences_before: report.differences_total, ..Repair::default() };
    if report.differences_of(Check::Aggregates) > 0 {
        match incomplete(report) {
            None => items(deps, &mut fixes.items, &mut repair).await?,
            Some(reason) => repair.left.push(format!("aggregates, since {reason}")),
        }
    }
    recent(deps, config, &mut fixes.recent, &mut repair).await?;
    for check in Check::ALL {
        let differences = report.differences_of(check);
        if differences > 0 && !matches!(check, Check::Aggregates | Check::RecentEvents) {
            let about = check.about();
            repair.left.push(format!("\"{about}\" ({differences} differences), which nothing can rebuild"));
        }
    }
    Ok(repair)
}

/// Tells why a recount of these events would not be right.
fn incomplete(report: &Report) -> Option<String> {
    let checks =
        [Check::ArchiveObjects, Check::ArchiveChain, Check::ArchiveLog, Check::EventIds, Check::Versions];
    let faulty = checks.into_iter().find(|check| report.differences_of(*check) > 0)?;
    Some(format!("the events that they are made of are not whole: \"{}\" is not so", faulty.about()))
}

async fn items(deps: &AuditDeps, fixes: &mut Sorter, repair: &mut Repair) -> Result<()> {
    let log = deps.log.identity();
    let (mut replaced, mut removed) = (Vec::new(), Vec::new());
    let mut sorted = fixes.sorted()?;
    loop {
        let record = sorted.next()?;
        let ended = record.is_none();
        if let Some(record) = record {
            let mut fields = Fields(record);
            let (partition, key) = read_item(&mut fields);
            let kind = fields.u8();
            let (_, counted, measures) = read_sum(&mut fields);
            let row = ItemRow { key, partition, counted, measures };
            if kind == REPLACE { replaced.push(row) } else { removed.push(row) }
        }
        if replaced.len() >= BATCH || ended && !replaced.is_empty() {
            deps.store.replace_items(log, &replaced).await.context("aggregates cannot be replaced")?;
            repair.items_replaced += replaced.len() as u64;
            replaced.clear();
        }
        if removed.len() >= BATCH || ended && !removed.is_empty() {
            deps.store.remove_items(log, &removed).await.context("aggregates cannot be removed")?;
            repair.items_removed += removed.len() as u64;
            removed.clear();
        }
        if ended {
            return Ok(());
        }
    }
}

/// Puts recent events back: from the log what it has, the rest from the archive.
async fn recent(
    deps: &AuditDeps,
    config: &AuditConfig,
    missing: &mut Sorter,
    repair: &mut Repair,
) -> Result<()> {
    let mut put = Putting { store: &*deps.store, records: Vec::new(), count: 0 };
    let mut archived = Sorter::new(config.memory / 8);
    let bounds = bounds(&*deps.log).await?;
    let mut sorted = missing.sorted()?;
    let mut next = next_place(&mut sorted)?;
    while let Some(place @ (partition, offset)) = next {
        let logged = bounds.get(partition as usize).is_some_and(|bounds| offset < bounds.next);
        let mut page = if logged {
            read(&*deps.log, partition, offset, ReadLimit::default()).await?
        } else {
            Vec::new()
        };
        page.retain(|record| record.partition == partition);
        if page.first().is_none_or(|first| first.offset != offset) {
            push_place(&mut archived, place)?;
            next = next_place(&mut sorted)?;
            continue;
        }
        for record in page {
            if next == Some((partition, record.offset)) {
                put.push(record).await?;
                next = next_place(&mut sorted)?;
            }
        }
    }
    drop(sorted);
    from_archive(deps, config, &mut archived, &mut put).await?;
    put.flush().await?;
    repair.recent_events_put = put.count;
    Ok(())
}

async fn from_archive(
    deps: &AuditDeps,
    config: &AuditConfig,
    missing: &mut Sorter,
    put: &mut Putting<'_>,
) -> Result<()> {
    let mut sorted = missing.sorted()?;
    let mut next = next_place(&mut sorted)?;
    if next.is_none() {
        return Ok(());
    }
    let mut ignored = Report::new(String::new());
    let mut listing = archive::list(&*deps.archive, deps.log.identity(), &mut ignored).await?;
    let mut objects = listing.objects()?;
    while let Some((partition, offset)) = next {
        let Some(listed) = objects.last_before(partition, offset)? else {
            next = next_place(&mut sorted)?;
            continue;
        };
        let mut opened: Opened = archive::open(&*deps.archive, &listed.key, config.memory / 4).await?;
        let end = opened.footer.next_offset;
        let mut rows = opened.rows()?;
        while let Some((offset, payload)) = rows.next()? {
            while next.is_some_and(|place| place < (partition, offset)) {
                next = next_place(&mut sorted)?;
            }
            if next == Some((partition, offset)) {
                let event = souk_events::decode(payload).context("an archived event cannot be read")?;
                let payload = bytes::Bytes::copy_from_slice(payload);
                put.push(LogRecord { partition, offset, appended_at: event.time, payload }).await?;
            }
        }
        while next.is_some_and(|place| place < (partition, end)) {
            next = next_place(&mut sorted)?;
        }
    }
    Ok(())
}

/// Puts recent events in batches.
struct Putting<'a> {
    store: &'a dyn EventStore,
    records: Vec<LogRecord>,
    count: u64,
}

impl Putting<'_> {
    async fn push(&mut self, record: LogRecord) -> Result<()> {
        self.records.push(record);
        if self.records.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        if !self.records.is_empty() {
            self.store.put_recent(&self.records).await.context("recent events cannot be put back")?;
            self.count += self.records.len() as u64;
            self.records.clear();
        }
        Ok(())
    }
}
