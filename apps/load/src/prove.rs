//! Compares what was acknowledged with the recent events, the archive and the final stock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use souk_client::{Client, Target};
use souk_domain::{EventType, Timestamp};
use souk_events::Cursor;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::ledger::{SharedLedger, Source};
use crate::opening::read;
use crate::requests::{self, ProductAnswer};
use crate::stream::Reader;
use crate::verdict::FaultKind;
use crate::{LoadConfig, LoadError};

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchiveObject {
    rows: u64,
    partition: usize,
    first_offset: u64,
    next_offset: u64,
}

/// Where the archive ends, by partition.
pub(crate) type ArchiveEnds = BTreeMap<usize, u64>;

/// Has everything archived that is committed; returns where the archive then ends.
pub(crate) async fn flush_archive(
    analytics: &mut Client,
    stream_position: &Cursor,
) -> Result<ArchiveEnds, LoadError> {
    flush(analytics).await?;
    let mut ends: ArchiveEnds = stream_position.next.iter().copied().enumerate().collect();
    let mut archived = ArchiveEnds::new();
    for object in list_archive(analytics).await? {
        let end = archived.entry(object.partition).or_default();
        *end = object.next_offset.max(*end);
    }
    ends.extend(archived);
    Ok(ends)
}

async fn flush(analytics: &mut Client) -> Result<(), LoadError> {
    let request = format!(
        "POST {}/archive/flush HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n",
        analytics.target().path,
        analytics.target().authority
    );
    match analytics.send(request.as_bytes()).await?.status {
        200 => Ok(()),
        status => {
            let reason = format!("{status} {}", requests::problem(analytics.body()));
            Err(analytics.target().unexpected("POST /archive/flush", reason).into())
        }
    }
}

async fn list_archive(analytics: &mut Client) -> Result<Vec<ArchiveObject>, LoadError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        items: Vec<ArchiveObject>,
        next_cursor: Option<String>,
    }
    let (mut objects, mut after) = (Vec::new(), String::new());
    loop {
        analytics.get(&format!("/archive?limit={PAGE}{after}")).await?;
        let page: Page = read(analytics, "GET /archive")?;
        objects.extend(page.items);
        match page.next_cursor {
            Some(cursor) => after = format!("&cursor={cursor}"),
            None => return Ok(objects),
        }
    }
}

/// What the archive holds of the run.
pub(crate) struct Archived {
    /// Rows.
    pub rows: u64,
    /// Objects.
    pub objects: usize,
}

/// Compares the objects that the run made with what the stream delivered: a chain without a hole, with as many
/// rows as there were events.
pub(crate) async fn archive(
    analytics: &mut Client,
    before: &ArchiveEnds,
    stream: &Reader,
    settle: Duration,
    ledger: &SharedLedger,
) -> Result<Archived, LoadError> {
    flush(analytics).await?;
    let mut chains: BTreeMap<usize, Vec<ArchiveObject>> = BTreeMap::new();
    let mut archived = Archived { rows: 0, objects: 0 };
    for object in list_archive(analytics).await? {
        if before.get(&object.partition).is_none_or(|end| object.next_offset > *end) {
            archived.rows += object.rows;
            archived.objects += 1;
            chains.entry(object.partition).or_default().push(object);
        }
    }
    for (partition, mut chain) in chains {
        chain.sort_unstable_by_key(|object| object.first_offset);
        let from = before.get(&partition).copied().unwrap_or(0);
        let mut end = from;
        for (number, object) in chain.iter().enumerate() {
            // The first object of all begins at 0, where the log's first offset may be higher. One that overlaps
            // those of before has more rows than were delivered.
            let follows = object.first_offset == end || number == 0 && object.first_offset < end;
            if !follows {
                ledger.lock().expect(POISONED).fault(FaultKind::ArchiveChain, || {
                    format!(
                        "partition {partition}: an object begins at {}, the one before ends at {end}",
                        object.first_offset
                    )
                });
            }
            end = object.next_offset;
        }
        let rows: u64 = chain.iter().map(|object| object.rows).sum();
        compare_count(stream, partition, from, end, rows, settle).await?;
    }
    if archived.objects == 0 && ledger.lock().expect(POISONED).acknowledged() > 0 {
        ledger
            .lock()
            .expect(POISONED)
            .fault(FaultKind::ArchiveCount, || "nothing of the run was archived".to_owned());
    }
    Ok(archived)
}

/// Compares a chain's rows with the events that the stream delivered from the same offsets. Events of others may
/// still be on their way, so that a difference has `settle` to vanish.
async fn compare_count(
    stream: &Reader,
    partition: usize,
    from: u64,
    end: u64,
    rows: u64,
    settle: Duration,
) -> Result<(), LoadError> {
    let started = Instant::now();
    loop {
        stream.check()?;
        {
            let mut ledger = stream.ledger().lock().expect(POISONED);
            // Without offsets in the ids there is nothing to compare with.
            let Some(offsets) = &ledger.offsets else { return Ok(()) };
            let delivered = offsets.count(partition, from, end);
            if delivered == rows {
                return Ok(());
            }
            if started.elapsed() > settle {
                ledger.fault(FaultKind::ArchiveCount, || {
                    format!("partition {partition}, offsets {from} to {end}: {rows} rows, {delivered} events in the stream")
                });
                return Ok(());
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
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
