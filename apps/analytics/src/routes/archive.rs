//! `GET /archive`: the archived objects; `POST /archive/flush`: archives everything now.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use souk_domain::Timestamp;
use souk_events::schema::{object, reference, values};
use souk_http::openapi::{Answer, Operation};
use souk_http::{Code, Params, Problem};
use souk_ports::{Offset, Partition, fault};
use tokio::sync::oneshot;

use super::{DEFAULT_LIMIT, MAX_LIMIT, Page, TAG, count, json_of, page_of, parameter, query};
use crate::analytics::Shared;
use crate::archive::{ArchivedObject, FlushRequest, Limits, ObjectQuery, ReadError, log_prefix, objects};
use crate::consumer::{ConsumerState, caught_up};

const PARAMS: [&str; 4] = ["from", "to", "limit", "cursor"];

/// An object on the wire.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    key: &'a str,
    rows: u64,
    bytes: u64,
    partition: Partition,
    first_offset: Offset,
    next_offset: Offset,
    digest: &'a str,
    created_at: Timestamp,
}

impl<'a> Item<'a> {
    fn of(object: &'a ArchivedObject) -> Self {
        let footer = &object.footer;
        Self {
            key: &object.key,
            rows: footer.rows,
            bytes: object.bytes,
            partition: footer.partition,
            first_offset: footer.first_offset,
            next_offset: footer.next_offset,
            digest: &footer.digest,
            created_at: footer.created_at,
        }
    }
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let params = Params::parse(raw.as_deref(), &PARAMS)?;
    let (from, to) = query::range(&params)?;
    let log = shared.log.identity();
    let after = match query::cursor_parts::<1>(&params)? {
        Some([key]) if key.starts_with(&log_prefix(log)) => Some(key),
        Some(_) => return Err(query::bad_cursor(params.get("cursor").unwrap_or_default())),
        None => None,
    };
    let wanted = ObjectQuery { from, to, after, limit: params.limit(DEFAULT_LIMIT, MAX_LIMIT)? };
    let (found, more) =
        objects(&*shared.keeper.store, log, &wanted).await.map_err(|error| unreadable(&shared, error))?;
    let next_cursor = found.last().filter(|_| more).map(|object| query::cursor(&[&object.key]));
    Ok(json_of(&Page { items: found.iter().map(Item::of).collect(), next_cursor }))
}

fn unreadable(shared: &Shared, error: ReadError) -> Problem {
    match error {
        ReadError::Store(_) => {
            let cause = shared.archiver.problem().unwrap_or_else(|| "check where it is kept".to_owned());
            Problem::new(Code::Overloaded, format!("the archive cannot be read now: {cause}"))
                .caused_by(error)
        }
        ReadError::Damaged { .. } => Problem::internal(error),
    }
}

#[derive(Serialize)]
struct Flushed<'a> {
    objects: Vec<Item<'a>>,
}

/// How often a flush looks at the consumers.
const LOOK: Duration = Duration::from_millis(20);

/// Attempts that have to fail before a flush gives up: the first may have begun before the flush was asked for.
const FAILURES: u64 = 2;

/// Most bytes of events in memory while another member's partition is archived, beside the open files of its own.
const OTHERS_BYTES: usize = 8 << 20;

/// How long a flush waits for recent events and aggregates after the archive has everything.
const CATCH_UP: Duration = Duration::from_secs(15);

pub(super) async fn flush(
    State(shared): State<Arc<Shared>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    Params::parse(raw.as_deref(), &[])?;
    // What was committed may be on its way to the log yet.
    let settle_time = shared.config.settle_time;
    if !settle_time.is_zero() && !fault::planted("flush-at-once") {
        tokio::time::sleep(settle_time).await;
    }
    let bounds = shared.log.bounds().await?;
    let targets: Vec<Offset> = bounds.iter().map(|bounds| bounds.next).collect();
    let written = tokio::select! {
        written = everywhere(&shared, &targets) => written?,
        () = tokio::time::sleep(shared.config.flush_timeout) => None,
        () = hopeless(&shared) => None,
    };
    match written {
        Some(objects) => {
            let _ = tokio::time::timeout(CATCH_UP, taken_in(&shared, &targets)).await;
            Ok(json_of(&Flushed { objects: objects.iter().map(Item::of).collect() }))
        }
        None => {
            let cause = shared.archiver.problem().unwrap_or_else(|| {
                format!("not done within {} s; ask again", shared.config.flush_timeout.as_secs())
            });
            Err(Problem::new(Code::Overloaded, format!("the archive could not be flushed: {cause}")))
        }
    }
}

/// Archives everything before `targets`, whoever owns it; returns the objects, or `None` when the consumer has ended.
async fn everywhere(shared: &Shared, targets: &[Offset]) -> Result<Option<Vec<ArchivedObject>>, Problem> {
    let mut objects = Vec::new();
    loop {
        let (reply, flushed) = oneshot::channel();
        if shared.flushes.send(FlushRequest { targets: targets.to_vec(), reply }).await.is_err() {
            return Ok(None);
        }
        let Ok(flushed) = flushed.await else { return Ok(None) };
        objects.extend(flushed.objects);
        // What others own cannot be waited for: they close their files when they are due.
        let others = others(shared, targets, &flushed.partitions).await?;
        objects.extend(others.made);
        if others.are_done {
            return Ok(Some(objects));
        }
    }
}

/// What was archived of partitions that others own.
struct Others {
    made: Vec<ArchivedObject>,
    /// None of them has become ours meanwhile: of one that has, our own consumer has records that it has to be asked for.
    are_done: bool,
}

/// Archives all but `ours`, from committed positions.
async fn others(shared: &Shared, targets: &[Offset], ours: &[Partition]) -> Result<Others, Problem> {
    let (archiver, mut others) = (&shared.archiver, Others { made: Vec::new(), are_done: true });
    let limits = Limits { bytes: OTHERS_BYTES, ..shared.limits() };
    let theirs = (0..).zip(targets).filter(|(partition, _)| !ours.contains(partition));
    let mut positions = None;
    for (partition, target) in theirs {
        if archiver.position(partition).is_some() {
            others.are_done = false;
            continue;
        }
        if positions.is_none() {
            let group = &archiver.group;
            positions = Some((shared.log.committed(group).await?, shared.log.looked(group).await?));
        }
        let at = |offsets: &[Offset]| offsets.get(partition as usize).copied().unwrap_or(0);
        let (position, looked) = positions.as_ref().map_or((0, 0), |all| (at(&all.0), at(&all.1)));
        let work = shared.keeper.archive_for_others(limits, partition, position, looked, *target);
        others.made.extend(work.await.map_err(|error| {
            let detail =
                format!("partition {partition}, which another instance owns, cannot be archived: {error}");
            Problem::new(Code::Overloaded, detail)
        })?);
        others.are_done &= archiver.position(partition).is_none();
    }
    Ok(others)
}

/// Waits until the archive consumer has stopped for good, or has failed again although it was asked to try at once.
async fn hopeless(shared: &Shared) {
    let archiver = &shared.archiver;
    let before = archiver.failures();
    let mut interval = tokio::time::interval(LOOK);
    loop {
        interval.tick().await;
        // A consumer that has ended answers nobody.
        if archiver.is_stopped() || archiver.failures() >= before + FAILURES {
            return;
        }
        if archiver.problem().is_some() {
            archiver.nudge();
        }
    }
}

/// Waits until recent events and aggregates have everything before `targets` too, so that whoever flushed finds it
/// in every answer. One that is in trouble holds nobody up: `/progress` and `/health` tell of it.
async fn taken_in(shared: &Shared, targets: &[Offset]) {
    let mut interval = tokio::time::interval(LOOK);
    for state in [&shared.recent, &shared.aggregates] {
        while state.problem().is_none() && !has_all(shared, state, targets).await {
            interval.tick().await;
        }
    }
}

async fn has_all(shared: &Shared, state: &ConsumerState, targets: &[Offset]) -> bool {
    if !state.has_joined() {
        return false;
    }
    let mut committed = None;
    for (partition, target) in (0..).zip(targets) {
        let position = match state.position(partition) {
            Some(position) => position,
            // Another member has it, or nobody just now: what counts is what is committed.
            None => {
                if committed.is_none() {
                    committed = shared.log.committed(&state.group).await.ok();
                }
                let Some(all) = &committed else { return false };
                all.get(partition as usize).copied().unwrap_or(0)
            }
        };
        // Offsets have holes; a log that cannot be read now is asked again.
        if !caught_up(&*shared.log, partition, position, *target).await.unwrap_or(false) {
            return false;
        }
    }
    true
}

/// Returns the schema of an object.
pub(super) fn schema() -> Value {
    let text = |about: &str| json!({"description": about, "type": "string"});
    object(
        "An archived object: Parquet, created once and never changed.",
        &[
            ("key", text("Its name in the archive.")),
            ("rows", count("How many events it holds.")),
            ("bytes", count("How large it is.")),
            ("partition", count("The partition that its events are from.")),
            ("firstOffset", count("Where it begins: the `nextOffset` of the one before.")),
            ("nextOffset", count("Where the next one begins.")),
            ("digest", text("SHA-256 of its events.")),
            ("createdAt", values::time("When it was written.")),
        ],
    )
}

fn example() -> Value {
    json!({
        "key": "product-events/log=WvASxJt-06E/date=2026-11-22/hour=18/p=00000/o=00000000000000000000.parquet",
        "rows": 1065,
        "bytes": 51_234,
        "partition": 0,
        "firstOffset": 0,
        "nextOffset": 1066,
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "createdAt": "2026-11-22T18:05:00.000Z",
    })
}

/// Describes the list.
pub(super) fn operation() -> Operation {
    Operation::new("listArchive", TAG.0, "Lists archived objects").parameters(PARAMS.map(parameter)).answers(
        Answer::new(200, "A page")
            .never_kept()
            .json(
                page_of(reference("ArchivedObject")),
                &[("page", "One object", json!({"items": [example()], "nextCursor": null}))],
            )
            .link("listArchive", "cursor", "$response.body#/nextCursor"),
    )
}

/// Describes the flush.
pub(super) fn flush_operation() -> Operation {
    let objects =
        json!({"description": "What was written.", "type": "array", "items": reference("ArchivedObject")});
    Operation::new("flushArchive", TAG.0, "Archives everything now")
        .describe(
            "Takes in all that was committed before the call and closes open files. For drills and tests. Where a relay brings \
             events to the log, it is given a moment first; what it holds back for longer, as one that is behind does, is not \
             in it. Everything that the log has is archived then; recent events and aggregates are waited for a while, and \
             `GET /progress` tells whether they have come to it.",
        )
        .answers(Answer::new(200, "It is archived").never_kept().json(
            object("What was written.", &[("objects", objects)]),
            &[
                ("objects", "One object", json!({"objects": [example()]})),
                ("none", "Nothing was left", json!({"objects": []})),
            ],
        ))
}
