//! Compares the archive with what the stream delivered.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use serde::Deserialize;
use souk_client::Client;
use souk_events::Cursor;

use super::{LOOK_AGAIN, PAGE, POISONED};
use crate::LoadError;
use crate::ledger::SharedLedger;
use crate::opening::read;
use crate::requests;
use crate::stream::Reader;
use crate::verdict::FaultKind;

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
    /// Whether all rows were compared with events of the stream.
    pub compared: bool,
}

/// Compares the objects that the run made with what the stream delivered: in each partition a chain without a hole,
/// with as many rows as there were events, up to where the stream was before the archive took in the rest.
pub(crate) async fn archive(
    analytics: &mut Client,
    before: &ArchiveEnds,
    stream: &Reader,
    settle: Duration,
    ledger: &SharedLedger,
) -> Result<Archived, LoadError> {
    // Whatever was delivered by now was committed before the call, so that it has to be archived after it.
    let reached = stream.reached();
    flush(analytics).await?;
    // A partition without an object is compared, too: nothing may have come of it.
    let mut chains: BTreeMap<usize, Vec<ArchiveObject>> =
        (0..reached.len()).map(|partition| (partition, Vec::new())).collect();
    let mut archived = Archived { rows: 0, objects: 0, compared: true };
    for object in list_archive(analytics).await? {
        if before.get(&object.partition).is_none_or(|end| object.next_offset > *end) {
            archived.rows += object.rows;
            archived.objects += 1;
            chains.entry(object.partition).or_default().push(object);
        }
    }
    // Common to all partitions: each has been looked at for as long as all before it.
    let until = Instant::now() + settle;
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
        let end = end.max(reached.get(partition).copied().unwrap_or(0));
        archived.compared &= compare_count(stream, partition, from..end, rows, until).await?;
    }
    if archived.objects == 0 && ledger.lock().expect(POISONED).acknowledged() > 0 {
        ledger
            .lock()
            .expect(POISONED)
            .fault(FaultKind::ArchiveCount, || "nothing of the run was archived".to_owned());
    }
    Ok(archived)
}

/// Compares a chain's rows with the events that the stream delivered from the same offsets; tells whether it could.
/// Events of others may still be on their way, so that a difference has until `until` to vanish.
async fn compare_count(
    stream: &Reader,
    partition: usize,
    Range { start: from, end }: Range<u64>,
    rows: u64,
    until: Instant,
) -> Result<bool, LoadError> {
    loop {
        stream.check()?;
        {
            let mut ledger = stream.ledger().lock().expect(POISONED);
            // Without offsets in the ids there is nothing to compare with.
            let Some(offsets) = &mut ledger.offsets else { return Ok(false) };
            offsets.place();
            let delivered = offsets.count(partition, from, end);
            let unplaced = offsets.unplaced(partition, from, end);
            if (delivered..=delivered + unplaced).contains(&rows) {
                return Ok(unplaced == 0);
            }
            if Instant::now() > until {
                ledger.fault(FaultKind::ArchiveCount, || {
                    format!("partition {partition}, offsets {from} to {end}: {rows} rows, {delivered} events in the stream")
                });
                return Ok(true);
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
