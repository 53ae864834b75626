//! Proves that catalog, log, aggregates and archive say the same, beside a running installation.
//!
//! Each store is read at its own committed position, in an order that needs no common snapshot: the log's end and
//! the consumers' positions first, then aggregates and catalog, then every event from the archive's first to the
//! log's last. So whatever a row or an aggregate has counted is among the events read, and whatever was in the log
//! at first has to be in the catalog.
//!
//! Everything goes through the ports: an audit runs the same against every backend.

mod archive;
mod products;
mod recount;
mod report;
mod walk;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use object_store::ObjectStore;
use souk_analytics::AnalyticsConfig;
use souk_ports::{Catalog, EventLog, EventStore, Offset};

use crate::products::Products;
use crate::recount::Recount;
pub use crate::report::{Check, CheckResult, Difference, Report};
use crate::walk::Walk;

/// Rows and items read at once.
const PAGE: usize = 2_000;

/// How long the log may stand still while rows are ahead of it, before their events count as missing: a relay
/// that is behind moves many times a second.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Pause between two looks at a log that is behind its catalog.
const PAUSE: Duration = Duration::from_millis(50);

/// What is held against each other.
#[derive(Clone)]
pub struct AuditDeps {
    /// Products.
    pub catalog: Arc<dyn Catalog>,
    /// Events.
    pub log: Arc<dyn EventLog>,
    /// Aggregates.
    pub store: Arc<dyn EventStore>,
    /// Archived events.
    pub archive: Arc<dyn ObjectStore>,
}

/// How far an audit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Events read.
    pub events: u64,
    /// Events to read, about: offsets have holes.
    pub total: u64,
}

/// Audits an installation. Memory grows by about 200 bytes for each product, 400 for each aggregate item and 8 for
/// each event; of the events themselves, one archived object or one page of the log is held at a time.
///
/// # Errors
/// When a store cannot be read at all. What can be read and is wrong is a difference in the report.
pub async fn audit(deps: AuditDeps, mut progress: impl FnMut(Progress) + Send) -> Result<Report> {
    let AuditDeps { catalog, log, store, archive } = deps;
    let identity = log.identity();
    let mut report = Report::new(identity.to_string());

    let began = log.bounds().await.context("the log's bounds cannot be read")?;
    // What the consumers have committed has to be in their stores by now.
    let client_id = AnalyticsConfig::default().client_id;
    let committed = async |consumer: &str| {
        let positions = log.committed(&format!("{client_id}-{consumer}")).await;
        positions.with_context(|| format!("the positions of the {consumer} cannot be read"))
    };
    let (counted, archived) = (committed("aggregates").await?, committed("archive").await?);
    let mut recount = Recount::new(counted);
    let mut after = None;
    loop {
        let items =
            store.scan_items(identity, after.as_ref(), PAGE).await.context("aggregates cannot be read")?;
        let Some(last) = items.last() else { break };
        after = Some(last.clone());
        for item in items {
            recount.item(item, &mut report);
        }
    }
    let mut products = Products::default();
    let mut after = None;
    loop {
        let rows = catalog.scan(after, PAGE).await.context("the catalog cannot be read")?;
        let Some(last) = rows.last() else { break };
        after = Some(last.id);
        for row in rows {
            products.row(row, &mut report);
        }
    }

    let early: Vec<Offset> = began.iter().map(|bounds| bounds.next).collect();
    let mut walk = Walk {
        log: &*log,
        archive: &*archive,
        early,
        archived,
        products,
        recount,
        report,
        ids: Vec::new(),
        next: Vec::new(),
        total: 0,
        progress: &mut progress,
    };
    walk.archive_and_log().await?;
    // Where log and catalog are not one store, the last events may be on their way.
    let mut moved = Instant::now();
    while walk.products.rows_ahead() > 0 && moved.elapsed() < STANDSTILL {
        if walk.rest_of_log().await? {
            moved = Instant::now();
        } else {
            tokio::time::sleep(PAUSE).await;
        }
    }
    let Walk { products, recount, mut report, ids, .. } = walk;
    products.finish(&mut report);
    recount.finish(&mut report);
    unique(ids, &mut report);
    report.differences.sort_by_key(|difference| difference.check);
    Ok(report)
}

/// Compares the low halves of all ids: 8 bytes for each event, and no two of a version 7 UUID's 62 random bits are
/// the same by chance.
fn unique(mut ids: Vec<u64>, report: &mut Report) {
    report.compared(Check::EventIds, ids.len() as u64);
    ids.sort_unstable();
    for same in ids.chunk_by(|a, b| a == b).filter(|same| same.len() > 1) {
        let key =
            format!("events whose id ends in {:04x}-{:012x}", same[0] >> 48, same[0] & 0xffff_ffff_ffff);
        report.differs(Check::EventIds, key, "one", same.len().to_string());
    }
}
