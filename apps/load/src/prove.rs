//! Compares what was acknowledged with the recent events, the archive and the final stock.

mod archive;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use souk_client::{Client, Target};
use souk_domain::{EventType, Timestamp};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::ledger::{SharedLedger, Source};
use crate::opening::read;
use crate::requests::ProductAnswer;
use crate::verdict::FaultKind;
use crate::{LoadConfig, LoadError};

pub(crate) use archive::{archive, flush_archive};

/// Pause between looks at something that may still be on its way.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Rows of a page: the most that lists give.
const PAGE: usize = 500;
/// Connections that read products: enough to hide the round trip.
const READERS: usize = 16;

const POISONED: &str = "no holder of the ledger panics";

/// What the recent events showed.
pub(crate) struct Recent {
    /// Events of acknowledged writes that are there.
    pub matched: usize,
    /// Whether they go back to the run's first write.
    pub covered: bool,
    /// The time of the oldest one.
    pub oldest: Option<Timestamp>,
    /// Events of acknowledged writes that analytics has not come to yet: that they are there is the archive's to prove.
    pub behind: usize,
}

impl Recent {
    /// Returns from when on an event that is not there is lost; `None`: from the beginning.
    pub fn judged_from(&self) -> Option<Timestamp> {
        match (self.behind, self.covered) {
            (0, true) => None,
            (0, false) => self.oldest,
            _ => Some(Timestamp::MAX),
        }
    }
}

/// Returns how many events of the log analytics has not put among the recent ones yet.
async fn behind(analytics: &mut Client) -> Result<usize, LoadError> {
    #[derive(Deserialize)]
    struct Progress {
        consumers: Vec<Consumer>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Consumer {
        name: String,
        lag_events: usize,
    }
    analytics.get("/progress").await?;
    let progress: Progress = read(analytics, "GET /progress")?;
    let recent = progress.consumers.iter().find(|consumer| consumer.name == "recent");
    Ok(recent.map_or(0, |recent| recent.lag_events))
}

/// Looks for every acknowledged write in the recent events. A consumer that trails has `settle` to catch up; what it has not
/// come to by then, since its store is slower than the writers were, is not lost by that.
pub(crate) async fn recent(
    analytics: &mut Client,
    ledger: &SharedLedger,
    settle: Duration,
) -> Result<Recent, LoadError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        items: Vec<Item>,
        next_cursor: Option<String>,
    }
    #[derive(Deserialize)]
    struct Item {
        #[serde(rename = "type")]
        kind: EventType,
        subject: Uuid,
        time: Timestamp,
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        version: u64,
    }
    let (earliest, wanted) = {
        let ledger = ledger.lock().expect(POISONED);
        (ledger.earliest, ledger.acknowledged() + ledger.crossings())
    };
    let Some(earliest) = earliest else {
        return Ok(Recent { matched: 0, covered: true, oldest: None, behind: 0 });
    };
    let started = Instant::now();
    // Asked for before the events are: what is counted here may be among them, never the other way round.
    let mut trails = behind(analytics).await?;
    while trails > 0 && started.elapsed() < settle {
        tokio::time::sleep(LOOK_AGAIN).await;
        trails = behind(analytics).await?;
    }
    loop {
        let (mut oldest, mut cursor) = (None, None);
        loop {
            let after = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
            analytics.get(&format!("/events?from={earliest}&limit={PAGE}{after}")).await?;
            let page: Page = read(analytics, "GET /events")?;
            let mut ledger = ledger.lock().expect(POISONED);
            for Item { kind, subject, time, data } in page.items {
                ledger.observe(Source::Recent, subject, data.version, kind);
                oldest = Some(oldest.map_or(time, |oldest: Timestamp| oldest.min(time)));
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        let missing = ledger.lock().expect(POISONED).outstanding(Source::Recent);
        let covered = missing == 0 || oldest.is_some_and(|oldest| oldest <= earliest);
        // A retention shorter than the run shows as a beginning that is missing; waiting does not bring it back.
        if missing == 0 || !covered || started.elapsed() > settle {
            let behind = if missing <= trails { missing } else { 0 };
            return Ok(Recent { matched: wanted - missing, covered, oldest, behind });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        ledger.lock().expect(POISONED).forget(Source::Recent);
    }
}

/// Reads every product and compares stock, version and `lowStock` with the last answer.
pub(crate) async fn stock(
    target: &Target,
    config: &LoadConfig,
    ledger: &SharedLedger,
) -> Result<(), LoadError> {
    let expected = Arc::new(ledger.lock().expect(POISONED).expected());
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..READERS.min(config.concurrency) {
        let (expected, next, ledger) = (expected.clone(), next.clone(), ledger.clone());
        let mut client = Client::new(target.clone(), config.patience);
        workers.spawn(async move {
            while let Some(expected) = expected.get(next.fetch_add(1, Ordering::Relaxed)) {
                client.get(&format!("/products/{}", expected.id)).await?;
                let found: ProductAnswer = read(&client, "GET /products/{id}")?;
                let mut ledger = ledger.lock().expect(POISONED);
                if (found.stock, found.low_stock) != (expected.stock, expected.low_stock) {
                    ledger.fault(FaultKind::StockDiffers, || {
                        format!(
                            "product {}: stock {} (low: {}) instead of {} (low: {})",
                            expected.id, found.stock, found.low_stock, expected.stock, expected.low_stock
                        )
                    });
                }
                if found.version != expected.version {
                    ledger.fault(FaultKind::VersionDiffers, || {
                        format!(
                            "product {}: version {} instead of {}",
                            expected.id, found.version, expected.version
                        )
                    });
                }
            }
            Ok::<_, LoadError>(())
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.expect("no reader panics")?;
    }
    Ok(())
}
