//! Proves that catalog, log, aggregates, recent events and archive say the same, beside a running installation.
//!
//! Each store is read at its own committed position, in an order that needs no common snapshot: the log's end and
//! the consumers' positions first, then aggregates, recent events and catalog, then every event from the archive's
//! first to the log's last. So whatever a row or an aggregate has counted is among the events read, and whatever was
//! in the log at first has to be in the catalog.
//!
//! Everything is read once, as a stream, and sorted by what it is compared by: what does not fit into memory goes to
//! temporary files, so that memory does not grow with the installation.
//!
//! Everything goes through the ports: an audit runs the same against every backend.

mod archive;
mod config;
mod display;
mod history;
mod ids;
mod log_reader;
mod products;
mod record;
mod recount;
mod repair;
mod report;
mod sorter;
mod step;
mod visit;
mod walk;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use object_store::ObjectStore;
use souk_domain::Timestamp;
use souk_ports::{Catalog, Clock, EventLog, EventStore, Offset, RecentQuery};
use tokio::time::Instant;

pub use crate::archive::{Opened, Rows, open as open_object};
pub use crate::config::AuditConfig;
use crate::ids::Ids;
use crate::log_reader::bounds;
use crate::products::Products;
use crate::recount::Recount;
use crate::repair::{Fixes, Standstill};
pub use crate::report::{Check, CheckResult, Difference, Repair, Report, SetAside, Since};
use crate::visit::{Due, Visit};
use crate::walk::Walk;

/// Rows, items and recent events read at once.
const PAGE: usize = 1_000;

/// Pause between two looks at a log that is behind its catalog.
const PAUSE: Duration = Duration::from_millis(50);

/// How much further than the clock an event may say that it occurred, so that the log may have taken it in as long
/// before: what lies so close to the beginning of the time looked at is left out.
const MARGIN_MS: i64 = 5 * 60_000;

/// What is held against each other.
#[derive(Clone)]
pub struct AuditDeps {
    /// Products.
    pub catalog: Arc<dyn Catalog>,
    /// Events.
    pub log: Arc<dyn EventLog>,
    /// Aggregates and recent events.
    pub store: Arc<dyn EventStore>,
    /// Archived events.
    pub archive: Arc<dyn ObjectStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// How far an audit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Events read.
    pub events: u64,
    /// Events to read, about: offsets have holes.
    pub total: u64,
}

/// Audits an installation.
///
/// # Errors
/// When a store cannot be read at all. What can be read and is wrong is a difference in the report.
pub async fn audit(
    deps: &AuditDeps,
    config: &AuditConfig,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Report> {
    Ok(survey(deps, config, &mut progress).await?.0)
}

/// Audits an installation that stands still, puts right what can be rebuilt, and audits it again: the report is of
/// the second audit, with what was done.
///
/// # Errors
/// When a store cannot be read or written, or when somebody consumes events meanwhile.
pub async fn repair(
    deps: &AuditDeps,
    config: &AuditConfig,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Report> {
    let log = &*deps.log;
    let standstill = Standstill::of(log, config).await?;
    let (report, fixes) = survey(deps, config, &mut progress).await?;
    if report.ok {
        return Ok(Report { repair: Some(Repair::default()), ..report });
    }
    standstill.still(log, config).await?;
    let done = repair::apply(deps, config, &report, fixes).await?;
    standstill.still(log, config).await?;
    let (report, _) = survey(deps, config, &mut progress).await?;
    Ok(Report { repair: Some(done), ..report })
}

async fn survey(
    deps: &AuditDeps,
    config: &AuditConfig,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(Report, Fixes)> {
    let AuditDeps { catalog, log, store, archive, clock } = deps;
    let (identity, now) = (log.identity(), clock.now());
    let mut report = Report::new(identity.to_string());
    let later = config.since.map(|since| Timestamp::from_millis(since.millis().saturating_add(MARGIN_MS)));

    let early: Vec<Offset> = bounds(&**log).await?.iter().map(|bounds| bounds.next).collect();
    // What the consumers have committed has to be in their stores by now.
    let committed = async |consumer: &str| {
        let positions = log.committed(&config.group(consumer)).await;
        positions.with_context(|| format!("the positions of {} cannot be read", config.group(consumer)))
    };
    let (counted, archived) = (committed("aggregates").await?, committed("archive").await?);
    let due = Due {
        from: recent_from(now, config.recent_retention).max(later.unwrap_or(Timestamp::MIN)),
        committed: committed("recent").await?,
        of_the_log: config.recent_of_the_log,
    };

    let mut recount = Recount::new(counted, later, config.memory / 2);
    let mut after = None;
    loop {
        let items =
            store.scan_items(identity, after.as_ref(), PAGE).await.context("aggregates cannot be read")?;
        for item in &items {
            recount.item(item, &mut report)?;
        }
        let Some(last) = items.into_iter().next_back() else { break };
        after = Some(last);
    }
    let mut ids = Ids::new(config.memory / 8);
    recent_events(&**store, due.from, &mut ids, &mut report).await?;
    let mut products = Products::new(config.memory / 4, later);
    let mut after = None;
    loop {
        let rows = catalog.scan(after, PAGE).await.context("the catalog cannot be read")?;
        for row in &rows {
            products.row(row, &mut report)?;
        }
        let Some(last) = rows.last() else { break };
        after = Some(last.id);
    }

    let visit = Visit {
        early,
        due,
        products,
        ahead: None,
        recount,
        ids,
        report,
        total: 0,
        unreadable: HashMap::new(),
        progress,
    };
    let memory = config.memory / 8;
    let mut walk = Walk {
        log: &**log,
        archive: &**archive,
        archived,
        since: config.since,
        memory,
        visit,
        next: Vec::new(),
    };
    walk.archive_and_log().await?;
    wait_for_the_log(&mut walk, config.standstill).await?;
    let mut visit = walk.visit;
    visit.look_for_letters(&**log).await?;
    let Visit { products, recount, ids, mut report, .. } = visit;
    let mut fixes = Fixes::new(memory);
    products.finish(&mut report)?;
    recount.finish(&mut report, &mut fixes)?;
    ids.finish(&mut report, &mut fixes)?;
    report.since = config.since.map(|time| left_out(time, &report));
    report.differences.sort_by_key(|difference| difference.check);
    Ok((report, fixes))
}

/// Where log and catalog are not one store, the last events may be on their way: they are waited for as long as the
/// log moves, or has not stood still for `standstill`.
async fn wait_for_the_log(walk: &mut Walk<'_>, standstill: Duration) -> Result<()> {
    loop {
        let mut ahead = walk.visit.products.ahead()?;
        if ahead.versions.is_empty() {
            return Ok(());
        }
        let more = std::mem::take(&mut ahead.more);
        walk.visit.ahead = Some(ahead);
        let mut moved = Instant::now();
        while walk.visit.ahead.as_ref().is_some_and(|ahead| !ahead.versions.is_empty()) {
            if walk.rest_of_log().await? {
                moved = Instant::now();
            } else if moved.elapsed() >= standstill {
                return Ok(());
            } else {
                tokio::time::sleep(PAUSE).await;
            }
        }
        if !more {
            return Ok(());
        }
    }
}

/// Reads the recent events.
async fn recent_events(
    store: &dyn EventStore,
    from: Timestamp,
    ids: &mut Ids,
    report: &mut Report,
) -> Result<()> {
    let mut cursor = None;
    loop {
        let query = RecentQuery { from: Some(from), limit: PAGE, cursor, ..RecentQuery::default() };
        let page = store.recent(&query).await.context("recent events cannot be read")?;
        for payload in &page.items {
            report.recent_events += 1;
            // What is no event is looked at in the log.
            if let Ok(event) = souk_events::decode(payload) {
                ids.recent(event.id, event.time, payload)?;
            }
        }
        if page.next.is_none() {
            return Ok(());
        }
        cursor = page.next;
    }
}

/// Returns from when on recent events are looked at: those that leave their retention during the audit are not.
fn recent_from(now: Timestamp, retention: Duration) -> Timestamp {
    let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    // An hour, or a part of what is kept for a short time only.
    let leaving = (retention / 8).min(3_600_000);
    Timestamp::from_millis(now.millis().saturating_sub(retention.saturating_sub(leaving)))
}

fn left_out(time: Timestamp, report: &Report) -> Since {
    let unchecked = format!(
        "not looked at are what happened before, {} products without an event since, {} aggregate items whose \
         window began before, and what the first event since of each product follows from",
        report.unchecked_products, report.unchecked_items
    );
    Since { time, unchecked }
}
